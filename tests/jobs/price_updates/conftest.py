"""A company with price updates: what a test does to it, in the words of the test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.indices import load_shipped
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.price_updates import UpdateOptions, UpdateOutcome, apply_price_updates, settle_updates
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import IndexValue, Period, PriceUpdateExecution
from ciclo_sandbox.testing import SandboxControl
from company import ORGANIZATION, TOKEN
from ledgers import migrate

LAST = date(2025, 12, 31)


@dataclass
class Billing:
    """A running company: its vendor, its ledger, and the jobs as the Dags run them."""

    sandbox: SandboxControl
    ctx: JobContext
    today: date = date(2026, 1, 10)

    def expand(self, first: date = date(2025, 1, 1), last: date = LAST) -> Any:
        read_contract_list(self.ctx)
        return expand_rules(self.ctx, Scope(DateRange.days(first, last)), seen_on=self.today)

    def apply(self, last: date = LAST, options: UpdateOptions | None = None, **given: Any) -> UpdateOutcome:
        scope = Scope(DateRange.days(date(2000, 1, 1), last))
        owner = given.pop("owner", "test")
        return apply_price_updates(
            self.ctx, scope, options or UpdateOptions(), today=given.pop("today", self.today), owner=owner, **given
        )

    def settle(self, options: UpdateOptions | None = None) -> UpdateOutcome:
        return settle_updates(self.ctx, Scope(DateRange.days(date(2000, 1, 1), LAST)), options or UpdateOptions())

    def issue(self, first: date = date(2025, 1, 1), last: date = LAST) -> Any:
        scope = Scope(DateRange.days(first, last))
        return issue_due_periods(self.ctx, scope, IssueOptions(concurrency=1), owner="test")

    def forget(self, index: str, since: date, until: date = date.max) -> None:
        """Take an index's values of some months out of the ledger, as before they were out."""
        months = IndexValue.month.between(since, until)
        self.ctx.session.execute(delete(IndexValue).where(IndexValue.price_index == index, months))
        self.ctx.session.commit()

    def executions(self, rule_id: int = 1) -> list[PriceUpdateExecution]:
        return self.ctx.executions.of_rules([rule_id]).get(rule_id, [])

    def execution(self, rule_id: int = 1) -> PriceUpdateExecution:
        [only] = self.executions(rule_id)
        return only

    def prices(self, rule_id: int = 1) -> list[tuple[int, str, str, str]]:
        """Service, day, unit value, source of a rule's prices, by day."""
        self.ctx.session.expire_all()
        rows = self.ctx.prices.histories([rule_id]).get(rule_id, [])
        return [(p.service_id, p.effective_from.isoformat(), f"{p.unit_value:.2f}", p.source) for p in rows]

    def periods(self, rule_id: int = 1) -> list[Period]:
        self.ctx.session.expire_all()
        return self.ctx.periods.of_rules([rule_id], DateRange(date.min, date.max))

    def next_execution(self, update_id: int = 500) -> date | None:
        scheduled = self.ctx.scheduled_updates.get(update_id)
        assert scheduled is not None
        return scheduled.next_execution_date

    def remote_rule(self, rule_id: int = 1) -> dict[str, Any]:
        return next(rule for rule in self.sandbox.state()["invoice_rules"] if rule["id"] == rule_id)

    def billed(self) -> dict[str, str]:
        """Gross value by issue date of the invoices at the vendor."""
        return {i["issue_date"]: i["gross_value"] for i in self.sandbox.state()["invoices"]}

    def puts(self) -> list[dict[str, Any]]:
        return self.sandbox.requests(method="PUT", path="invoice_rules")


@pytest.fixture(scope="session")
def ledger_with_values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite ledger with the shipped index values, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    url = f"sqlite:///{path}"
    migrate(url)
    engine = open_engine(url)
    with Session(engine) as session:
        load_shipped(session, at=datetime(2026, 1, 10, tzinfo=UTC))
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(ledger_with_values: Path, tmp_path: Path) -> str:
    copy = shutil.copy(ledger_with_values, tmp_path / "ledger.db")
    return f"sqlite:///{copy}"


@pytest.fixture(scope="session")
def billing_on(ledger_with_values: Path) -> Callable[..., AbstractContextManager[Billing]]:
    """Make a company of a running sandbox, with a ledger of its own: for examples that share the sandbox."""

    @contextmanager
    def start(sandbox: SandboxControl, state: dict[str, Any]) -> Iterator[Billing]:
        sandbox.put_state(state)
        with TemporaryDirectory() as folder, ExitStack() as stack:
            engine = open_engine(f"sqlite:///{shutil.copy(ledger_with_values, folder)}")
            stack.callback(engine.dispose)
            api = stack.enter_context(
                BillimaticClient(
                    base_url=sandbox.url, token=TOKEN, organization_id=ORGANIZATION, requests_per_second=None
                )
            )
            session = stack.enter_context(Session(engine, expire_on_commit=False))
            noon = datetime(2026, 1, 10, 12, tzinfo=UTC)
            yield Billing(sandbox, JobContext(api, session, Actor(dag_id="test"), lambda: noon))

    return start


@pytest.fixture
def billing(sandbox, lite_job) -> Callable[..., Billing]:
    """Start a company on SQLite, its shipped index values in the ledger, its rules not read yet."""

    def start(state: dict[str, Any], **given: Any) -> Billing:
        control = sandbox(state)
        return Billing(control, lite_job(control), **given)

    return start


@pytest.fixture
def billing_anywhere(sandbox, job) -> Callable[..., Billing]:
    """The same on SQLite and on PostgreSQL in turn."""

    def start(state: dict[str, Any], **given: Any) -> Billing:
        control = sandbox(state)
        company = Billing(control, job(control), **given)
        load_shipped(company.ctx.session, at=company.ctx.clock())
        return company

    return start
