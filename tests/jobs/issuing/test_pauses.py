"""A pause that the vendor asks one task for is everybody's, until it is over."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ciclo import failpoints
from ciclo.billimatic import OutcomeUnknownError, TransientApiError, pause_asked_for
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.jobs.runs import VendorPausedError, keeping_pauses
from ciclo.ledger.repositories import Scope
from ciclo.sgs.client import IndexUnavailableError
from company import TODAY, YEAR, company, rule

JANUARY = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 1, 31)))
OPTIONS = IssueOptions(concurrency=1, batch=50, lease=timedelta(minutes=10), grace=timedelta(minutes=5))
RULES = 100
POSTS = {"method": "POST", "path": "/invoices$"}


@pytest.fixture
def prepared(sandbox, job):
    box = sandbox(company(*[rule(number, 10 + number) for number in range(1, RULES + 1)]))
    ctx = job(box)
    read_contract_list(ctx)
    expand_rules(ctx, JANUARY, seen_on=TODAY)
    return box, ctx


def issue(ctx, shard=0, shards=2, options=OPTIONS):
    with keeping_pauses(ctx):
        return issue_due_periods(ctx, replace(JANUARY, shard=shard, shards=shards), options, owner=f"run {shard}")


def posts(box):
    return sum(each["method"] == "POST" for each in box.requests())


def test_the_other_shards_send_nothing_while_the_vendor_wants_a_pause(prepared, clock):
    box, ctx = prepared
    box.faults([POSTS | {"kind": "rate_limit", "seconds": 3600, "count": 1}])
    with pytest.raises(TransientApiError):
        issue(ctx)
    asked = len(box.requests())
    clock.advance(minutes=10)
    with pytest.raises(VendorPausedError) as paused:
        issue(ctx, shard=1)
    assert (len(box.requests()), posts(box)) == (asked, 1)
    assert paused.value.retry_after == pytest.approx(3000, abs=60)
    assert pause_asked_for(paused.value) is not None, "the task comes back when it is over"
    clock.advance(minutes=51)
    settle(ctx, JANUARY, OPTIONS)
    assert sum(issue(ctx, shard).created for shard in (0, 1)) == RULES


def test_a_shard_that_is_sending_stops_when_another_is_asked_for_a_pause(prepared, clock, monkeypatch):
    box, ctx = prepared
    recorded = []

    def another_shard(name):
        if name == "issue.recorded" and not recorded:
            recorded.append(name)
            ctx.organizations.pause(until=clock() + timedelta(hours=1), at=clock())
            ctx.session.commit()

    monkeypatch.setattr(failpoints, "_at_failpoint", another_shard)
    box.faults([POSTS | {"kind": "slow", "seconds": 0.05}])  # the pause is seen before the last one is on its way
    with pytest.raises(VendorPausedError):
        issue(ctx, shards=1, options=replace(OPTIONS, batch=RULES))
    box.faults([])
    assert posts(box) < RULES
    assert len(box.state()["invoices"]) == posts(box)
    assert ctx.periods.in_state(PeriodState.SUBMITTING) == []
    clock.advance(minutes=61)
    settle(ctx, JANUARY, OPTIONS)
    issue(ctx, shards=1)
    assert len(box.state()["invoices"]) == RULES


def test_a_503_that_asks_for_a_pause_leaves_its_invoice_in_doubt_and_stops_the_others(prepared, clock):
    box, ctx = prepared
    refused = OutcomeUnknownError("down", method="POST", path="/p", status=503, retry_after=1800)
    assert pause_asked_for(refused) == timedelta(minutes=30)
    with pytest.raises(OutcomeUnknownError), keeping_pauses(ctx):
        raise refused
    with pytest.raises(VendorPausedError):
        issue(ctx)
    assert posts(box) == 0


@pytest.mark.parametrize(
    "error",
    [
        TransientApiError("busy", method="GET", path="/p", retry_after=5),
        TransientApiError("away", method="GET", path="/p"),
        IndexUnavailableError("the bank throttles", method="GET", path="/p", retry_after=3600),
    ],
)
def test_short_pauses_and_those_of_the_central_bank_are_nobody_elses(prepared, error):
    _box, ctx = prepared
    with pytest.raises(TransientApiError), keeping_pauses(ctx):
        raise error
    assert ctx.organizations.paused_until() is None


def test_the_longest_pause_counts_and_none_is_longer_than_a_day(prepared, clock):
    _box, ctx = prepared
    for seconds in (7200, 600, 10**9):
        clock.advance(days=2) if seconds > 10**6 else None
        wanted = TransientApiError("busy", method="GET", path="/p", retry_after=seconds)
        before = ctx.organizations.paused_until()
        try:
            with keeping_pauses(ctx):
                raise wanted
        except VendorPausedError:
            assert ctx.organizations.paused_until() == before
        except TransientApiError:
            assert ctx.organizations.paused_until() == clock() + min(timedelta(seconds=seconds), timedelta(days=1))


def test_no_reference_is_stamped_while_the_vendor_wants_a_pause(sandbox, lite_job, clock):
    box = sandbox(company(*[rule(number, 10 + number) for number in range(1, 31)]))
    ctx = lite_job(box)
    for number in range(1, 31):  # a person makes them
        bill = {"description": f"Mensalidade {number}", "nfe_body": "x", "issue_date": "2025-01-10", "gross_value": 150}
        ctx.api.create_invoice(10 + number, bill | {"receivables": [{"due_date": "2025-02-01"}]})
    read_contract_list(ctx)
    expand_rules(ctx, JANUARY, seen_on=TODAY)
    box.faults([{"method": "PATCH", "path": "/invoices/", "kind": "rate_limit", "seconds": 3600}])
    with pytest.raises(TransientApiError):
        issue(ctx, shards=1)
    assert len(box.requests(method="PATCH")) == 1
    adopted = len(ctx.periods.in_state(PeriodState.ISSUED))
    with pytest.raises(VendorPausedError):
        issue(ctx, shards=1)
    box.clear_faults()
    clock.advance(minutes=61)
    assert issue(ctx, shards=1).adopted == 30 - adopted < 30
