"""Invoices that are there already when an update is applied: those from its day on that are still `to_emit`."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import said
from ciclo.ledger.tables import Receivable
from company import YEAR, company, rule, scheduled_update, service


def with_update(state):
    state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update()]
    return state


def billed_at_the_old_price(billing, **given):
    """A year is billed; then somebody schedules an update for last June."""
    run = billing(company(rule(**given)))
    run.expand()
    run.issue()
    run.sandbox.put_state(with_update(run.sandbox.state()))
    run.expand()
    return run


def test_invoices_from_the_execution_date_on_get_the_new_price(billing):
    run = billed_at_the_old_price(billing, gross_value="1000.0")

    outcome = run.apply()

    assert outcome.invoices == 7
    values = run.billed()
    assert [values[f"10/{month:02}/2025"] for month in (1, 5, 6, 12)] == ["1000.0", "1000.0", "1070.26", "1070.26"]
    assert run.execution().evidence["invoices"][0]["new"] == "1070.26"


def test_services_are_matched_by_what_they_are_and_keep_their_units(billing):
    lines = [service(31, "10.0", units="2.5", item=1), service(32, "20.0", item=2)]
    run = billed_at_the_old_price(billing, services=lines)

    run.apply()

    december = next(i for i in run.sandbox.state()["invoices"] if i["issue_date"] == "10/12/2025")
    assert [(line["units"], line["unit_value"]) for line in december["services"]] == [("2.5", "10.7"), ("1.0", "21.41")]
    assert december["gross_value"] == "48.16"


def test_the_ledger_follows_what_the_vendor_answered(billing):
    run = billed_at_the_old_price(billing, gross_value="1000.0", charge={"day_number": 1, "parcel_number": 3})

    run.apply()

    december = run.periods()[-1]
    invoice = next(i for i in run.ctx.invoices.within(YEAR.window) if i.invoice_id == december.invoice_id)
    parts = list(run.ctx.session.scalars(select(Receivable).where(Receivable.invoice_id == invoice.invoice_id)))
    assert december.gross_value == invoice.gross_value == Decimal("1070.26")
    assert sum(part.gross_value for part in parts) == Decimal("1070.26")
    [change] = run.ctx.audit.trail("invoice", invoice.invoice_id)
    assert said(change.reason) == "R$ 1.000,00 to R$ 1.070,26 by the price update of 2025-06-10"


def test_an_issued_invoice_stays_as_it_is_and_is_named(billing):
    run = billed_at_the_old_price(billing, gross_value="1000.0")
    july = next(i for i in run.sandbox.state()["invoices"] if i["issue_date"] == "10/07/2025")
    run.sandbox.emit(july["id"], july["issue_date"])

    outcome = run.apply()

    assert outcome.invoices == 6
    assert run.billed()["10/07/2025"] == "1000.0"
    message = f"invoice {july['id']} of 2025-07-10 is to receive at R$ 1.000,00 already"
    assert any(message in problem.message for problem in outcome.problems)


def test_a_price_that_a_person_set_by_hand_stays_and_is_named(billing):
    run = billed_at_the_old_price(billing, gross_value="1000.0")
    august = next(i for i in run.sandbox.state()["invoices"] if i["issue_date"] == "10/08/2025")
    run.sandbox.call("PATCH", f"contracts/10/invoices/{august['id']}", {"invoice": {"gross_value": 900}})

    outcome = run.apply()

    assert run.billed()["10/08/2025"] == "900.0"
    assert any("R$ 900,00 was set by hand and stays" in problem.message for problem in outcome.problems)


def test_a_cancelled_invoice_is_not_touched(billing):
    run = billed_at_the_old_price(billing, gross_value="1000.0")
    august = next(i for i in run.sandbox.state()["invoices"] if i["issue_date"] == "10/08/2025")
    run.sandbox.cancel(august["id"])

    run.apply()

    assert run.billed()["10/08/2025"] == "1000.0"


@pytest.mark.parametrize("kind", ["error_after", "error_before", "timeout_after"])
def test_an_invoice_that_does_not_answer_keeps_the_update_open_until_it_is_done(billing, kind):
    run = billed_at_the_old_price(billing, gross_value="1000.0")
    run.sandbox.faults([{"method": "PATCH", "path": "invoices", "kind": kind, "count": 1, "seconds": 2}])
    run.apply()
    assert run.execution().state == ExecutionState.IN_DOUBT

    outcome = run.settle()

    assert (outcome.applied, outcome.invoices) == (1, 7)
    assert sorted(run.billed().values()) == ["1000.0"] * 5 + ["1070.26"] * 7
    assert run.prices()[-1][2] == "1070.26"


def test_an_adopted_price_reaches_the_invoices_too(billing):
    run = billed_at_the_old_price(billing, gross_value="1000.0")
    state = run.sandbox.state()
    state["invoice_rules"][0] |= {"gross_value": "1080.0"}
    state["invoice_rules"][0]["scheduled_updates"][0]["execution_date"] = "2026-06-10"
    run.sandbox.put_state(state)

    outcome = run.apply()

    assert (outcome.adopted, outcome.invoices) == (1, 7)
    assert run.billed()["10/12/2025"] == "1080.0"


def test_an_update_waits_for_an_invoice_that_is_in_doubt(billing):
    run = billing(company(rule(gross_value="1000.0")))
    run.expand()
    run.sandbox.faults([{"method": "POST", "path": "invoices", "kind": "error_after"}])
    run.issue()
    run.sandbox.clear_faults()
    run.sandbox.put_state(with_update(run.sandbox.state()))
    run.expand()

    run.apply()

    assert run.execution().state == ExecutionState.PLANNED
    assert said(run.execution().reason).endswith("the period of 2025-06-10 is in doubt and has to be settled first")
    assert run.puts() == []


def test_periods_that_are_not_sent_yet_show_what_they_will_amount_to(billing):
    run = billing(with_update(company(rule(gross_value="1000.0"))))
    run.expand()

    run.apply()

    assert [period.gross_value for period in run.periods()][4:6] == [Decimal("1000.00"), Decimal("1070.26")]
