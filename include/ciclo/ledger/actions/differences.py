"""Differences: what an invoice that has left `to_emit` should have been, billed with the next one or by itself.

A price that was changed for days past, a readjustment that came late, a quantity that was wrong: the invoice stays as
it is. What is missing, or too much, is a line of the rule's next invoice; what is missing may be billed by an invoice
of its own instead, at once: `ciclo.jobs.adjustments.complement` does that. What was taken on before counts. An amount
that nothing in the ledger tells, a person says: it is billed beside what is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.money import ZERO, brl, cents, total
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.recurrence import DateRange, issue_dates
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import month_words
from ciclo.ledger.actions.act import ActionOutcome, NotPossible, locked_period, usable_note
from ciclo.ledger.actions.adjustment_checks import PARTICULARS, NewAdjustment
from ciclo.ledger.actions.adjustments import AdjustmentsRefused, add_adjustments
from ciclo.ledger.queries.adjustments import DIFFERENCE, DIFFERENCES, bill_of
from ciclo.ledger.repositories import COMPLEMENT, STATED, Actor, AdjustmentRepository, ContractRepository
from ciclo.ledger.tables import Adjustment, Invoice, Period
from ciclo.ledger.terms import RuleTerms
from ciclo.locale import _

LOOKED_AHEAD = timedelta(days=800)
NEXT_DATES = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """What an invoice is, what it should have been, and what was taken on of that already. BRL."""

    invoiced: Decimal
    expected: Decimal
    taken_on: Decimal

    @property
    def amount(self) -> Decimal:
        """What is still to be billed, or below zero to be credited."""
        return self.expected - self.invoiced - self.taken_on


def difference(session: Session, organization_id: int, period: Period) -> Difference | None:
    """Return by how much a period's invoice differs from what it should be at today's knowledge; None if by nothing.

    An invoice that is still `to_emit` is corrected, one that is cancelled is billed again: neither has a difference.
    """
    invoice = final_invoice(session, organization_id, period)
    if invoice is None:
        return None
    bill = bill_of(session, organization_id, period, used_only=True).adjusted
    if bill is None:
        return None
    found = Difference(invoice.gross_value, bill.total, taken_on(session, period))
    return found if found.amount else None


def final_invoice(session: Session, organization_id: int, period: Period) -> Invoice | None:
    """Return the invoice of a period where it can be neither corrected nor billed again."""
    invoice = session.get(Invoice, (organization_id, period.invoice_id)) if period.invoice_id else None
    if period.state != PeriodState.ISSUED or invoice is None or invoice.gone_at is not None:
        return None
    return None if invoice.state in (InvoiceState.TO_EMIT, InvoiceState.CANCELLED) else invoice


def bill_difference(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Add the difference of a period's invoice as a line to the next invoice of its rule. Flushes.

    Raises:
        NoSuchRow: the organization has no such period.
        NotPossible: there is no next invoice.
        UnusableNote: the note is empty or too long.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    found = difference(session, organization_id, period)
    if found is None:
        return ActionOutcome(changed=False, message=_("Its invoice is what it should be."))
    day = put_into_next(session, period, found.amount, person=person, note=text, at=at)
    said = _("{amount} will be in the invoice of {day}.").format(amount=brl(found.amount), day=f"{day:%d/%m/%Y}")
    return ActionOutcome(changed=True, message=said)


def put_into_next(session: Session, period: Period, amount: Decimal, *, person: str, note: str, at: datetime) -> date:
    """Add a difference of a period's invoice as a line to the next invoice of its rule; return its planned date.

    Raises:
        NotPossible: there is no next invoice, or it cannot take the line.
    """
    organization_id = period.organization_id
    day = _next_date(session, organization_id, period, at.astimezone(SAO_PAULO).date())
    if day is None:
        raise NotPossible(
            _("Its rule issues no further invoice: bill {amount} by an invoice of its own.").format(amount=brl(amount))
        )
    line = NewAdjustment(
        kind=AdjustmentKind.LINE,
        rule_id=period.rule_id,
        period=day,
        unit_value=amount,
        description=_described(period),
        key=f"{period.id}:{len(_lines(session, period)) + 1}",
        note=note,
    )
    try:
        add_adjustments(session, organization_id, [line], origin=DIFFERENCE, person=person, at=at)
    except AdjustmentsRefused as refused:
        raise NotPossible(str(refused.errors[0])) from None
    return day


def bill_complement(
    session: Session,
    organization_id: int,
    period_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    amount: Decimal | None = None,
) -> ActionOutcome:
    """Let what a period's invoice misses be billed by an invoice of its own, with the next run. Flushes.

    Args:
        session: the ledger.
        organization_id: whose.
        period_id: the period whose invoice misses something.
        person: who asks for it.
        note: why.
        at: now.
        amount: BRL, where nothing in the ledger tells it; None for the difference. The same amount with the same note
            is billed once.

    Raises:
        NoSuchRow: the organization has no such period.
        NotPossible: it is a credit; the amount is none of whole cents above zero, or the invoice can be corrected.
        UnusableNote: the note is empty or too long.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    lines = _lines(session, period)
    number = f"{len(lines) + 1}"
    if amount is None:
        found = difference(session, organization_id, period)
        if found is None:
            return ActionOutcome(changed=False, message=_("Its invoice is what it should be."))
        owed = found.amount
    else:
        owed, number = cents(amount), f"{STATED}{number}"
        if owed != amount:
            raise NotPossible(_("An amount is of whole cents."))
        if final_invoice(session, organization_id, period) is None:
            raise NotPossible(_("It has no invoice that can no longer be corrected: add an adjustment instead."))
        same = (each for each in lines if (each.unit_value, each.note, _is_stated(each)) == (owed, text, True))
        if any(each.state != "withdrawn" for each in same):
            said = _("{amount} were asked for with this note already.")
            return ActionOutcome(changed=False, message=said.format(amount=brl(owed)))
    if owed <= ZERO:
        raise NotPossible(_("{amount} are to be credited: that needs the next invoice.").format(amount=brl(owed)))
    today = at.astimezone(SAO_PAULO).date()
    row = dict.fromkeys(PARTICULARS) | {
        "organization_id": organization_id,
        "contract_id": period.contract_id,
        "rule_id": None,  # no period of the rule has it
        "kind": AdjustmentKind.LINE.value,
        "from_date": today,
        "to_date": today,
        "once": True,
        "unit_value": owed,
        "description": _described(period),
        "origin": COMPLEMENT,
        "key": f"{period.id}:{number}",
        "note": text,
        "person": person,
        "state": "open",
        "created_at": at,
        "changed_at": at,
    }
    AdjustmentRepository(session, organization_id, Actor(person=person)).add([row], at=at)
    said = _("{amount} will be billed by an invoice of its own, with the next run of issue_invoices.")
    return ActionOutcome(changed=True, message=said.format(amount=brl(owed)))


def _described(period: Period) -> str:
    return f"Diferença de {month_words(period.accrual_month)}"  # it stands on the customer's invoice


def taken_on(session: Session, period: Period) -> Decimal:
    """Return what of a difference of a period's invoice stands in lines already, BRL, without what people said."""
    lines = _lines(session, period)
    return total(row.unit_value for row in lines if row.state != "withdrawn" and not _is_stated(row))


def _is_stated(line: Adjustment) -> bool:
    return line.key.split(":")[1].startswith(STATED)


def _lines(session: Session, period: Period) -> Sequence[Adjustment]:
    """Return the lines that took a difference of a period's invoice on, withdrawn ones, too."""
    query = select(Adjustment).where(
        Adjustment.organization_id == period.organization_id,
        Adjustment.contract_id == period.contract_id,
        Adjustment.origin.in_(DIFFERENCES),
        Adjustment.key.startswith(f"{period.id}:"),
    )
    return session.scalars(query).all()


def _next_date(session: Session, organization_id: int, period: Period, today: date) -> date | None:
    """Return the first planned date after a period, and not in the past, of an invoice that is still to be made."""
    versions = ContractRepository(session, organization_id).versions([period.rule_id]).get(period.rule_id, [])
    if not versions:
        return None
    start = max(period.issue_date + timedelta(days=1), today)
    recurrence = RuleTerms.read(versions[-1].terms).recurrence
    days = islice(issue_dates(recurrence, DateRange(start, start + LOOKED_AHEAD)), NEXT_DATES)
    made = select(Period.issue_date).where(
        Period.organization_id == organization_id,
        Period.rule_id == period.rule_id,
        Period.issue_date >= start,
        Period.state.in_([PeriodState.ISSUED.value, PeriodState.CANCELLED.value]),
    )
    taken = set(session.scalars(made))
    skips = AdjustmentRepository(session, organization_id, Actor()).skips([period.contract_id])[period.contract_id]
    pauses = [each for each in skips if each.rule_id in (None, period.rule_id)]
    return next((day for day in days if day not in taken and not any(each.is_for(day) for each in pauses)), None)
