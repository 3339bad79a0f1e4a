"""Faults between claim, PUT and commit: no update is applied twice, none is lost."""

from datetime import date, timedelta

import pytest

from ciclo.billimatic import AuthenticationError, BillimaticClient, TransientApiError, UnreadableAnswerError
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import said
from ciclo.http.retries import RetryRules
from ciclo.jobs.context import LeaseTooShortError
from ciclo.jobs.price_updates import UpdateOptions, unsettled_updates, updates_open
from ciclo.ledger.repositories import Scope
from company import company, rule, scheduled_update

PUT = {"method": "PUT", "path": "invoice_rules"}
APPLIED = [(0, "2025-01-10", "1000.00", "rule"), (0, "2025-06-10", "1070.26", "price update")]
ALWAYS = Scope(DateRange.days(date(2000, 1, 1), date(2025, 12, 31)))


@pytest.fixture
def run(billing):
    started = billing(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])))
    started.expand()
    return started


@pytest.fixture
def three(billing):
    """Three contracts, each with an update that is due."""
    mine = [
        rule(number, 9 + number, gross_value="1000.0", scheduled_updates=[scheduled_update(499 + number)])
        for number in (1, 2, 3)
    ]
    started = billing(company(*mine))
    started.expand()
    return started


class PowerCutError(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("kind", ["error_after", "timeout_after", "reset_after", "malformed"])
def test_a_lost_answer_is_settled_by_reading_the_rule(run, kind):
    run.sandbox.faults([PUT | {"kind": kind, "count": 1, "seconds": 2}])
    first = run.apply()
    assert (first.applied, first.in_doubt) == (0, 1)
    assert run.execution().state == ExecutionState.IN_DOUBT

    settled = run.settle()

    assert settled.applied == 1
    assert run.prices() == APPLIED
    assert run.next_execution() == date(2026, 6, 10)
    assert run.apply().counts()["applied"] == 0
    assert len(run.puts()) == 1


@pytest.mark.parametrize("kind", ["error_before", "timeout_before", "reset_before"])
def test_a_put_that_never_arrived_is_planned_again_after_the_grace_period(run, clock, kind):
    run.sandbox.faults([PUT | {"kind": kind, "count": 1, "seconds": 2}])
    run.apply()

    early = run.settle()
    clock.advance(minutes=6)
    late = run.settle()

    assert (early.in_doubt, late.replanned) == (1, 1)
    assert run.execution().state == ExecutionState.PLANNED
    assert run.apply().applied == 1
    assert run.prices() == APPLIED
    assert run.remote_rule()["gross_value"] == "1070.26"


def test_periods_wait_while_an_update_is_in_doubt_and_go_on_by_themselves(run):
    run.sandbox.faults([PUT | {"kind": "error_after", "count": 1}])
    run.apply()
    run.issue()
    assert len(run.billed()) == 5

    run.settle()
    run.issue()

    assert [run.billed()[f"10/{month:02}/2025"] for month in (5, 6, 12)] == ["1000.0", "1070.26", "1070.26"]


def test_a_refused_connection_stops_the_run_and_leaves_nothing_undone(run, clock):
    api = BillimaticClient(base_url="http://127.0.0.1:9", token="t", organization_id=7)
    run.ctx.session.commit()
    with pytest.raises(TransientApiError):
        type(run)(run.sandbox, _with_api(run.ctx, _Halfway(run.ctx.api, api))).apply()
    assert run.execution().state == ExecutionState.IN_DOUBT

    settled = run.settle()

    assert settled.replanned == 1  # it certainly was not sent: no grace period
    assert run.apply().applied == 1


def test_a_token_that_is_refused_stops_the_run(run):
    run.sandbox.faults([PUT | {"kind": "error_before", "status": 401, "count": 1}])

    with pytest.raises(AuthenticationError):
        run.apply()

    assert run.settle().replanned == 1
    assert run.apply().applied == 1


@pytest.mark.parametrize("step", ["after the claim", "after the PUT", "before the commit"])
def test_a_process_that_dies_is_followed_by_one_that_finishes(run, clock, monkeypatch, step):
    with monkeypatch.context() as patched:
        _cut_power(patched, step)
        with pytest.raises(PowerCutError):
            run.apply()
    run.ctx.session.rollback()
    assert run.execution().state == ExecutionState.SUBMITTING
    assert run.apply().counts()["in_doubt"] == 1  # the claim still holds

    clock.advance(minutes=11)
    run.settle()
    clock.advance(minutes=6)
    run.settle()
    run.apply()

    assert run.prices() == APPLIED
    assert run.remote_rule()["gross_value"] == "1070.26"
    assert len(run.puts()) == 1
    states = [entry.to_state for entry in run.ctx.audit.trail("execution", run.execution().id)]
    assert states.count("applied") == 1


def test_a_price_that_is_neither_the_old_nor_the_new_one_is_for_a_person(run, clock):
    run.sandbox.faults([PUT | {"kind": "error_before", "count": 1}])
    run.apply()
    run.sandbox.put_state(company(rule(gross_value="999.0", scheduled_updates=[scheduled_update()])))
    clock.advance(minutes=6)

    outcome = run.settle()

    assert outcome.parked == 1
    assert said(run.execution().reason) == (
        "contract 10, rule 1, update of 2025-06-10: the vendor shows R$ 999,00, neither the price before "
        "(R$ 1.000,00) nor the new one (R$ 1.070,26)"
    )


def test_a_late_commit_of_the_first_put_is_the_same_price(run, clock):
    run.sandbox.faults([PUT | {"kind": "late_commit", "count": 1, "seconds": 0.2}])
    run.apply(options=UpdateOptions(grace=timedelta(minutes=5)))
    clock.advance(minutes=6)
    _until(lambda: run.remote_rule()["gross_value"] == "1070.26")

    assert run.settle().applied == 1
    assert run.prices() == APPLIED


def test_two_runs_at_once_apply_an_update_once(billing_anywhere):
    run = billing_anywhere(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])))
    run.expand()
    other = []

    class Overtaken:
        """The second run comes between the first one's claim and PUT."""

        def __init__(self, api):
            self._api = api

        def __getattr__(self, name):
            return getattr(self._api, name)

        def update_invoice_rule(self, *args, **given):
            other.append(run.apply(owner="the other run"))
            return self._api.update_invoice_rule(*args, **given)

    first = type(run)(run.sandbox, _with_api(run.ctx, Overtaken(run.ctx.api)))

    outcome = first.apply()

    assert [each.applied for each in other] == [0]
    assert outcome.applied == 1
    assert len(run.puts()) == 1


def test_what_is_open_says_when_it_can_be_settled(run, clock):
    run.sandbox.faults([PUT | {"kind": "error_before", "count": 1}])
    run.apply()

    opened = updates_open(run.ctx, ALWAYS)

    assert (opened.executions, opened.ready_at) == (1, clock() + timedelta(minutes=5))


def test_a_rule_that_vanished_while_in_doubt_is_cancelled(run):
    run.sandbox.faults([PUT | {"kind": "error_before", "count": 1}])
    run.apply()
    run.sandbox.put_state(company())

    outcome = run.settle()

    assert outcome.cancelled == 1
    assert run.next_execution() is None


def test_one_wrong_empty_answer_settles_nothing(run, clock):
    run.sandbox.faults([PUT | {"kind": "error_after", "count": 1}])
    run.apply()
    state = run.sandbox.state()
    run.sandbox.put_state(state | {"invoice_rules": []})
    first = run.settle()
    run.sandbox.put_state(state)

    second = run.settle()

    assert (first.in_doubt, first.cancelled, second.applied) == (1, 0, 1)
    assert run.prices() == APPLIED


def _with_api(ctx, api):
    return type(ctx)(api, ctx.session, ctx.actor, ctx.clock)


class _Halfway:
    """Reads as usual; a write goes to a machine that refuses connections."""

    def __init__(self, reading, writing):
        self._reading, self._writing = reading, writing

    def __getattr__(self, name):
        return getattr(self._writing if name == "update_invoice_rule" else self._reading, name)


def _cut_power(patched, step):
    from ciclo.jobs.price_updates import apply, settle

    def cut(*_args, **_given):
        raise PowerCutError

    if step == "after the claim":
        patched.setattr(apply, "_put", cut)
    elif step == "after the PUT":
        patched.setattr(apply, "complete", cut)
    else:
        patched.setattr(settle, "_refresh_estimates", cut)


def _until(done):
    from time import monotonic, sleep

    deadline = monotonic() + 5
    while not done():
        assert monotonic() < deadline
        sleep(0.02)


def test_a_lease_in_which_no_put_could_be_sent_is_refused_before_anything_is_claimed(run):
    with pytest.raises(LeaseTooShortError, match="lease of 2 seconds must be longer than the API's longest request"):
        run.apply(options=UpdateOptions(lease=timedelta(seconds=2)))
    assert run.remote_rule()["gross_value"] == "1000.0"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "error_before", "count": RetryRules().attempts}, TransientApiError),
        ({"kind": "error_before", "status": 403, "count": RetryRules().attempts}, UnreadableAnswerError),
    ],
    ids=["fails", "is refused"],
)
def test_a_contract_about_which_the_vendor_only_fails_keeps_no_other_from_its_update(three, fault, error):
    three.sandbox.faults([{"method": "GET", "path": "invoices/search"} | fault])

    with pytest.raises(error):
        three.apply()

    assert [three.executions(number)[0].state for number in (1, 2, 3)] == ["planned", "applied", "applied"]
    assert three.apply().applied == 1


def test_what_is_due_of_a_contract_that_cannot_be_read_is_said_not_to_be_settled(three, clock):
    clock.advance(hours=2)
    three.sandbox.faults([{"method": "GET", "path": "contracts/10/invoice_rules", "kind": "malformed"}])

    assert three.apply().applied == 2

    [line] = unsettled_updates(three.ctx, ALWAYS, on=date(2025, 12, 31)).lines()
    assert line.startswith("  planned   2025-06-10  contract 10  rule 1  IGP-M: ")
    assert "its contract could not be read" in line


def test_two_contracts_about_which_the_vendor_only_fails_keep_no_other_from_its_update(three):
    tries = 2 * RetryRules().attempts
    three.sandbox.faults([{"method": "GET", "path": "invoices/search", "kind": "error_before", "count": tries}])

    with pytest.raises(TransientApiError):
        three.apply()

    assert [three.executions(number)[0].state for number in (1, 2, 3)] == ["planned", "planned", "applied"]


def test_a_vendor_that_has_no_other_answer_either_is_left_alone(three):
    three.sandbox.faults([PUT | {"kind": "reset_after"}])
    three.apply()
    three.sandbox.faults([{"method": "GET", "path": "invoices/search|service_items", "kind": "error_before"}])
    three.sandbox.clear_requests()

    with pytest.raises(TransientApiError):
        three.settle()

    assert [three.executions(number)[0].state for number in (1, 2, 3)] == ["in_doubt"] * 3
    assert len(three.sandbox.requests(path="invoices/search")) == RetryRules().attempts


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("contracts/10/invoice_rules", {"kind": "error_before"}),
        ("contracts/10/invoice_rules", {"kind": "malformed"}),
        ("contracts/10/invoice_rules", {"kind": "error_before", "status": 403}),
        ("invoices/search", {"kind": "error_before", "count": RetryRules().attempts}),
        ("invoices/search", {"kind": "error_before", "status": 403, "count": RetryRules().attempts}),
    ],
    ids=["rules fail", "rules cannot be read", "rules are refused", "invoices fail", "invoices are refused"],
)
def test_a_doubt_that_cannot_be_settled_keeps_no_other_contract_from_its_update(three, path, fault):
    three.sandbox.faults([{"method": "PUT", "path": f"rules/{number}", "kind": "reset_after"} for number in (1, 2)])
    first = three.apply()
    three.sandbox.faults([{"method": "GET", "path": path, "count": 1000} | fault])

    settled = three.settle()

    assert (first.in_doubt, first.applied) == (2, 1)
    assert (settled.in_doubt, settled.applied) == (1, 1)
    assert [three.executions(number)[0].state for number in (1, 2)] == ["in_doubt", "applied"]
    assert [(problem.contract_id, problem.rule_id) for problem in settled.problems] == [(10, 1)]
    three.sandbox.clear_faults()
    assert three.settle().applied == 1
