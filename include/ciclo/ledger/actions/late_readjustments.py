"""Readjustments that came late: what was issued at the old price is billed with the next invoice, or not at all.

Which invoices these are stands in the evidence of the execution (`late`): issued by the day it was applied, at exactly
the price before. What a person had changed is not among them. A person decides about all of them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.findings import FindingKind
from ciclo.domain.money import ZERO, brl, total
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, usable_note
from ciclo.ledger.actions.differences import put_into_next, taken_on
from ciclo.ledger.actions.findings import acknowledge_finding
from ciclo.ledger.repositories import Actor, AuditRepository, Change
from ciclo.ledger.tables import Finding, Invoice, Period, PriceUpdateExecution
from ciclo.locale import _


@dataclass(frozen=True, slots=True)
class LateInvoice:
    """One invoice that was issued at the old price. BRL.

    Attributes:
        old: what it is.
        new: what it would have been.
        taken_on: what of the difference is in another invoice already.
        why_not: why it is not billed with the next one; empty where it is.
    """

    period_id: int | None
    invoice_id: int
    planned_date: date
    old: Decimal
    new: Decimal
    taken_on: Decimal = ZERO
    why_not: str = ""

    @property
    def amount(self) -> Decimal:
        """What is still to be billed, or below zero to be credited; zero where nothing can be."""
        return ZERO if self.why_not else self.new - self.old - self.taken_on


@dataclass(frozen=True, slots=True)
class LateReadjustment:
    """What a late readjustment leaves open: its invoices, and the finding about which a person has not decided."""

    invoices: Sequence[LateInvoice]
    finding_id: int | None
    decided_in: int | None = None
    """The finding about which a person has decided."""

    @property
    def total(self) -> Decimal:
        """The difference of all of them, BRL."""
        return total(each.amount for each in self.invoices)


def late_readjustment(session: Session, execution: PriceUpdateExecution) -> LateReadjustment | None:
    """Return what an execution that came late leaves open; None where nothing was issued at the old price."""
    entries = (execution.evidence or {}).get("late", ())
    if not entries:
        return None
    finding = session.scalar(
        select(Finding).where(
            Finding.organization_id == execution.organization_id,
            Finding.kind == FindingKind.READJUSTED_LATE.value,
            Finding.subject == "execution",
            Finding.subject_id == execution.id,
            Finding.closed_at.is_(None),
        )
    )
    decided = finding is not None and finding.acknowledged_at is not None
    found = [_late_invoice(session, execution.organization_id, entry) for entry in entries]
    number = finding.id if finding is not None else None
    return LateReadjustment(found, None if decided else number, number if decided else None)


def bill_late(
    session: Session, organization_id: int, execution_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Put the difference of each invoice that was issued at the old price into the next one of the rule. Flushes.

    Raises:
        UnusableNote: the note is empty or too long.
        NoSuchRow: the organization has no such execution.
        NotPossible: the rule issues no further invoice.
    """
    text = usable_note(note)
    execution, late = _open(session, organization_id, execution_id)
    if late is None or late.finding_id is None:
        return ActionOutcome(changed=False, message=_("There is nothing to decide about."))
    day: date | None = None
    for each in late.invoices:
        period = session.get(Period, each.period_id) if each.amount else None
        if period is not None:
            day = put_into_next(session, period, each.amount, person=person, note=text, at=at)
    _decided(session, execution, late.finding_id, ReasonKind.LATE_BILLED, late.total, person, text, at)
    if day is None:
        return ActionOutcome(changed=True, message=_("Nothing is left to be billed."))
    said = _("{amount} will be in the invoice of {day}.").format(amount=brl(late.total), day=f"{day:%d/%m/%Y}")
    return ActionOutcome(changed=True, message=said)


def leave_late(
    session: Session, organization_id: int, execution_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Let the invoices stay as they are: the difference is not billed. Flushes.

    Raises:
        UnusableNote, NoSuchRow: as `bill_late`.
    """
    text = usable_note(note)
    execution, late = _open(session, organization_id, execution_id)
    if late is None or late.finding_id is None:
        return ActionOutcome(changed=False, message=_("There is nothing to decide about."))
    _decided(session, execution, late.finding_id, ReasonKind.LATE_LEFT, late.total, person, text, at)
    return ActionOutcome(changed=True, message=_("Left as it is: the difference is not billed."))


def _open(
    session: Session, organization_id: int, execution_id: int
) -> tuple[PriceUpdateExecution, LateReadjustment | None]:
    execution = session.get(PriceUpdateExecution, execution_id, with_for_update=True, populate_existing=True)
    if execution is None or execution.organization_id != organization_id:
        raise NoSuchRow("price update", execution_id)
    return execution, late_readjustment(session, execution)


def _decided(
    session: Session,
    execution: PriceUpdateExecution,
    finding_id: int,
    kind: ReasonKind,
    total: Decimal,
    person: str,
    note: str,
    at: datetime,
) -> None:
    reason = Reason(kind, {"person": person, "amount": str(total), "note": note})
    acknowledge_finding(session, execution.organization_id, finding_id, person=person, note=note, at=at)
    trail = AuditRepository(session, execution.organization_id, Actor(person=person))
    trail.record("execution", [Change(execution.id, execution.state, execution.state, reason)], at)


def _late_invoice(session: Session, organization_id: int, entry: dict[str, str | int | None]) -> LateInvoice:
    number, invoice_id = entry["period_id"], int(str(entry["invoice_id"]))
    period = session.get(Period, number) if number is not None else None
    return LateInvoice(
        period_id=period.id if period is not None else None,
        invoice_id=invoice_id,
        planned_date=date.fromisoformat(str(entry["planned_date"])),
        old=Decimal(str(entry["old"])),
        new=Decimal(str(entry["new"])),
        taken_on=taken_on(session, period) if period is not None else ZERO,
        why_not=_why_not(session, organization_id, period, invoice_id),
    )


def _why_not(session: Session, organization_id: int, period: Period | None, invoice_id: int) -> str:
    if period is None:
        return _("no period of the ledger is billed by it")
    if period.state != PeriodState.ISSUED or period.invoice_id != invoice_id:
        return _("it is no longer the invoice of its period")
    invoice = session.get(Invoice, (organization_id, invoice_id))
    gone = invoice is not None and (invoice.gone_at is not None or invoice.state == InvoiceState.CANCELLED)
    return _("it is cancelled or no longer at the vendor") if gone else ""
