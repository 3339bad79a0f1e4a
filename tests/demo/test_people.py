"""What people do in the demonstration reaches the vendor and the ledger as if they had done it on their screens."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import ledger_session
from ciclo.ledger.repositories import Actor, Scope
from ciclo_sandbox.testing import SandboxControl, running_sandbox
from demo import people
from demo.company import ORGANIZATION_ID, TODAY, TOKEN, YEAR_END, YEAR_START, company
from demo.ledger_view import LedgerView, Stopped

REFUSED_CONTRACT, REFUSED_RULE = 3041, 70061
YEAR = Scope(DateRange.days(YEAR_START, YEAR_END), (REFUSED_CONTRACT,))
OPTIONS = IssueOptions(concurrency=2, batch=50, lease=timedelta(minutes=10), grace=timedelta(minutes=5))
MONTHLY, REFUSED = 12, 4
"""Periods of the contract's two rules."""


@pytest.fixture
def sandbox() -> Iterator[SandboxControl]:
    state = company()
    state["contracts"] = [contract for contract in state["contracts"] if contract["id"] == REFUSED_CONTRACT]
    mine = [rule for rule in state["invoice_rules"] if rule["contract_id"] == REFUSED_CONTRACT]
    state["invoice_rules"] = [rule | {"scheduled_updates": []} for rule in mine]
    with running_sandbox(state | {"invoices": []}, today=YEAR_END) as control:
        yield control


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[BillimaticClient]:
    options: dict[str, Any] = {"organization_id": ORGANIZATION_ID, "timeout": 2.0, "requests_per_second": None}
    with BillimaticClient(base_url=sandbox.url, token=TOKEN, **options) as client:
        yield client


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[LedgerView]:
    view = LedgerView(sqlite_url, ORGANIZATION_ID, YEAR_START, YEAR_END)
    yield view
    view.close()


def bill(api: BillimaticClient, url: str) -> int:
    with ledger_session(url) as session:
        ctx = context(api, session)
        read_contract_list(ctx)
        expand_rules(ctx, YEAR, seen_on=YEAR_END)
        return issue_due_periods(ctx, YEAR, OPTIONS, owner=f"run at {datetime.now(UTC)}").created


def context(api: BillimaticClient, session: Session) -> JobContext:
    return JobContext(
        api, session, Actor(dag_id="bill_range", run_id="test", task_id="issue"), lambda: datetime.now(UTC)
    )


def parked(ledger: LedgerView) -> list[Stopped]:
    return [period for period in ledger.stopped() if period.state == PeriodState.PARKED]


def test_what_the_vendor_refused_is_cured_released_once_and_billed(sandbox, api, sqlite_url, ledger):
    assert bill(api, sqlite_url) == MONTHLY
    refused = parked(ledger)
    assert {(period.contract_id, period.rule_id) for period in refused} == {(REFUSED_CONTRACT, REFUSED_RULE)}

    people.describe_rule(sandbox.url, REFUSED_CONTRACT, REFUSED_RULE, "Visitas técnicas trimestrais")
    released = [people.release(sqlite_url, refused, "It has one now.") for _ in range(2)]

    assert released == [REFUSED, 0]
    assert bill(api, sqlite_url) == REFUSED
    assert ledger.stopped() == []
    assert "Visitas técnicas trimestrais" in {invoice["description"] for invoice in sandbox.state()["invoices"]}


def test_customers_pay_as_time_passes_and_the_ledger_sees_it_when_it_is_reconciled(sandbox, api, sqlite_url, ledger):
    bill(api, sqlite_url)
    people.let_time_pass(sandbox.url, TODAY)
    unseen = ledger.money(TODAY)
    with ledger_session(sqlite_url) as session:
        reconcile(context(api, session), today=TODAY, recheck_days=0, window=YEAR.window)
    seen = ledger.money(TODAY)

    assert (unseen.received.count, unseen.not_issued.count) == (0, MONTHLY)
    assert seen.not_issued.count == 0
    assert seen.received.count + sum(share.count for share in seen.owed.values()) == MONTHLY
    assert seen.received.count > 0
