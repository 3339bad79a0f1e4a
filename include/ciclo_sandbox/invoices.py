"""Invoices: create, show, change, approve, block, remove.

The rule: what the printed examples and the recordings show is what happens; `docs/sandbox.md` says how examples that
contradict each other were read.
"""

from copy import deepcopy
from decimal import Decimal
from typing import Any, Final

from fastapi import Request, Response

from ciclo_sandbox import billables, casting, generation, lines
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    NOT_LISTED,
    Json,
    NotFoundRefusal,
    ParameterRefusal,
    ValidationRefusal,
    entries,
    nothing,
    ok,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.attachments import assemble_attachments
from ciclo_sandbox.forms import InvoiceBody
from ciclo_sandbox.models import Invoice
from ciclo_sandbox.storage import INVOICES

router = Endpoints("invoices")
_INVOICES: Final = "/contracts/{contract_id}/invoices"
_INVOICE: Final = "/contracts/{contract_id}/invoices/{invoice_id}"

APPROVAL: Final = ("approved", "blocked")


@router.post(_INVOICES, status_code=201, responses=refused(400, 404, 422), response_model=under("invoice", Invoice))
async def create(account: TheAccount, contract_id: Id, body: InvoiceBody, request: Request) -> Response:
    """Create an invoice of a contract."""
    contract = account.contract(contract_id)
    params = body.named()
    errors: lines.Errors = {}
    invoice = billables.blank_billable(account, contract, 0)
    invoice |= {"nfse_template_id": None, "issue_nfse": False, "payment_information": None}
    _set_approval(invoice, params, errors)
    _assign(account, invoice, params, str(request.base_url), errors, creating=True)
    if errors:
        raise ValidationRefusal(errors)
    invoice["id"] = account.sequences.next("invoices")
    for receivable in invoice["receivables"]:
        receivable["invoice_id"] = invoice["id"]
    return ok("invoice", account.invoices.add(invoice), status=201)


@router.get(_INVOICE, responses=refused(404), response_model=under("invoice", Invoice))
async def show(account: TheAccount, contract_id: Id, invoice_id: Id) -> Response:
    """Show an invoice."""
    contract = account.contract(contract_id)
    found = account.invoices.answers(INVOICES.c.id == invoice_id, INVOICES.c.contract_id == contract["id"])
    if not found:
        raise NotFoundRefusal
    return ok("invoice", found[0])


@router.change(_INVOICE, responses=refused(400, 404, 422),
                  response_model=under("invoice", Invoice))  # fmt: skip
async def update(account: TheAccount, contract_id: Id, invoice_id: Id, body: InvoiceBody, request: Request) -> Response:
    """Change an invoice: what the request names, and nested entries by their id."""
    invoice = _find(account, contract_id, invoice_id)
    before = deepcopy(invoice)
    errors: lines.Errors = {}
    _assign(account, invoice, body.named(), str(request.base_url), errors, creating=False)
    if errors:
        raise ValidationRefusal(errors)
    for receivable in invoice["receivables"]:
        receivable["invoice_id"] = invoice["id"]
    generation.invoice_edited(before, invoice)
    account.event("update", "Invoice", invoice)
    return ok("invoice", account.invoices.change(invoice))


@router.delete(_INVOICE, status_code=204, responses=refused(404))
async def destroy(account: TheAccount, contract_id: Id, invoice_id: Id) -> Response:
    """Remove an invoice."""
    invoice = _find(account, contract_id, invoice_id)
    account.invoices.remove(invoice["id"])
    return nothing()


@router.patch(f"{_INVOICE}/approve", responses=refused(404, 422), response_model=under("invoice", Invoice))
async def approve(account: TheAccount, contract_id: Id, invoice_id: Id) -> Response:
    """Approve a blocked invoice that is not issued yet."""
    return _decide(account, _find(account, contract_id, invoice_id), "approved", "O faturamento não pode ser aprovado.")


@router.patch(f"{_INVOICE}/block", responses=refused(404, 422), response_model=under("invoice", Invoice))
async def block(account: TheAccount, contract_id: Id, invoice_id: Id) -> Response:
    """Block an approved invoice that is not issued yet."""
    return _decide(account, _find(account, contract_id, invoice_id), "blocked", "O faturamento não pode ser bloqueado.")


def _decide(account: Account, invoice: Json, status: str, refusal: str) -> Response:
    current = invoice["approval_status"] or "approved"
    if invoice["state"] != "to_emit" or current == status:
        raise ParameterRefusal(refusal, status=422)
    invoice["approval_status"] = status
    account.event("update", "Invoice", invoice)
    return ok("invoice", account.invoices.change(invoice))


def _find(account: Account, contract_id: int, invoice_id: int) -> Json:
    contract = account.contract(contract_id)
    invoice = account.invoices.get(invoice_id)
    if invoice is None or invoice["contract_id"] != contract["id"]:
        raise NotFoundRefusal
    return invoice


def _set_approval(invoice: Json, params: Json, errors: lines.Errors) -> None:
    invoice["approval_status"] = casting.filled(params.get("approval_status")) or "approved"
    if invoice["approval_status"] not in APPROVAL:
        errors["approval_status"] = NOT_LISTED


def _assign(
    account: Account, invoice: Json, params: Json, base_url: str, errors: lines.Errors, *, creating: bool
) -> None:
    before = invoice["gross_value"]
    _assign_dates(invoice, params, errors, creating=creating)
    billables.assign(invoice, params, errors, creating=creating)
    if "issue_nfse" in params:
        invoice["issue_nfse"] = bool(casting.boolean(params["issue_nfse"]))
    fill = lines.service_filler(account, errors)
    invoice["services"] = lines.merged(invoice["services"], entries(params.get("services")), fill)
    billables.set_gross_value(invoice, params, errors)
    _assign_receivables(account, invoice, params, errors, creating=creating)
    _assign_payment_information(account, invoice, params, errors, creating=creating)
    invoice["attachments"] = assemble_attachments(
        account, invoice["attachments"], entries(params.get("attachments")), errors, base_url.rstrip("/")
    )
    if not errors:
        _share_out(invoice, params, before, creating=creating)


def _assign_dates(invoice: Json, params: Json, errors: lines.Errors, *, creating: bool) -> None:
    if creating or "issue_date" in params:
        issue_date = casting.day(params.get("issue_date"))
        invoice["issue_date"] = casting.brazilian(issue_date)
        if issue_date is None:
            errors["issue_date"] = BLANK
    if "estimated_issue_date" in params:
        invoice["estimated_issue_date"] = casting.brazilian(casting.day(params["estimated_issue_date"]))
    if creating and invoice["estimated_issue_date"] is None:
        invoice["estimated_issue_date"] = invoice["issue_date"]
    if "accrual_date" in params:
        invoice["accrual_date"] = casting.iso(casting.accrual_month(params["accrual_date"]))


def _assign_receivables(account: Account, invoice: Json, params: Json, errors: lines.Errors, *, creating: bool) -> None:
    changes = entries(params.get("receivables"))
    if creating and not changes:
        errors["receivables"] = BLANK
    elif changes:
        fill = lines.receivable_filler(account, errors, state=invoice["state"])
        invoice["receivables"] = lines.merged(invoice["receivables"], changes, fill)
        lines.check_total(invoice["receivables"], errors)


def _assign_payment_information(
    account: Account, invoice: Json, params: Json, errors: lines.Errors, *, creating: bool
) -> None:
    given = params.get("payment_information")
    payment = invoice["payment_information"]
    if not isinstance(given, dict) and (payment or not creating):
        return
    given = given if isinstance(given, dict) else {}
    if payment is None or casting.identifier(given.get("id")) is None:
        # As printed: replaced by an update, payment information starts with one installment, created, with none.
        payment = billables.blank_payment(account, None if creating else 1)
        payment |= {"financial_charge_template_id": None, "financial_account_id": None}
    billables.assign_payment(payment, given, errors)
    for field in ("financial_charge_template_id", "financial_account_id"):
        if field in given:
            payment[field] = casting.identifier(given[field])
    invoice["payment_information"] = payment


def _share_out(invoice: Json, params: Json, before: str | None, *, creating: bool) -> None:
    gross = Decimal(invoice["gross_value"])
    changed = invoice["gross_value"] != before
    _set_payment_value(invoice, params, changed=changed, creating=creating)
    if changed or "payment_value" in params or "receivables" in params:
        payment = invoice["payment_value"]
        lines.share_out(invoice["receivables"], "gross_value", gross)
        lines.share_out(invoice["receivables"], "payment_value", None if payment is None else Decimal(payment))


def _set_payment_value(invoice: Json, params: Json, *, changed: bool, creating: bool) -> None:
    given: Any = params.get("payment_value")
    number = casting.decimal(given)
    if number is not None:
        invoice["payment_value"] = casting.amount(casting.cents(number))
    elif creating and casting.filled(given):
        # As printed: `"payment_value": "decimal"` creates an invoice of which nothing is to be paid.
        invoice["payment_value"] = "0.0"
    elif creating or (changed and invoice["payment_value"] is not None):
        invoice["payment_value"] = invoice["gross_value"]
