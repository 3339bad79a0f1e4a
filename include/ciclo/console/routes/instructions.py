"""Instructions to the vendor about an invoice: receipts, boletos, approvals; asked for, listed, taken back."""

from collections.abc import Mapping
from datetime import date

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ciclo.console.database import LedgerDep
from ciclo.console.pages import View, ViewDep, render
from ciclo.console.routes.actions import PerformDep
from ciclo.console.routes.parameters import RowId, UnreadableField
from ciclo.console.security import FormDep
from ciclo.domain.instructions import InstructionKind
from ciclo.domain.money import parse_typed
from ciclo.ledger.actions import ActionOutcome, NoSuchRow, Receipt, instruct, withdraw_instruction
from ciclo.ledger.queries.instructions import invoice_to_instruct
from ciclo.ledger.repositories import Actor, InstructionRepository
from ciclo.locale import _

router = APIRouter()


@router.get("/invoices/{invoice_id}/instructions")
def show_instructions(view: ViewDep, invoice_id: RowId) -> HTMLResponse:
    """Show what the vendor can be told about an invoice and its receivables, and what was asked for."""
    return _page(view, invoice_id)


@router.post("/invoices/{invoice_id}/instructions")
def ask(view: ViewDep, perform: PerformDep, fields: FormDep, invoice_id: RowId) -> HTMLResponse:
    """Ask for one instruction about the invoice, or about the receivable that the form names."""
    found = invoice_to_instruct(view.session, view.organization_id, invoice_id)
    if found is None:
        raise NoSuchRow("invoice", invoice_id)
    try:
        kind = InstructionKind(fields.get("kind", ""))
    except ValueError:
        raise UnreadableField.holding(fields.get("kind", "")) from None
    number = invoice_id
    if kind.subject == "receivable":
        numbers = {str(each.receivable_id): each.receivable_id for each in found.receivables}
        number = numbers.get(fields.get("receivable", ""), 0)
    given = {"receipt": _receipt(fields)} if kind is InstructionKind.RECEIVE else {}
    view.session.rollback()  # nothing is read while another connection writes
    outcome = perform(instruct, number, kind=kind, **given)
    return _page(view, invoice_id, outcome)


@router.post("/instructions/{instruction_id}/withdraw")
def withdraw(view: ViewDep, perform: PerformDep, ledger: LedgerDep, instruction_id: RowId) -> HTMLResponse:
    """Take an instruction back that is not sent, and show its invoice."""
    outcome = perform(withdraw_instruction, instruction_id)
    with ledger.writing() as session:
        row = InstructionRepository(session, view.organization_id, Actor()).get(instruction_id)
        invoice_id = row.invoice_id if row is not None else 0
    view.session.rollback()  # what follows must see what was just committed
    return _page(view, invoice_id, outcome)


def _page(view: View, invoice_id: int, outcome: ActionOutcome | None = None) -> HTMLResponse:
    view.session.rollback()  # what follows must see what was just committed
    found = invoice_to_instruct(view.session, view.organization_id, invoice_id)
    if found is None:
        raise NoSuchRow("invoice", invoice_id)
    return render(view, "instructions.html", tab="receivables", found=found, outcome=outcome)


def _receipt(fields: Mapping[str, str]) -> Receipt:
    """Read what came in and when; a field that is left empty means all that is owed, today."""
    amount, day = fields.get("amount", "").strip(), fields.get("day", "").strip()
    try:
        received_on = date.fromisoformat(day) if day else None
    except ValueError:
        raise UnreadableField.holding(day) from None
    return Receipt(parse_typed(amount, _("Amount received")) if amount else None, received_on)
