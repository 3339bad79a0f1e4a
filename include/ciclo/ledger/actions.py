"""What a person may do to the ledger: release, cancel, settle now, acknowledge. The console and the CLI call these.

The one rule: every action locks its row, checks the change, and adds an audit entry with the person's name and note in
the same transaction. Clicking twice is harmless: the second answer says who was first. The caller commits.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.states import TRANSITIONS, ExecutionState, PeriodState, Reason, ReasonKind
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.repositories import (
    Actor,
    AuditRepository,
    Change,
    ExecutionRepository,
    PeriodRepository,
)
from ciclo.ledger.tables import AuditEntry, Finding, Period, PriceUpdateExecution

LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What an action came to: `changed` is false if there was nothing left to do; `message` is a sentence."""

    changed: bool
    message: str


class NoSuchRow(LedgerError):
    """The organization has no such period or finding."""

    def __init__(self, what: str, row_id: int) -> None:
        super().__init__(f"There is no {what} {row_id} in this organization.")


class NoSuchFigure(LedgerError):
    """A price update shows no figure of the basis that was asked for."""

    def __init__(self, basis: str, shown: Collection[str]) -> None:
        super().__init__(f"The update shows no figure by {basis}; choose {', '.join(shown) or 'none'}.")


class UnusableNote(LedgerError):
    """The note that goes with an action is missing or too long."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The note {why}.")


def release_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Put a parked period back to `planned`: the next run of issue_invoices takes it again.

    Raises:
        UnusableNote: the note is empty or longer than `LONGEST_NOTE`.
        NoSuchRow: the organization has no such period.
        IllegalTransition: the period is in a state that cannot be released.
    """
    reason = f"released by {person}: {usable_note(note)}"
    period = _locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _somebody_was_first(session, period, PeriodState.PLANNED)
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message="Released: the next run of issue_invoices will take it.")


def cancel_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give a parked period up: it will never be invoiced.

    Raises:
        UnusableNote, NoSuchRow, IllegalTransition: as `release_period`.
    """
    reason = f"cancelled by {person}: {usable_note(note)}"
    period = _locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _somebody_was_first(session, period, PeriodState.CANCELLED)
    PeriodRepository(session, organization_id, Actor(person=person)).cancel([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message="Cancelled: it will not be invoiced.")


def settle_now(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """End the grace period of a period in doubt, so that the next run settles it whatever it finds.

    Only for a person who knows that the vendor is not still working on the request: the grace period is what keeps a
    late commit from being billed twice.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        IllegalTransition: the period is not, and never was, in doubt.
    """
    reason = f"grace period ended by {person}: {usable_note(note)}"
    period = _locked_period(session, organization_id, period_id)
    if period.state != PeriodState.IN_DOUBT:
        return _somebody_was_first(session, period, PeriodState.IN_DOUBT)
    if period.doubt_until is not None and period.doubt_until <= at:
        return ActionOutcome(changed=False, message="Its grace period is over already: the next run settles it.")
    period.doubt_until = at
    session.flush()
    change = Change(period.id, PeriodState.IN_DOUBT, PeriodState.IN_DOUBT, reason)
    AuditRepository(session, organization_id, Actor(person=person)).record("period", [change], at)
    return ActionOutcome(changed=True, message="Its grace period ends now: the next run settles it.")


def apply_update(
    session: Session,
    organization_id: int,
    execution_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    basis: str | None = None,
) -> ActionOutcome:
    """Let a price update that waits for a person be applied by the next run; where it shows figures, by one of them.

    Args:
        session: the ledger; the caller commits.
        organization_id: the organization.
        execution_id: the update's execution.
        person: who decides.
        note: why.
        at: when.
        basis: which of its figures; by default the one that it offers first.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NoSuchFigure: it shows no figure of that basis.
        IllegalTransition: it is in a state in which nothing can be decided about it.
    """
    text = usable_note(note)
    execution = _locked_execution(session, organization_id, execution_id)
    evidence = execution.evidence or {}
    figures = {figure["basis"]: figure["hash"] for figure in evidence.get("figures", ())}
    wanted = basis or evidence.get("offered_first")
    if wanted is not None and wanted not in figures:
        raise NoSuchFigure(wanted, figures)
    if execution.state == ExecutionState.PLANNED and execution.approved_by is not None:
        return ActionOutcome(changed=False, message=f"Already decided by {execution.approved_by}.")
    decided = {"approved_by": person, "approved_at": at, "proposal_hash": figures[wanted]} if wanted else {}
    reason = Reason(ReasonKind.APPLY_ASKED, {"person": person, "note": text, "basis": wanted})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    executions.change(execution, ExecutionState.PLANNED, reason=reason, at=at, **decided)
    return ActionOutcome(changed=True, message="The next run of apply_price_updates applies it.")


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
        return ActionOutcome(changed=False, message="It is given up already.")
    evidence = {**(execution.evidence or {}), "skipped": {"person": person, "note": text, "at": at.isoformat()}}
    reason = Reason(ReasonKind.SKIPPED, {"person": person, "note": text})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    executions.change(execution, ExecutionState.CANCELLED, reason=reason, at=at, evidence=evidence)
    return ActionOutcome(changed=True, message="Skipped: the price stays, the next execution follows.")


def acknowledge_finding(
    session: Session, organization_id: int, finding_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Say that a person has seen a finding and what is done about it; it closes when the disagreement is gone.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
    """
    text = usable_note(note)
    query = select(Finding).where(Finding.organization_id == organization_id, Finding.id == finding_id)
    finding = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if finding is None:
        raise NoSuchRow("finding", finding_id)
    if finding.acknowledged_at is not None:
        who = finding.acknowledged_by or "somebody"
        return ActionOutcome(changed=False, message=f"Already acknowledged by {who}: {finding.note}")
    finding.acknowledged_by, finding.acknowledged_at, finding.note = person, at, text
    session.flush()
    change = Change(finding.id, "open", "acknowledged", text)
    AuditRepository(session, organization_id, Actor(person=person)).record("finding", [change], at)
    return ActionOutcome(changed=True, message="Acknowledged.")


def usable_note(note: str) -> str:
    """Return a note fit for the audit trail, in one line.

    Raises:
        UnusableNote: it is empty or longer than `LONGEST_NOTE`.
    """
    text = " ".join(note.split())
    if not text:
        raise UnusableNote("must say why")
    if len(text) > LONGEST_NOTE:
        raise UnusableNote(f"is longer than {LONGEST_NOTE} characters")
    if not text.isprintable():
        raise UnusableNote("holds characters that cannot be printed")
    return text


def _locked_period(session: Session, organization_id: int, period_id: int) -> Period:
    query = select(Period).where(Period.organization_id == organization_id, Period.id == period_id)
    period = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if period is None:
        raise NoSuchRow("period", period_id)
    return period


def _locked_execution(session: Session, organization_id: int, execution_id: int) -> PriceUpdateExecution:
    mine = PriceUpdateExecution.organization_id == organization_id, PriceUpdateExecution.id == execution_id
    query = select(PriceUpdateExecution).where(*mine).with_for_update()
    execution = session.scalar(query.execution_options(populate_existing=True))
    if execution is None:
        raise NoSuchRow("price update", execution_id)
    return execution


def _somebody_was_first(session: Session, period: Period, target: PeriodState) -> ActionOutcome:
    """Answer an action on a period that has moved on, if what was asked for did happen; else refuse it.

    Raises:
        IllegalTransition: it never did.
    """
    query = select(AuditEntry.person).where(
        AuditEntry.organization_id == period.organization_id,
        AuditEntry.subject == "period",
        AuditEntry.subject_id == period.id,
        AuditEntry.to_state == target.value,
    )
    if target == PeriodState.PLANNED:  # any other way to `planned` is no release
        query = query.where(AuditEntry.from_state == PeriodState.PARKED.value)
    done = session.execute(query.order_by(AuditEntry.id.desc()).limit(1)).one_or_none()
    if done is None:
        raise IllegalTransition("period", period.state, target, TRANSITIONS[PeriodState(period.state)])
    by_whom = f" by {done.person}" if done.person else ""
    return ActionOutcome(
        changed=False, message=f"It was already {_DONE[target]}{by_whom}; the period is {period.state} now."
    )


_DONE = {PeriodState.PLANNED: "released", PeriodState.CANCELLED: "cancelled", PeriodState.IN_DOUBT: "settled"}
