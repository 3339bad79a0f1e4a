"""A contract's receivables: search, show, receipt and its undoing, and the boletos asked for them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import ColumnElement, select

from ciclo_sandbox import lifecycle, parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import JSON, Json, NotFoundRefusal, ParameterRefusal, nothing, ok
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.forms import ReceiptBody
from ciclo_sandbox.models import Invoice, Receivable
from ciclo_sandbox.parsing import STATES
from ciclo_sandbox.storage import INVOICES, RECEIVABLES, past_due

router = Endpoints("receivables")
_RECEIVABLES: Final = "/contracts/{contract_id}/receivables"
_RECEIVABLE: Final = "/contracts/{contract_id}/receivables/{receivable_id}"
_DAY: Final = "dd-mm-yyyy, dd/mm/yyyy or yyyy-mm-dd"


class FoundReceivable(Receivable):
    """A receivable as the search answers it: with its invoice, and the boleto's address under another name."""

    boleto_url: str | None = Field(default=None, description="Where the boleto is.")
    invoice: Invoice = Field(description="Its invoice, without receivables.")


@router.get(f"{_RECEIVABLES}/search", responses=refused(400, 404),
            response_model=under("receivables", list[FoundReceivable]))  # fmt: skip
async def search(
    account: TheAccount,
    contract_id: Id,
    due_date_from: Annotated[str | None, Query(description=f"First due date, {_DAY}.")] = None,
    due_date_to: Annotated[str | None, Query(description=f"Last due date, {_DAY}.")] = None,
    state: Annotated[str | None, Query(description="to_emit, to_receive, received, cancelled or late.")] = None,
) -> Response:
    """Search a contract's receivables by due date and state, by due date, each with its invoice."""
    contract = account.contract(contract_id)
    query = {"due_date_from": due_date_from, "due_date_to": due_date_to, "state": state}
    conditions = [RECEIVABLES.c.contract_id == contract["id"], *_filters(account, query)]
    rows = account.invoices.receivable_rows(*conditions)
    found: dict[int, Json] = {}
    for invoice in account.invoices.every(INVOICES.c.id.in_(select(RECEIVABLES.c.invoice_id).where(*conditions))):
        whole = {field: value for field, value in invoice.items() if field in Invoice.model_fields}
        lines = whole.pop("receivables")
        whole["services"] = [
            {field: value for field, value in line.items() if field != "service_item_id"} for line in whole["services"]
        ]
        for line in lines:
            shown = {("boleto_url" if field == "billet_url" else field): value for field, value in line.items()}
            found[line["id"]] = shown | {"invoice": whole}
    return Response(orjson.dumps({"receivables": [found[row[0]] for row in rows]}), media_type=JSON)


def _filters(account: Account, query: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    days = {name: parsing.day(query.get(name)) for name in ("due_date_from", "due_date_to")}
    bad = [name for name, found in days.items() if found is None and query.get(name)]
    state = query.get("state")
    if state and state not in (*STATES, "late"):
        bad.append("state")
    if bad:
        raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: " + ", ".join(bad))
    if first := parsing.iso(days["due_date_from"]):
        yield RECEIVABLES.c.due_date >= first
    if last := parsing.iso(days["due_date_to"]):
        yield RECEIVABLES.c.due_date <= last
    if state == "late":
        yield from past_due(account.clock.today)
    elif state:
        yield RECEIVABLES.c.state == state


@router.get(_RECEIVABLE, responses=refused(404), response_model=under("receivable", Receivable))
async def show(account: TheAccount, contract_id: Id, receivable_id: Id) -> Response:
    """Show a receivable, without its invoice."""
    _, line = _find(account, contract_id, receivable_id)
    return ok("receivable", orjson.dumps(line))


@router.change(f"{_RECEIVABLE}/receive", responses=refused(400, 404, 422),
               response_model=under("receivable", Receivable))  # fmt: skip
async def receive(account: TheAccount, contract_id: Id, receivable_id: Id, body: ReceiptBody) -> Response:
    """Record a payment; one that is recorded already is recorded anew."""
    invoice, line = _find(account, contract_id, receivable_id)
    params = body.named()
    if line["state"] == "received":
        line["state"] = "to_receive"
    day = parsing.day(params.get("received_at")) or account.clock.today
    lifecycle.receive(account, invoice, line, day, parsing.decimal(params.get("received_value")))
    return ok("receivable", orjson.dumps(line))


@router.change(f"{_RECEIVABLE}/undo_receipt", responses=refused(404, 422),
               response_model=under("receivable", Receivable))  # fmt: skip
async def undo_receipt(account: TheAccount, contract_id: Id, receivable_id: Id) -> Response:
    """Take a payment back; as documented, its value and its day stay. What waits for money is answered as it is."""
    invoice, line = _find(account, contract_id, receivable_id)
    if line["state"] != "to_receive":
        kept = {field: line[field] for field in ("received_value", "received_at")}
        lifecycle.undo_receival(account, invoice, line)
        line |= kept
        account.invoices.change(invoice)
    return ok("receivable", orjson.dumps(line))


@router.change(f"{_RECEIVABLE}/create_charge", status_code=204, responses=refused(404, 422))
async def create_charge(account: TheAccount, contract_id: Id, receivable_id: Id) -> Response:
    """Ask for a new boleto; the outcome is told by webhook."""
    invoice, line = _find(account, contract_id, receivable_id)
    lifecycle.create_charge(account, invoice, line)
    return nothing()


def _find(account: Account, contract_id: int, receivable_id: int) -> tuple[Json, Json]:
    contract = account.contract(contract_id)
    invoice, line = lifecycle.find_receivable(account, receivable_id)
    if invoice["contract_id"] != contract["id"]:
        raise NotFoundRefusal
    return invoice, line
