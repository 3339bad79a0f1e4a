"""Applying: the right factor on the right day, from the right price, once, with the evidence."""

from collections import Counter
from datetime import date
from decimal import Decimal, localcontext
from math import prod

import pytest
from sqlalchemy import event

from ciclo.domain.price_index import WindowPolicy
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import plain_words, said
from ciclo.jobs.price_updates import UpdateOptions, missing_indices, taken_reminders
from ciclo.ledger.actions import apply_update, skip_update
from ciclo.ledger.repositories import Scope
from company import ORGANIZATION, company, contract, rule, scheduled_update, service

JUNE = "2025-06-10"


def yearly(rule_id=1, gross="1000.0", update=None, **given):
    """A monthly rule of R$ 1.000,00 from January 2025 on, readjusted in June by IGP-M."""
    updates = [scheduled_update(**(update or {}))]
    return rule(rule_id, init_date="2025-01-10", gross_value=gross, scheduled_updates=updates, **given)


def test_a_rule_is_readjusted_on_its_execution_date(billing_anywhere):
    run = billing_anywhere(company(yearly()))
    run.expand()

    outcome = run.apply()

    assert outcome.applied == 1
    assert run.prices() == [(0, "2025-01-10", "1000.00", "rule"), (0, JUNE, "1070.26", "price update")]
    assert run.remote_rule()["gross_value"] == "1070.26"
    assert run.next_execution() == date(2026, 6, 10)


def test_a_further_rule_costs_the_ledger_no_reading_of_the_series_again(billing):
    """However long an index has been published: its values are read once a run, not one by one for every rule."""
    rules = [yearly(number, update={"id": 500 + number}) for number in range(1, 7)]
    run = billing(company(*rules))
    run.expand()
    asked = Counter()
    event.listen(
        run.ctx.session.get_bind(),
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.update(["index_values" in statement]),
    )

    assert run.apply().applied == len(rules)

    assert asked[True] == 1


def test_the_evidence_names_every_month_its_value_and_where_it_came_from(billing):
    run = billing(company(yearly()))
    run.expand()

    run.apply()

    execution = run.execution()
    months = execution.evidence["months"]
    assert [used["month"] for used in months] == [
        *(f"2024-{month:02}" for month in range(6, 13)),
        *(f"2025-{month:02}" for month in range(1, 6)),
    ]
    assert {(used["source"], used["revision"]) for used in months} == {("shipped", 1)}
    assert all(used["fetched_at"] for used in months)
    with localcontext(prec=80):
        assert execution.factor == prod((1 + Decimal(used["value"]) / 100 for used in months), start=Decimal(1))
    assert execution.evidence["accumulated"] == f"{execution.factor:f}"
    assert execution.evidence["prices"] == [{"service_id": 0, "old": "1000.00", "new": "1070.26"}]
    assert execution.evidence["floored"] is False
    assert [entry.to_state for entry in run.ctx.audit.trail("execution", execution.id)] == ["submitting", "applied"]


def test_the_documented_rule_6955_is_readjusted_by_two_indices(billing):
    """The rule of the vendor's own documentation: IGP-DI for service 1, IPC-Fipe for service 7, on 20/12/2019."""
    updates = [
        scheduled_update(497, init_date="2019-12-20", price_index="igpdi", service_item_id=1),
        scheduled_update(498, init_date="2019-12-20", price_index="ipcfipe", service_item_id=7),
    ]
    lines = [service(11563, "45.0", item=1), service(11564, "50.0", item=7)]
    seed = rule(6955, 255, init_date="2018-12-20", services=lines, scheduled_updates=updates, gross_value="95.0")
    seed["additional_information"]["month_quantity"] = 12
    run = billing(company(seed))
    run.expand(date(2018, 12, 1), date(2019, 12, 31))

    run.apply(date(2019, 12, 20))

    igpdi, ipcfipe = run.executions(6955)
    assert [(used["month"], used["value"]) for used in igpdi.evidence["months"]] == [
        ("2018-12", "-0.45"),
        ("2019-01", "0.07"),
        ("2019-02", "1.25"),
        ("2019-03", "1.07"),
        ("2019-04", "0.90"),
        ("2019-05", "0.40"),
        ("2019-06", "0.63"),
        ("2019-07", "-0.01"),
        ("2019-08", "-0.51"),
        ("2019-09", "0.50"),
        ("2019-10", "0.55"),
        ("2019-11", "0.85"),
    ]
    assert [(used["month"], used["value"]) for used in ipcfipe.evidence["months"]] == [
        ("2018-12", "0.09"),
        ("2019-01", "0.58"),
        ("2019-02", "0.54"),
        ("2019-03", "0.51"),
        ("2019-04", "0.29"),
        ("2019-05", "-0.02"),
        ("2019-06", "0.15"),
        ("2019-07", "0.14"),
        ("2019-08", "0.33"),
        ("2019-09", "0.00"),
        ("2019-10", "0.16"),
        ("2019-11", "0.68"),
    ]
    assert igpdi.factor == Decimal("1.0535977923428505727232804195189615941846875")
    assert ipcfipe.factor == Decimal("1.0350185032175499510379272169551368890481664")
    assert igpdi.evidence["prices"] == [{"service_id": 11563, "old": "45.00", "new": "47.41"}]
    assert ipcfipe.evidence["prices"] == [{"service_id": 11564, "old": "50.00", "new": "51.75"}]
    assert [line["unit_value"] for line in run.remote_rule(6955)["services"]] == ["47.41", "51.75"]
    assert run.remote_rule(6955)["gross_value"] == "99.16"


@pytest.mark.parametrize(
    ("execution", "fallen"),
    [
        ("2017-07-01", "992.16"),
        ("2018-02-01", "995.86"),
        ("2018-03-01", "995.76"),
        ("2023-05-10", "978.41"),
        ("2023-08-10", "922.86"),
        ("2024-06-10", "996.56"),
    ],
)
@pytest.mark.parametrize("apply_negative", [True, False])
def test_igpm_below_zero_lowers_a_price_only_where_the_rule_lets_it(billing, execution, fallen, apply_negative):
    first = f"{int(execution[:4]) - 1}{execution[4:]}"
    state = rule(
        init_date=first,
        gross_value="1000.0",
        apply_negative_updates=apply_negative,
        scheduled_updates=[scheduled_update(init_date=execution)],
    )
    run = billing(company(state))
    day = date.fromisoformat(execution)
    run.expand(day, day)

    run.apply(day)

    expected = fallen if apply_negative else "1000.00"
    assert run.prices()[-1] == (0, execution, expected, "price update")
    assert run.execution().evidence["floored"] is not apply_negative
    assert Decimal(run.execution().evidence["accumulated"]) < 1
    assert len(run.puts()) == apply_negative  # nothing changes at the vendor: nothing is sent


@pytest.mark.parametrize("price", ["0.005", "0.0375", "0.3333"])
def test_a_price_finer_than_cents_stays_where_the_index_fell_and_nothing_may_fall(billing, price):
    """Rounded to cents, R$ 0.005 a unit became R$ 0.01: twice the bill, in a year in which IGP-M fell."""
    update = scheduled_update(init_date="2023-08-10")
    state = rule(init_date="2022-08-10", services=[service(31, price, units="10000")], scheduled_updates=[update])
    run = billing(company(state))
    run.expand(date(2023, 8, 10), date(2023, 8, 10))

    run.apply(date(2023, 8, 10))

    [entry] = run.execution().evidence["prices"]
    assert (entry["old"], entry["new"], run.puts()) == (price, price, [])
    assert run.periods()[-1].gross_value == Decimal(price) * 10_000


def test_a_price_finer_than_cents_that_is_rounded_to_cents_is_shown(billing):
    run = billing(
        company(rule(services=[service(31, "0.0375", units="10000")], scheduled_updates=[scheduled_update()]))
    )
    run.expand()

    outcome = run.apply()

    assert [entry["new"] for entry in run.execution().evidence["prices"]] == ["0.04"]
    assert "a unit value finer than cents, R$ 0,0375, becomes R$ 0,04" in outcome.problems[0].message


def test_nothing_of_the_rule_changes_but_the_services_price(billing):
    """The vendor keeps what a PUT does not name (recordings/invoice_rules/update): no update is rewritten."""
    updates = [
        scheduled_update(500, service_item_id=1),
        scheduled_update(501, init_date="2026-03-10", service_item_id=2),
    ]
    lines = [service(31, "10.0", units="2.5", item=1), service(32, "20.0", item=2)]
    run = billing(company(rule(services=lines, scheduled_updates=updates)))
    before = run.remote_rule()
    run.expand()

    run.apply()

    after = run.remote_rule()
    assert [line["unit_value"] for line in after["services"]] == ["10.7", "20.0"]
    assert after["gross_value"] == "46.75"
    assert len(run.puts()) == 1
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"services", "gross_value", "payment_value"}


def test_every_service_follows_an_update_without_a_service_item(billing):
    lines = [service(31, "10.0", item=1), service(32, "20.0", item=2)]
    run = billing(company(rule(services=lines, scheduled_updates=[scheduled_update()])))
    run.expand()

    run.apply()

    assert [line["unit_value"] for line in run.remote_rule()["services"]] == ["10.7", "21.41"]


def test_updates_of_one_rule_chain_in_order_of_execution_date(billing):
    """A half-yearly and a yearly update: each starts from the price that the one before left."""
    updates = [
        scheduled_update(500, init_date="2025-09-10"),
        scheduled_update(501, init_date="2025-03-10", month_quantity=6, price_index="ipca"),
    ]
    run = billing(company(rule(gross_value="1000.0", scheduled_updates=updates[:1])))
    state = company(rule(gross_value="1000.0", scheduled_updates=updates[1:]))
    run.sandbox.put_state(state)
    run.expand()

    run.apply()

    first, second = run.executions()
    assert [first.execution_date, second.execution_date] == [date(2025, 3, 10), date(2025, 9, 10)]
    assert second.evidence["prices"][0]["old"] == first.evidence["prices"][0]["new"]


def test_two_updates_of_the_same_day_and_service_both_count(billing):
    updates = [scheduled_update(500), scheduled_update(501, price_index="ipca", service_item_id=1)]
    run = billing(company(rule(services=[service(31, "1000.0", item=1)], scheduled_updates=updates)))
    run.expand()

    run.apply()

    whole, single = run.executions()
    assert single.evidence["prices"][0]["old"] == whole.evidence["prices"][0]["new"] == "1070.26"
    assert run.remote_rule()["services"][0]["unit_value"] == single.evidence["prices"][0]["new"]
    assert run.prices()[-1][2] == single.evidence["prices"][0]["new"]


def test_applying_again_changes_nothing(billing):
    run = billing(company(yearly()))
    run.expand()
    run.apply()
    before = (run.prices(), run.remote_rule(), len(run.puts()))

    again = run.apply()

    assert again.counts() == dict.fromkeys(again.counts(), 0)
    assert (run.prices(), run.remote_rule(), len(run.puts())) == before


def test_an_update_that_is_not_due_is_left_alone(billing):
    run = billing(company(yearly()))
    run.expand()

    outcome = run.apply(date(2025, 6, 9))

    assert outcome.applied == 0
    assert run.executions() == []


def test_no_update_is_applied_before_its_day_even_if_the_window_reaches_further(billing):
    run = billing(company(yearly()), today=date(2025, 6, 9))
    run.expand()

    run.apply(date(2025, 12, 31))

    assert run.puts() == []


def test_the_previous_month_policy_counts_up_to_the_month_before(billing):
    run = billing(company(yearly(update={"price_index": "ipca"})))
    run.expand()

    run.apply(options=UpdateOptions(policy=WindowPolicy.PREVIOUS_MONTH))

    assert run.execution().policy == "previous_month"
    assert run.execution().evidence["months"][-1]["month"] == "2025-05"


def test_a_periodicity_under_a_year_is_warned_of_and_applied(billing):
    run = billing(company(yearly(update={"month_quantity": 6})))
    run.expand()

    outcome = run.apply(date(2025, 6, 30))

    assert "Law 10.192/2001" in plain_words(run.executions()[0].evidence["warnings"][0])
    assert any("Law 10.192/2001" in problem.message for problem in outcome.problems)
    assert outcome.applied == 1


def test_an_update_long_overdue_at_first_sight_is_applied_with_a_warning(billing):
    state = rule(
        init_date="2021-01-10", gross_value="1000.0", scheduled_updates=[scheduled_update(init_date="2023-06-10")]
    )
    run = billing(company(state))
    run.expand()

    run.apply()

    first, second, third = run.executions()
    assert [e.state for e in (first, second, third)] == ["applied"] * 3
    assert "make sure that nobody has readjusted the price by hand" in plain_words(first.evidence["warnings"][0])
    assert third.evidence["prices"][0]["old"] == second.evidence["prices"][0]["new"]


def test_an_update_of_a_service_the_rule_has_not_is_parked_and_its_periods_wait(billing):
    lines = [service(31, "10.0", item=1)]
    state = company(rule(services=lines, scheduled_updates=[scheduled_update(service_item_id=1)]))
    run = billing(state)
    run.expand()
    state["invoice_rules"][0]["services"] = [service(32, "10.0", item=2)]
    state["invoice_rules"][0]["scheduled_updates"][0]["service_item_id"] = 9
    run.sandbox.put_state(state)

    run.apply()

    execution = run.execution()
    assert execution.state == ExecutionState.PARKED
    assert said(execution.reason) == (
        "contract 10, rule 1, update of 2025-06-10: scheduled update 500: no service of the rule has service item 9"
    )
    waiting = [period for period in run.periods() if period.state == "waiting"]
    assert [period.issue_date for period in waiting] == [date(2025, month, 10) for month in range(6, 13)]
    assert all("the price update of 2025-06-10 by IGP-M is not settled" in said(period.reason) for period in waiting)


def test_a_refused_price_is_parked_with_the_vendors_words(billing):
    run = billing(company(yearly()))
    run.expand()
    run.sandbox.faults([{"method": "PUT", "path": "invoice_rules", "kind": "error_before", "status": 422}])

    outcome = run.apply()

    assert outcome.parked == 1
    assert run.execution().state == ExecutionState.PARKED
    assert said(run.execution().reason).startswith("contract 10, rule 1, update of 2025-06-10: the API refused it")
    assert run.next_execution() == date(2025, 6, 10)


def test_one_rule_that_cannot_be_readjusted_does_not_stop_the_others(billing):
    bad = yearly(1, update={"update_id": 500})
    good = yearly(2, update={"update_id": 501})
    run = billing(company(bad, good))
    run.expand()
    run.sandbox.faults([{"method": "PUT", "path": "invoice_rules/1", "kind": "error_before", "status": 422}])

    outcome = run.apply()

    assert (outcome.parked, outcome.applied) == (1, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"contracts": [contract(10, state="inactive")]}, "contract 10 is inactive"),
        ({"contracts": []}, "the rule, its contract or the update has ended"),
    ],
)
def test_an_update_without_an_active_contract_is_cancelled(billing, change, reason):
    run = billing(company(yearly()))
    run.expand()
    run.sandbox.put_state(company(*([yearly()] if change["contracts"] else []), **change))
    run.expand()

    run.apply()

    assert run.next_execution() is None
    assert run.puts() == []


def test_an_update_after_the_end_of_its_rule_is_cancelled(billing):
    run = billing(company(yearly(timing={"end_date": "2025-05-31"})))
    run.expand()

    run.apply()

    assert run.execution().state == ExecutionState.CANCELLED
    assert said(run.execution().reason) == "rule 1 ended on 2025-05-31"
    assert run.next_execution() is None


def test_an_update_that_a_person_removed_is_cancelled(billing):
    run = billing(company(yearly(update={"month_quantity": 6})))
    run.expand()
    run.sandbox.faults([{"method": "PUT", "path": "invoice_rules", "kind": "error_before", "status": 422}])
    run.apply()
    run.sandbox.clear_faults()
    run.sandbox.put_state(company(rule(init_date="2025-01-10", gross_value="1000.0")))
    run.expand()

    outcome = run.apply()

    assert outcome.cancelled == 1
    assert run.execution().state == ExecutionState.CANCELLED
    run.issue()
    assert len(run.billed()) == 12


def test_an_update_that_a_person_schedules_anew_follows_its_new_date(billing):
    state = company(yearly())
    run = billing(state)
    run.expand()
    state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update(init_date="2025-09-10")]
    run.sandbox.put_state(state)

    run.apply()
    run.apply()

    assert run.prices()[-1][1] == "2025-09-10"
    assert run.next_execution() == date(2026, 9, 10)


def test_a_periodicity_that_changes_after_an_update_counts_from_the_last_one(billing):
    state = company(yearly())
    run = billing(state)
    run.expand()
    run.apply()
    remote = run.sandbox.state()
    remote["invoice_rules"][0]["scheduled_updates"][0]["month_quantity"] = 6
    run.sandbox.put_state(remote)

    run.expand()

    assert run.next_execution() == date(2025, 12, 10)


def test_a_contract_that_is_active_again_is_readjusted_at_its_next_execution(billing):
    run = billing(company(yearly()))
    run.expand()
    run.sandbox.put_state(company(yearly(), contracts=[contract(10, state="inactive")]))
    run.expand()
    run.apply()
    run.sandbox.put_state(company(yearly()))

    run.expand()

    assert run.next_execution() == date(2025, 6, 10)


def test_a_periodicity_that_leaves_the_calendar_parks_its_own_rule(billing):
    far = yearly(update={"month_quantity": 120_000})
    run = billing(company(far, yearly(2, contract_id=11, update={"id": 501})), today=date(2025, 6, 5))
    run.expand()
    scope = Scope(DateRange.days(date(2025, 6, 1), date(2025, 6, 10)))
    with taken_reminders(run.ctx, scope, UpdateOptions(), today=run.today) as reminders:
        assert [reminder.rule_id for reminder in reminders] == [2]
    assert missing_indices(run.ctx, scope, UpdateOptions(), today=date(2025, 6, 10)) == set()

    run.today = date(2025, 6, 10)
    outcome = run.apply()

    assert (outcome.applied, outcome.parked) == (1, 1), "the other contract is readjusted"
    assert "month_quantity: must be 1200 or less" in said(run.execution().reason)


@pytest.mark.parametrize("months", [None, 0, -3])
def test_an_update_without_a_periodicity_is_shown_and_not_read_as_yearly(billing, months):
    run = billing(company(yearly(update={"month_quantity": months}), yearly(2, contract_id=11, update={"id": 501})))
    run.expand()

    outcome = run.apply()

    assert (outcome.applied, outcome.parked) == (1, 1), "the other contract is readjusted"
    execution = run.execution()
    assert execution.state == ExecutionState.PARKED
    assert "month_quantity: must be 1 or more" in said(execution.reason)
    assert run.remote_rule()["gross_value"] == "1000.0"
    run.issue()
    waiting = {period.state for period in run.periods() if period.issue_date >= date(2025, 6, 10)}
    assert waiting == {"waiting"}


def test_an_update_without_a_periodicity_can_be_skipped_and_corrected(billing):
    run = billing(company(yearly(update={"month_quantity": None})))
    run.expand()
    run.apply()
    skip_update(run.ctx.session, ORGANIZATION, run.execution().id, person="Ana", note="agreed", at=run.ctx.clock())
    run.ctx.session.commit()

    assert run.apply().parked == 0
    assert run.next_execution() is None
    assert {period.state for period in run.periods()} == {"planned"}

    state = run.sandbox.state()
    first = state["invoice_rules"][0]
    corrected = [{**first["scheduled_updates"][0], "month_quantity": 12}]
    run.sandbox.put_state(state | {"invoice_rules": [first | {"scheduled_updates": corrected}]})
    run.expand()
    assert run.next_execution() == date(2026, 6, 10)


def test_what_the_vendor_readjusted_without_a_periodicity_is_adopted(billing):
    run = billing(company(yearly(update={"month_quantity": None})))
    run.expand()
    run.apply()
    state = run.sandbox.state()
    first = state["invoice_rules"][0]
    moved = [{**first["scheduled_updates"][0], "execution_date": "2026-06-10"}]
    run.sandbox.put_state(state | {"invoice_rules": [first | {"scheduled_updates": moved, "gross_value": "1070.26"}]})
    release = apply_update(
        run.ctx.session, ORGANIZATION, run.execution().id, person="Ana", note="look", at=run.ctx.clock()
    )
    run.ctx.session.commit()
    assert release.message == "The next run of apply_price_updates looks at it anew."

    run.apply()

    assert run.execution().state == ExecutionState.ADOPTED
    assert run.next_execution() == date(2026, 6, 10)
