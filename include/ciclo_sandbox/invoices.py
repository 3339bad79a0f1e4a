"""Invoices: create, show, change, approve, block, remove.

What the printed examples and the recordings show is what happens; `docs/sandbox.md` says how examples that
contradict each other were read.
"""

from copy import deepcopy
from typing import Any, Final

from fastapi import Response

from ciclo_sandbox import billables, generation, lifecycle, parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    INVALID,
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
from ciclo_sandbox.rule_template import invoice_from_template
from ciclo_sandbox.storage import INVOICES

router = Endpoints("invoices")
_INVOICES: Final = "/contracts/{contract_id}/invoices"
_INVOICE: Final = "/contracts/{contract_id}/invoices/{invoice_id}"

APPROVAL: Final = ("approved", "blocked")


@router.post(_INVOICES, status_code=201, responses=refused(400, 404, 422), response_model=under("invoice", Invoice))
async def create(account: TheAccount, contract_id: Id, body: InvoiceBody) -> Response:
    """Create an invoice of a contract."""
    contract = account.contract(contract_id)
    params = billables.asked_of(account, body.named())
    if parsing.filled(params.get("invoice_template_id")):
        params = invoice_from_template(account, contract, params)
    errors: billables.Errors = {}
    invoice = billables.blank_billable(account, contract, 0)
    invoice |= {"automatic_management_on_business_days": False, "nfse_url": None, "fatura_url": None}
    _set_approval(invoice, params, errors)
    _assign(account, invoice, params, errors, creating=True)
    charge_now = parsing.boolean(params.get("charge_now"))
    method = invoice["payment_information"]["payment_method"]
    if charge_now and (invoice["management_type"] != "automatic" or method != "billet"):
        errors["charge_now"] = INVALID
    if errors:
        raise ValidationRefusal(errors)
    invoice["id"] = account.sequences.next("invoices")
    for receivable in invoice["receivables"]:
        receivable["invoice_id"] = invoice["id"]
    written = account.invoices.add(invoice)
    if charge_now:
        lifecycle.create_charges(account, invoice)
    return ok("invoice", written, status=201)


@router.get(_INVOICE, responses=refused(404), response_model=under("invoice", Invoice))
async def show(account: TheAccount, contract_id: Id, invoice_id: Id) -> Response:
    """Show an invoice."""
    contract = account.contract(contract_id)
    found = account.invoices.answers(INVOICES.c.id == invoice_id, INVOICES.c.contract_id == contract["id"])
    if not found:
        raise NotFoundRefusal
    return ok("invoice", found[0])


@router.change(_INVOICE, responses=refused(400, 404, 422), response_model=under("invoice", Invoice))
async def update(account: TheAccount, contract_id: Id, invoice_id: Id, body: InvoiceBody) -> Response:
    """Change an invoice: what the request names, and nested entries by their id."""
    invoice = _find(account, contract_id, invoice_id)
    before = deepcopy(invoice)
    errors: billables.Errors = {}
    _assign(account, invoice, billables.asked_of(account, body.named()), errors, creating=False)
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


@router.change(f"{_INVOICE}/create_charges", status_code=204, responses=refused(404))
async def create_charges(account: TheAccount, contract_id: Id, invoice_id: Id) -> Response:
    """Ask for the boletos of all receivables; the outcome is told by webhook."""
    lifecycle.create_charges(account, _find(account, contract_id, invoice_id))
    return nothing()


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


def _set_approval(invoice: Json, params: Json, errors: billables.Errors) -> None:
    invoice["approval_status"] = parsing.filled(params.get("approval_status")) or "approved"
    if invoice["approval_status"] not in APPROVAL:
        errors["approval_status"] = NOT_LISTED


def _assign(account: Account, invoice: Json, params: Json, errors: billables.Errors, *, creating: bool) -> None:
    before = invoice["gross_value"]
    _assign_dates(account, invoice, params, errors, creating=creating)
    billables.assign(account, invoice, params, errors, creating=creating)
    _assign_nfse(account, invoice, params)
    fill = billables.service_filler(account, errors)
    invoice["services"] = billables.merged(invoice["services"], entries(params.get("services")), fill)
    billables.set_gross_value(invoice, params, errors)
    given = entries(params.get("receivables"))
    by_money = False
    if creating and not given:
        # On record, an invoice without receivables is taken for one whose only receivable has no due date.
        errors["receivables.due_date"] = BLANK
    elif given:
        fill = billables.receivable_filler(account, errors, state=invoice["state"])
        invoice["receivables"] = billables.merged(invoice["receivables"], given, fill)
        by_money = billables.check_total(invoice["receivables"], invoice["gross_value"], errors)
    payment = params.get("payment_information")
    if creating or isinstance(payment, dict):
        # As printed in 2018: replaced by an update it starts with one installment, created with none.
        billables.assign_payment_information(account, invoice, payment, errors, installments=0 if creating else 1)
    attached = entries(params.get("attachments"))
    invoice["attachments"] = assemble_attachments(account, invoice["attachments"], attached, errors)
    if not errors:
        changed = invoice["gross_value"] != before
        _set_payment_value(invoice, params, changed=changed, creating=creating)
        if changed or "payment_value" in params or given:
            billables.share_out(invoice, by_money=by_money)


def _assign_dates(account: Account, invoice: Json, params: Json, errors: billables.Errors, *, creating: bool) -> None:
    of_2018 = account.behaviour.shape == 2018
    follows = creating
    if creating or "issue_date" in params:
        issue_date = parsing.day(params.get("issue_date"))
        invoice["issue_date"] = parsing.brazilian(issue_date)
        if issue_date is None:
            errors["issue_date"] = BLANK
    if "estimated_issue_date" in params:
        invoice["estimated_issue_date"] = parsing.brazilian(parsing.day(params["estimated_issue_date"]))
        follows = invoice["estimated_issue_date"] is None and (creating or not of_2018)
    if follows:
        # Created with one date, an invoice is planned for it; one that is moved later keeps the day it was planned for.
        # Taken away, the answers of 2018 say null.
        invoice["estimated_issue_date"] = invoice["issue_date"]
    if "accrual_date" in params or (creating and not of_2018):
        month = parsing.accrual_month(params.get("accrual_date"))
        if month is None and not of_2018:
            month = parsing.accrual_month(invoice["issue_date"])
        invoice["accrual_date"] = parsing.iso(month)


def _assign_nfse(account: Account, invoice: Json, params: Json) -> None:
    if "nfe_issued" in params:
        invoice["nfe_issued"] = bool(parsing.boolean(params["nfe_issued"]))
    if "nfe_issue_date" in params:
        invoice["nfe_issue_date"] = parsing.brazilian(parsing.day(params["nfe_issue_date"]))
    if account.nfse_templates.peek(invoice["nfse_template_id"]) is None:
        # As printed, an invoice answers null for a template that its account does not have; a rule answers the id.
        invoice["nfse_template_id"] = None


def _set_payment_value(invoice: Json, params: Json, *, changed: bool, creating: bool) -> None:
    given: Any = params.get("payment_value")
    number = parsing.decimal(given)
    if number is not None:
        invoice["payment_value"] = parsing.amount(parsing.cents(number))
    elif creating and parsing.filled(given):
        # As printed: `"payment_value": "decimal"` creates an invoice of which nothing is to be paid.
        invoice["payment_value"] = "0.0"
    elif creating or (changed and invoice["payment_value"] is not None):
        invoice["payment_value"] = invoice["gross_value"]
