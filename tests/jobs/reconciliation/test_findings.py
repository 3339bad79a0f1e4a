"""Every kind of finding: provoked at the vendor, detected, explained, and closed by itself when its cause is gone."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said
from ciclo.ledger.actions import acknowledge_finding
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Finding
from company import ORGANIZATION, TODAY, company, rule, service

PARCELS = {"day_number": 1, "parcel_number": 2}


def only(findings):
    (finding,) = findings
    return finding


def invoice_path(invoice):
    return f"contracts/{invoice['contract_id']}/invoices/{invoice['id']}"


def patch(box, invoice, **changes):
    status, _ = box.call("PATCH", invoice_path(invoice), {"invoice": changes})
    assert status == 200


def open_kinds(ctx):
    return {finding.kind for finding in ctx.session.query(Finding).filter(Finding.closed_at.is_(None))}


def copy_of(invoice, **changed):
    return {
        "description": invoice["description"],
        "nfe_body": invoice["nfe_body"],
        "gross_value": invoice["gross_value"],
        "issue_date": invoice["issue_date"],
        "comments": invoice["comments"],
        "receivables": [{"due_date": line["due_date"]} for line in invoice["receivables"]],
        **changed,
    }


def create(box, invoice, **changed):
    status, answer = box.call(
        "POST", f"contracts/{invoice['contract_id']}/invoices", {"invoice": copy_of(invoice, **changed)}
    )
    assert status == 201
    return answer["invoice"]


def test_an_amount_changed_at_the_vendor_is_found_until_it_is_changed_back(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    patch(box, invoice, gross_value="140.00")
    finding = only(reconciled(ctx).opened)
    assert finding.kind is FindingKind.VALUE_EDITED
    assert finding.sentence == (
        f"contract 10, rule 1, period 2025-01-10: invoice {invoice['id']} is R$ 140,00, its rule says R$ 150,00"
    )
    assert (finding.amount, finding.billing_month) == (Decimal("10.00"), date(2025, 1, 1))
    assert reconciled(ctx).counts()["open"] == 1  # it stays
    patch(box, invoice, gross_value="150.00")
    assert reconciled(ctx).closed == 1


def test_what_a_person_acknowledged_stands_while_its_invoice_cannot_be_read(billed, reconciled):
    january = Scope(DateRange.month_of(date(2025, 1, 1)))
    box, ctx = billed(company(rule(1)), scope=january)
    (invoice,) = box.state()["invoices"]
    patch(
        box,
        invoice,
        gross_value="140.00",
        receivables=[{"id": invoice["receivables"][0]["id"], "due_date": "2025-02-20"}],
    )
    reconciled(ctx)
    for finding in ctx.session.query(Finding).all():
        acknowledge_finding(ctx.session, ORGANIZATION, finding.id, person="ana", note="usage", at=ctx.clock())
    ctx.session.commit()

    box.faults([{"kind": "odd_record", "method": "GET", "path": "/invoices/search"}])
    odd = reconciled(ctx)
    unread = open_kinds(ctx)
    box.faults([])
    read = reconciled(ctx)

    shown = {FindingKind.VALUE_EDITED, FindingKind.DUE_DATE_CHANGED}
    assert (unread, odd.closed) == ({FindingKind.UNREAD, *shown}, 0)
    assert (open_kinds(ctx), read.opened) == (shown, [])
    assert [each.acknowledged_by for each in ctx.session.query(Finding).filter(Finding.closed_at.is_(None))] == [
        "ana"
    ] * 2


def test_a_service_removed_at_the_vendor_is_a_different_amount(billed, reconciled):
    services = [service(501, "100.0"), service(502, "50.0")]
    items = [{"id": 501, "name": "Serviço 501"}, {"id": 502, "name": "Serviço 502"}]
    box, ctx = billed(company(rule(1, services=services), service_items=items))
    invoice = box.state()["invoices"][0]
    patch(box, invoice, services=[{"id": invoice["services"][1]["id"], "_destroy": True}])
    assert only(reconciled(ctx).opened).found == "100.00"


def test_shares_that_are_moved_between_receivables_are_a_different_amount(billed, reconciled):
    box, ctx = billed(company(rule(1, charge=PARCELS)))
    first, second = (invoice := box.state()["invoices"][0])["receivables"]
    patch(box, invoice, receivables=[{"id": first["id"], "value": "90"}, {"id": second["id"], "value": "10"}])
    findings = reconciled(ctx).opened
    assert {(finding.kind, finding.subject_id) for finding in findings} == {
        (FindingKind.AMOUNT_DIFFERS, first["id"]),
        (FindingKind.AMOUNT_DIFFERS, second["id"]),
    }


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([{"state": "to_receive"}, {"state": "cancelled"}], "R$ 75,00"),
        ([{"state": "cancelled"}, {"state": "cancelled"}], "R$ 0,00"),
        ([], "R$ 0,00"),
        ([{"state": "to_receive"}, {"state": "cancelled"}, {"id": 9001, "state": "to_receive"}], None),
    ],
)
def test_what_never_comes_in_of_an_invoice_is_an_amount_that_differs(billed, reconciled, first_invoice, lines, found):
    january = Scope(DateRange.month_of(date(2025, 1, 1)))
    box, ctx = billed(company(rule(1, charge={"day_number": 1, "parcel_number": 2})), scope=january)
    invoice = first_invoice(box)
    box.emit(invoice["id"], invoice["issue_date"])
    state = box.state()
    known = state["invoices"][0]["receivables"]
    state["invoices"][0]["receivables"] = [
        {**known[min(place, 1)], "value": "50.0", "gross_value": "75.0", **line} for place, line in enumerate(lines)
    ]
    box.put_state(state)
    differs = [each.found for each in reconciled(ctx).opened if each.kind is FindingKind.AMOUNT_DIFFERS]
    assert differs == ([found] if found else [])


def test_a_due_date_moved_at_the_vendor_is_found_until_it_is_moved_back_or_paid(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    line = invoice["receivables"][0]
    patch(box, invoice, receivables=[{"id": line["id"], "due_date": "2025-02-20"}])
    finding = only(reconciled(ctx).opened)
    assert (finding.kind, finding.expected, finding.found) == (
        FindingKind.DUE_DATE_CHANGED, "2025-02-01", "2025-02-20",
    )  # fmt: skip
    assert ctx.reconciliation.receivables([invoice["id"]])[invoice["id"]][0].due_date == date(2025, 2, 20)
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(line["id"], on="2025-02-20")
    assert reconciled(ctx).closed == 1


def test_a_receivable_added_at_the_vendor_is_a_split_invoice(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    line = invoice["receivables"][0]["id"]
    patch(box, invoice, receivables=[{"id": line, "value": "50"}, {"due_date": "2025-03-01", "value": "50"}])
    finding = only(reconciled(ctx).opened)
    assert (finding.kind, finding.found) == (FindingKind.SPLIT, "2")


def test_a_planned_date_moved_at_the_vendor_is_found(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    patch(box, first_invoice(box), issue_date="2025-01-12", estimated_issue_date="2025-01-12")
    finding = only(reconciled(ctx).opened)
    assert (finding.kind, finding.found) == (FindingKind.DATE_MOVED, "2025-01-12")


def test_a_competence_changed_at_the_vendor_is_found_until_it_is_changed_back(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    patch(box, invoice, accrual_date="02/2025")
    finding = only(reconciled(ctx).opened)
    assert finding.sentence.endswith(f"invoice {invoice['id']} is of competence 02/2025, its period of 01/2025")
    patch(box, invoice, accrual_date="01/2025")
    assert reconciled(ctx).closed == 1


def test_an_invoice_billed_on_another_day_than_it_was_planned_for_is_as_it_should_be(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    box.emit(first_invoice(box)["id"], "2025-01-14")
    assert reconciled(ctx).opened == []


def test_a_deleted_invoice_is_found_until_another_one_stands_in_for_it(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    box.call("DELETE", invoice_path(invoice))
    finding = only(reconciled(ctx).opened)
    assert finding.kind is FindingKind.DELETED_REMOTELY
    assert f"invoice {invoice['id']} of R$ 150,00 was to emit and is no longer at the vendor" in finding.sentence
    assert ctx.audit.trail("invoice", invoice["id"])[-1].to_state == "deleted"
    again = create(box, invoice)
    outcome = reconciled(ctx)
    assert (outcome.opened, outcome.closed) == ([], 1)
    period = ctx.periods.get(only_period(ctx, again["id"]))
    assert period.issue_date == date(2025, 1, 10)
    assert said(ctx.audit.trail("period", period.id)[-1].reason) == (
        f"invoice {invoice['id']} is deleted at the vendor; invoice {again['id']} stands in for it"
    )


def only_period(ctx, invoice_id):
    return ctx.reconciliation.invoices([invoice_id])[invoice_id].period_id


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_the_invoice_of_a_period_that_is_not_planned_yet_stands_in_for_no_other(billed, reconciled, how):
    """A weekly rule's invoice of the next month lies a week later, was made in the same second, and says the same."""
    made = {"created_at": "01/12/2024 10:15:00 -03:00"}
    weekly = rule(1, init_date="2025-01-04", timing={"period_unit": "weekly", "month_quantity": None}, **made)
    weeks = [generated(900 + week, date(2025, 1, 4) + timedelta(weeks=week), **made) for week in range(8)]
    january = Scope(DateRange.month_of(date(2025, 1, 1)))
    box, ctx = billed(company(weekly, invoices=weeks), scope=january)
    lost = box.state()["invoices"][3]
    assert lost["issue_date"] == "25/01/2025"
    if how == "cancelled":
        box.cancel(lost["id"])
    else:
        box.call("DELETE", invoice_path(lost))
    finding = only(reconciled(ctx, date(2025, 1, 30)).opened)
    assert (finding.kind.value, finding.subject_id) == (f"{how}_remotely", lost["id"])
    assert ctx.reconciliation.invoices([904])[904].period_id is None


def generated(number, day, **given):
    """Make an invoice as the vendor makes it of rule 1."""
    dates = {"issue_date": day.isoformat(), "estimated_issue_date": day.isoformat()}
    due = {"id": number * 10, "due_date": add_months(first_of_month(day), 1).isoformat(), "value": "100.0"}
    alike = {"contract_id": 10, "customer_id": 1010, "gross_value": "150.0", "description": "Mensalidade 1"}
    return {"id": number, "nfe_body": "$DESCRICAO", "state": "to_emit", **alike, **dates, "receivables": [due], **given}


def test_an_invoice_cancelled_and_made_anew_by_hand_is_no_duplicate(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    box.cancel(invoice["id"])
    again = create(box, invoice, comments=None)
    assert reconciled(ctx).opened == []
    assert only_period(ctx, again["id"]) is not None
    box.undo_cancellation(invoice["id"])
    assert only(reconciled(ctx).opened).kind is FindingKind.DUPLICATED_REMOTELY


@pytest.mark.parametrize("comments", ["as they were", "none"])
def test_a_second_invoice_of_a_period_is_a_duplicate_until_one_of_them_is_cancelled(
    billed, reconciled, first_invoice, comments
):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    twin = create(box, invoice, **({} if comments == "as they were" else {"comments": None}))
    finding = only(reconciled(ctx).opened)
    assert finding.kind is FindingKind.DUPLICATED_REMOTELY
    assert finding.sentence == (
        f"contract 10, rule 1, period 2025-01-10: invoice {twin['id']} of R$ 150,00 is one too many beside "
        f"invoice {invoice['id']}; cancel one of them at the vendor"
    )
    box.cancel(twin["id"])
    assert reconciled(ctx).closed == 1


def test_a_duplicate_closes_too_when_the_first_of_the_two_is_deleted(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    create(box, invoice)
    reconciled(ctx)
    box.call("DELETE", invoice_path(invoice))
    outcome = reconciled(ctx)
    assert (outcome.opened, outcome.closed) == ([], 1)


def test_an_invoice_that_no_period_expects_is_unknown_until_it_is_cancelled(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    stranger = create(box, first_invoice(box), gross_value="999.00", comments="à mão", description="Visita técnica")
    finding = only(reconciled(ctx).opened)
    assert finding.kind is FindingKind.UNEXPLAINED
    assert finding.sentence == (
        f"contract 10: invoice {stranger['id']} of 2025-01-10, R$ 999,00 (Visita técnica): no period expects it; "
        "cancel it, or acknowledge it"
    )
    box.cancel(stranger["id"])
    assert reconciled(ctx).closed == 1


@pytest.mark.parametrize(
    ("issue_date", "why"),
    [("2024-12-31", "from before Ciclo billed the contract"), ("2026-02-01", "dated in the future")],
)
def test_an_invoice_is_not_unknown(billed, reconciled, first_invoice, issue_date, why):
    box, ctx = billed(company(rule(1)))
    create(box, first_invoice(box), issue_date=issue_date, gross_value="10.00", comments=None)
    assert reconciled(ctx).opened == [], why


@pytest.mark.parametrize(
    ("paid", "kind", "said"),
    [
        ("149.00", FindingKind.UNDER_PAID, "R$ 149,00 of R$ 150,00 was paid"),
        ("150.01", FindingKind.OVER_PAID, "R$ 150,01 was paid, R$ 150,00 was due"),
    ],
)
def test_a_wrong_amount_received_is_found_until_the_receipt_is_corrected(
    billed, reconciled, first_invoice, paid, kind, said
):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    line = invoice["receivables"][0]["id"]
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(line, on="2025-02-01", value=paid)
    finding = only(reconciled(ctx).opened)
    assert finding.kind is kind
    assert said in finding.sentence
    box.undo_receival(line)
    box.receive(line, on="2025-02-01", value="150.00")
    assert reconciled(ctx).closed == 1


def test_money_short_of_the_withheld_taxes_is_the_right_amount(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    patch(box, invoice, payment_value="142.50")
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(invoice["receivables"][0]["id"], on="2025-02-01", value="142.50")
    assert reconciled(ctx).opened == []


def test_a_late_payment_is_found_and_forgotten_after_a_month(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(invoice["receivables"][0]["id"], on="2025-02-20")
    finding = only(reconciled(ctx, today=date(2025, 2, 21)).opened)
    assert finding.kind is FindingKind.PAID_LATE
    assert "due on 2025-02-01, paid on 2025-02-20" in finding.sentence
    assert reconciled(ctx, today=date(2025, 3, 22)).counts()["open"] == 1
    assert reconciled(ctx, today=date(2025, 3, 23)).closed == 1


def test_paying_on_the_next_banking_day_is_not_late(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))  # due on Saturday 2025-02-01
    invoice = first_invoice(box)
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(invoice["receivables"][0]["id"], on="2025-02-03")
    assert reconciled(ctx, today=date(2025, 2, 4)).opened == []


@pytest.mark.parametrize("trouble", ["charge_errors", "finance_errors"])
def test_an_error_of_the_finance_system_is_found_until_the_invoice_is_cancelled(billed, reconciled, trouble):
    box, ctx = billed(company(rule(1), behaviour={trouble: 1.0, "seed": 1}))
    invoice = box.state()["invoices"][0]
    box.emit(invoice["id"], invoice["issue_date"])
    finding = only(reconciled(ctx).opened)
    assert finding.kind is FindingKind.FINANCE_SYSTEM_ERROR
    assert "Ocorreu um erro ao criar" in (finding.found or "")
    assert finding.amount == Decimal("150.00")
    box.cancel(invoice["id"])
    assert reconciled(ctx).closed == 1


def test_money_received_and_then_cancelled_is_illegal_and_the_ledger_stays_until_it_is_undone(
    billed, reconciled, first_invoice
):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(invoice["receivables"][0]["id"])
    reconciled(ctx)
    box.cancel(invoice["id"])
    finding = only(reconciled(ctx).opened)
    assert (finding.kind, finding.expected, finding.found) == (
        FindingKind.ILLEGAL_TRANSITION, "received", "cancelled",
    )  # fmt: skip
    assert ctx.reconciliation.invoices([invoice["id"]])[invoice["id"]].state == "received"
    box.undo_cancellation(invoice["id"])
    assert reconciled(ctx).closed == 1


def test_a_state_that_nobody_knows_is_shown_also_when_it_is_all_that_was_ever_seen(billed, reconciled):
    own = {"description": "Mensalidade 1", "gross_value": "150.0", "issue_date": "2025-01-10", "customer_id": 1010}
    line = {"id": 9010, "due_date": "2025-02-01", "value": "100.0", "state": "to_emit"}
    odd = {"id": 901, "contract_id": 10, "state": "estornado", "receivables": [line], **own}
    box, ctx = billed(company(rule(1), invoices=[odd]))
    assert len(box.state()["invoices"]) == 12
    finding = only(reconciled(ctx).opened)
    assert (finding.kind, finding.subject_id) == (FindingKind.ILLEGAL_TRANSITION, 901)
    assert (finding.expected, finding.found) == ("to_emit", "estornado")
    row = ctx.session.query(Finding).filter_by(kind="illegal_transition").one()
    acknowledge_finding(ctx.session, ORGANIZATION, row.id, person="Ana", note="paid back", at=ctx.clock())
    ctx.session.commit()
    outcome = reconciled(ctx)
    assert (outcome.opened, outcome.closed) == ([], 0)
    assert ctx.session.query(Finding).one().acknowledged_by == "Ana"
    state = box.state()
    next(each for each in state["invoices"] if each["id"] == 901)["state"] = "to_receive"
    box.put_state(state)
    assert (reconciled(ctx).opened, ctx.reconciliation.invoices([901])[901].state) == ([], "to_receive")
    assert said(ctx.audit.trail("invoice", 901)[-1].reason) == "state estornado became to_receive"
    assert ctx.session.query(Finding).filter(Finding.closed_at.is_(None)).count() == 0


def test_the_ledger_follows_an_illegal_change_once_a_person_accepts_it(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    box.emit(invoice["id"], invoice["issue_date"])
    box.receive(invoice["receivables"][0]["id"])
    reconciled(ctx)
    box.cancel(invoice["id"])
    reconciled(ctx)
    row = ctx.session.query(Finding).filter_by(kind="illegal_transition").one()
    acknowledge_finding(ctx.session, ORGANIZATION, row.id, person="Ana", note="money given back", at=ctx.clock())
    ctx.session.commit()
    assert reconciled(ctx).closed == 1
    entry = ctx.audit.trail("invoice", invoice["id"])[-1]
    assert (entry.to_state, said(entry.reason)) == ("cancelled", "accepted by Ana: money given back")


def test_an_acknowledgement_holds_for_what_was_seen_and_not_for_something_else(billed, reconciled, first_invoice):
    box, ctx = billed(company(rule(1)))
    invoice = first_invoice(box)
    patch(box, invoice, gross_value="140.00")
    reconciled(ctx)
    row = ctx.session.query(Finding).one()
    acknowledge_finding(ctx.session, ORGANIZATION, row.id, person="Ana", note="agreed discount", at=ctx.clock())
    ctx.session.commit()
    reconciled(ctx)
    assert ctx.session.query(Finding).one().acknowledged_by == "Ana"
    patch(box, invoice, gross_value="1.40")
    reconciled(ctx)
    row = ctx.session.query(Finding).one()
    assert (row.acknowledged_by, row.found) == (None, "1.40")
    assert said(ctx.audit.trail("finding", row.id)[-1].reason) == "Ana acknowledged 140.00, now it is 1.40"


def test_a_price_changed_after_an_invoice_was_created_is_not_its_price(billed, reconciled):
    from ciclo.jobs.periods.expand import expand_rules
    from company import YEAR

    box, ctx = billed(company(rule(1)))
    ctx.clock.advance(days=1)
    box.call("PUT", "contracts/10/invoice_rules/1", {"invoice_rule": {"gross_value": "180.00"}})
    expand_rules(ctx, YEAR, seen_on=date(2025, 1, 1))
    ctx.session.commit()
    assert reconciled(ctx).opened == []


def test_findings_of_other_contracts_stay_when_only_some_are_reconciled(billed, reconciled):
    box, ctx = billed(company(rule(1), rule(2, 11)))
    for invoice in box.state()["invoices"]:
        if invoice["issue_date"] == "10/01/2025":
            patch(box, invoice, gross_value="1.00")
    assert len(reconciled(ctx).opened) == 2
    for invoice in box.state()["invoices"]:
        if invoice["issue_date"] == "10/01/2025":
            patch(box, invoice, gross_value="150.00")
    assert reconciled(ctx, contract_ids=(11,)).closed == 1
    assert open_kinds(ctx) == {"value_edited"}
    assert reconciled(ctx, today=TODAY + timedelta(days=1)).closed == 1
