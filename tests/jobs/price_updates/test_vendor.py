"""What the vendor or a person changes at the vendor: adopted, recorded or shown, never taken for something else."""

from datetime import date

import pytest
from sqlalchemy import select

from ciclo.domain.passport import check
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import plain_words, said
from ciclo.ledger.actions.price_updates import apply_update
from ciclo.ledger.queries.price_updates import passport
from ciclo.ledger.tables import Finding
from company import company, rule, scheduled_update, service

NEXT_YEAR = date(2026, 6, 10)
MOVED = pytest.mark.parametrize("executed", [None, "2026-06-10"])


def state(gross="1000.0", executed=None, **given):
    update = scheduled_update() | ({"execution_date": executed} if executed else {})
    return company(rule(gross_value=gross, scheduled_updates=[update], **given))


def services(*prices, executed=None, **given):
    """A rule of services that one update readjusts."""
    lines = [service(31 + number, price, item=1 + number) for number, price in enumerate(prices)]
    return state(executed=executed, services=lines, **given)


def findings(run):
    return run.ctx.session.scalars(select(Finding)).all()


def decide(run, basis):
    given = {"person": "ana", "note": "as agreed", "at": run.ctx.clock(), "basis": basis}
    apply_update(run.ctx.session, run.ctx.organization_id, run.execution().id, **given)
    run.ctx.session.commit()


def test_an_update_the_vendor_applied_itself_is_adopted_with_the_difference_to_ours(billing_anywhere):
    run = billing_anywhere(state())
    run.expand()
    run.sandbox.put_state(state("1080.00", executed="2026-06-10"))

    outcome = run.apply()

    assert (outcome.adopted, outcome.applied) == (1, 0)
    assert run.puts() == []
    execution = run.execution()
    assert execution.state == ExecutionState.ADOPTED
    assert execution.evidence["prices"] == [{"service_id": 0, "old": "1000.00", "new": "1080.00", "ours": "1070.26"}]
    assert execution.evidence["vendor"] == {"execution_date": "2026-06-10", "difference": {"0": "9.74"}}
    assert run.prices()[-1] == (0, "2025-06-10", "1080.00", "vendor")
    assert run.next_execution() == NEXT_YEAR


def test_a_vendor_that_counts_other_months_is_adopted_and_the_difference_recorded(billing):
    """The sandbox's vendor takes every index from the 13th on: on 10 June it counts to April, Ciclo to May."""
    run = billing(state(), today=date(2025, 6, 10))
    run.sandbox.set_clock(date(2025, 5, 1))
    run.sandbox.put_state(state() | {"behaviour": {"readjust": True}})
    run.expand(last=date(2025, 5, 31))
    run.sandbox.set_clock(date(2025, 6, 10))

    run.apply(date(2025, 6, 10))

    execution = run.execution()
    assert execution.state == ExecutionState.ADOPTED
    assert run.prices()[-1] == (0, "2025-06-10", "1085.10", "vendor")
    assert execution.evidence["vendor"]["difference"] == {"0": "14.84"}


def test_a_changed_price_on_a_due_date_is_adopted_with_a_warning(billing):
    run = billing(state())
    run.expand()
    run.sandbox.put_state(state("1080.00"))

    run.apply()

    assert run.execution().state == ExecutionState.ADOPTED
    assert any("has not moved" in plain_words(warning) for warning in run.execution().evidence["warnings"])


@MOVED
def test_the_vendors_price_that_is_ours_is_no_finding(billing, executed):
    """However it came there: the evidence of a date that stands still is kept, nobody is asked about it."""
    run = billing(state())
    run.expand()
    run.sandbox.put_state(state("1070.26", executed=executed))

    run.apply()

    evidence = run.execution().evidence
    assert run.execution().state == ExecutionState.ADOPTED
    assert evidence["vendor"]["difference"] == {"0": "0.00"}
    assert any("has not moved" in plain_words(warning) for warning in evidence["warnings"]) == (executed is None)
    assert findings(run) == []


@MOVED
def test_a_price_of_the_vendors_a_cent_from_ours_is_a_finding(billing, executed):
    run = billing(state())
    run.expand()
    run.sandbox.put_state(state("1070.27", executed=executed))

    run.apply()

    assert [(finding.kind, str(finding.amount)) for finding in findings(run)] == [("vendor_factor_differs", "0.01")]


def test_an_adopted_update_is_not_applied_again(billing):
    run = billing(state())
    run.expand()
    run.sandbox.put_state(state("1080.00", executed="2026-06-10"))
    run.apply()

    run.expand()
    again = run.apply()

    assert (again.applied, again.adopted, run.puts()) == (0, 0, [])
    assert len(run.prices()) == 2


def test_the_vendors_date_standing_still_after_our_update_is_no_second_update(billing):
    run = billing(state())
    run.expand()
    run.apply()

    run.expand()
    run.apply()

    assert len(run.puts()) == 1
    assert run.prices() == [(0, "2025-01-10", "1000.00", "rule"), (0, "2025-06-10", "1070.26", "price update")]


def test_the_vendor_arriving_later_at_our_price_changes_nothing(billing):
    run = billing(state())
    run.expand()
    run.apply()
    run.sandbox.put_state(state("1070.26", executed="2026-06-10"))

    outcome = run.expand()
    run.apply()

    assert outcome.problems == []
    assert len(run.prices()) == 2
    assert run.next_execution() == NEXT_YEAR


def test_the_vendor_readjusting_once_more_on_top_of_ours_is_shown_and_does_not_count(billing):
    run = billing(state())
    run.expand()
    run.apply()
    run.sandbox.put_state(state("1145.46", executed="2026-06-10"))

    first, second = run.expand(), run.expand()

    expected = (
        "contract 10, rule 1: the vendor shows R$ 1.145,46 after an update that Ciclo had settled at R$ 1.070,26 "
        "(scheduled update 500); Ciclo goes on billing its own price: correct the rule at the vendor"
    )
    assert [problem.message for problem in (*first.problems, *second.problems)] == [expected, expected]
    assert run.prices()[-1][2] == "1070.26"
    assert run.execution().evidence["vendor_after"]["prices"][0]["difference"] == "75.20"


def test_a_double_readjustment_that_is_not_corrected_parks_the_next_update(billing):
    run = billing(state(), today=date(2026, 7, 1))
    run.expand()
    run.apply(date(2025, 12, 31))
    run.sandbox.put_state(state("1145.46", executed="2026-06-10"))
    run.expand()

    run.apply(date(2026, 6, 30))

    assert run.executions()[-1].state == ExecutionState.PARKED
    assert "readjusted once more than Ciclo" in said(run.executions()[-1].reason)


@pytest.mark.parametrize("applied_before", [True, False])
def test_a_persons_change_of_price_counts_from_the_day_it_is_seen(billing, applied_before):
    """Also long after our own update, while the vendor's execution date still stands at it."""
    last = date(2025, 12, 31) if applied_before else date(2025, 5, 31)
    run = billing(state(), today=date(2025, 12, 1) if applied_before else date(2025, 4, 1))
    run.expand()
    run.apply(last)
    run.sandbox.put_state(state("1200.00"))

    run.expand()

    assert run.prices()[-1] == (0, run.today.isoformat(), "1200.00", "rule changed")


def test_a_persons_change_of_another_service_counts_while_an_update_is_due(billing):
    lines = [service(31, "100.0", item=1), service(32, "200.0", item=2)]
    update = scheduled_update(service_item_id=1)
    run = billing(company(rule(services=lines, scheduled_updates=[update])))
    run.expand()
    lines = [service(31, "100.0", item=1), service(32, "222.0", item=2)]
    run.sandbox.put_state(company(rule(services=lines, scheduled_updates=[update])))

    run.expand()

    assert run.prices()[-1] == (32, "2026-01-10", "222.00", "rule changed")


def test_two_changes_of_price_on_one_day_both_count(billing):
    run = billing(state(), today=date(2025, 4, 1))
    run.expand()
    for gross in ("1200.00", "1300.00"):
        run.sandbox.put_state(state(gross))
        run.expand()

    assert [price[2] for price in run.prices()] == ["1000.00", "1200.00", "1300.00"]


def test_an_update_applied_late_does_not_bring_an_old_price_back(billing):
    """A person set R$ 1.200,00 in August; the June update becomes known later: it is history."""
    run = billing(company(rule(gross_value="1000.0")), today=date(2025, 8, 5))
    run.expand()
    run.sandbox.put_state(company(rule(gross_value="1200.0")))
    run.expand()
    run.sandbox.put_state(state("1200.0"))
    run.expand()

    run.apply()

    assert run.prices() == [
        (0, "2025-01-10", "1000.00", "rule"),
        (0, "2025-06-10", "1070.26", "price update"),
        (0, "2025-08-05", "1200.00", "rule changed"),
    ]
    assert run.remote_rule()["gross_value"] == "1200.0"
    assert run.puts() == []


def test_a_date_that_moved_without_its_price_is_for_a_person(billing):
    run = billing(state())
    run.expand()
    run.sandbox.put_state(state(executed="2026-06-10"))

    run.apply()

    assert run.execution().state == ExecutionState.PARKED
    assert said(run.execution().reason) == (
        "contract 10, rule 1, update of 2025-06-10: the vendor moved its execution date to 2026-06-10, "
        "but its price is still R$ 1.000,00"
    )


def test_a_date_that_moved_with_a_price_that_was_not_to_change_is_adopted(billing):
    """IGP-M fell and the rule keeps its price: the vendor executed it, and there is no difference to ours."""
    falling = {"init_date": "2023-02-10", "apply_negative_updates": False}
    fall = scheduled_update(init_date="2024-02-10")
    run = billing(company(rule(scheduled_updates=[fall], gross_value="1000.0", **falling)))
    run.expand()
    executed = scheduled_update(init_date="2024-02-10", execution_date="2025-02-10")
    run.sandbox.put_state(company(rule(scheduled_updates=[executed], gross_value="1000.0", **falling)))

    run.apply(date(2024, 2, 28))

    assert run.execution().state == ExecutionState.ADOPTED
    assert run.execution().evidence["vendor"]["difference"] == {"0": "0.00"}


def test_a_vendor_more_than_one_execution_ahead_is_for_a_person(billing):
    run = billing(state())
    run.expand()
    run.sandbox.put_state(state("1200.00", executed="2027-06-10"))

    run.apply()

    assert run.execution().state == ExecutionState.PARKED
    assert "its price of the time between is not known" in said(run.execution().reason)


def test_the_vendors_price_counts_where_ours_cannot_be_computed(billing):
    run = billing(state() | {"invoice_rules": []})
    update = scheduled_update(init_date="2026-12-10")
    run.sandbox.put_state(company(rule(gross_value="1000.0", init_date="2026-01-10", scheduled_updates=[update])))
    run.today = date(2026, 12, 10)
    run.expand(date(2026, 1, 1), date(2026, 12, 31))
    moved = scheduled_update(init_date="2026-12-10", execution_date="2027-12-10")
    run.sandbox.put_state(company(rule(gross_value="1044.0", init_date="2026-01-10", scheduled_updates=[moved])))

    run.apply(date(2026, 12, 31))

    assert run.execution().state == ExecutionState.ADOPTED
    assert run.prices()[-1] == (0, "2026-12-10", "1044.00", "vendor")
    assert "our own computation is missing: price index igpm has no value for 2026-10" in "; ".join(
        map(plain_words, run.execution().evidence["warnings"])
    )
    document = passport(run.ctx.session, run.ctx.organization_id, run.execution().id)
    (problem,) = check(document, {}).problems
    assert "1044.00 for 1000.00 is the vendor's own price" in problem


def test_both_updates_of_one_day_are_adopted_from_the_vendor(billing):
    lines = [service(31, "100.0", item=1), service(32, "200.0", item=2)]
    updates = [scheduled_update(500, service_item_id=1), scheduled_update(501, service_item_id=2)]
    run = billing(company(rule(services=lines, scheduled_updates=updates)))
    run.expand()
    lines = [service(31, "107.0", item=1), service(32, "214.0", item=2)]
    updates = [each | {"execution_date": "2026-06-10"} for each in updates]
    run.sandbox.put_state(company(rule(services=lines, scheduled_updates=updates)))

    run.apply()

    assert [execution.state for execution in run.executions()] == ["adopted", "adopted"]
    assert [price[2] for price in run.prices() if price[3] == "vendor"] == ["107.00", "214.00"]


# -- of several prices -------------------------------------------------------------------------------------------------


@pytest.fixture(params=[None, "2026-06-10"], ids=["date_stands", "date_moved"])
def changed_in_part(request, billing):
    """At the vendor the second price is another one, the first one is as it was."""
    run = billing(services("333.33", "100.0"))
    run.expand()
    run.sandbox.put_state(services("333.33", "120.0", executed=request.param))
    return run


def test_prices_that_changed_in_part_are_for_a_person_with_both_figures(changed_in_part):
    run = changed_in_part

    outcome = run.apply()

    figures = {f["basis"]: [p["new"] for p in f["prices"]] for f in run.execution().evidence["figures"]}
    assert (outcome.adopted, outcome.parked, run.execution().state) == (0, 1, ExecutionState.PARKED)
    assert figures == {"letter": ["356.75", "107.03"], "vendor": ["333.33", "120.00"]}
    assert run.puts() == []
    assert {price[3] for price in run.prices()} == {"rule"}
    assert said(run.execution().reason) == (
        "contract 10, rule 1, update of 2025-06-10: only a part of the update's prices has changed at the vendor: "
        "R$ 333,33, R$ 100,00 to R$ 333,33, R$ 120,00; by the rule and the contract's terms it is R$ 356,75, R$ 107,03 "
        "by 2024-06 to 2025-05; a person decides"
    )


@pytest.mark.parametrize(
    ("basis", "became", "new"),
    [
        ("vendor", ExecutionState.ADOPTED, ["333.33", "120.00"]),
        ("letter", ExecutionState.APPLIED, ["356.75", "107.03"]),
    ],
)
def test_a_person_decides_about_prices_that_changed_in_part(changed_in_part, basis, became, new):
    run = changed_in_part
    run.apply()
    decide(run, basis)

    run.apply()

    assert run.execution().state == became
    assert [price[2] for price in run.prices() if price[3] != "rule"] == new
    assert [f"{float(line['unit_value']):.2f}" for line in run.remote_rule()["services"]] == new
    assert findings(run) == []


@pytest.mark.parametrize("basis", ["vendor", "letter"])
def test_what_a_person_decided_does_not_hold_for_prices_that_changed_again(changed_in_part, basis):
    run = changed_in_part
    run.apply()
    decide(run, basis)
    run.sandbox.put_state(services("350.00", "120.0"))

    run.apply()

    assert run.execution().state == ExecutionState.PARKED
    assert "R$ 350,00, R$ 120,00" in said(run.execution().reason)
    assert (run.puts(), {price[3] for price in run.prices()}) == ([], {"rule"})


@MOVED
def test_prices_that_all_changed_are_adopted(billing, executed):
    run = billing(services("333.33", "100.0"))
    run.expand()
    run.sandbox.put_state(services("350.00", "120.0", executed=executed))

    run.apply()

    assert run.execution().state == ExecutionState.ADOPTED
    assert [price[2] for price in run.prices() if price[3] == "vendor"] == ["350.00", "120.00"]


@MOVED
def test_a_price_that_ours_leaves_may_stay_at_the_vendor(billing, executed):
    """A cent readjusted by 7 % is a cent."""
    run = billing(services("0.01", "100.0"))
    run.expand()
    run.sandbox.put_state(services("0.01", "120.0", executed=executed))

    run.apply()

    assert run.execution().state == ExecutionState.ADOPTED
    assert run.execution().evidence["vendor"]["difference"] == {"31": "0.00", "32": "12.97"}


@MOVED
def test_prices_that_changed_in_part_wait_for_the_values_that_tell_whether_the_others_change(billing, executed):
    run = billing(state() | {"invoice_rules": []}, today=date(2026, 12, 10))

    def show(second, **moved):
        lines = [service(31, "333.33", item=1), service(32, second, item=2)]
        update = scheduled_update(init_date="2026-12-10") | moved
        run.sandbox.put_state(company(rule(services=lines, init_date="2026-01-10", scheduled_updates=[update])))

    show("100.0")
    run.expand(date(2026, 1, 1), date(2026, 12, 31))
    show("120.0", **({"execution_date": "2027-12-10"} if executed else {}))

    run.apply(date(2026, 12, 31))

    assert run.execution().state == ExecutionState.WAITING


def test_a_price_that_another_update_of_the_day_took_over_has_changed(billing):
    updates = [scheduled_update(500, service_item_id=1, price_index="ipca"), scheduled_update(501)]

    def shown(first, second, **moved):
        lines = [service(31, first, item=1), service(32, second, item=2)]
        return company(rule(services=lines, scheduled_updates=[each | moved for each in updates]))

    run = billing(shown("100.0", "200.0"))
    run.expand()
    run.sandbox.put_state(shown("115.0", "214.0", execution_date="2026-06-10"))

    run.apply()

    assert [execution.state for execution in run.executions()] == ["adopted", "adopted"]
    assert [price[2] for price in run.prices() if price[3] == "vendor"] == ["115.00", "115.00", "214.00"]
