"""Readjustments that do not follow from the one before wait for a person; ordinary ones ask nobody."""

from datetime import date

import pytest

from ciclo.domain.continuity import Continuity
from ciclo.domain.errors import InvalidWindow
from ciclo.domain.price_index import WindowPolicy
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import said
from ciclo.jobs.indices import load_shipped
from ciclo.jobs.price_updates import UpdateOptions
from ciclo.ledger.actions import NoSuchFigure, apply_update, skip_update
from company import company, contract, rule, scheduled_update, service

EXECUTION = date(2025, 6, 10)
NEXT_YEAR = date(2026, 6, 10)


def yearly(**given):
    """A yearly rule of 2023 at R$ 1.000,00 with a readjustment by IGP-M on 10 June 2025."""
    given = {"gross_value": "1000.0", "scheduled_updates": [scheduled_update()], "created_at": None} | given
    return rule(init_date=given.pop("init_date", "2023-06-20"), timing={"month_quantity": 12}, **given)


def on(run, day, options=None):
    """Read and apply as the Dags do on a day."""
    run.today = day
    run.expand(date(2023, 1, 1), day)
    return run.apply(day, options, today=day)


def last_execution(run):
    return run.executions()[-1]


def figures(execution):
    return {f["basis"]: [p["new"] for p in f["prices"]] for f in execution.evidence["figures"]}


def decide(run, action, **given):
    execution = last_execution(run)
    run.ctx.session.expire_all()
    done = action(
        run.ctx.session,
        run.ctx.organization_id,
        execution.id,
        person="ana",
        note="seen with the customer",
        at=run.ctx.clock(),
        **given,
    )
    run.ctx.session.commit()
    return done


@pytest.fixture
def biennial(billing):
    """Readjusted on 10 June 2025; on 1 July a person makes it every two years, next on 10 June 2026."""
    run = billing(company(yearly()), today=date(2025, 6, 1))
    on(run, EXECUTION)
    assert last_execution(run).state == ExecutionState.APPLIED
    change_schedule(run, init_date="2026-06-10", execution_date="2026-06-10", month_quantity=24)
    run.today = date(2025, 7, 1)
    run.expand(date(2025, 7, 1), date(2025, 7, 31))
    return run


def change_schedule(run, **given):
    state = run.sandbox.state()
    state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update(**given)]
    run.sandbox.put_state(state)


def test_a_year_that_would_count_twice_waits_with_both_figures(biennial):
    outcome = on(biennial, NEXT_YEAR)

    execution = last_execution(biennial)
    assert (outcome.applied, outcome.parked, execution.state) == (0, 1, ExecutionState.PARKED)
    assert execution.evidence["breaks"] == ["month_used_twice"]
    assert figures(execution) == {"letter": ["1167.96"], "continuity": ["1091.28"]}
    for word in ("contract 10, rule 1", "2026-06-10", "R$ 1.167,96", "2024-06", "R$ 1.091,28", "2025-06 to 2026-05"):
        assert word in said(execution.reason)


def test_its_periods_wait_and_it_is_asked_about_once(biennial):
    on(biennial, NEXT_YEAR)
    trail = len(biennial.ctx.audit.trail("execution", last_execution(biennial).id))

    on(biennial, date(2026, 6, 20))

    assert [period.state for period in biennial.periods()][-1] == "waiting"
    assert len(biennial.ctx.audit.trail("execution", last_execution(biennial).id)) == trail


@pytest.mark.parametrize(
    ("chosen", "new", "first_month"),
    [
        ({}, "1091.28", "2025-06"),
        ({"basis": "continuity"}, "1091.28", "2025-06"),
        ({"basis": "letter"}, "1167.96", "2024-06"),
    ],
)
def test_a_person_chooses_a_figure_and_it_is_applied(biennial, chosen, new, first_month):
    on(biennial, NEXT_YEAR)

    decide(biennial, apply_update, **chosen)
    outcome = on(biennial, date(2026, 6, 11))

    execution = last_execution(biennial)
    assert (outcome.applied, execution.state, execution.approved_by) == (1, ExecutionState.APPLIED, "ana")
    assert execution.evidence["months"][0]["month"] == first_month
    assert biennial.remote_rule()["gross_value"] == new
    assert biennial.prices()[-1] == (0, "2026-06-10", new, "price update")


def test_a_person_skips_it_and_the_next_one_follows_quietly(biennial):
    on(biennial, NEXT_YEAR)

    decide(biennial, skip_update)
    on(biennial, date(2026, 6, 11))

    assert last_execution(biennial).state == ExecutionState.CANCELLED
    assert biennial.next_execution() == date(2028, 6, 10)
    assert biennial.remote_rule()["gross_value"] == "1070.26"


@pytest.mark.parametrize("continuity", Continuity)
@pytest.mark.parametrize("came", ["before its day", "while it waited for a value"])
def test_months_that_were_skipped_before_a_figure_was_shown_count_as_used(billing, came, continuity):
    """IGP-M of 10 June 2025 is skipped: a year later it is 2025-06 to 2026-05 that count, not two years."""
    run = billing(company(yearly(scheduled_updates=[scheduled_update(init_date="2024-06-10")])), today=date(2024, 6, 1))
    options = UpdateOptions(continuity=continuity)
    on(run, date(2024, 6, 10), options)
    if came == "before its day":
        scheduled = run.ctx.scheduled_updates.get(500)
        run.ctx.executions.ensure(scheduled, EXECUTION, policy="published", at=run.ctx.clock())
    else:
        run.forget("igpm", date(2025, 5, 1))
        on(run, EXECUTION, options)
        assert last_execution(run).state == ExecutionState.WAITING
    decide(run, skip_update)
    load_shipped(run.ctx.session, at=run.ctx.clock())

    on(run, NEXT_YEAR, options)

    execution = last_execution(run)
    assert (execution.execution_date, execution.state) == (NEXT_YEAR, ExecutionState.APPLIED)
    assert (execution.evidence["months"][0]["month"], run.remote_rule()["gross_value"]) == ("2025-06", "1019.64")


def test_a_decision_holds_for_its_figures_only(biennial):
    on(biennial, NEXT_YEAR)
    decide(biennial, apply_update)
    state = biennial.sandbox.state()
    state["invoice_rules"][0]["description"] = "Outra coisa"
    biennial.sandbox.put_state(state)

    on(biennial, date(2026, 6, 11))

    assert last_execution(biennial).state == ExecutionState.PARKED
    assert "what ana decided was about other figures" in said(last_execution(biennial).reason)


def test_a_figure_that_was_not_shown_cannot_be_chosen(biennial):
    on(biennial, NEXT_YEAR)

    with pytest.raises(NoSuchFigure, match="letter, continuity"):
        decide(biennial, apply_update, basis="feeling")


def test_continuity_apply_takes_the_unused_months_and_says_so(biennial):
    on(biennial, NEXT_YEAR, UpdateOptions(continuity=Continuity.APPLY))

    execution = last_execution(biennial)
    assert (execution.state, execution.evidence["basis"]) == (ExecutionState.APPLIED, "continuity")
    assert execution.evidence["breaks"] == ["month_used_twice"]
    assert biennial.remote_rule()["gross_value"] == "1091.28"


def test_a_day_moved_across_the_publication_of_ipca_skips_a_month(billing):
    ipca = {"price_index": "ipca", "init_date": "2024-06-10"}
    run = billing(company(yearly(init_date="2022-06-20", scheduled_updates=[scheduled_update(**ipca)])))
    on(run, date(2024, 6, 10))
    assert run.remote_rule()["gross_value"] == "1036.88"
    change_schedule(run, price_index="ipca", init_date="2025-06-15")

    on(run, date(2025, 6, 15))

    execution = last_execution(run)
    assert execution.evidence["breaks"] == ["month_skipped"]
    assert figures(execution) == {"letter": ["1092.04"], "continuity": ["1097.06"]}


def test_another_policy_than_a_year_before_is_asked_about_where_it_moves_the_months(billing):
    ipca = {"price_index": "ipca", "init_date": "2024-06-10"}
    run = billing(company(yearly(init_date="2022-06-20", scheduled_updates=[scheduled_update(**ipca)])))
    on(run, date(2024, 6, 10))

    on(run, EXECUTION, UpdateOptions(policy=WindowPolicy.PREVIOUS_MONTH))

    assert last_execution(run).evidence["breaks"] == ["policy_changed"]
    assert last_execution(run).evidence["figures"][1]["prices"][0]["months"] == ["2024-05", "2025-05"]
    assert figures(last_execution(run)).keys() == {"letter", "continuity"}


def test_another_index_is_asked_about_with_the_figure_of_the_former(billing):
    run = billing(company(yearly(scheduled_updates=[scheduled_update(init_date="2024-06-10")])))
    on(run, date(2024, 6, 10))
    change_schedule(run, init_date="2024-06-10", price_index="inpc")

    on(run, date(2025, 6, 10))

    execution = last_execution(run)
    assert execution.evidence["breaks"][-1] == "index_changed"
    assert {figure["basis"] for figure in execution.evidence["figures"]} == {"letter", "continuity"}


def test_a_price_raised_by_hand_three_weeks_before_is_not_raised_again_unasked(billing):
    run = billing(company(yearly(init_date="2024-05-20")), today=date(2025, 5, 1))
    run.expand()
    state = run.sandbox.state()
    state["invoice_rules"][0]["gross_value"] = "1070.26"
    run.sandbox.put_state(state)
    run.today = date(2025, 5, 20)
    run.expand()

    on(run, EXECUTION)

    execution = last_execution(run)
    assert (execution.state, execution.evidence["breaks"]) == (ExecutionState.PARKED, ["price_changed_by_hand"])
    assert figures(execution) == {"letter": ["1145.46"], "continuity": ["1070.26"]}
    assert run.remote_rule()["gross_value"] == "1070.26"


def test_a_rule_of_a_month_is_asked_about(billing):
    run = billing(company(yearly(init_date="2025-05-10")), today=date(2025, 5, 1))

    on(run, EXECUTION)

    assert last_execution(run).evidence["breaks"] == ["younger_than_window"]
    assert figures(last_execution(run)) == {"letter": ["1070.26"], "continuity": ["1000.00"]}


def test_a_contract_signed_a_month_ago_is_asked_about_whatever_its_rule_says(billing):
    young = contract(10, init_date="02/05/2025", created_at="28/04/2025 09:00:00 -03:00")
    run = billing(company(yearly(), contracts=[young]), today=date(2025, 5, 1))

    on(run, EXECUTION)

    assert last_execution(run).evidence["breaks"] == ["younger_than_window"]


def test_a_service_that_joined_three_weeks_before_is_asked_about(billing):
    lines = [service(31, "100.0", item=1)]
    run = billing(company(yearly(services=lines)), today=date(2025, 5, 1))
    run.expand()
    state = run.sandbox.state()
    state["invoice_rules"][0]["services"] = [*lines, service(32, "500.0", item=2)]
    run.sandbox.put_state(state)
    run.today = date(2025, 5, 20)
    run.expand()

    on(run, EXECUTION)

    execution = last_execution(run)
    assert (execution.state, execution.evidence["breaks"]) == (ExecutionState.PARKED, ["younger_than_window"])
    assert figures(execution)["letter"] == ["107.03", "535.13"]
    assert figures(execution)["continuity"][0] == "107.03"


def test_a_service_that_is_taken_out_and_put_in_again_is_the_same_service(billing):
    run = billing(company(yearly(services=[service(31, "100.0", item=1)])), today=date(2025, 5, 1))
    run.expand()
    state = run.sandbox.state()
    state["invoice_rules"][0]["services"] = [service(33, "100.0", item=1)]
    run.sandbox.put_state(state)
    run.today = date(2025, 5, 20)
    run.expand()

    on(run, EXECUTION)

    assert last_execution(run).state == ExecutionState.APPLIED


def test_a_service_that_is_put_in_again_while_its_update_waits_is_not_left_at_its_old_price(billing):
    """The update waits for IGP-M of May; on 14 June somebody takes the service out and puts it in again."""
    run = billing(company(yearly(services=[service(31, "100.0", item=1)])), today=date(2025, 6, 1))
    run.expand()
    run.forget("igpm", date(2025, 5, 1))
    on(run, EXECUTION)
    state = run.sandbox.state()
    state["invoice_rules"][0]["services"] = [service(33, "100.0", item=1)]
    run.sandbox.put_state(state)
    on(run, date(2025, 6, 14))
    load_shipped(run.ctx.session, at=run.ctx.clock())

    on(run, date(2025, 6, 15))

    assert (last_execution(run).state, run.puts()) == (ExecutionState.PARKED, [])
    reason = said(last_execution(run).reason)
    assert "Serviço 1 was taken out and put in again at its old price after 2025-06-10" in reason
    state["invoice_rules"][0]["services"] = [service(33, "107.03", item=1)]
    run.sandbox.put_state(state)
    decide(run, skip_update)
    on(run, date(2025, 6, 16))
    run.expand()  # as before invoices are issued
    assert run.prices()[-1] == (33, "2025-06-16", "107.03", "rule changed")
    assert run.next_execution() == date(2026, 6, 10)


def test_what_the_vendor_executed_before_ciclo_counts_as_used(billing):
    """First seen in 2025 with the year before executed; then made biennial: the year before would count twice."""
    executed = scheduled_update(init_date="2023-06-10", execution_date="2025-06-10")
    run = billing(company(yearly(init_date="2020-06-20", scheduled_updates=[executed])), today=date(2025, 5, 1))
    run.expand()
    change_schedule(run, init_date="2025-06-10", execution_date="2025-06-10", month_quantity=24)

    on(run, EXECUTION)

    assert last_execution(run).evidence["breaks"] == ["month_used_twice"]
    assert figures(last_execution(run))["continuity"] == ["1070.26"]


def test_an_update_that_replaces_another_goes_on_from_its_months(billing):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    on(run, EXECUTION)
    state = run.sandbox.state()
    state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update(501, init_date="2025-11-10")]
    run.sandbox.put_state(state)

    on(run, date(2025, 11, 10))

    assert last_execution(run).scheduled_update_id == 501
    assert last_execution(run).evidence["breaks"] == ["month_used_twice"]
    assert last_execution(run).evidence["figures"][1]["prices"][0]["months"] == ["2025-06", "2025-10"]


def test_after_the_vendors_own_readjustment_the_next_year_is_an_ordinary_one(billing):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    run.expand()
    state = run.sandbox.state()
    state["invoice_rules"][0] |= {"gross_value": "1080.0"}
    state["invoice_rules"][0]["scheduled_updates"][0]["execution_date"] = "2026-06-10"
    run.sandbox.put_state(state)
    on(run, EXECUTION)

    on(run, NEXT_YEAR)

    assert [execution.state for execution in run.executions()] == ["adopted", "applied"]


@pytest.mark.parametrize(("gross", "breaks"), [("1070.26", []), ("1200.0", ["price_changed_by_hand"])])
def test_a_rule_made_anew_goes_on_from_the_months_of_the_former(billing, gross, breaks):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    on(run, EXECUTION)
    state = run.sandbox.state()
    anew = yearly(
        init_date="2026-06-20", gross_value=gross, scheduled_updates=[scheduled_update(501, init_date="2026-06-10")]
    )
    state["invoice_rules"] = [anew | {"id": 2}]
    run.sandbox.put_state(state)
    run.today = date(2026, 5, 1)
    run.expand(date(2025, 1, 1), date(2026, 5, 1))
    run.expand(date(2025, 1, 1), date(2026, 5, 1))

    on(run, NEXT_YEAR)

    [execution] = run.executions(2)
    assert (execution.evidence or {}).get("breaks", []) == breaks
    assert execution.state == ("parked" if breaks else "applied")


def test_a_person_gives_a_window_of_their_own_and_it_is_applied_with_name_and_note(biennial):
    on(biennial, NEXT_YEAR)

    done = decide(biennial, apply_update, basis="window", first_month="2025-09", last_month="2026-05")
    outcome = on(biennial, date(2026, 6, 11))

    execution = last_execution(biennial)
    months = [entry["month"] for entry in execution.evidence["months"]]
    assert (outcome.applied, execution.state) == (1, ExecutionState.APPLIED)
    assert (months[0], months[-1], len(months)) == ("2025-09", "2026-05", 9)
    assert biennial.remote_rule()["gross_value"] in done.message
    decision = execution.evidence["decision"]
    assert (decision["basis"], decision["person"], decision["note"]) == ("window", "ana", "seen with the customer")


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"first_month": "2025-13", "last_month": "2026-05"},
        {"first_month": "2026-05", "last_month": "2025-09"},
        {"first_month": "1994-08", "last_month": "2026-05"},
    ],
)
def test_months_that_are_no_window_are_refused(biennial, window):
    on(biennial, NEXT_YEAR)

    with pytest.raises(InvalidWindow):
        decide(biennial, apply_update, basis="window", **window)


def test_a_window_is_asked_about_anew_where_the_price_changed_since(biennial):
    on(biennial, NEXT_YEAR)
    decide(biennial, apply_update, basis="window", first_month="2025-09", last_month="2026-05")
    state = biennial.sandbox.state()
    state["invoice_rules"][0]["description"] = "Outra coisa"
    biennial.sandbox.put_state(state)

    on(biennial, date(2026, 6, 11))

    assert last_execution(biennial).state == ExecutionState.PARKED
    assert "what ana decided was about other figures" in said(last_execution(biennial).reason)


def anew(run, rule_id=2, *, on_day, **given):
    """A person deletes the rule and makes it anew; both readings of the day see it."""
    state = run.sandbox.state()
    state["invoice_rules"] = [yearly(**given) | {"id": rule_id}]
    run.sandbox.put_state(state)
    run.today = on_day
    run.expand(date(2025, 1, 1), on_day)
    run.expand(date(2025, 1, 1), on_day)


def test_a_rule_made_anew_with_the_dates_of_the_former_does_not_count_a_year_twice(billing):
    """It begins on the same day as the one that it replaces, so that it looks three years old."""
    run = billing(company(yearly()), today=date(2025, 6, 1))
    on(run, EXECUTION)
    updates = [scheduled_update(501, init_date="2025-12-10")]
    anew(run, on_day=date(2025, 8, 1), gross_value="1070.26", scheduled_updates=updates)

    on(run, date(2025, 12, 10))

    [execution] = run.executions(2)
    assert execution.evidence["breaks"] == ["month_used_twice"]
    assert execution.evidence["figures"][1]["prices"][0]["months"] == ["2025-06", "2025-11"]


def test_a_rule_made_anew_twice_goes_on_from_the_first(billing):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    on(run, EXECUTION)
    anew(run, 2, on_day=date(2025, 8, 1), gross_value="1070.26", scheduled_updates=[])
    updates = [scheduled_update(502, init_date="2025-12-10")]
    anew(run, 3, on_day=date(2025, 9, 1), gross_value="1070.26", scheduled_updates=updates)

    on(run, date(2025, 12, 10))

    [execution] = run.executions(3)
    assert execution.evidence["breaks"] == ["month_used_twice"]


def test_two_updates_of_one_day_by_one_index_are_not_both_applied_unasked(billing):
    updates = [scheduled_update(500), scheduled_update(501, service_item_id=1)]
    run = billing(company(yearly(services=[service(31, "100.0", item=1)], scheduled_updates=updates)))

    on(run, EXECUTION)

    assert [execution.state for execution in run.executions()] == ["applied", "parked"]
    assert last_execution(run).evidence["breaks"] == ["month_used_twice"]


@pytest.fixture
def readjusted_by_the_vendor(billing):
    """Readjusted on 10 June 2025, made biennial, and on 10 June 2026 the vendor takes two years by itself."""
    run = billing(company(yearly()), today=date(2025, 6, 1))
    on(run, EXECUTION)
    change_schedule(run, init_date="2026-06-10", execution_date="2026-06-10", month_quantity=24)
    run.today = date(2025, 7, 1)
    run.expand(date(2025, 7, 1), date(2025, 7, 31))
    state = run.sandbox.state()
    state["invoice_rules"][0]["gross_value"] = "1167.96"
    state["invoice_rules"][0]["scheduled_updates"][0]["execution_date"] = "2028-06-10"
    for invoice in state["invoices"]:
        if invoice["issue_date"] >= "2026-06-10":
            invoice |= {"gross_value": "1167.96", "payment_value": "1167.96"}
    run.sandbox.put_state(state)
    return run


def test_the_vendors_own_readjustment_that_counts_a_year_twice_waits_with_every_figure(readjusted_by_the_vendor):
    on(readjusted_by_the_vendor, NEXT_YEAR)

    execution = last_execution(readjusted_by_the_vendor)
    assert (execution.state, execution.evidence["breaks"]) == (ExecutionState.PARKED, ["month_used_twice"])
    assert figures(execution) == {"letter": ["1167.96"], "continuity": ["1091.28"], "vendor": ["1167.96"]}
    assert readjusted_by_the_vendor.remote_rule()["gross_value"] == "1167.96"
    for word in ("R$ 1.167,96", "R$ 1.091,28"):
        assert word in said(execution.reason)


@pytest.mark.parametrize(
    ("basis", "state", "new"), [("vendor", "adopted", "1167.96"), ("continuity", "applied", "1091.28")]
)
def test_a_person_lets_it_stand_or_has_it_corrected(readjusted_by_the_vendor, basis, state, new):
    run = readjusted_by_the_vendor
    on(run, NEXT_YEAR)

    decide(run, apply_update, basis=basis)
    on(run, date(2026, 6, 11))

    execution = last_execution(run)
    assert (execution.state, execution.approved_by, execution.evidence["decision"]["basis"]) == (state, "ana", basis)
    assert run.remote_rule()["gross_value"] == new
    assert run.prices()[-1][2] == new
    assert {value for day, value in run.billed().items() if day >= "2026-06-10"} <= {new}
    assert run.next_execution() == date(2028, 6, 10)


def test_the_ordinary_year_asks_nobody(billing):
    run = billing(company(yearly()), today=date(2025, 6, 1))

    outcomes = [on(run, EXECUTION), on(run, NEXT_YEAR)]

    assert [(outcome.applied, outcome.problems) for outcome in outcomes] == [(1, []), (1, [])]
