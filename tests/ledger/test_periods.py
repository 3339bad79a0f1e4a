"""Periods in the ledger: planned once, claimed by one run, changed only as the state machine allows."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.ledger.repositories import (
    Actor,
    AuditRepository,
    InvoiceRepository,
    Issued,
    PeriodRepository,
    ScheduledUpdateRepository,
    Scope,
)
from ciclo.ledger.tables import Period
from factories import NOON, ORGANIZATION, period_row, scheduled_update_row

YEAR = Scope(DateRange.days(date(2025, 1, 1), date(2025, 12, 31)))
LEASE = NOON + timedelta(minutes=10)


@pytest.fixture
def periods(session):
    return PeriodRepository(session, ORGANIZATION, Actor(dag_id="issue_invoices", run_id="r1", task_id="issue"))


def claim(periods, scope=YEAR, limit=100, owner="run 1"):
    return periods.claim_planned(periods.planned(scope)[:limit], owner=owner, lease_until=LEASE, at=NOON)


def test_planning_a_period_again_adds_nothing(periods):
    rows = [period_row(), period_row(rule_id=2)]
    assert periods.plan(rows) == 2
    assert periods.plan([*rows, period_row(rule_id=3)]) == 1


def test_the_same_rule_and_day_twice_is_refused_by_the_database(session, periods):
    session.add_all([Period(**period_row()), Period(**period_row())])
    with pytest.raises(IntegrityError):
        session.flush()


def test_an_invoice_belongs_to_at_most_one_period(session):
    session.add_all(
        Period(**period_row(rule_id=rule, state="issued", invoice_id=99, gross_value=Decimal("1.00")))
        for rule in (1, 2)
    )
    with pytest.raises(IntegrityError):
        session.flush()


def test_an_issued_period_without_an_invoice_is_refused_by_the_database(session):
    session.add(Period(**period_row(state="issued")))
    with pytest.raises(IntegrityError):
        session.flush()


def test_a_claim_takes_the_oldest_first_and_nobody_takes_them_again(periods):
    periods.plan([period_row(issue_date=date(2025, month, 10)) for month in (5, 3, 4)])
    assert [p.issue_date.month for p in claim(periods, limit=2)] == [3, 4]
    assert [p.issue_date.month for p in claim(periods, owner="run 2")] == [5]
    assert claim(periods, owner="run 3") == []


def test_a_claim_keeps_to_its_window_contracts_and_shard(periods):
    periods.plan([period_row(contract_id=c, rule_id=c) for c in (10, 11, 12)])
    periods.plan([period_row(rule_id=9, issue_date=date(2024, 12, 31))])
    periods.plan([period_row(rule_id=9, organization_id=8)])
    odd = Scope(YEAR.window, shard=1, shards=2)
    assert [p.contract_id for p in claim(periods, odd)] == [11]
    assert [p.contract_id for p in claim(periods, Scope(YEAR.window, contract_ids=(12,)))] == [12]
    assert [p.contract_id for p in claim(periods)] == [10]


@pytest.mark.parametrize(
    ("next_execution", "taken"),
    [
        (date(2025, 3, 10), 0),  # on the issue date: the new price is the period's
        (date(2025, 3, 11), 1),
        (None, 1),
    ],
)
def test_a_period_is_not_claimed_while_an_update_of_its_rule_is_unsettled(session, periods, next_execution, taken):
    updates = ScheduledUpdateRepository(session, ORGANIZATION)
    updates.store([scheduled_update_row(next_execution_date=next_execution)])
    periods.plan([period_row()])
    assert len(claim(periods)) == taken


def test_two_runs_at_once_never_hold_the_same_period(ledger_engine):
    with Session(ledger_engine) as session:
        PeriodRepository(session, ORGANIZATION, Actor()).plan([period_row(rule_id=rule) for rule in range(200)])
        session.commit()

    def run(owner: str) -> list[int]:
        taken: list[int] = []
        with Session(ledger_engine, expire_on_commit=False) as own:
            repository = PeriodRepository(own, ORGANIZATION, Actor())
            while repository.planned(YEAR):
                taken += [period.id for period in claim(repository, limit=7, owner=owner)]
                own.commit()
        return taken

    with ThreadPoolExecutor(4) as pool:
        held = [period for taken in pool.map(run, "ABCD") for period in taken]
    assert sorted(held) == sorted(set(held))
    assert len(held) == 200


def planning(session, numbers):
    PeriodRepository(session, ORGANIZATION, Actor()).plan([period_row(rule_id=number) for number in numbers])


def storing(session, numbers):
    seen = {"organization_id": ORGANIZATION, "contract_id": 10, "issue_date": NOON.date(), "state": "to_emit"}
    seen |= {"gross_value": Decimal("1.00"), "first_seen_at": NOON, "seen_at": NOON}
    unwanted = {"nfse_wanted": False, "nfse_issued": False, "adopted": False}
    invoices = [seen | unwanted | {"invoice_id": number, "planned_date": NOON.date()} for number in numbers]
    parts = [
        seen | {"receivable_id": number, "invoice_id": number, "due_date": NOON.date(), "percentage": Decimal(100)}
        for number in numbers
    ]
    InvoiceRepository(session, ORGANIZATION).store(invoices, parts)


def scheduling(session, numbers):
    rows = [scheduled_update_row(scheduled_update_id=number, rule_id=number) for number in numbers]
    ScheduledUpdateRepository(session, ORGANIZATION).store(rows)


@pytest.mark.parametrize("write", [planning, storing, scheduling])
def test_two_runs_that_write_the_same_rows_in_whatever_order_wait_in_turn(ledger_engine, write):
    def run(step: int) -> None:
        for _ in range(3):
            with Session(ledger_engine) as own:
                write(own, range(1, 301)[::step])
                own.commit()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, (1, -1)))


def test_every_change_of_state_is_audited_with_its_run_and_reason(session, periods):
    periods.plan([period_row()])
    [period] = claim(periods)
    periods.issued([Issued(period.id, 900, Decimal("150.00"), period.state, "invoice 900 created")], at=NOON)
    trail = AuditRepository(session, ORGANIZATION, Actor()).trail("period", period.id)
    assert [(e.from_state, e.to_state, e.run_id, said(e.reason)) for e in trail] == [
        ("planned", "submitting", "r1", "claimed by run 1"),
        ("submitting", "issued", "r1", "invoice 900 created"),
    ]


def test_an_issued_period_holds_its_invoice_and_no_claim(session, periods):
    periods.plan([period_row()])
    [period] = claim(periods)
    periods.issued([Issued(period.id, 900, Decimal("151.00"), period.state)], at=NOON)
    session.expire_all()
    found = periods.get(period.id)
    assert (found.state, found.invoice_id, found.gross_value) == ("issued", 900, Decimal("151.00"))
    assert (found.owner, found.lease_until) == (None, None)


def test_an_illegal_change_is_refused_and_nothing_is_written(session, periods):
    periods.plan([period_row()])
    [period] = periods.in_state(PeriodState.PLANNED)
    with pytest.raises(IllegalTransition):
        periods.doubt([period], reason="no", until=NOON, at=NOON)
    session.expire_all()
    assert periods.get(period.id).state == "planned"


def test_what_must_be_settled_is_what_is_in_doubt_or_whose_lease_ran_out(periods):
    periods.plan([period_row(rule_id=rule) for rule in (1, 2, 3)])
    held, lost = claim(periods, limit=2)
    periods.doubt([lost], reason="time-out", until=LEASE, at=NOON)
    assert [p.id for p in periods.unanswered(YEAR, NOON)] == [lost.id]
    assert [p.id for p in periods.unanswered(YEAR, LEASE + timedelta(seconds=1))] == [held.id, lost.id]


def test_totals_count_and_add_up_each_state(periods):
    periods.plan([period_row(rule_id=rule) for rule in (1, 2, 3)])
    claim(periods, limit=1)
    totals = periods.totals(YEAR)
    assert (totals[PeriodState.PLANNED].periods, totals[PeriodState.PLANNED].amount) == (2, Decimal("300.00"))
    assert totals[PeriodState.SUBMITTING].periods == 1
    assert totals[PeriodState.PARKED].periods == 0
