"""Volume and slowness: it finishes, memory is bounded, nothing is lost.

`CICLO_CHAOS=full` (`make chaos`) bills 50,000 periods in one run; otherwise 2,000.
"""

import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from chaos_campaign import Vendor
from ciclo.billimatic import BillimaticClient, TransientApiError
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY, TOKEN, company, rule
from simulated_vendor import SimulatedClock, SimulatedVendor

pytestmark = pytest.mark.timeout(1800)

FULL = os.environ.get("CICLO_CHAOS") == "full"
WEEKS = 50
RULES = 1000 if FULL else 40
MEGABYTES = 600 if FULL else 300
"""Most memory of the process that issues, its libraries' 120 included."""

OPTIONS = IssueOptions(concurrency=4, batch=50, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


def weekly(number, **given):
    timing = {"period_unit": "weekly", "month_quantity": None}
    return rule(number, 10 + number % 200, timing=timing, **given)


@pytest.fixture
def simulated(sqlite_url):
    """Prepare the ledger of a state; return a way to run issuing until nothing is left, and what there is then."""
    engine = open_engine(sqlite_url)
    clock = SimulatedClock()
    opened = []

    def bill(state, scope, *, requests_per_second=None, slow=False, taken_a_second=None):
        vendor = SimulatedVendor(clock, state)
        opened.append(vendor)
        with vendor.client(requests_per_second=requests_per_second) as api, Session(engine) as session:
            session.expire_on_commit = False
            ctx = JobContext(api, session, Actor(), clock)
            read_contract_list(ctx)
            expand_rules(ctx, scope, seen_on=TODAY)
            vendor.going_wrong = lambda request: "slow" if slow and request.method == "POST" else None
            if taken_a_second is not None:
                vendor.going_wrong = refusing_above(taken_a_second, clock)
            _finish(clock, lambda: issue_due_periods(ctx, scope, OPTIONS, owner="run"))
            _finish(clock, lambda: finish_issuing(ctx, scope, OPTIONS, owner="finish"))
            issued = len(ctx.periods.in_state(PeriodState.ISSUED))
        return issued, vendor.resources("invoices")

    yield bill
    for vendor in opened:
        vendor.shut_down()
    engine.dispose()


def refusing_above(taken_a_second, clock):
    """Answer 429 to whatever comes when a second's share has been taken."""
    taken = Counter()

    def judge(_request):
        second = int(clock.now.timestamp())
        taken[second] += 1
        return "rate_limit" if taken[second] > taken_a_second else None

    return judge


def _finish(clock, step):
    """Do a step as a task does it: again a minute later, while something is in doubt or the vendor refuses more."""
    for _ in range(20):
        try:
            step()
        except (StillInDoubtError, TransientApiError):
            clock.sleep(60)
        else:
            return


def once_each(invoices):
    references = [invoice["comments"].splitlines()[0] for invoice in invoices]
    return len(references) == len(set(references))


def test_five_years_of_a_weekly_rule_are_261_invoices(simulated):
    scope = Scope(DateRange.days(date(2021, 1, 1), date(2025, 12, 31)))
    issued, invoices = simulated(company(weekly(1, init_date="2021-01-01")), scope)
    assert issued == len(invoices) == 261
    assert once_each(invoices)


def test_descriptions_of_ten_kilobytes_are_sent_whole(simulated):
    text = "Manutenção ⚙ " * 800
    scope = Scope(DateRange.days(date(2025, 1, 1), date(2025, 3, 31)))
    issued, invoices = simulated(company(*[rule(n, 10 + n, description=text) for n in range(1, 21)]), scope)
    assert issued == len(invoices) == 60
    assert {invoice["description"] for invoice in invoices} == {text}


def test_a_vendor_that_takes_half_a_minute_for_each_invoice_outlasts_the_leases_and_nothing_is_lost(simulated):
    scope = Scope(DateRange.month_of(date(2025, 1, 1)))
    issued, invoices = simulated(company(*[rule(n, 10 + n) for n in range(1, 61)]), scope, slow=True)
    assert issued == len(invoices) == 60
    assert once_each(invoices)


def test_two_requests_a_second_are_enough(simulated):
    scope = Scope(DateRange.month_of(date(2025, 1, 1)))
    issued, invoices = simulated(company(*[rule(n, 10 + n) for n in range(1, 81)]), scope, requests_per_second=2)
    assert issued == len(invoices) == 80
    assert once_each(invoices)


def test_a_vendor_that_refuses_a_third_request_a_second_is_asked_until_it_takes_all(simulated):
    scope = Scope(DateRange.month_of(date(2025, 1, 1)))
    issued, invoices = simulated(company(*[rule(n, 10 + n) for n in range(1, 81)]), scope, taken_a_second=2)
    assert issued == len(invoices) == 80
    assert once_each(invoices)


@pytest.mark.chaos
def test_a_vendor_that_takes_five_seconds_for_each_answer_is_waited_for(sqlite_url):
    """In real time, over HTTP: every request of the run takes five seconds, the searches too."""
    engine = open_engine(sqlite_url)
    state = company(*[rule(n, 10) for n in range(1, 17)])
    with running_sandbox(state, today=TODAY) as vendor, Session(engine, expire_on_commit=False) as session:
        with BillimaticClient(base_url=vendor.url, token=TOKEN, organization_id=ORGANIZATION) as api:
            ctx = JobContext(api, session, Actor(), lambda: datetime.now(UTC))
            scope = Scope(DateRange.month_of(date(2025, 1, 1)))
            read_contract_list(ctx)
            expand_rules(ctx, scope, seen_on=TODAY)
            vendor.faults([{"path": "invoices", "kind": "slow", "probability": 1, "seconds": 5}])
            outcome = issue_due_periods(ctx, scope, IssueOptions(concurrency=8), owner="run")
            finish_issuing(ctx, scope, IssueOptions(), owner="finish")
            issued = len(ctx.periods.in_state(PeriodState.ISSUED))
        invoices = vendor.state()["invoices"]
    engine.dispose()
    assert outcome.counts()["in_doubt"] == 0
    assert issued == len(invoices) == 16
    assert once_each(invoices)


@pytest.mark.chaos
def test_a_big_run_is_finished_in_bounded_memory(tmp_path, sqlite_url, worker, capsys):
    rules = [weekly(number, init_date="2025-01-02") for number in range(1, RULES + 1)]
    vendor = Vendor(tmp_path, company(*rules), today=TODAY)
    command = {
        "ledger": sqlite_url, "vendor": vendor.control.url, "token": TOKEN, "organization": ORGANIZATION,
        "window": ["2025-01-01", str(date(2025, 1, 2) + timedelta(weeks=WEEKS, days=-1))],
        "log": str(tmp_path / "log"), "timeout": 30,
    }  # fmt: skip
    outcomes = {}
    for job in ("expand", "issue"):
        worker.begin(command | {"job": job, "owner": job})
        outcomes[job] = worker.outcome()
    invoices = vendor.control.state()["invoices"]
    vendor.stop()
    most = max(outcome["kilobytes"] for outcome in outcomes.values()) // 1024
    with capsys.disabled():
        os.write(1, f"\n{len(invoices)} invoices in one run, at most {most} MB\n".encode())
    assert [outcome["code"] for outcome in outcomes.values()] == [0, 0], (tmp_path / "log").read_text()
    assert len(invoices) == RULES * WEEKS
    assert once_each(invoices)
    assert most < MEGABYTES
