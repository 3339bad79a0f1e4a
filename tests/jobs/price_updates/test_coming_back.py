"""What was called off because its rule or contract was gone comes back with it, and is never applied twice."""

from dataclasses import replace
from datetime import date

import pytest

from ciclo.billimatic import BillimaticClient
from ciclo.domain.states import ExecutionState
from ciclo.ledger.actions import skip_update
from company import ORGANIZATION, TOKEN, company, contract, rule, scheduled_update

PUT = {"method": "PUT", "path": "invoice_rules"}
OTHER_ORGANIZATION = 8
APPLIED = [(0, "2025-01-10", "1000.00", "rule"), (0, "2025-06-10", "1070.26", "price update")]
STATE = company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()]))


@pytest.fixture
def run(billing):
    started = billing(STATE)
    started.expand()
    return started


def be_away(run, state):
    """Let Ciclo read another state, work by it, and read the former one again."""
    before = run.sandbox.state()
    run.sandbox.put_state(state)
    run.expand()
    run.settle()
    run.apply()
    run.sandbox.put_state(before)
    run.expand()


@pytest.mark.parametrize(
    "away",
    [company(contracts=[contract(10)]), STATE | {"contracts": [contract(10, state="inactive")]}],
    ids=["rule gone", "contract inactive"],
)
def test_an_update_is_applied_once_its_rule_is_back(run, away):
    be_away(run, away)
    assert run.next_execution() == date(2025, 6, 10)

    assert run.apply().applied == 1

    assert run.prices() == APPLIED
    assert run.next_execution() == date(2026, 6, 10)


@pytest.mark.parametrize("last_sight", ["parked", "waiting"])
def test_an_update_that_was_begun_is_planned_again_with_its_rule(run, last_sight):
    if last_sight == "parked":
        run.sandbox.faults([PUT | {"kind": "error_before", "status": 422}])
        run.apply()
        run.sandbox.clear_faults()
    else:
        run.apply(today=date(2025, 5, 1))
    be_away(run, company(contracts=[contract(10)]))

    for step in (run.apply, run.settle, run.apply):
        step()

    assert run.execution().state == ExecutionState.APPLIED
    assert run.prices() == APPLIED


@pytest.mark.parametrize(("kind", "puts"), [("error_after", 1), ("error_before", 2)])
def test_an_update_that_was_sent_before_its_rule_went_away_is_in_doubt_when_it_is_back(run, clock, kind, puts):
    run.sandbox.faults([PUT | {"kind": kind, "count": 1}])
    run.apply()
    run.sandbox.clear_faults()
    be_away(run, company(contracts=[contract(10), contract(11)]))

    run.apply()
    clock.advance(minutes=6)
    run.settle()
    run.apply()

    assert run.execution().state == ExecutionState.APPLIED
    assert run.prices() == APPLIED
    assert len(run.puts()) == puts


@pytest.mark.parametrize("price", ["1070.26", "1080.00"], ids=["as ours", "another"])
def test_an_update_that_the_vendor_made_while_its_rule_was_not_answered_is_adopted(run, price):
    """Two wrong answers say that the rule is gone; the vendor readjusts it on that very day."""
    run.sandbox.faults([{"method": "GET", "path": "invoice_rules", "kind": "empty_list", "count": 2}] * 2)
    run.expand()
    run.apply()
    assert run.execution().state == ExecutionState.CANCELLED
    run.sandbox.clear_faults()
    executed = scheduled_update(execution_date="2026-06-10")
    run.sandbox.put_state(company(rule(gross_value=price, scheduled_updates=[executed])))

    run.expand()
    assert run.next_execution() == date(2025, 6, 10)
    run.apply()

    assert run.execution().state == ExecutionState.ADOPTED
    assert run.prices() == [APPLIED[0], (0, "2025-06-10", price, "vendor")]
    assert run.next_execution() == date(2026, 6, 10)


def test_one_answer_without_its_rule_does_not_call_off_what_was_sent(run, clock):
    run.sandbox.faults([PUT | {"kind": "error_after", "count": 1}])
    run.apply()
    empty = {"method": "GET", "path": "invoice_rules", "kind": "empty_list", "count": 1}
    run.sandbox.faults([empty] * 2)
    run.expand()
    run.sandbox.faults([empty])
    clock.advance(minutes=6)

    run.settle()

    assert run.execution().state == ExecutionState.APPLIED


def test_an_update_that_a_person_gave_up_does_not_come_back_with_its_rule(run):
    run.sandbox.faults([PUT | {"kind": "error_before", "status": 422}])
    run.apply()
    run.sandbox.clear_faults()
    skip_update(run.ctx.session, ORGANIZATION, run.execution().id, person="ana", note="agreed", at=run.ctx.clock())
    run.ctx.session.commit()
    be_away(run, company(contracts=[contract(10)]))

    run.apply()

    assert run.execution().state == ExecutionState.CANCELLED
    assert run.prices() == APPLIED[:1]


def be_refused(run):
    run.sandbox.faults([PUT | {"kind": "error_before", "status": 422}])
    run.apply()
    run.sandbox.clear_faults()


@pytest.fixture
def transferred(run):
    """Give the contract to the account's other organization, and return that one's billing on the same ledger."""
    with BillimaticClient(
        base_url=run.sandbox.url, token=TOKEN, organization_id=OTHER_ORGANIZATION, requests_per_second=None
    ) as api:

        def transfer():
            state = run.sandbox.state()
            state["organizations"].append({"id": OTHER_ORGANIZATION, "name": "Luz do Sul Filial Ltda."})
            state["contracts"][0]["supplier_id"] = OTHER_ORGANIZATION
            run.sandbox.put_state(state)
            run.expand()
            other = replace(run, ctx=replace(run.ctx, api=api))
            other.expand()
            return other

        yield transfer


def test_what_one_organization_applied_another_that_gets_the_contract_does_not_apply_again(run, transferred):
    assert run.apply().applied == 1
    other = transferred()

    assert other.apply().applied == 0

    assert other.remote_rule()["gross_value"] == "1070.26"
    assert len(run.puts()) == 1
    assert other.next_execution() == date(2026, 6, 10)
    assert [each.execution_date for each in other.executions()] == [date(2025, 6, 10)]


def test_what_a_person_skipped_in_one_organization_another_does_not_apply(run, transferred):
    be_refused(run)
    skip_update(run.ctx.session, ORGANIZATION, run.execution().id, person="ana", note="agreed", at=run.ctx.clock())
    run.ctx.session.commit()
    other = transferred()

    assert other.apply().applied == 0

    assert other.remote_rule()["gross_value"] == "1000.0"


def test_what_one_organization_called_off_another_that_gets_the_contract_applies(run, transferred):
    be_refused(run)
    other = transferred()
    run.settle()
    run.apply()

    assert other.apply().applied == 1

    assert other.remote_rule()["gross_value"] == "1070.26"


def test_periods_that_one_organization_planned_are_billed_by_the_one_that_gets_the_contract(run, transferred):
    run.apply()
    run.issue(date(2025, 1, 1), date(2025, 3, 31))
    billed = run.billed()
    other = transferred()
    other.apply()

    other.issue(date(2025, 4, 1), date(2025, 7, 31))
    run.expand()
    other.expand()

    assert {day: value for day, value in run.billed().items() if day not in billed} == {
        "10/04/2025": "1070.26",
        "10/05/2025": "1070.26",
        "10/06/2025": "1070.26",
        "10/07/2025": "1070.26",
    }
    assert [each.issue_date.month for each in run.periods()] == [1, 2, 3]
    states = [(each.issue_date.month, each.state) for each in other.periods()]
    assert states == [(month, "issued" if month < 8 else "planned") for month in range(4, 13)]
