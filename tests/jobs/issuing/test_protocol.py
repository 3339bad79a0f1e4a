"""The protocol's limits: lost answers, long pauses, what appears between looking and sending, what it costs."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ciclo import failpoints
from ciclo.billimatic import AuthenticationError, TransientApiError, UnreadableAnswerError
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import PeriodState, ReasonKind
from ciclo.domain.wording import said
from ciclo.http.retries import RetryRules
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing import adopt
from ciclo.jobs.issuing import settle as settling
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from ciclo.ledger.repositories.periods import PeriodRepository
from company import TODAY, YEAR, company, contract, rule

JANUARY = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 1, 31)))
OPTIONS = IssueOptions(concurrency=1, batch=50, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


@pytest.fixture
def prepared(sandbox, lite_job):
    """Return a function that plans January of some rules: a box and a job."""

    def prepare(*rules, means=None, **given):
        box = sandbox(company(*rules, **given))
        ctx = lite_job(box, **(means or {}))
        read_contract_list(ctx)
        expand_rules(ctx, JANUARY, seen_on=TODAY)
        return box, ctx

    return prepare


def issue(ctx, options=OPTIONS):
    return issue_due_periods(ctx, JANUARY, options, owner="run")


def test_a_second_lost_answer_is_for_a_person(prepared, clock):
    box, ctx = prepared(rule())
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "error_before", "status": 502}])
    for _ in range(3):
        issue(ctx)
        clock.advance(minutes=6)
        settle(ctx, JANUARY, OPTIONS)
    [parked] = ctx.periods.in_state(PeriodState.PARKED)
    assert (parked.reason.kind, parked.attempts) == (ReasonKind.LOST_TWICE, 2)


def test_what_arrived_without_an_answer_and_was_removed_since_is_not_silently_made_again(prepared, clock):
    box, ctx = prepared(rule())
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "reset_after", "count": 1}])
    issue(ctx)
    reconcile(ctx, today=TODAY, recheck_days=400)
    box.put_state(box.state() | {"invoices": []})
    clock.advance(minutes=6)

    assert settle(ctx, JANUARY, OPTIONS).parked == 1

    [parked] = ctx.periods.in_state(PeriodState.PARKED)
    assert parked.reason.kind == ReasonKind.REMOVED_AT_VENDOR


def moved_to_february(box, **copied):
    """Move January's invoice into February, as a person does; or cancel it and enter it anew there."""
    state = box.state()
    [sent] = state["invoices"]
    moved = sent | {"estimated_issue_date": "2025-02-10", "issue_date": "2025-02-10"} | copied
    before = sent | {"state": "cancelled", "receivables": [], "payment_information": None, "services": []}
    box.put_state(state | {"invoices": [moved, *([before] if copied else [])]})


@pytest.mark.parametrize("lost", ["in doubt", "planned again"])
def test_what_arrived_without_an_answer_and_was_moved_is_not_the_next_months(prepared, clock, lost):
    box, ctx = prepared(rule())
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "reset_after", "count": 1}])
    issue(ctx)
    sent = box.state()["invoices"]
    if lost == "planned again":  # the vendor's search did not show it yet
        box.put_state(box.state() | {"invoices": []})
        clock.advance(minutes=6)
        assert settle(ctx, JANUARY, OPTIONS).replanned == 1
        box.put_state(box.state() | {"invoices": sent})
    moved_to_february(box)
    both = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 2, 28)))
    expand_rules(ctx, both, seen_on=TODAY)

    outcome = issue_due_periods(ctx, both, OPTIONS, owner="run")
    settle(ctx, both, OPTIONS)

    invoices = {period.issue_date.month: period.invoice_id for period in ctx.periods.in_state(PeriodState.ISSUED)}
    assert outcome.created == 1
    assert len(invoices) == len(box.state()["invoices"]) == 2
    assert invoices[1] == sent[0]["id"]
    assert [finding.kind for finding in ctx.findings.open_of_kind(FindingKind.DATE_MOVED).values()] == ["date_moved"]


def test_what_arrived_without_an_answer_and_was_entered_anew_in_the_next_month_is_what_it_looks_like(prepared, clock):
    box, ctx = prepared(rule())
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "reset_after", "count": 1}])
    issue(ctx)
    moved_to_february(box, id=500)
    both = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 2, 28)))
    expand_rules(ctx, both, seen_on=TODAY)
    issue_due_periods(ctx, both, OPTIONS, owner="run")
    invoices = {period.issue_date.month: period.invoice_id for period in ctx.periods.in_state(PeriodState.ISSUED)}
    assert invoices[2] == 500
    assert len(box.state()["invoices"]) == 2


def test_a_search_that_lags_makes_a_second_invoice_at_most(prepared, clock):
    box, ctx = prepared(rule())
    lags = {"method": "GET", "path": "/invoices/search$", "kind": "stale_search", "seconds": 432_000}
    box.faults([lags, {"method": "POST", "path": "/invoices$", "kind": "reset_after"}])
    for _ in range(4):
        issue(ctx)
        clock.advance(minutes=6)
        settle(ctx, JANUARY, OPTIONS)
    assert len(box.state()["invoices"]) <= 2
    assert len(ctx.periods.in_state(PeriodState.PARKED)) == 1


def test_before_the_grace_period_is_over_only_the_reference_proves_anything(prepared):
    box, ctx = prepared(rule())
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "error_before", "status": 502, "count": 1}])
    issue(ctx)
    [doubtful] = ctx.periods.in_state(PeriodState.IN_DOUBT)
    ctx.session.commit()
    due = [{"due_date": doubtful.first_due_date.isoformat()}]
    alike = {"description": "Mensalidade 1", "nfe_body": "x", "issue_date": "2025-01-10", "receivables": due}
    ctx.api.create_invoice(10, alike | {"gross_value": 150})
    assert settle(ctx, JANUARY, OPTIONS).in_doubt == 1


def test_a_long_pause_stops_the_sending_for_everybody(prepared):
    box, ctx = prepared(*[rule(number, 10 + number) for number in range(1, 9)])
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "rate_limit", "seconds": 3600}])
    with pytest.raises(TransientApiError) as stopped:
        issue(ctx)
    assert stopped.value.retry_after == 3600
    posts = [each for each in box.requests() if each["method"] == "POST"]
    assert len(posts) == 1
    box.faults([])
    assert settle(ctx, JANUARY, OPTIONS).replanned == 8
    assert issue(ctx).created == 8


@pytest.fixture
def made_meanwhile(monkeypatch):
    """Return a function: as soon as a run has recorded its first answers, somebody makes the invoice of a rule."""

    def arrange(ctx, number):
        made = []

        def a_person(name):
            if name == "issue.recorded" and not made:
                text = f"Mensalidade {number}"
                bill = {"description": text, "nfe_body": "x", "gross_value": 150, "issue_date": "2025-01-10"}
                made.append(ctx.api.create_invoice(10 + number, bill | {"receivables": [{"due_date": "2025-02-01"}]}))

        monkeypatch.setattr(failpoints, "_at_failpoint", a_person)

    return arrange


def test_what_appears_while_a_run_is_under_way_is_adopted_by_it(prepared, made_meanwhile):
    box, ctx = prepared(*[rule(number, 10 + number) for number in range(1, 101)])
    made_meanwhile(ctx, 100)
    outcome = issue(ctx)
    assert (outcome.created, outcome.adopted) == (99, 1)
    assert len(box.state()["invoices"]) == 100


@pytest.mark.parametrize("number", [21, 30, 40, 60])
def test_no_invoice_is_made_by_a_reading_older_than_it_is_good_for(prepared, made_meanwhile, monkeypatch, number):
    monkeypatch.setattr(adopt, "POSTS_OF_A_LOOK", 1)  # then it is good for a batch
    box, ctx = prepared(*[rule(each, 10 + each) for each in range(1, 61)])
    made_meanwhile(ctx, number)
    outcome = issue(ctx, replace(OPTIONS, batch=10))
    assert (outcome.created, outcome.adopted) == (59, 1)
    assert len(box.state()["invoices"]) == 60


@pytest.mark.parametrize("number", [30, 40, 50, 60])
def test_all_that_is_left_is_looked_for_again_not_only_what_comes_next(prepared, made_meanwhile, monkeypatch, number):
    monkeypatch.setattr(
        adopt, "POSTS_OF_A_LOOK", 8
    )  # two readings of three requests or more are good for the whole run
    box, ctx = prepared(*[rule(each, 10 + each) for each in range(1, 61)])
    made_meanwhile(ctx, number)
    outcome = issue(ctx, replace(OPTIONS, batch=10))
    assert (outcome.created, outcome.adopted) == (59, 1)
    searches = [each for each in box.requests() if each["method"] == "GET" and "invoices/search" in each["path"]]
    assert 4 <= len(searches) <= 2 * 4, [each["path"] for each in box.requests()]


def test_an_invoice_that_cannot_be_read_stops_its_own_contract_alone(prepared):
    odd = {"id": 900, "contract_id": 10, "issue_date": "2025-01-20", "gross_value": "7.0", "description": "x"}
    _box, ctx = prepared(rule(1), rule(2, 11), invoices=[odd | {"receivables": [{"id": 1, "due_date": None}]}])
    assert issue(ctx).created == 1
    assert [each.contract_id for each in ctx.periods.in_state(PeriodState.PLANNED, scope=JANUARY)] == [10]
    assert [finding.contract_id for finding in ctx.findings.open_of_kind(FindingKind.UNREAD).values()] == [10]


def test_a_contract_whose_invoices_the_vendor_fails_about_stops_alone(prepared):
    box, ctx = prepared(rule(1), rule(2, 11), rule(3, 12), means={"max_connections": 1})
    of_all_and_of_the_first = 2 * RetryRules().attempts
    fault = {"method": "GET", "path": "invoices/search", "kind": "error_before"}
    box.faults([fault | {"count": of_all_and_of_the_first}])
    assert issue(ctx).created == 2
    assert [each.contract_id for each in ctx.periods.in_state(PeriodState.PLANNED, scope=JANUARY)] == [10]
    [unread] = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    assert (unread.contract_id, unread.found) == (10, "the server failed")
    assert issue(ctx).created == 1
    assert ctx.findings.open_of_kind(FindingKind.UNREAD) == {}


@pytest.mark.parametrize("path", ["service_items|invoices/search", "invoices/search"])
@pytest.mark.parametrize("kind", ["error_before", "html_page"])
def test_a_vendor_that_fails_about_all_stops_the_run(prepared, path, kind):
    box, ctx = prepared(rule(1), rule(2, 11), rule(3, 12))
    box.faults([{"method": "GET", "path": path, "kind": kind}])
    with pytest.raises((TransientApiError, UnreadableAnswerError)):
        issue(ctx)
    assert box.state()["invoices"] == []


def test_what_is_forbidden_of_one_contract_stops_it_alone(prepared, clock):
    box, ctx = prepared(rule(1), rule(2, 11), rule(3, 12))
    clock.advance(hours=2)
    forbidden = {"kind": "error_before", "status": 403}
    box.faults(
        [
            forbidden | {"method": "POST", "path": "contracts/10/invoices$"},
            forbidden | {"method": "GET", "path": "contracts/11/invoice_rules$"},
        ]
    )
    outcome = issue(ctx)
    assert (outcome.created, outcome.parked) == (1, 1)
    [parked] = ctx.periods.in_state(PeriodState.PARKED, scope=JANUARY)
    assert parked.contract_id == 10
    assert "the token is accepted, but not for this" in said(parked.reason, "")
    assert [finding.contract_id for finding in ctx.findings.open_of_kind(FindingKind.UNREAD).values()] == [11]


def test_what_is_forbidden_of_everything_stops_the_run(prepared, clock):
    box, ctx = prepared(rule(1), rule(2, 11))
    clock.advance(hours=2)
    box.faults([{"kind": "error_before", "status": 403, "method": "GET", "path": "^/api/"}])
    with pytest.raises(AuthenticationError):
        issue(ctx)


def test_a_contract_that_ended_this_morning_is_not_billed(prepared, clock):
    box, ctx = prepared(rule(1), rule(2, 11))
    box.put_state(company(rule(1), rule(2, 11), contracts=[contract(10, state="inactive"), contract(11)]))
    clock.advance(minutes=90)
    assert issue(ctx).created == 1
    assert [each["contract_id"] for each in box.state()["invoices"]] == [11]


def test_an_issue_day_costs_one_post_an_invoice_one_reading_a_contract_and_a_page_a_hundred(prepared):
    box, ctx = prepared(*[rule(number, 10 + number) for number in range(1, 61)])
    box.clear_requests()
    assert issue(ctx).created == 60
    assert box.request_count()["total"] <= 60 + 60 + 5


def send_after_a_third_lost_answer(patch: pytest.MonkeyPatch) -> None:
    """Believe the search however often it did not show what was sent."""
    patch.setattr(settling, "LOST_AT_MOST", 99)


def forget_lost_answers(patch: pytest.MonkeyPatch) -> None:
    """Do not count what was lost."""
    real = PeriodRepository.doubt

    def doubt(self, periods, *, answer_lost=False, **given):
        return real(self, periods, answer_lost=answer_lost and False, **given)

    patch.setattr(PeriodRepository, "doubt", doubt)


@pytest.mark.parametrize("mutate", [send_after_a_third_lost_answer, forget_lost_answers], ids=lambda it: it.__name__)
def test_a_protocol_that_sends_again_and_again_is_found(monkeypatch, prepared, clock, mutate):
    mutate(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        test_a_second_lost_answer_is_for_a_person(prepared, clock)
