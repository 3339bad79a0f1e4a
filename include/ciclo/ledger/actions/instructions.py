"""What a person lets Ciclo tell the vendor about an invoice or a receivable: asked for once, taken back while unsent.

What the thing is now is kept with it: what changes before it is sent stops it.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.instructions import FROM, UNDER_WAY, InstructionKind, InstructionState
from ciclo.domain.money import brl, cents
from ciclo.domain.states import Reason, ReasonKind
from ciclo.domain.wording import instruction_words, plain_words, state_words
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.repositories import Actor, InstructionRepository
from ciclo.ledger.tables import Instruction, Invoice, Receivable
from ciclo.locale import _


class Receipt(NamedTuple):
    """A payment that came in: BRL, by default all that is owed when it is recorded; the day, by default today."""

    amount: Decimal | None = None
    day: date | None = None


OWED_TODAY = Receipt()


def instruct(
    session: Session,
    organization_id: int,
    subject_id: int,
    *,
    kind: InstructionKind,
    person: str,
    note: str,
    at: datetime,
    receipt: Receipt = OWED_TODAY,
) -> ActionOutcome:
    """Let the next run of reconcile_receivables, or `ciclo instruct send`, tell the vendor something, once.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        subject_id: the receivable, or the invoice, as the kind says.
        kind: what it is told to do.
        person: who asks.
        note: why.
        at: when.
        receipt: what came in and when, if that is told.

    Raises:
        UnusableNote: the note is empty or too long.
        NoSuchRow: the organization has no such receivable or invoice.
        NotPossible: its state does not allow it, another instruction is under way, or the receipt cannot be meant.
    """
    text = usable_note(note)
    line = _receivable(session, organization_id, subject_id) if kind.subject == "receivable" else None
    invoice = _locked_invoice(session, organization_id, line.invoice_id if line is not None else subject_id)
    instructions = InstructionRepository(session, organization_id, Actor(person=person))
    for each in instructions.of_invoice(invoice.invoice_id):
        same = (each.subject, each.subject_id) == (kind.subject, subject_id)
        if each.state in UNDER_WAY and (same or (kind.charges and InstructionKind(each.kind).charges)):
            return _known(each, kind)
    thing = line if line is not None else invoice
    if thing.gone_at is not None or thing.state not in {state.value for state in FROM[kind]}:
        state = _("gone") if thing.gone_at is not None else state_words(thing.state)
        raise NotPossible(_("{what}: it is {state}.").format(what=instruction_words(kind), state=state))
    seen = {"state": thing.state, "gross_value": str(thing.gross_value), "customer_id": invoice.customer_id}
    facts: dict[str, Any] = {"seen": seen}
    if kind is InstructionKind.UNDO_RECEIPT and line is not None and line.received_value is not None:
        seen |= {"received_value": str(line.received_value), "received_at": str(line.received_at or "") or None}
    if kind is InstructionKind.RECEIVE:
        facts |= _receipt(receipt, at)
    if kind is InstructionKind.CREATE_CHARGE and line is not None and line.boleto_url:
        raise NotPossible(_("It has a boleto already."))
    row = {
        "contract_id": invoice.contract_id,
        "invoice_id": invoice.invoice_id,
        "subject": kind.subject,
        "subject_id": subject_id,
        "kind": kind.value,
        "facts": facts,
        "person": person,
        "note": text,
    }
    reason = Reason(ReasonKind.INSTRUCTION_ASKED, {"person": person, "note": text})
    if instructions.ask(row, reason, at=at) is None:
        other = instructions.under_way(kind.subject, subject_id)
        if other is not None:
            return _known(other, kind)
    return ActionOutcome(changed=True, message=_("The next run of reconcile_receivables tells the vendor."))


def withdraw_instruction(
    session: Session, organization_id: int, instruction_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Take an instruction back that is not sent yet.

    Raises:
        UnusableNote, NoSuchRow: as `instruct`.
        NotPossible: it was sent, or is being sent at this moment.
    """
    text = usable_note(note)
    instructions = InstructionRepository(session, organization_id, Actor(person=person))
    row = instructions.get(instruction_id)
    if row is None:
        raise NoSuchRow("instruction", instruction_id)
    if row.state == InstructionState.WITHDRAWN:
        return ActionOutcome(changed=False, message=_("It was withdrawn already."))
    reason = Reason(ReasonKind.INSTRUCTION_WITHDRAWN, {"person": person, "note": text})
    if row.state != InstructionState.ASKED or not instructions.change(row, InstructionState.WITHDRAWN, reason, at=at):
        raise NotPossible(_("It is {state}: it can be taken back no more.").format(state=state_words(row.state)))
    return ActionOutcome(changed=True, message=_("Withdrawn: the vendor is told nothing."))


def _receivable(session: Session, organization_id: int, receivable_id: int) -> Receivable:
    query = select(Receivable).where(
        Receivable.organization_id == organization_id, Receivable.receivable_id == receivable_id
    )
    found = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NoSuchRow("receivable", receivable_id)
    return found


def _locked_invoice(session: Session, organization_id: int, invoice_id: int) -> Invoice:
    query = select(Invoice).where(Invoice.organization_id == organization_id, Invoice.invoice_id == invoice_id)
    found = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise NoSuchRow("invoice", invoice_id)
    return found


def _known(other: Instruction, kind: InstructionKind) -> ActionOutcome:
    if other.kind != kind:
        what = instruction_words(other.kind)
        raise NotPossible(_("{what} is under way, asked for by {who}.").format(what=what, who=other.person))
    text = _("Already asked for by {who}.")
    if kind is InstructionKind.RECEIVE:
        text = _("Already asked for by {who}: {amount} on {day}.")
    amount = brl(Decimal(other.facts["amount"])) if "amount" in other.facts else _("all that is owed")
    day = plain_words(other.facts.get("day", ""))
    return ActionOutcome(changed=False, message=text.format(who=other.person, amount=amount, day=day))


def _receipt(receipt: Receipt, at: datetime) -> dict[str, str]:
    amount = receipt.amount
    today = at.astimezone(SAO_PAULO).date()
    received_on = receipt.day or today
    if amount is not None and (amount <= 0 or amount != cents(amount)):
        raise NotPossible(_("What was received is more than zero, in whole cents."))
    if received_on > today:
        raise NotPossible(_("It cannot have been received after today."))
    said = {"amount": str(cents(amount))} if amount is not None else {}
    return said | {"day": received_on.isoformat()}
