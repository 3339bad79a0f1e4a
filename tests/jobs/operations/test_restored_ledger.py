"""A ledger restored from a backup that is older than what happened at the vendor: all is found, nothing is repeated."""

from datetime import date, timedelta

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState
from ciclo.jobs.backfill import BackfillPolicy, Ceilings, draft_plan, keep_plan
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from company import company, rule, scheduled_update, service

JANUARY = (date(2025, 1, 1), date(2025, 1, 31))
FEBRUARY = (date(2025, 2, 1), date(2025, 2, 28))
RULES = [
    rule(1),
    rule(2, 11, init_date="2025-01-31", charge={"day_number": 5, "parcel_number": 3}, gross_value="100.0"),
    rule(3, 11, services=[service(5, "5.75", units="2.5"), service(6, "10.0")]),
]


@pytest.fixture
def backup(tmp_path):
    return tmp_path / "backup"


def wrote(running):
    """How many invoices were created and rules changed at the vendor, ever."""
    return [len(running.box.requests(method=method, path=path)) for method, path in WRITES]


WRITES = [("POST", "/invoices$"), ("PUT", "/invoice_rules/"), ("PATCH", "/invoices/")]


def test_what_was_billed_since_the_backup_is_adopted_and_never_billed_again(company_on, ledger_url, backup):
    running = company_on(company(*RULES), ledger_url)
    running.bill(*JANUARY)
    running.back_up(backup)
    running.go_to(date(2025, 2, 28))
    running.bill(*FEBRUARY)
    before = wrote(running)
    assert before[0] == 6

    running.restore(backup)
    running.go_to(date(2025, 3, 1))
    _, outcome = running.bill(*FEBRUARY)

    assert (outcome.adopted, outcome.created, outcome.parked) == (3, 0, 0)
    assert wrote(running) == before
    assert all(attempt.closed for attempt in running.close(1, 2))
    running.go_to(date(2025, 3, 31))
    _, march = running.bill(date(2025, 3, 1), date(2025, 3, 31))
    assert (march.created, march.adopted) == (3, 0)
    assert len(running.references()) == len(set(running.references())) == 9


def test_a_backup_made_while_a_run_was_billing_is_settled_by_what_the_vendor_has(company_on, ledger_url, backup):
    running = company_on(company(*RULES), ledger_url)
    claim_and_die(running, backup)
    running.hour += 1
    running.bill(*JANUARY)
    before = wrote(running)

    running.restore(backup)
    running.hour += 1
    _, outcome = running.bill(*JANUARY)

    assert (outcome.adopted, outcome.created, outcome.parked) == (3, 0, 0)
    assert wrote(running) == before
    running.go_to(date(2025, 2, 1))
    assert all(attempt.closed for attempt in running.close(1))


def claim_and_die(running, backup):
    """Back the ledger up between the claim of January's periods and the answers."""
    scope = Scope(DateRange.days(*JANUARY))
    with running.job() as ctx:
        read_contract_list(ctx)
        expand_rules(ctx, scope, seen_on=running.today)
        now = ctx.clock()
        ctx.periods.claim_planned(
            ctx.periods.planned(scope)[:2], owner="dead", lease_until=now + timedelta(minutes=10), at=now
        )
        ctx.session.commit()
    running.back_up(backup)


def readjusted(gross="1000.0", **given):
    return company(rule(gross_value=gross, scheduled_updates=[scheduled_update(**given)]))


def put_execution_date(running, day):
    """Let the vendor count the update as executed, as it does by itself after its date."""
    state = running.box.state()
    state["invoice_rules"][0]["scheduled_updates"][0]["execution_date"] = day
    running.box.put_state(state)


def test_a_price_update_applied_since_the_backup_is_adopted_and_not_applied_again(company_on, ledger_url, backup):
    adopts_its_own_update(company_on(readjusted(), ledger_url), backup)


@pytest.mark.parametrize(("vendor_moved_on", "weeks_later"), [(True, 0), (False, 4)])
def test_it_is_adopted_whether_the_vendor_counts_it_as_executed_and_weeks_later_too(
    company_on, sqlite_url, backup, vendor_moved_on, weeks_later
):
    running = company_on(readjusted(), sqlite_url)
    adopts_its_own_update(running, backup, vendor_moved_on=vendor_moved_on, weeks_later=weeks_later)


def adopts_its_own_update(running, backup, *, vendor_moved_on=False, weeks_later=0):
    running.go_to(date(2025, 5, 31))
    running.bill(date(2025, 1, 1), date(2025, 5, 31))
    running.back_up(backup)
    running.go_to(date(2025, 6, 30))
    june = (date(2025, 6, 1), date(2025, 6, 30))
    updates, outcome = running.bill(*june)
    assert (updates.applied, outcome.created) == (1, 1)
    if vendor_moved_on:
        put_execution_date(running, "2026-06-10")
    before = wrote(running)

    running.restore(backup)
    running.go_to(date(2025, 7, 1) + timedelta(weeks=weeks_later))
    updates, outcome = running.bill(*june)

    assert (updates.adopted, updates.applied) == (1, 0)
    assert (outcome.adopted, outcome.created, outcome.parked) == (1, 0, 0)
    assert wrote(running) == before
    with running.job() as ctx:
        [execution] = ctx.executions.of_rules([1])[1]
        newest = ctx.prices.histories([1])[1][-1]
        assert execution.state == ExecutionState.ADOPTED
        assert (f"{newest.unit_value:.2f}", newest.effective_from) == ("1070.26", date(2025, 6, 10))
    assert all(attempt.closed for attempt in running.close(5, 6))


def test_an_invoice_cancelled_since_the_backup_is_found_and_not_made_again(company_on, sqlite_url, backup):
    running = company_on(company(*RULES), sqlite_url)
    running.bill(*JANUARY)
    running.back_up(backup)
    running.go_to(date(2025, 2, 28))
    running.bill(*FEBRUARY)
    running.box.cancel(running.invoices()[-1]["id"])

    running.restore(backup)
    running.go_to(date(2025, 3, 1))
    _, outcome = running.bill(*FEBRUARY)

    assert (outcome.adopted, outcome.created) == (3, 0)


def test_what_cannot_be_known_after_a_restore_waits_for_a_person_in_a_plan_with_a_ceiling_of_none(
    company_on, sqlite_url, backup
):
    """An invoice that a person deleted at the vendor since the backup left no trace anywhere."""
    running = company_on(company(*RULES), sqlite_url)
    running.bill(*JANUARY)
    running.back_up(backup)
    running.go_to(date(2025, 2, 28))
    running.bill(*FEBRUARY)
    gone = running.invoices()[-1]
    running.box.call("DELETE", f"contracts/{gone['contract_id']}/invoices/{gone['id']}")

    running.restore(backup)
    running.go_to(date(2025, 3, 1))
    with running.job() as ctx:
        scope = Scope(DateRange.days(*FEBRUARY))
        expand_rules(ctx, scope, seen_on=running.today)
        adopt_existing(ctx, scope, IssueOptions(), owner="plan")
        plan = keep_plan(ctx, draft_plan(ctx, scope, BackfillPolicy.EACH), Ceilings(max_invoices=0))

    assert (plan.invoices, plan.needs_approval) == (1, True)
