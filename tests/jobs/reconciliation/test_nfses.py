"""Tax documents: read once they change, asked for where they are missing, found where they are refused or cancelled."""

from datetime import date

import pytest

from ciclo.jobs.reconciliation.reconcile import reconcile, reconcile_touched
from ciclo.ledger.repositories import ReceivedEvent
from company import TODAY, company, rule

BILLED = {"emit_on_issue_date": True, "payments": [], "seed": 1}


def taxed(**given):
    given.setdefault("behaviour", BILLED)
    return company(rule(1, issue_nfse=True, timing={"end_date": "2025-03-10"}), **given)


def kinds(outcome):
    return sorted(finding.kind.value for finding in outcome.opened)


def documents(ctx, invoice_ids):
    return {each.invoice_id: each.documents for each in ctx.nfses.taxed(invoice_ids)}


def change_document(box, number, **changed):
    state = box.state()
    (document,) = [each for each in state["nfses"] if each["id"] == number]
    document |= changed
    box.put_state(state)


@pytest.fixture
def year(billed):
    """Bill three months and let their days come."""

    def begin(state):
        box, ctx = billed(state)
        box.set_clock(TODAY)
        return box, ctx

    return begin


def test_issued_documents_are_kept_with_number_and_links(year, reconciled):
    box, ctx = year(taxed())
    assert kinds(reconciled(ctx)) == []
    invoices = {each["id"]: each for each in box.state()["invoices"]}
    known = documents(ctx, invoices)
    assert set(known) == set(invoices)
    for number, (document,) in known.items():
        assert (document.state, document.number) == ("issued", invoices[number]["number"])
        assert document.pdf_url == invoices[number]["nfse_url"]
        assert document.xml_url.endswith(".xml")


def test_what_the_city_refused_is_a_finding_with_its_complaint_until_it_is_issued(year, reconciled):
    box, ctx = year(taxed(behaviour={**BILLED, "nfse_errors": 1.0}))
    outcome = reconciled(ctx)
    assert kinds(outcome) == ["nfse_refused"] * 3
    assert "E160: inscrição municipal" in outcome.opened[0].sentence
    assert outcome.opened[0].sentence.startswith("contract 10, rule 1, period 2025-01-10: the NFS-e of invoice")
    assert kinds(reconciled(ctx)) == []  # said once
    number = outcome.opened[0].facts["nfse_id"]
    change_document(box, number, status="Emitida", integration_errors=None, updated_at="10/01/2026 12:00:00 -03:00")
    assert reconciled(ctx).closed == 1


def test_a_document_that_never_came_is_missing_from_the_day_after_it_was_due(year, reconciled):
    box, ctx = year(taxed())
    state = box.state()
    state["nfses"] = []
    for invoice in state["invoices"]:
        invoice |= {"nfe_issued": False}
    box.put_state(state)
    last = max(date(*map(int, reversed(each["issue_date"].split("/")))) for each in state["invoices"])
    assert kinds(reconcile(ctx, today=last, recheck_days=400)) == ["nfse_missing"] * 2
    outcome = reconciled(ctx)
    assert kinds(outcome) == ["nfse_missing"]
    assert "has no NFS-e, which was due on 2025-03-10" in outcome.opened[0].sentence


def test_a_document_due_after_receipt_is_not_missing_before_the_money_came(billed, reconciled):
    after = rule(1, issue_nfse=True, days_until_automatic_nfe_emission=5, timing={"end_date": "2025-01-10"})
    box, ctx = billed(company(after, behaviour=BILLED))
    box.set_clock(date(2025, 6, 1))
    assert kinds(reconcile(ctx, today=date(2025, 6, 1), recheck_days=400)) == []
    (invoice,) = box.state()["invoices"]
    box.receive(invoice["receivables"][0]["id"], on="2025-02-03")  # 5 business days: the 10th, long before today
    state = box.state()
    state["nfses"] = []
    state["invoices"][0] |= {"nfe_issued": False}
    box.put_state(state)
    assert kinds(reconcile(ctx, today=date(2025, 2, 10), recheck_days=400)) == []
    assert kinds(reconcile(ctx, today=date(2025, 2, 11), recheck_days=400)) == ["nfse_missing"]


def test_a_cancelled_document_of_a_living_invoice_is_a_finding(year, reconciled):
    box, ctx = year(taxed())
    reconciled(ctx)
    (first, *_) = box.state()["nfses"]
    change_document(
        box, first["id"], status="Cancelada",
        cancelled_at="10/01/2026 09:00:00 -03:00", updated_at="10/01/2026 09:00:00 -03:00",
    )  # fmt: skip
    outcome = reconciled(ctx)
    assert kinds(outcome) == ["nfse_cancelled"]
    assert outcome.opened[0].found == "Cancelada"
    box.cancel(first["invoice_id"])
    assert kinds(reconciled(ctx)) == ["cancelled_remotely"]
    assert [each.kind for each in ctx.findings.bearing_on(date(2025, 1, 1))] == ["cancelled_remotely"]


def test_a_document_that_was_cancelled_while_no_daily_run_looked_is_found_by_the_next(year, reconciled):
    box, ctx = year(taxed())
    first, *_, last = box.state()["nfses"]
    state = box.state()
    state["nfses"].remove(last)
    (late,) = [each for each in state["invoices"] if each["id"] == last["invoice_id"]]
    late["nfe_issued"] = False
    box.put_state(state)
    assert kinds(reconciled(ctx)) == ["nfse_missing"]
    state = box.state()
    state["nfses"].append(last | {"updated_at": "16/01/2026 09:00:00 -03:00"})
    box.put_state(state)
    change_document(
        box, first["id"], status="Cancelada",
        cancelled_at="12/01/2026 09:00:00 -03:00", updated_at="12/01/2026 09:00:00 -03:00",
    )  # fmt: skip
    ctx.webhooks.record(
        ReceivedEvent(
            request_id="req-1", event="update", object_type="Invoice", object_id=late["id"], invoice_id=late["id"],
            contract_id=10,
        ),
        at=ctx.clock(),
    )  # fmt: skip
    ctx.session.commit()
    assert reconcile_touched(ctx, today=date(2026, 1, 17), recheck_days=400).closed == 1
    assert kinds(reconciled(ctx, today=date(2026, 1, 17))) == ["nfse_cancelled"]


def test_no_document_is_searched_where_none_is_wanted(billed, reconciled):
    box, ctx = billed(company(rule(1), behaviour=BILLED))
    box.set_clock(TODAY)
    reconciled(ctx)
    assert not [each for each in box.requests() if "nfses" in each["path"]]


def test_an_account_without_the_search_says_nothing_of_documents(year, reconciled, caplog):
    box, ctx = year(taxed(behaviour={**BILLED, "nfse_errors": 1.0}))
    box.faults([{"method": "GET", "path": "nfses/search", "kind": "error_before", "status": 404}])
    assert kinds(reconciled(ctx)) == []
    assert "tax documents could not be searched" in caplog.text
