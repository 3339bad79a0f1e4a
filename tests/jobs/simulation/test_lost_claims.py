"""A run that was away for too long (a suspended machine, a database that was down) never undoes what came after it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import IssueOptions, LeaseTooShortError
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import release_period
from ciclo.ledger.repositories import Actor, Issued, PeriodRepository, Scope
from ciclo.ledger.tables import Invoice
from company import TODAY, company, rule
from factories import NOON, ORGANIZATION, period_row

JANUARY = Scope(DateRange.month_of(date(2025, 1, 1)))
QUARTER = Scope(DateRange.days(date(2025, 1, 1), date(2025, 3, 31)))
OPTIONS = IssueOptions(concurrency=2, batch=5, lease=timedelta(minutes=10), grace=timedelta(minutes=5))
LEASE = NOON + timedelta(minutes=10)


@pytest.fixture
def runs(ledger_engine):
    """The period repositories of two runs on one ledger."""
    with Session(ledger_engine, expire_on_commit=False) as one, Session(ledger_engine, expire_on_commit=False) as two:
        yield [(session, PeriodRepository(session, ORGANIZATION, Actor())) for session in (one, two)]


def claim(repository):
    return repository.claim_planned(repository.planned(QUARTER), owner="a run", lease_until=LEASE, at=NOON)


@pytest.fixture
def overtaken(runs):
    """A period that the first run believes to hold and the second has made an invoice of."""
    (slow_session, slow), (fast_session, fast) = runs
    slow.plan([period_row()])
    [stale] = claim(slow)
    slow_session.commit()
    [period] = fast.unanswered(QUARTER, LEASE + timedelta(seconds=1))
    fast.doubt([period], reason="never came back", until=LEASE, at=LEASE)
    fast.issued([Issued(period.id, 900, Decimal("150.00"), "in_doubt")], at=LEASE)
    fast_session.commit()
    return stale


@pytest.mark.parametrize("change", ["doubt", "park"])
def test_a_run_that_lost_its_claim_cannot_undo_what_another_one_settled(runs, overtaken, change):
    (session, slow), _ = runs
    more = {"until": LEASE} if change == "doubt" else {}
    assert getattr(slow, change)([overtaken], reason="late", at=LEASE, **more) == []
    session.commit()
    session.expire_all()
    assert (slow.get(overtaken.id).state, slow.get(overtaken.id).invoice_id) == ("issued", 900)


def test_an_answer_that_comes_after_another_run_found_the_invoice_changes_nothing(runs, overtaken):
    (session, slow), _ = runs
    assert slow.issued([Issued(overtaken.id, 901, Decimal("150.00"), "submitting")], at=LEASE) == set()
    session.commit()
    session.expire_all()
    assert slow.get(overtaken.id).invoice_id == 900


def test_an_answer_ends_the_doubt_that_another_run_had(runs):
    (slow_session, slow), (fast_session, fast) = runs
    slow.plan([period_row()])
    [stale] = claim(slow)
    slow_session.commit()
    fast.doubt(fast.unanswered(QUARTER, LEASE + timedelta(seconds=1)), reason="gone", until=LEASE, at=LEASE)
    fast_session.commit()
    assert slow.issued([Issued(stale.id, 900, Decimal("150.00"), "submitting")], at=LEASE) == {stale.id}


def test_a_second_settling_run_cannot_plan_again_what_the_first_has_sent_meanwhile(runs):
    (slow_session, slow), (fast_session, fast) = runs
    slow.plan([period_row()])
    slow.doubt(claim(slow), reason="lost", until=NOON, at=NOON)
    slow_session.commit()
    [stale] = slow.unanswered(QUARTER, NOON)
    slow_session.commit()
    fast.replan(fast.unanswered(QUARTER, NOON), reason="not there", at=NOON)
    fast.doubt(claim(fast), reason="lost again", until=LEASE, at=NOON)
    fast_session.commit()
    assert slow.replan([stale], reason="not there", at=NOON) == []


def test_an_expansion_cannot_cancel_what_a_run_is_sending(runs):
    (slow_session, slow), (fast_session, fast) = runs
    slow.plan([period_row()])
    slow_session.commit()
    [stale] = slow.in_state(PeriodState.PLANNED)
    slow_session.commit()
    claim(fast)
    fast_session.commit()
    assert slow.cancel([stale], reason="rule ended", at=NOON) == []
    assert slow.wait([], reason="", at=NOON) == []


def prepare(ctx, scope=QUARTER):
    read_contract_list(ctx)
    expand_rules(ctx, scope, seen_on=TODAY)


def by_hand(number, **given):
    return {
        "id": number,
        "contract_id": 10,
        "issue_date": "10/02/2025",
        "gross_value": "150.0",
        "description": "Mensalidade 1",
        "receivables": [{"due_date": "01/03/2025", "value": "100.0"}],
        **given,
    }


def test_what_a_person_releases_while_a_run_is_under_way_is_looked_for_before_it_is_sent(
    sandbox, job, clock, monkeypatch
):
    box = sandbox(company(rule(), invoices=[by_hand(900), by_hand(901)]))
    ctx = job(box)
    prepare(ctx)
    adopt_existing(ctx, QUARTER, OPTIONS, owner="first")
    [parked] = ctx.periods.in_state(PeriodState.PARKED)
    ctx.session.commit()
    box.cancel(901)  # the person keeps the other one

    def release(name):
        if name == "issue.claimed":
            release_period(ctx.session, ORGANIZATION, parked.id, person="ana", note="one was enough", at=clock())
            ctx.session.commit()

    monkeypatch.setattr("ciclo.failpoints._at_failpoint", release)
    issue_due_periods(ctx, QUARTER, OPTIONS, owner="second")
    monkeypatch.undo()
    issue_due_periods(ctx, QUARTER, OPTIONS, owner="third")
    assert len([i for i in box.state()["invoices"] if i["state"] != "cancelled"]) == 3


def test_an_invoice_that_the_reconciliation_saw_first_belongs_to_its_period_once_it_is_adopted(sandbox, job):
    ctx = job(sandbox(company(rule(), invoices=[by_hand(900)])))
    prepare(ctx)
    seen = {"organization_id": ORGANIZATION, "invoice_id": 900, "contract_id": 10, "period_id": None}
    seen |= {
        "issue_date": date(2025, 2, 10),
        "planned_date": date(2025, 2, 10),
        "gross_value": Decimal(150),
        "state": "to_emit",
        "adopted": False,
    }
    seen |= {"description": None, "reference": None, "first_seen_at": NOON, "seen_at": NOON, "gone_at": None}
    ctx.invoices.store([seen], [])
    ctx.session.commit()
    adopt_existing(ctx, QUARTER, OPTIONS, owner="run")
    ctx.session.expire_all()
    stored = ctx.session.get(Invoice, (ORGANIZATION, 900))
    assert stored.period_id is not None
    assert stored.adopted


def test_a_doubt_older_than_the_window_is_settled_all_the_same(sandbox, job, clock):
    box = sandbox(company(rule()))
    ctx = job(box)
    prepare(ctx)
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "error_after", "status": 500, "count": 1}])
    assert issue_due_periods(ctx, JANUARY, OPTIONS, owner="first").in_doubt == 1
    march = Scope(DateRange.month_of(date(2025, 3, 1)))
    assert settle(ctx, march, OPTIONS).adopted == 1


def test_a_lease_in_which_no_request_fits_is_refused_before_anything_is_claimed(sandbox, job):
    ctx = job(sandbox(company(rule())))
    prepare(ctx)
    short = IssueOptions(lease=timedelta(seconds=2))
    with pytest.raises(LeaseTooShortError, match="lease of 2 seconds must be longer than the API's longest request"):
        issue_due_periods(ctx, QUARTER, short, owner="run")
    assert len(ctx.periods.in_state(PeriodState.PLANNED)) == 3
