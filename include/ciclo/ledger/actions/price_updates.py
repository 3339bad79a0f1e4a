"""What a person may decide about a price update: one that waits, and one that the vendor has executed late."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.continuity import Basis, months_from
from ciclo.domain.errors import IllegalTransition, InvalidWindow
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import ZERO, brl, total
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.states import IN_PRICES, ExecutionState, PeriodState, Reason, ReasonKind
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.actions.differences import put_into_next, taken_on
from ciclo.ledger.actions.findings import acknowledge_finding
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.queries.what_if import by_window
from ciclo.ledger.repositories import Actor, AuditRepository, Change, ExecutionRepository
from ciclo.ledger.tables import Finding, Invoice, Period, PriceUpdateExecution, ScheduledUpdate
from ciclo.locale import _

LONGEST_WINDOW = 120


class NoSuchFigure(LedgerError):
    """A price update shows no figure of the basis that was asked for."""

    def __init__(self, basis: str, shown: Collection[str]) -> None:
        text = _("The update shows no figure by {basis}; choose {shown}.")
        super().__init__(text.format(basis=basis, shown=", ".join(shown) or _("none")))


def apply_update(  # noqa: PLR0913 - what a person chooses
    session: Session,
    organization_id: int,
    execution_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    basis: str | None = None,
    first_month: str | None = None,
    last_month: str | None = None,
) -> ActionOutcome:
    """Let a price update that waits for a person be applied by the next run; where it shows figures, by one of them.

    Args:
        session: the ledger; the caller commits.
        organization_id: the organization.
        execution_id: the update's execution.
        person: who decides.
        note: why.
        at: when.
        basis: which of its figures, or `window` for months of the person's own; by default the one it offers first.
        first_month: the first month of that window, `YYYY-MM`.
        last_month: the last one, included.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NoSuchFigure: it shows no figure of that basis.
        InvalidWindow: the months cannot be used.
        MissingIndexValue: one of them has no value.
        IllegalTransition: it is in a state in which nothing can be decided about it.
    """
    text = usable_note(note)
    execution = _locked_execution(session, organization_id, execution_id)
    evidence = execution.evidence or {}
    figures = {figure["basis"]: figure for figure in evidence.get("figures", ())}
    wanted = basis or evidence.get("offered_first")
    if execution.state == ExecutionState.CANCELLED:  # only what called it off can call for it again
        raise IllegalTransition("price update", ExecutionState.CANCELLED, ExecutionState.PLANNED, [])
    decided_before = (ExecutionState.PLANNED, ExecutionState.SUBMITTING, *IN_PRICES)
    if execution.state in decided_before and execution.approved_by is not None:
        return ActionOutcome(changed=False, message=_("Already decided by {who}.").format(who=execution.approved_by))
    decided: dict[str, Any] = {}
    if wanted == Basis.WINDOW and execution.proposal_hash is not None:
        months = _window_of(first_month, last_month)
        decided = {
            "months": [f"{months[0]:%Y-%m}", f"{months[-1]:%Y-%m}"],
            "prices": {str(key): str(value) for key, value in by_window(session, execution, months).items()},
        }
    elif wanted is not None and wanted not in figures:
        raise NoSuchFigure(wanted, figures)
    elif wanted is not None:
        decided = {"prices": {str(price["service_id"]): price["new"] for price in figures[wanted]["prices"]}}
    reason = Reason(ReasonKind.APPLY_ASKED, {"person": person, "note": text, "basis": wanted})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    if execution.state == ExecutionState.PROPOSED and wanted is None:
        if execution.approved_at is not None:
            return ActionOutcome(
                changed=False, message=_("Already decided by {who}.").format(who=execution.approved_by)
            )
        executions.approve(execution, person=person, at=at, reason=reason)
        return ActionOutcome(changed=True, message=_("Approved: the next run of apply_price_updates applies it."))
    columns: dict[str, Any] = {}
    if decided:
        decision = {"basis": wanted, "person": person, "note": text, "at": at.isoformat(), **decided}
        columns = {"approved_by": person, "approved_at": at, "evidence": {**evidence, "decision": decision}}
        columns["proposal_hash"] = figures[wanted]["hash"] if wanted in figures else execution.proposal_hash
    executions.change(execution, ExecutionState.PLANNED, reason=reason, at=at, **columns)
    if not decided:  # no figure was chosen: it may be proposed, or stop, once more
        return ActionOutcome(changed=True, message=_("The next run of apply_price_updates looks at it anew."))
    prices = ", ".join(decided["prices"].values())
    return ActionOutcome(changed=True, message=f"{_('The next run of apply_price_updates applies it.')} {prices}")


def skip_update(
    session: Session, organization_id: int, execution_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give one execution of a price update up: prices stay, its months count as used, the next one follows.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        IllegalTransition: it is on its way to the vendor, or in the prices already.
    """
    text = usable_note(note)
    execution = _locked_execution(session, organization_id, execution_id)
    if execution.state == ExecutionState.CANCELLED:
        return ActionOutcome(changed=False, message=_("It is given up already."))
    evidence = {**(execution.evidence or {}), "skipped": {"person": person, "note": text, "at": at.isoformat()}}
    reason = Reason(ReasonKind.SKIPPED, {"person": person, "note": text})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    executions.change(execution, ExecutionState.CANCELLED, reason=reason, at=at, evidence=evidence)
    return ActionOutcome(changed=True, message=_("Skipped: the price stays, the next execution follows."))


def undo_skip(
    session: Session, organization_id: int, execution_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Take back that an execution is skipped, as long as no run has moved on to the next one.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NotPossible: nobody skipped it, or the next execution counts from it already.
    """
    text = usable_note(note)
    execution = _locked_execution(session, organization_id, execution_id)
    evidence = dict(execution.evidence or {})
    if execution.state != ExecutionState.CANCELLED:
        return ActionOutcome(changed=False, message=_("It is not given up."))
    if evidence.pop("skipped", None) is None:
        raise NotPossible(_("No person skipped it: only what called it off can call for it again."))
    scheduled = session.get(
        ScheduledUpdate, (organization_id, execution.scheduled_update_id), with_for_update=True, populate_existing=True
    )
    if scheduled is None or scheduled.next_execution_date != execution.execution_date:
        raise NotPossible(_("It is too late: the next execution counts from this one already."))
    reason = Reason(ReasonKind.SKIP_UNDONE, {"person": person, "note": text})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    executions.change(execution, ExecutionState.PLANNED, reason=reason, at=at, evidence=evidence)
    return ActionOutcome(changed=True, message=_("Not skipped: the next run of apply_price_updates looks at it anew."))


def _window_of(first_month: str | None, last_month: str | None) -> tuple[date, ...]:
    """Read the months of a window, first and last included.

    Raises:
        InvalidWindow: one is no month, or the last comes before the first, or they are more than ten years apart.
    """
    try:
        first, last = (date.fromisoformat(f"{month or ''}-01") for month in (first_month, last_month))
    except ValueError:
        raise InvalidWindow(first_month, last_month) from None
    months = months_from(first, last)
    if not 0 < len(months) <= LONGEST_WINDOW:
        raise InvalidWindow(first_month, last_month)
    return months


def _locked_execution(session: Session, organization_id: int, execution_id: int) -> PriceUpdateExecution:
    table = PriceUpdateExecution
    query = select(table).where(table.organization_id == organization_id, table.id == execution_id)
    execution = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if execution is None:
        raise NoSuchRow("price update", execution_id)
    return execution


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
        """What is still to be billed, or below zero to be credited; zero where nothing can be.

        More may be taken on than this update left: what else an invoice lacks was billed along with it.
        """
        whole = self.new - self.old
        left = whole - self.taken_on
        return ZERO if self.why_not or (left > ZERO) != (whole > ZERO) else left


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
