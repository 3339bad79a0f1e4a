"""A company whose ledger is backed up, restored and moved while the vendor goes on: its runs are those of the Dags."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.close import ClosingAttempt, close_month, refresh_rules
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.indices import load_shipped
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules, record_expansion
from ciclo.jobs.price_updates import UpdateOptions, UpdateOutcome, apply_price_updates, settle_updates
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope
from ciclo_sandbox.testing import SandboxControl
from company import ORGANIZATION
from documented_commands import run_documented

OPTIONS = IssueOptions(concurrency=1, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


@dataclass
class Company:
    """The vendor, the address of the ledger, and a day."""

    box: SandboxControl
    url: str
    today: date = date(2025, 1, 31)
    hour: int = 15

    @contextmanager
    def job(self) -> Iterator[JobContext]:
        """Open what a task opens; nothing stays open between two runs."""
        engine = open_engine(self.url)
        now = datetime.combine(self.today, time(self.hour), UTC)
        with (
            BillimaticClient(
                base_url=self.box.url, token=self.box.token, organization_id=ORGANIZATION, requests_per_second=None
            ) as api,
            Session(engine, expire_on_commit=False) as session,
        ):
            yield JobContext(api, session, Actor(dag_id="bill_range", run_id=f"run of {now}"), lambda: now)
        engine.dispose()

    def go_to(self, today: date) -> None:
        """Let days pass, here and at the vendor."""
        self.today = today
        self.box.set_clock(today)

    def bill(self, first: date, last: date) -> tuple[UpdateOutcome, IssueOutcome]:
        """Bill a range as `bill_range` does: contracts, expansion, price updates, settle, adopt, issue, finish."""
        scope = Scope(DateRange.days(first, last))
        owner = f"{self.today}-{self.hour}"
        with self.job() as ctx:
            load_shipped(ctx.session, at=ctx.clock())
            read_contract_list(ctx)
            expand_rules(ctx, scope, seen_on=self.today)
            record_expansion(ctx, scope)
            updates = settle_updates(ctx, scope, UpdateOptions())
            updates.add(apply_price_updates(ctx, scope, UpdateOptions(), today=self.today, owner=owner))
            outcome = settle(ctx, scope, OPTIONS)
            outcome.add(adopt_existing(ctx, scope, OPTIONS, owner=owner))
            outcome.add(issue_due_periods(ctx, scope, OPTIONS, owner=owner))
            outcome.add(finish_issuing(ctx, scope, OPTIONS, owner=owner))
        return updates, outcome

    def close(self, *months: int) -> list[ClosingAttempt]:
        """Try to close months of 2025."""
        with self.job() as ctx:
            first, last = date(2025, min(months), 1), DateRange.month_of(date(2025, max(months), 1)).last_day
            refresh_rules(ctx, DateRange.days(first, last), seen_on=self.today)
            return [close_month(ctx, date(2025, month, 1), today=self.today, reports=None) for month in months]

    def invoices(self) -> list[dict[str, Any]]:
        return self.box.state()["invoices"]

    def references(self) -> list[str]:
        """What Ciclo wrote into the vendor's invoices: one of each is right."""
        return sorted(invoice["comments"] for invoice in self.invoices())

    def back_up(self, path: Path) -> None:
        """Back the ledger up as docs/operations.md says."""
        run_documented(f"back up {self._kind}", self._environment(path))

    def restore(self, path: Path) -> None:
        """Put a backup in the ledger's place as docs/operations.md says."""
        run_documented(f"restore {self._kind}", self._environment(path))

    @property
    def _kind(self) -> str:
        return make_url(self.url).get_backend_name()

    def _environment(self, path: Path) -> dict[str, str]:
        url = make_url(self.url)
        own = {"CICLO_LEDGER_URL": self.url, "BACKUP": str(path)}
        if self._kind == "sqlite":
            return own | {"LEDGER": str(url.database)}
        return own | {"PGHOST": str(url.query["host"]), "PGUSER": str(url.username), "PGDATABASE": str(url.database)}


@pytest.fixture
def company_on(sandbox: Callable[[dict[str, Any]], SandboxControl]) -> Callable[[dict[str, Any], str], Company]:
    """Start a company at the vendor with a ledger at an address."""

    def start(state: dict[str, Any], url: str) -> Company:
        company = Company(sandbox(state), url)
        company.go_to(company.today)
        return company

    return start
