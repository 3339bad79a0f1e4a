"""An update by an index that nobody knows stops its own rule, by name; every other update goes its way."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.domain.continuity import Break
from ciclo.domain.letter import Letters
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import said
from ciclo.jobs.issuing.issue import hold_back
from ciclo.jobs.price_updates import (
    LetterOptions,
    UpdateOptions,
    previews,
    unsettled_updates,
    write_letters,
)
from ciclo.ledger.letters import LetterStyle
from ciclo.ledger.repositories import Scope
from company import company, rule, scheduled_update

ALWAYS = Scope(DateRange.days(date(2000, 1, 1), date(2025, 12, 31)))
UNKNOWN = "contract 10, rule 1, update of 2025-06-10: price index 'selic' is unknown"


def state(index="selic", **given):
    """Two contracts with an update on 10 June: the first by an index, the second by IGP-M."""
    first = scheduled_update(500, price_index=index, **given)
    return company(
        rule(1, 10, gross_value="1000.0", scheduled_updates=[first]),
        rule(2, 11, gross_value="1000.0", scheduled_updates=[scheduled_update(501)]),
    )


@pytest.fixture
def run(billing):
    started = billing(state(), today=date(2025, 6, 10))
    started.expand()
    return started


def reasons(run, rule_id):
    return {said(period.reason) for period in run.periods(rule_id) if period.state == "waiting"}


def test_its_rule_is_parked_alone_and_the_others_are_applied_and_billed(run):
    for _ in range(2):  # every day the same
        run.apply()
    run.issue(last=date(2025, 6, 10))

    assert run.execution(1).state == ExecutionState.PARKED
    assert said(run.execution(1).reason).startswith(UNKNOWN)
    assert reasons(run, 1) == {"the price update of 2025-06-10 by selic is not settled"}
    assert run.execution(2).state == ExecutionState.APPLIED
    invoices = [i for i in run.sandbox.state()["invoices"] if i["issue_date"] == "10/06/2025"]
    assert [(i["contract_id"], i["gross_value"]) for i in invoices] == [(11, "1070.26")]


def test_corrected_at_the_vendor_and_released_it_is_applied(run):
    run.apply()
    run.sandbox.put_state(state("igpm"))
    run.ctx.executions.change(run.execution(1), ExecutionState.PLANNED, reason=None, at=run.ctx.clock())

    run.apply()

    assert (run.execution(1).state, run.execution(1).price_index) == (ExecutionState.APPLIED, "igpm")


def test_a_period_waits_for_an_index_of_one_name_whoever_lets_it_wait(billing):
    run = billing(state("igpm"), today=date(2025, 6, 10))
    run.expand()
    hold_back(run.ctx, ALWAYS)
    by_issuing = reasons(run, 1)
    run.sandbox.put_state(state("igpm", service_item_id=9))

    run.apply()

    assert run.execution(1).state == ExecutionState.PARKED
    assert reasons(run, 1) == by_issuing == {"the price update of 2025-06-10 by IGP-M is not settled"}


def test_it_stands_in_the_report_of_what_is_not_settled(run):
    run.apply()

    [line] = unsettled_updates(run.ctx, ALWAYS, on=date(2025, 6, 10)).lines()

    assert line == f"  parked    2025-06-10  contract 10  rule 1  selic: {said(run.execution(1).reason)}"


@pytest.mark.parametrize("given", [{}, {"index": "igpm", "month_quantity": 0}])
def test_it_stands_in_a_dry_run_beside_the_others(billing, given):
    run = billing(state(**given), today=date(2025, 6, 10))
    run.expand()

    unknown, known = previews(run.ctx, ALWAYS, UpdateOptions(), on=date(2025, 6, 10))

    assert (unknown.index, unknown.months) == (given.get("index", "selic"), ())
    assert unknown.note is not None
    assert [(price.new, price.factor) for price in unknown.prices] == [(None, None)]
    assert (known.index, known.prices[0].new) == ("igpm", Decimal("1070.26"))


def test_adopted_from_the_vendor_it_holds_up_neither_letters_nor_the_next_one(billing):
    """The vendor readjusts by an index of its own, is written about by nobody, and goes over to IGP-M."""
    customers = [{"id": 1000 + n, "name": "Cliente", "billing_contacts": f"{n}@aurora.example"} for n in (10, 11)]
    before, today = state(), date(2025, 6, 10)
    run = billing(before | {"companies": customers}, today=today)
    run.expand()
    first = before["invoice_rules"][0]
    first["gross_value"], first["scheduled_updates"][0]["execution_date"] = "1050.0", "2026-06-10"
    run.sandbox.put_state(before | {"companies": customers})
    run.apply()
    assert [run.execution(each).state for each in (1, 2)] == [ExecutionState.ADOPTED, ExecutionState.APPLIED]

    mails = []
    options = LetterOptions(Letters.AFTER, LetterStyle(None))
    outcome = write_letters(run.ctx, ALWAYS, UpdateOptions(), options, mails.append, today=today)

    assert [mail.recipients for mail in mails] == [("11@aurora.example",)]
    [problem] = outcome.problems
    assert "contract 10: its letter cannot be written: price index 'selic' is unknown" in problem.message

    first["scheduled_updates"][0]["price_index"] = "igpm"
    run.sandbox.put_state(before | {"companies": customers})
    run.today = date(2026, 6, 10)
    run.apply(run.today)
    following = run.executions(1)[-1]
    assert (following.state, following.execution_date) == (ExecutionState.PARKED, date(2026, 6, 10))
    assert following.reason.facts["breaks"] == [Break.INDEX_CHANGED]
