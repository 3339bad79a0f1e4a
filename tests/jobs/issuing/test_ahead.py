"""Lead days of single rules; what was made ahead follows its rule, or is shown for deletion, and never deleted."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.ahead import follow_ahead, scopes_ahead
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import set_rule
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Finding, Period
from company import ORGANIZATION, TODAY, company, contract, rule, service

OPTIONS = IssueOptions(concurrency=1)
DAY = Scope(DateRange.days(TODAY, TODAY))
NEXT = TODAY + timedelta(days=8)
LINES = [service(1, "100.0"), service(2, "0.5", units="100.0")]


@pytest.fixture
def ahead(sandbox, lite_job):
    """A rule that is billed ten days ahead, beside one that is not; both issue in eight days."""
    init = NEXT.isoformat()
    rules = [rule(1, services=LINES, gross_value="150.0", init_date=init), rule(2, init_date=init)]
    box = sandbox(company(*rules))
    ctx = lite_job(box)
    read_contract_list(ctx)
    expand_rules(ctx, Scope(DateRange.month_of(TODAY)), seen_on=TODAY)
    set_rule(ctx.session, ORGANIZATION, 1, person="ana", at=ctx.clock(), lead_days=10)
    ctx.session.commit()
    return box, ctx


def run(ctx):
    for scope in scopes_ahead(ctx, DAY, day=TODAY):
        issue_due_periods(ctx, scope, OPTIONS, owner="run")
    return follow_ahead(ctx, DAY, OPTIONS).counts()


def change(box, **changes):
    state = box.state()
    state["invoice_rules"][0] |= changes
    box.put_state(state)


def billed(box):
    return [Decimal(each["gross_value"]) for each in box.state()["invoices"]]


def open_findings(ctx):
    return {each.kind for each in ctx.session.scalars(select(Finding).where(Finding.closed_at.is_(None)))}


def test_a_rule_with_lead_days_of_its_own_is_billed_ahead_and_the_one_beside_it_is_not(ahead):
    box, ctx = ahead
    run(ctx)
    assert billed(box) == [Decimal("150.0")]
    run(ctx)
    issued = ctx.session.scalars(select(Period.rule_id).where(Period.state == "issued"))
    assert (list(issued), len(billed(box))) == ([1], 1)


def test_an_invoice_made_ahead_is_brought_to_the_terms_of_its_rule_while_it_is_to_emit(ahead, clock):
    box, ctx = ahead
    run(ctx)
    clock.advance(hours=2)
    change(box, services=[service(1, "120.0"), service(2, "0.5", units="200.0")], gross_value="220.0")
    assert run(ctx) == {"corrected": 1, "left_out": 0, "to_be_deleted": 0}
    assert billed(box) == [Decimal("220.0")]
    assert run(ctx)["corrected"] == 0
    reconcile(ctx, today=TODAY, recheck_days=400)
    assert open_findings(ctx) == set()


def test_a_price_raised_on_its_issue_day_is_in_an_invoice_that_was_made_ahead(ahead, clock):
    box, ctx = ahead
    run(ctx)
    clock.advance(days=8)
    change(box, services=[service(1, "120.0"), service(2, "0.5", units="100.0")], gross_value="170.0")
    assert follow_ahead(ctx, DAY, OPTIONS).corrected == 1
    assert billed(box) == [Decimal("170.0")]
    clock.advance(hours=2)
    asked = len(box.requests())
    follow_ahead(ctx, DAY, OPTIONS)
    assert len(box.requests()) == asked  # what was made, or corrected, on this day is nobody's to look at again


CHANGED = {
    "a service more": {"services": [*LINES, service(30, "40.0")], "gross_value": "190.0"},
    "due later": {"receivables_additional_information": {"day_number": 5}},
    "two parcels": {"receivables_additional_information": {"day_number": 1, "parcel_number": 2}},
    "of another month": {"timing": {"accrual_month_quantity": "previous_month"}},
}


def terms_of(changes):
    return rule(1, **{"services": LINES, "gross_value": "150.0", "init_date": NEXT.isoformat()} | changes)


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_other_terms_that_change_are_shown_until_its_invoice_is_as_they_say(ahead, clock, changes):
    box, ctx = ahead
    run(ctx)
    clock.advance(days=1)
    change(box, **terms_of(changes))
    for _ in range(2):
        run(ctx)
        reconcile(ctx, today=TODAY, recheck_days=400)
        assert (billed(box), open_findings(ctx)) == ([Decimal("150.0")], {"terms_changed"})
        clock.advance(days=1)
    change(box, **terms_of({}))
    run(ctx)
    reconcile(ctx, today=TODAY, recheck_days=400)
    assert open_findings(ctx) == set()


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_other_terms_that_the_vendor_carries_into_an_invoice_are_followed_in_silence(sandbox, lite_job, clock, changes):
    box = sandbox(company(contracts=[contract()], service_items=[{"id": 3, "name": "Serviço 3"}]))
    services = [{"service_item_id": 3, "units": 1, "unit_value": 9}]
    typed = {**terms_of({}), "charge_type": "fixed_day", "services": services}
    code, answer = box.call("POST", "contracts/10/invoice_rules", {"invoice_rule": typed})
    assert code == 201
    ctx = lite_job(box)
    read_contract_list(ctx)
    expand_rules(ctx, Scope(DateRange.month_of(TODAY)), seen_on=TODAY)
    issue_due_periods(ctx, Scope(DateRange.days(NEXT, NEXT)), OPTIONS, owner="run")
    made = {each["id"] for each in box.state()["invoices"]}
    clock.advance(days=1)
    more = [{"service_item_id": 3, "units": 1, "unit_value": 40}] if "services" in changes else []
    body = {**terms_of(changes), "charge_type": "fixed_day", "services": more}
    code, _ = box.call("PUT", f"contracts/10/invoice_rules/{answer['invoice_rule']['id']}", {"invoice_rule": body})
    assert code == 200
    run(ctx)
    reconcile(ctx, today=TODAY, recheck_days=400)
    assert ({each["id"] for each in box.state()["invoices"]}, open_findings(ctx)) == (made, set())
    assert ctx.session.scalars(select(Period.rule_version)).one() == 2


def test_terms_that_change_while_nothing_is_read_over_its_issue_day_are_shown(ahead, clock):
    box, ctx = ahead
    run(ctx)
    clock.advance(days=12)
    change(box, services=[service(1, "120.0"), service(2, "0.5", units="100.0")], gross_value="170.0")
    expand_rules(ctx, Scope(DateRange.month_of(TODAY)), seen_on=TODAY + timedelta(days=12))
    assert (billed(box), open_findings(ctx)) == ([Decimal("150.0")], {"terms_changed"})


def test_one_that_a_person_edited_stays_and_is_shown(ahead, clock):
    box, ctx = ahead
    run(ctx)
    [invoice] = box.state()["invoices"]
    ctx.api.update_invoice(10, invoice["id"], {"services": [{"id": invoice["services"][0]["id"], "unit_value": 90}]})
    clock.advance(hours=2)
    change(box, services=[service(1, "120.0"), service(2, "0.5", units="100.0")], gross_value="170.0")
    assert run(ctx)["left_out"] == 1
    assert billed(box) == [Decimal("140.0")]


def test_what_nothing_calls_for_any_more_is_shown_for_deletion_until_it_is_deleted(ahead, clock):
    box, ctx = ahead
    run(ctx)
    clock.advance(hours=2)
    state = box.state()
    state["contracts"][0]["state"] = "inactive"
    box.put_state(state)
    assert run(ctx)["to_be_deleted"] == 1
    assert len(billed(box)) == 1
    assert "to_be_deleted" in open_findings(ctx)
    [invoice] = box.state()["invoices"]
    assert box.call("DELETE", f"contracts/10/invoices/{invoice['id']}")[0] == 204
    reconcile(ctx, today=TODAY, recheck_days=400)
    run(ctx)
    assert "to_be_deleted" not in open_findings(ctx)
