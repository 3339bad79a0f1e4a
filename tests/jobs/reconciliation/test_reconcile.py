"""Reconciliation: the ledger follows the vendor, with history, in a hundred invoices a request."""

from datetime import date
from decimal import Decimal

import httpx
import pytest

from ciclo.billimatic import TransientApiError
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said
from ciclo.http.retries import RetryRules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.ledger.repositories import Scope
from company import TODAY, company, rule

EVER = DateRange(date(2000, 1, 1), date(2100, 1, 1))
EMITTED = {"behaviour": {"emit_on_issue_date": True, "payments": [{"share": 1.0, "days_after_due": 0}], "seed": 1}}


def states(ctx):
    ids = ctx.reconciliation.all_ids(EVER)
    lines = ctx.reconciliation.receivables(ids)
    return {line.receivable_id: line.state for each in lines.values() for line in each}


def remote_states(box):
    return {line["id"]: line["state"] for invoice in box.state()["invoices"] for line in invoice["receivables"]}


def test_a_year_that_is_as_billed_has_no_findings(billed, reconciled):
    _, ctx = billed(company(rule(1), rule(2, 11, timing={"month_quantity": 3})))
    outcome = reconciled(ctx)
    assert outcome.counts() == {
        "invoices": 16, "changed": 0, "deleted": 0, "opened": 0, "closed": 0, "open": 0, "events": 0,
    }  # fmt: skip


def test_receipts_are_followed_with_value_day_and_history(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    first = box.state()["invoices"][0]
    line = first["receivables"][0]["id"]
    box.emit(first["id"])
    box.receive(line, on="2025-02-03", value="150.00")
    outcome = reconciled(ctx)
    row = ctx.reconciliation.receivables([first["id"]])[first["id"]][0]
    assert (row.state, row.received_value, row.received_at) == ("received", Decimal("150.00"), date(2025, 2, 3))
    (entry,) = ctx.audit.trail("receivable", line)
    assert (entry.from_state, entry.to_state) == ("to_emit", "received")
    assert said(entry.reason) == "emit, confirm receival: R$ 150,00 on 2025-02-03"
    assert outcome.changed == 2  # the invoice and its receivable


def test_a_receipt_undone_a_cancellation_and_its_undoing_are_followed(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    line = invoice["receivables"][0]["id"]
    steps = [
        (lambda: box.emit(invoice["id"], invoice["issue_date"]), "to_receive", "emit"),
        (lambda: box.receive(line), "received", "confirm receival"),
        (lambda: box.undo_receival(line), "to_receive", "undo receival"),
        (lambda: box.cancel(invoice["id"]), "cancelled", "cancel"),
        (lambda: box.undo_cancellation(invoice["id"]), "to_receive", "undo cancellation"),
    ]
    for act, state, event in steps:
        act()
        reconciled(ctx)
        assert states(ctx)[line] == state
        assert said(ctx.audit.trail("receivable", line)[-1].reason).startswith(event)
    assert states(ctx) == remote_states(box)


def test_a_cancellation_that_is_undone_and_paid_between_two_readings_is_followed(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    box.emit(invoice["id"], invoice["issue_date"])
    box.cancel(invoice["id"])
    reconciled(ctx)
    box.undo_cancellation(invoice["id"])
    box.receive(invoice["receivables"][0]["id"], on="2025-02-01")
    outcome = reconciled(ctx)
    assert (outcome.opened, outcome.closed, states(ctx)) == ([], 1, remote_states(box))


def test_reconciling_again_changes_nothing(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    box.cancel(box.state()["invoices"][3]["id"])
    reconciled(ctx)
    again = reconciled(ctx)
    assert (again.changed, again.opened, again.closed) == (0, [], 0)


def test_a_receipt_undone_long_after_is_found_without_a_webhook(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    for invoice in box.state()["invoices"]:
        box.emit(invoice["id"], invoice["issue_date"])
        box.receive(invoice["receivables"][0]["id"])
    reconciled(ctx)
    line = box.state()["invoices"][0]["receivables"][0]["id"]
    box.undo_receival(line)
    outcome = reconcile(ctx, today=date(2028, 1, 10), recheck_days=100)
    assert outcome.changed == 2
    assert states(ctx)[line] == "to_receive"


def test_what_is_open_is_read_whatever_its_age_and_what_rests_is_left_alone(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    for invoice in box.state()["invoices"][1:]:
        box.cancel(invoice["id"])
    reconciled(ctx)
    box.emit(box.state()["invoices"][0]["id"])
    outcome = reconcile(ctx, today=date(2030, 1, 10), recheck_days=30)
    assert outcome.changed == 2


def test_reconciling_is_the_same_on_both_databases(billed, reconciled, job):
    box, ctx = billed(company(rule(1), **EMITTED), job=job)
    box.set_clock(TODAY)
    box.call("DELETE", f"contracts/10/invoices/{box.state()['invoices'][0]['id']}")
    assert [finding.kind.value for finding in reconciled(ctx).opened] == ["deleted_remotely"]
    assert reconciled(ctx).counts()["open"] == 1
    assert {state for state in states(ctx).values() if state != "to_emit"} == {"received"}


def test_only_a_whole_reconciliation_says_as_of_when_the_ledger_knows(billed, reconciled):
    _, ctx = billed(company(rule(1)))
    reconciled(ctx, window=EVER)
    assert ctx.organizations.get().reconciled_on is None
    reconciled(ctx)
    reconciled(ctx, today=date(2025, 1, 1))  # an earlier day's run that came late
    assert ctx.organizations.get().reconciled_on == TODAY


def test_very_many_invoices_that_were_billed_late_are_not_taken_for_deleted(billed, reconciled):
    january = DateRange.month_of(date(2025, 1, 1))
    box, ctx = billed(company(*(rule(number) for number in range(1, 31))), scope=Scope(january))
    for invoice in box.state()["invoices"]:
        box.emit(invoice["id"], "2025-02-14")
    outcome = reconciled(ctx, window=january)
    assert (outcome.invoices, outcome.deleted) == (30, 0)


def test_very_many_invoices_that_a_wrong_search_leaves_out_are_not_taken_for_deleted(billed, reconciled):
    box, ctx = billed(company(*(rule(number) for number in range(1, 4))))
    box.faults([{"kind": "empty_list", "path": "invoices/search$"}])
    with pytest.raises(TransientApiError, match="36 are missing"):
        reconciled(ctx)
    box.clear_faults()
    assert (reconciled(ctx).opened, set(states(ctx).values())) == ([], {"to_emit"})


def test_very_many_invoices_that_are_deleted_are_gone_also_where_one_cannot_be_read(billed, reconciled):
    box, ctx = billed(company(*(rule(number) for number in range(1, 4))))
    ids = [invoice["id"] for invoice in box.state()["invoices"]]
    for number in ids[1:]:
        box.call("DELETE", f"contracts/10/invoices/{number}")
    box.faults([
        {"kind": "stale_search", "path": "invoices/search$", "seconds": 10**8},
        {"kind": "odd_record", "path": rf"invoices/{ids[0]}$"},
    ])  # fmt: skip
    outcome = reconciled(ctx)
    assert (outcome.deleted, len(outcome.opened)) == (35, 35)
    assert ctx.reconciliation.invoices([ids[0]])[ids[0]].gone_at is None


def failing(times):
    return {"method": "GET", "path": "invoices/search", "kind": "error_before", "count": times * RetryRules().attempts}


def test_a_contract_whose_invoices_the_vendor_fails_about_keeps_no_other_from_being_followed(billed, reconciled):
    state = company(rule(1), rule(2, 11), rule(3, 12))
    box, ctx = billed(state, scope=Scope(DateRange.month_of(date(2025, 1, 1))), max_connections=1)
    first, *others = box.state()["invoices"]
    for invoice in box.state()["invoices"]:
        box.emit(invoice["id"], "2025-01-20")
    box.call("DELETE", f"contracts/11/invoices/{others[0]['id']}")

    box.faults([failing(2)])  # the search of all, and that of the first contract
    outcome = reconciled(ctx)
    stands = states(ctx)
    assert (outcome.invoices, outcome.deleted) == (1, 1)
    assert [stands[each["receivables"][0]["id"]] for each in (first, others[1])] == ["to_emit", "to_receive"]
    [unread] = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    assert (unread.contract_id, unread.found) == (10, "the server failed")

    box.faults([failing(1)])  # it still fails about all, and about nobody alone
    assert reconciled(ctx).invoices == 2
    assert states(ctx)[first["receivables"][0]["id"]] == "to_receive"
    assert ctx.findings.open_of_kind(FindingKind.UNREAD) == {}


class Failing(httpx.HTTPTransport):
    """Fails at searches that have an invoice of some contracts."""

    contracts = ()

    def handle_request(self, request):
        response = super().handle_request(request)
        content = response.read()
        if request.url.path.endswith("/invoices/search") and any(
            b'"contract_id":%d,' % n in content for n in self.contracts
        ):
            return httpx.Response(500)
        return httpx.Response(response.status_code, content=content)


def test_five_contracts_at_which_the_vendor_fails_for_good_keep_no_other_from_being_followed(billed, reconciled):
    state, vendor = company(*[rule(number, 10 + number) for number in range(1, 27)]), Failing()
    box, ctx = billed(state, scope=Scope(DateRange.month_of(date(2025, 1, 1))), transport=vendor)
    last = max(box.state()["invoices"], key=lambda each: each["contract_id"])
    vendor.contracts = range(11, 16)
    assert reconciled(ctx).invoices == 21
    box.emit(last["id"], "2025-01-20")
    assert reconciled(ctx).invoices == 21  # what is unread is asked for once more, and is no fifth of all
    assert states(ctx)[last["receivables"][0]["id"]] == "to_receive"
    assert len(ctx.findings.open_of_kind(FindingKind.UNREAD)) == 5


def test_what_the_vendor_failed_about_is_read_again_whenever_it_was_billed(billed, reconciled):
    january, march = (DateRange.month_of(date(2025, month, 1)) for month in (1, 3))
    box, ctx = billed(company(rule(1), rule(2, 11), rule(3, 12)), scope=Scope(january), max_connections=1)
    first = box.state()["invoices"][0]
    box.emit(first["id"], "2025-01-20")
    box.faults([failing(2)])
    reconciled(ctx, window=january)
    assert len(ctx.findings.open_of_kind(FindingKind.UNREAD)) == 1
    reconciled(ctx, window=march)
    assert ctx.findings.open_of_kind(FindingKind.UNREAD) == {}
    assert states(ctx)[first["receivables"][0]["id"]] == "to_receive"


def test_a_vendor_that_fails_about_all_ends_a_reconciliation(billed, reconciled):
    box, ctx = billed(company(rule(1), rule(2, 11)))
    box.faults([{"method": "GET", "path": "service_items|invoices/search", "kind": "error_before"}])
    with pytest.raises(TransientApiError):
        reconciled(ctx)
    assert ctx.findings.open_of_kind(FindingKind.UNREAD) == {}
