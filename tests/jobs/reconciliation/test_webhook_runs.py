"""What webhooks named is read by itself; what was lost is found by the daily run."""

from datetime import timedelta

import pytest

from ciclo.billimatic import TransientApiError
from ciclo.domain.findings import FindingKind
from ciclo.jobs.reconciliation.reconcile import reconcile_touched
from ciclo.ledger.repositories import ReceivedEvent
from company import TODAY, company, rule


@pytest.fixture
def told():
    """Record a webhook of an invoice, as the receiver does."""

    def tell(ctx, invoice_id, *, contract_id=10, request_id="req-1", event="cancel"):
        ctx.webhooks.record(
            ReceivedEvent(
                request_id=request_id,
                event=event,
                object_type="Invoice",
                object_id=invoice_id,
                invoice_id=invoice_id,
                contract_id=contract_id,
            ),
            at=ctx.clock(),
        )
        ctx.session.commit()

    return tell


def touched(ctx):
    return reconcile_touched(ctx, today=TODAY, recheck_days=400)


def unread(ctx):
    return [number for _, number in ctx.findings.open_of_kind(FindingKind.UNREAD)]


def state_of(ctx, invoice_id):
    return ctx.reconciliation.invoices([invoice_id])[invoice_id].state


def test_just_the_touched_invoices_are_read(billed, told):
    box, ctx = billed(company(rule(1)))
    first, second, *_ = (invoice["id"] for invoice in box.state()["invoices"])
    box.cancel(first)
    box.cancel(second)
    told(ctx, first)
    box.clear_requests()
    outcome = touched(ctx)
    assert (outcome.invoices, outcome.changed, outcome.events) == (1, 2, 1)
    assert (state_of(ctx, first), state_of(ctx, second)) == ("cancelled", "to_emit")
    assert [request["path"] for request in box.requests()] == [f"/api/v1/contracts/10/invoices/{first}"]
    assert ctx.webhooks.unhandled(ctx.organization_id) == []


def test_several_events_of_an_invoice_cost_one_request(billed, told):
    box, ctx = billed(company(rule(1)))
    number = box.state()["invoices"][0]["id"]
    for index in range(5):
        told(ctx, number, request_id=f"req-{index}")
    box.clear_requests()
    assert touched(ctx).events == 5
    assert box.request_count()["total"] == 1


def test_a_lost_webhook_is_healed_by_the_daily_run(billed, reconciled):
    box, ctx = billed(company(rule(1)))
    number = box.state()["invoices"][0]["id"]
    box.cancel(number)
    assert reconciled(ctx).changed == 2
    assert state_of(ctx, number) == "cancelled"


def test_the_daily_run_takes_care_of_events_too_and_of_invoices_that_it_would_not_have_read(billed, told, reconciled):
    box, ctx = billed(company(rule(1)))
    number = box.state()["invoices"][0]["id"]
    told(ctx, number)
    told(ctx, 999_999, contract_id=None, request_id="req-2")
    assert reconciled(ctx).events == 2
    assert ctx.webhooks.unhandled(ctx.organization_id) == []


def test_an_invoice_deleted_before_its_event_is_read_is_a_finding(billed, told):
    box, ctx = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    told(ctx, invoice["id"], event="update")
    box.call("DELETE", f"contracts/10/invoices/{invoice['id']}")
    (finding,) = touched(ctx).opened
    assert finding.kind.value == "deleted_remotely"


def test_an_event_of_an_invoice_that_nobody_has_is_handled_and_forgotten(billed, told):
    _, ctx = billed(company(rule(1)))
    told(ctx, 999_999)
    outcome = touched(ctx)
    assert (outcome.invoices, outcome.opened, outcome.events) == (0, [], 1)


@pytest.mark.parametrize("fault", ["odd_record", "html_page", "error_before"])
def test_an_invoice_that_cannot_be_read_stops_no_other(billed, told, reconciled, fault):
    box, ctx = billed(company(rule(1)))
    odd, other, *_ = (invoice["id"] for invoice in box.state()["invoices"])
    box.cancel(other)
    told(ctx, odd, event="update")
    told(ctx, other, request_id="req-2")
    box.faults([{"kind": fault, "path": rf"invoices/{odd}$"}])
    outcome = touched(ctx)
    assert (outcome.invoices, outcome.events, state_of(ctx, other)) == (1, 2, "cancelled")
    assert unread(ctx) == [odd]
    reconciled(ctx)  # the search answers it as ever
    assert unread(ctx) == []


def test_events_wait_while_the_vendor_is_away(billed, told):
    box, ctx = billed(company(rule(1)))
    told(ctx, box.state()["invoices"][0]["id"])
    box.faults([{"kind": "error_before"}])
    with pytest.raises(TransientApiError):
        touched(ctx)
    assert len(ctx.webhooks.unhandled(ctx.organization_id)) == 1


def test_an_invoice_of_a_strangers_contract_is_not_asked_for(billed, told):
    state = company(rule(1), rule(2, 99))
    state["contracts"][1]["supplier_id"] = 8
    box, ctx = billed(state | {"organizations": [{"id": 7, "name": "Luz"}, {"id": 8, "name": "Sol"}]})
    told(ctx, 999_999, contract_id=99)
    box.faults([{"kind": "odd_record", "path": r"contracts/99/"}])
    box.clear_requests()
    assert (touched(ctx).events, box.request_count()["total"], unread(ctx)) == (1, 0, [])


def test_very_many_events_make_it_a_whole_run_of_few_requests(billed, told):
    weekly = {"period_unit": "weekly", "month_quantity": None}
    box, ctx = billed(company(*[rule(number, timing=weekly, init_date="2025-01-01") for number in (1, 2)]))
    numbers = [invoice["id"] for invoice in box.state()["invoices"]]
    assert len(numbers) > 100
    for index, number in enumerate(numbers):
        told(ctx, number, request_id=f"req-{index}")
    box.clear_requests()
    assert touched(ctx).events == len(numbers)
    assert box.request_count()["total"] <= 4  # and the empty page after them


def test_an_event_that_comes_while_a_run_reads_waits_for_the_next(billed, told):
    box, ctx = billed(company(rule(1)))
    number = box.state()["invoices"][0]["id"]
    told(ctx, number)
    assert ctx.webhooks.newest_unhandled() is not None
    touched(ctx)
    assert ctx.webhooks.newest_unhandled() is None
    told(ctx, number, request_id="req-2")
    assert [event.request_id for event in ctx.webhooks.unhandled(ctx.organization_id)] == ["req-2"]
    assert reconcile_touched(ctx, today=TODAY + timedelta(days=1), recheck_days=400).events == 1
