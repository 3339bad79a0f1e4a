"""What a person may do with a period: release it, give it up, plan it or bill it again, settle what is in doubt."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.money import brl
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.domain.wording import plain_words, said, state_words
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, NotPossible, locked_period, usable_note
from ciclo.ledger.actions.differences import taken_on
from ciclo.ledger.queries.periods import refused_invoices
from ciclo.ledger.repositories import Actor, AdjustmentRepository, AuditRepository, Change, PeriodRepository
from ciclo.ledger.rows import upsert
from ciclo.ledger.tables import AuditEntry, Invoice, NotItsOwn, Period
from ciclo.locale import N_, _


def release_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Put a parked period back to `planned`: the next run of issue_invoices takes it again.

    Its reason then tells what it was parked for, so that nothing parks it for the same again without new facts. Beside
    invoices that may be its own it is only looked at again: what is billed beside them needs a person's word on them.

    Raises:
        UnusableNote: the note is empty or longer than `LONGEST_NOTE`.
        NoSuchRow: the organization has no such period.
        NotPossible: the period is in a state that cannot be released.
    """
    facts: dict[str, Fact] = {"person": person, "note": usable_note(note)}
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _decided_before(session, period, ReasonKind.RELEASED)
    if period.reason is not None:
        facts |= {"parked_for": period.reason.kind.value}
        facts |= {name: fact for name, fact in period.reason.facts.items() if name == "invoice_ids"}
    reason = Reason(ReasonKind.RELEASED, facts)
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    if invoices_in(reason):
        again = _("Released: the next run of issue_invoices looks again, and asks again about what is still beside it.")
        return ActionOutcome(changed=True, message=again)
    return ActionOutcome(changed=True, message=_("Released: the next run of issue_invoices will take it."))


def cancel_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give a parked or planned period up: it will never be invoiced, unless a person plans it again.

    Raises:
        UnusableNote, NoSuchRow, NotPossible: as `release_period`.
    """
    reason = Reason(ReasonKind.CANCELLED, {"person": person, "note": usable_note(note)})
    period = locked_period(session, organization_id, period_id)
    if period.state not in (PeriodState.PARKED, PeriodState.PLANNED):
        return _somebody_was_first(session, period, N_("cancelled"), PeriodState.CANCELLED, tuple(PeriodState))
    PeriodRepository(session, organization_id, Actor(person=person)).cancel([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Cancelled: it will not be invoiced."))


def plan_again(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Put a cancelled period back to `planned`, whoever cancelled it.

    Raises:
        UnusableNote, NoSuchRow, NotPossible: as `release_period`.
    """
    reason = Reason(ReasonKind.PLANNED_AGAIN, {"person": person, "note": usable_note(note)})
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.CANCELLED:
        return _somebody_was_first(session, period, N_("planned again"), PeriodState.PLANNED, [PeriodState.CANCELLED])
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Planned again: a run that covers its issue date takes it."))


def bill_again(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Plan a second invoice for an issued period whose invoice is cancelled or deleted at the vendor.

    The next invoice carries a reference of its own (`…:2`); the old one stays in the ledger without a period.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NotPossible: its state does not allow it; the period's invoice is alive, as far as the ledger knows.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.ISSUED:
        return _somebody_was_first(session, period, N_("billed again"), PeriodState.PLANNED, [PeriodState.ISSUED])
    invoice = session.get(Invoice, (organization_id, period.invoice_id), populate_existing=True)
    if invoice is not None and invoice.gone_at is None and invoice.state != InvoiceState.CANCELLED:
        raise NotPossible(
            _(
                "Invoice {id} is {state} at the vendor: cancel it there, let reconcile_receivables see it, then bill "
                "again."
            ).format(id=invoice.invoice_id, state=state_words(invoice.state))
        )
    facts: dict[str, Fact] = {"person": person, "note": text, "invoice_id": period.invoice_id}
    reason, actor = Reason(ReasonKind.BILLED_AGAIN, facts), Actor(person=person)
    AdjustmentRepository(session, organization_id, actor).open_again(
        (period.id, period.reference_sequence), reason=reason, at=at
    )
    PeriodRepository(session, organization_id, actor).bill_again(period, reason=reason, at=at)
    said, elsewhere = _("Planned again: its next invoice has a reference of its own."), taken_on(session, period)
    if elsewhere:
        more = _("{amount} of its difference are in other invoices already: add a line to it that takes them back.")
        said = f"{said} {more.format(amount=brl(elsewhere))}"
    return ActionOutcome(changed=True, message=said)


def settle_now(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """End the grace period of a period in doubt, so that the next run settles it whatever it finds.

    Only for a person who knows that the vendor is not still working on the request: the grace period is what keeps a
    late commit from being billed twice.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NotPossible: the period is not, and never was, in doubt.
    """
    reason = Reason(ReasonKind.SETTLED_NOW, {"person": person, "note": usable_note(note)})
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.IN_DOUBT:
        return _somebody_was_first(session, period, N_("settled"), PeriodState.IN_DOUBT, tuple(PeriodState))
    if period.doubt_until is not None and period.doubt_until <= at:
        return ActionOutcome(changed=False, message=_("Its grace period is over already: the next run settles it."))
    period.doubt_until = at
    session.flush()
    change = Change(period.id, PeriodState.IN_DOUBT, PeriodState.IN_DOUBT, reason)
    AuditRepository(session, organization_id, Actor(person=person)).record("period", [change], at)
    return ActionOutcome(changed=True, message=_("Its grace period ends now: the next run settles it."))


def its_own(
    session: Session,
    organization_id: int,
    period_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    invoice_id: int | str | None = None,
) -> ActionOutcome:
    """Say that an invoice a period was parked for is its own: the next run takes it over, and creates none.

    Args:
        session: of the ledger.
        organization_id: whose period it is.
        period_id: a parked period.
        person: who says it.
        note: why.
        at: when.
        invoice_id: which of the invoices, where several are named.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NotPossible: its state does not allow it; it was not parked for this invoice, or it is not said for which.
    """
    facts: dict[str, Fact] = {"person": person, "note": usable_note(note)}
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _decided_before(session, period, ReasonKind.ITS_OWN, invoice_id)
    named = _invoices_beside(period)
    chosen = [each for each in named if str(each) == str(invoice_id)] if invoice_id else named
    if len(chosen) != 1:
        numbers = ", ".join(map(str, named))
        raise NotPossible(_("Say which of the invoices is its own: {numbers}.").format(numbers=numbers))
    reason = Reason(ReasonKind.ITS_OWN, facts | {"invoice_ids": chosen})
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Remembered: the next run of issue_invoices takes the invoice over."))


def not_its_own(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Say that the invoices a period was parked for are not its own, and plan it again.

    No matching takes one of these invoices for the period's rule any more.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NotPossible: its state does not allow it; the period was not parked for certain invoices.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _decided_before(session, period, ReasonKind.NOT_ITS_OWN)
    invoice_ids = _invoices_beside(period)
    for invoice_id in invoice_ids:
        _remember_not_its_own(session, period, invoice_id, person=person, note=text, at=at)
    facts: dict[str, Fact] = {"person": person, "note": text, "invoice_ids": invoice_ids}
    reason = Reason(ReasonKind.NOT_ITS_OWN, facts)
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Remembered: the next run of issue_invoices will take the period."))


def look_again(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Take back that invoices are not a period's own: matching may take them for its rule's again.

    A period that is still planned is looked at anew by the next run; one that was billed meanwhile keeps its invoice.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    invoice_ids = refused_invoices(session, organization_id, period.rule_id, period_id)
    if not invoice_ids:
        return ActionOutcome(changed=False, message=_("Of no invoice it is said here that it is not its own."))
    query = select(NotItsOwn).where(
        NotItsOwn.organization_id == organization_id,
        NotItsOwn.rule_id == period.rule_id,
        NotItsOwn.invoice_id.in_(invoice_ids),
    )
    for row in session.scalars(query):
        row.withdrawn_at = at
    reason = Reason(ReasonKind.LOOKED_AT_AGAIN, {"person": person, "note": text, "invoice_ids": invoice_ids})
    if period.state == PeriodState.PLANNED:
        period.reason = reason  # what a person said before no longer answers for it
    session.flush()
    change = Change(period.id, period.state, period.state, reason)
    AuditRepository(session, organization_id, Actor(person=person)).record("period", [change], at)
    said = _("Taken back.")
    if period.state == PeriodState.PLANNED:
        said = _("Taken back: the next run of issue_invoices looks at it anew.")
    return ActionOutcome(changed=True, message=said)


def organization_of_period(session: Session, period_id: int) -> int:
    """Return whose a period is.

    Raises:
        NoSuchRow: there is no such period.
    """
    organization_id = session.scalar(select(Period.organization_id).where(Period.id == period_id))
    if organization_id is None:
        raise NoSuchRow("period", period_id)
    return organization_id


def invoices_in(reason: Reason | None) -> Sequence[int]:
    """Return the invoices that a reason names as perhaps the period's own."""
    ids = reason.facts.get("invoice_ids") if reason is not None else None
    return [int(each) for each in ids] if isinstance(ids, list | tuple) else []


def _invoices_beside(period: Period) -> Sequence[int]:
    """Return the invoices that a parked period waits for a word on.

    Raises:
        NotPossible: there are none.
    """
    if not (named := invoices_in(period.reason)):
        raise NotPossible(_("This period was not parked for an invoice that may be its own."))
    return named


def _remember_not_its_own(
    session: Session, period: Period, invoice_id: int, *, person: str, note: str, at: datetime
) -> None:
    row = {
        "organization_id": period.organization_id,
        "invoice_id": invoice_id,
        "rule_id": period.rule_id,
        "person": person,
        "note": note,
        "at": at,
        "withdrawn_at": None,
    }
    upsert(session, NotItsOwn, [row])


def _somebody_was_first(
    session: Session, period: Period, done: str, target: PeriodState, sources: Collection[PeriodState]
) -> ActionOutcome:
    """Answer an action on a period that has moved on, if what was asked for did happen; else refuse it.

    Raises:
        NotPossible: it never did.
    """
    entry = _newest_entry(session, period, target, sources)
    if entry is None:
        raise _refused(period, done)
    text = (
        _("It was already {done} by {who}; the period is {state} now.")
        if entry.person
        else _("It was already {done}; the period is {state} now.")
    )
    said = text.format(done=_(done), who=entry.person, state=state_words(period.state))
    return ActionOutcome(changed=False, message=said)


def _decided_before(
    session: Session, period: Period, kind: ReasonKind, invoice_id: int | str | None = None
) -> ActionOutcome:
    """Answer a decision about a period that is no longer parked: it was taken before, or was another one.

    Raises:
        NotPossible: nobody took any, or it was another one, so that this one does not hold.
    """
    entry = _newest_entry(session, period, PeriodState.PLANNED, [PeriodState.PARKED])
    if entry is None:
        raise _refused(period, N_("released"))
    named = str(invoice_id or "") in ("", *map(str, invoices_in(entry.reason)))
    if entry.reason is not None and entry.reason.kind is kind and named:
        return _somebody_was_first(session, period, N_("released"), PeriodState.PLANNED, [PeriodState.PARKED])
    text = _("Nothing was done: another decision came first ({decision}), and the period is {state} now.")
    raise NotPossible(text.format(decision=said(entry.reason), state=state_words(period.state)))


def _newest_entry(
    session: Session, period: Period, target: PeriodState, sources: Collection[PeriodState]
) -> AuditEntry | None:
    query = select(AuditEntry).where(
        AuditEntry.organization_id == period.organization_id,
        AuditEntry.subject == "period",
        AuditEntry.subject_id == period.id,
        AuditEntry.to_state == target.value,
        AuditEntry.from_state.in_([source.value for source in sources]),
    )
    return session.scalars(query.order_by(AuditEntry.id.desc()).limit(1)).one_or_none()


def _refused(period: Period, done: str) -> NotPossible:
    text = _("The period of {day} is {state}: it cannot be {done}.")
    day = plain_words(period.issue_date.isoformat())
    return NotPossible(text.format(day=day, state=state_words(period.state), done=_(done)))
