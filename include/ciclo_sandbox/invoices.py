"""Invoices: create, show, change, approve, block, remove; their files; and the searches.

What the printed examples and the recordings show is what happens; `docs/sandbox.md` says how examples that contradict
each other were read. A parameter of a search that cannot be read is refused with 400 and its name, never ignored.

A file is sent as Base64 and served at the URL that the answer gives. Content is decoded when it comes in; what does not
decode is refused, what does is served byte for byte.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, select

from ciclo_sandbox import billables, generation, lifecycle, parsing
from ciclo_sandbox.account import SAO_PAULO, Account
from ciclo_sandbox.answers import (
    BLANK,
    INVALID,
    NOT_LISTED,
    Json,
    NotFoundRefusal,
    ParameterRefusal,
    ValidationRefusal,
    collection,
    entries,
    nothing,
    ok,
    page,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, page_asked, paged, refused, under
from ciclo_sandbox.billables import Errors, merged
from ciclo_sandbox.forms import InvoiceBody
from ciclo_sandbox.models import Invoice
from ciclo_sandbox.parsing import STATES
from ciclo_sandbox.rules import invoice_from_template
from ciclo_sandbox.storage import ATTACHMENTS, INVOICES, RECEIVABLES, past_due, with_receivable

FILES: Final = "/system/attachments/attachments/"


def decoded(content: Any) -> bytes | None:
    """Return the bytes of Base64 (missing padding is forgiven: the printed example sends `tst`), or nothing."""
    if not isinstance(content, str):
        return None
    packed = "".join(content.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def assemble_attachments(
    account: Account, current: Sequence[Json], changes: Sequence[Json], errors: Errors
) -> list[Json]:
    """Apply a request's attachments: new ones are stored, `_destroy` removes, an `id` may be renamed."""

    def fill(line: Json, entry: Json) -> Json:
        filename = parsing.filled(entry.get("filename", line.get("filename")))
        if filename is None:
            errors["attachments.filename"] = BLANK
        if line:
            return line | {"filename": filename}
        content = _content(entry, errors)
        if filename is None or content is None:
            return {"id": 0}
        number = account.sequences.next("attachments")
        row = {"id": number, "filename": filename, "content_type": parsing.text(entry["content_type"])}
        account.insert(ATTACHMENTS, row | {"content": content})
        return {"id": number, "filename": filename, "url": _url(number, filename)}

    return merged(current, changes, fill)


def _content(entry: Json, errors: Errors) -> bytes | None:
    if parsing.filled(entry.get("content_type")) is None:
        errors["attachments.content_type"] = BLANK
    if parsing.filled(entry.get("content")) is None:
        errors["attachments.content"] = BLANK
        return None
    content = decoded(entry["content"])
    if content is None:
        errors["attachments.content"] = INVALID
    return None if any(path.startswith("attachments.") for path in errors) else content


def _url(number: int, filename: str) -> str:
    digits = f"{number:09}"
    folders = f"{digits[:3]}/{digits[3:6]}/{digits[6:]}"
    stamp = int(datetime.now(SAO_PAULO).timestamp())
    return f"{FILES}{folders}/original/{quote(filename, safe='')}?{stamp}"


files = APIRouter(include_in_schema=False)


@files.get(FILES + "{millions}/{thousands}/{ones}/original/{filename:path}")
async def serve_file(account: TheAccount, millions: str, thousands: str, ones: str) -> Response:
    """Serve the file at an attachment's URL; like the vendor's file store, to anybody."""
    number = parsing.identifier(millions + thousands + ones)
    row = account.connection.execute(select(ATTACHMENTS).where(ATTACHMENTS.c.id == number)).first()
    if number is None or row is None:
        raise NotFoundRefusal
    # Loopback or not, a stored file must not choose to be a page of ours.
    kind = row.content_type.encode("latin-1", "replace").split(b"\n")[0].split(b"\r")[0]
    return Response(row.content, headers={"content-type": kind.decode("latin-1")})


searches = Endpoints("searches")

_DAY: Final = "dd-mm-yyyy, dd/mm/yyyy or yyyy-mm-dd"
_UNREADABLE: Final = "Parâmetro(s) obrigatório(s) para busca não encontrado(s) ou inválido(s): "
_INVALID: Final = "Parâmetro(s) inválido(s) para busca: "


_First = Annotated[str | None, Query(description=f"First day, {_DAY}.")]
_Last = Annotated[str | None, Query(description=f"Last day, {_DAY}.")]
_State = Annotated[str | None, Query(description="to_emit, to_receive, received, cancelled or late.")]
_Page = Annotated[str | None, Query(description="Page, from 1.")]
_PerPage = Annotated[str | None, Query(description="Entries on a page; 50 unless given, at most 100.")]


@searches.get("/contracts/{contract_id}/invoices/search", responses=refused(400, 404),
            response_model=under("invoices", list[Invoice]))  # fmt: skip
async def in_contract(
    account: TheAccount, contract_id: Id, issue_date_from: _First = None, issue_date_to: _Last = None
) -> Response:
    """Search a contract's invoices by issue date, both days required and included."""
    contract = account.contract(contract_id)
    days = {"issue_date_from": parsing.day(issue_date_from), "issue_date_to": parsing.day(issue_date_to)}
    if missing := [name for name, found in days.items() if found is None]:
        raise ParameterRefusal(_UNREADABLE + ", ".join(missing))
    first, last = (parsing.iso(found) for found in days.values())
    between = INVOICES.c.issue_date.between(first, last)
    order = (INVOICES.c.issue_date,)
    return collection(
        "invoices", account.invoices.answers(INVOICES.c.contract_id == contract["id"], between, order=order)
    )


@searches.get("/contracts/{contract_id}/invoices/late", responses=refused(404),
            response_model=under("invoices", list[Invoice]))  # fmt: skip
async def late(account: TheAccount, contract_id: Id) -> Response:
    """List a contract's invoices with at least one receivable past due and unpaid."""
    contract = account.contract(contract_id)
    mine = (RECEIVABLES.c.contract_id == contract["id"],)
    conditions = (INVOICES.c.contract_id == contract["id"], with_receivable(*mine, *past_due(account.clock.today)))
    return collection("invoices", account.invoices.answers(*conditions, order=(INVOICES.c.issue_date,)))


class InvoiceFilters(BaseModel):
    """Query of the invoice search across an organization."""

    issue_date_gteq: _First = Field(None, alias="q[issue_date_gteq]")
    issue_date_lteq: _Last = Field(None, alias="q[issue_date_lteq]")
    receivables_due_date_gteq: _First = Field(None, alias="q[receivables_due_date_gteq]")
    receivables_due_date_lteq: _Last = Field(None, alias="q[receivables_due_date_lteq]")
    state_eq: _State = Field(None, alias="q[state_eq]")
    contract_id_eq: Annotated[str | None, Query(description="Contract.")] = Field(None, alias="q[contract_id_eq]")
    customer_id_eq: Annotated[str | None, Query(description="Customer.")] = Field(None, alias="q[customer_id_eq]")
    customer_type_eq: Annotated[str | None, Query(description="Company or Person.")] = Field(
        None, alias="q[customer_type_eq]"
    )
    page: _Page = None
    per_page: _PerPage = None


@searches.get("/organizations/{organization_id}/invoices/search", responses=refused(400, 404),
            response_model=paged("invoices", Invoice))  # fmt: skip
async def in_organization(
    account: TheAccount, organization_id: Id, filters: Annotated[InvoiceFilters, Query()]
) -> Response:
    """Search an organization's invoices, a page at a time, by issue date."""
    organization = account.organization(organization_id)
    query = filters.model_dump(by_alias=True, exclude={"page", "per_page"})
    conditions = [INVOICES.c.organization_id == organization["id"], *_filters(account, organization, query)]
    number, per_page = page_asked(filters.page, filters.per_page)
    search = (organization["id"], account.clock.today, *query.values())
    total, found = account.invoices.page(conditions, search=search, page=number, per_page=per_page)
    # As documented, the searches call a boleto's address otherwise than create and show do.
    shown = (each.replace(b'"billet_url":', b'"boleto_url":') for each in found)
    return page("invoices", shown, number=number, per_page=per_page, total=total)


def _filters(account: Account, organization: Json, query: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    bad = [name for name in _BOUNDS if query.get(f"q[{name}]") and parsing.day(query[f"q[{name}]"]) is None]
    state, kind = query.get("q[state_eq]"), query.get("q[customer_type_eq]")
    if state and state not in (*STATES, "late"):
        bad.append("state_eq")
    ids = {name: query[f"q[{name}_eq]"] for name in ("contract_id", "customer_id") if query.get(f"q[{name}_eq]")}
    bad += [f"{name}_eq" for name, given in ids.items() if parsing.identifier(given) is None]
    if kind and kind not in ("Company", "Person"):
        bad.append("customer_type_eq")
    if bad:
        raise ParameterRefusal(_INVALID + ", ".join(bad))
    yield from _bounds(query, INVOICES.c.issue_date, "issue_date")
    for name, given in ids.items():
        yield INVOICES.c[name] == parsing.identifier(given)
    if kind:
        yield INVOICES.c.customer_type == kind
    mine = RECEIVABLES.c.organization_id == organization["id"]
    if due := list(_bounds(query, RECEIVABLES.c.due_date, "receivables_due_date")):
        yield with_receivable(mine, *due)
    if state == "late":
        yield with_receivable(mine, *past_due(account.clock.today))
    elif state:
        yield INVOICES.c.state == state


_BOUNDS: Final = ("issue_date_gteq", "issue_date_lteq", "receivables_due_date_gteq", "receivables_due_date_lteq")


def _bounds(query: Mapping[str, Any], column: Any, name: str) -> Iterator[ColumnElement[bool]]:
    if first := parsing.day(query.get(f"q[{name}_gteq]")):
        yield column >= first.isoformat()
    if last := parsing.day(query.get(f"q[{name}_lteq]")):
        yield column <= last.isoformat()


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
    invoice["approval_status"] = parsing.filled(params.get("approval_status")) or "approved"
    if invoice["approval_status"] not in APPROVAL:
        errors["approval_status"] = NOT_LISTED
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
        if month is None and creating and not of_2018:
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
    elif creating or parsing.filled(given) or (changed and invoice["payment_value"] is not None):
        invoice["payment_value"] = invoice["gross_value"]
