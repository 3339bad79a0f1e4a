"""What people and their systems say about single periods: adjustments added and withdrawn, periods that are skipped.

Whatever comes in, from a file, a form or somebody's own Dag, comes through `add_adjustments`: all of it is checked
before any of it counts, and what was added before is not added again. The caller commits, or rolls back on an error.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import AdjustmentKind, InvalidAdjustment
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.domain.wording import plain_words
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.actions.adjustment_checks import (
    AdjustmentError,
    Claimed,
    NewAdjustment,
    known_of,
    row_of,
)
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.repositories import (
    COMPLEMENT,
    Actor,
    AdjustmentRepository,
    AdjustmentState,
    PeriodRepository,
    Scope,
    complement_rule,
)
from ciclo.ledger.tables import Adjustment as AdjustmentRow
from ciclo.ledger.tables import AdjustmentUse, Period
from ciclo.locale import N_, Text, _

CHECKED_AT_ONCE = 1000
"""Adjustments whose rules and periods are in memory together."""


ERRORS_AT_MOST = 1000
"""Errors that are told of one import: what is wrong with more rows is wrong in the same way."""


LONGEST_KEY = 200
"""Characters; a longer one is known by its hash."""


PLANNED_BY_A_PERSON = (ReasonKind.RELEASED, ReasonKind.PLANNED_AGAIN, ReasonKind.BILLED_AGAIN)


class AdjustmentsRefused(LedgerError):
    """Adjustments of which at least one cannot be added: none is."""

    def __init__(self, errors: Sequence[AdjustmentError]) -> None:
        self.errors = tuple(errors)
        text = _("{error}; nothing was added")
        if len(errors) > 1:
            text = _("{error} (and {count} more); nothing was added")
        super().__init__(text.format(error=errors[0], count=len(errors) - 1))


@dataclass(slots=True)
class Added:
    """What came of adding."""

    ids: list[int] = field(default_factory=list)
    known: int = 0
    """How many had been added before."""

    def counts(self) -> dict[str, int]:
        """Return it as counts."""
        return {"added": len(self.ids), "known": self.known}


def add_adjustments(
    session: Session,
    organization_id: int,
    adjustments: Iterable[NewAdjustment | AdjustmentError],
    *,
    origin: str,
    person: str,
    at: datetime,
) -> Added:
    """Check adjustments and add them, all or none; one that was added before is not added again. Flushes.

    Args:
        session: the ledger; the caller commits, or rolls back if this raises.
        organization_id: whose ledger.
        adjustments: what differs, or what is wrong with a row that could not be read; a row that says the same as
            another of the same call needs a key of its own.
        origin: where they come from; with `key` what each is known by.
        person: who adds them, or which system.
        at: when.

    Raises:
        AdjustmentsRefused: with the error of each that cannot be added; nothing may be committed then.
    """
    added, errors, seen, claimed = Added(), list[AdjustmentError](), set[str](), Claimed()
    pauses = False
    actor = Actor(person=person)
    repository = AdjustmentRepository(session, organization_id, actor)
    rest = iter(adjustments)
    while part := _some(rest, errors):
        known = known_of(session, organization_id, part)
        rows = []
        keys = {key for each in part for key in (_key(each), _former_key(each))}
        there = repository.known_keys(origin, keys)
        for each in part:
            key = _key(each)
            if key in seen:
                text = Text(N_("another row says the same: give each a key of its own"))
                errors.append(AdjustmentError(each.line, "key", text))
                continue
            seen.add(key)
            if not there.isdisjoint({key, _former_key(each)}):
                added.known += 1
                continue
            try:
                rows.append(row_of(each, known, claimed) | {"origin": origin, "key": key, "person": person})
            except InvalidAdjustment as error:
                errors.append(AdjustmentError(each.line, error.field, error.reason))
        if len(errors) >= ERRORS_AT_MOST:
            break
        if not errors:
            common = {"organization_id": organization_id, "state": "open", "created_at": at, "changed_at": at}
            added.ids += repository.add([row | common for row in rows], at=at)
            pauses = pauses or any(row["kind"] == AdjustmentKind.SKIP for row in rows)
        session.expunge_all()
    if errors:
        raise AdjustmentsRefused(errors)
    if pauses:
        skip_periods(session, organization_id, actor, Scope(DateRange(date.min, date.max)), at=at)
    return added


def _some(rest: Iterator[NewAdjustment | AdjustmentError], errors: list[AdjustmentError]) -> list[NewAdjustment]:
    part: list[NewAdjustment] = []
    for each in rest:
        if isinstance(each, AdjustmentError):
            errors.append(each)
        else:
            part.append(each)
        if len(part) == CHECKED_AT_ONCE:
            break
    return part


def _key(each: NewAdjustment) -> str:
    key = each.key or each.said()
    return key if len(key) <= LONGEST_KEY else sha256(key.encode()).hexdigest()


def _former_key(each: NewAdjustment) -> str:
    """Return what one without a key of its own was known by before zeros at the end of a number ceased to count."""
    return _key(each) if each.key else each.spelled()


def skip_periods(session: Session, organization_id: int, actor: Actor, scope: Scope, *, at: datetime) -> int:
    """Give up the periods that are planned, waiting or parked and that an open `skip` is for; return how many. Flushes.

    What a person has planned again since the `skip` came stays planned.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        actor: who does it.
        scope: which periods; its plan is not asked.
        at: when.
    """
    repository = AdjustmentRepository(session, organization_id, actor)
    periods = PeriodRepository(session, organization_id, actor)
    skipped = 0
    for period, skip in repository.skipped(scope):
        by_a_person = period.reason is not None and period.reason.kind in PLANNED_BY_A_PERSON
        if by_a_person and period.changed_at > skip.created_at:
            continue
        reason = _skipped_by(skip)
        if period.state == PeriodState.WAITING:
            periods.replan([period], reason=reason, at=at)
        skipped += len(periods.cancel([period], reason=reason, at=at, by=skip.person))
    return skipped


def _skipped_by(skip: AdjustmentRow) -> Reason:
    facts: dict[str, Fact] = {"adjustment_id": skip.id, "person": skip.person, "note": skip.note}
    return Reason(ReasonKind.SKIPPED_BY_ADJUSTMENT, facts)


def withdraw_adjustment(
    session: Session,
    organization_id: int,
    adjustment_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    from_date: date | None = None,
) -> ActionOutcome:
    """Take an adjustment back, or end it; the periods that a `skip` gave up are planned again. Flushes.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        adjustment_id: which one.
        person: who.
        note: why.
        at: when.
        from_date: the planned date from which it no longer holds: a pause that ends; None takes back all of it.

    Raises:
        NoSuchRow: the organization has no such adjustment.
        NotPossible: it is in an invoice, or on its way there; what to do instead is said.
        UnusableNote: the note is empty or too long.
    """
    text = usable_note(note)
    repository = AdjustmentRepository(session, organization_id, Actor(person=person))
    adjustment = repository.get(adjustment_id)
    if adjustment is None:
        raise NoSuchRow("adjustment", adjustment_id)
    if adjustment.state == AdjustmentState.WITHDRAWN:
        return ActionOutcome(changed=False, message=_("It is withdrawn already."))
    if from_date is not None and adjustment.to_date is not None and from_date > adjustment.to_date:
        text = _("It ends on {day} already.").format(day=plain_words(adjustment.to_date))
        return ActionOutcome(changed=False, message=text)
    _require_unused(session, adjustment, from_date)
    reason = Reason(ReasonKind.ADJUSTMENT_WITHDRAWN, {"person": person, "note": text})
    first = max(from_date or adjustment.from_date, adjustment.from_date)
    if first > adjustment.from_date:
        adjustment.to_date, adjustment.changed_at = first - timedelta(days=1), at
        session.flush()
        said = _("It ends on {day}.").format(day=plain_words(adjustment.to_date))
    else:
        repository.withdraw(adjustment, reason=reason, at=at)
        said = _("Withdrawn.")
    if adjustment.kind == AdjustmentKind.SKIP:
        _plan_again(session, repository, adjustment, first, reason, at=at)
    return ActionOutcome(changed=True, message=said)


def _require_unused(session: Session, adjustment: AdjustmentRow, from_date: date | None) -> None:
    query = (
        select(AdjustmentUse.state, Period.state, Period.issue_date, Period.invoice_id)
        .join(Period, Period.id == AdjustmentUse.period_id)
        .where(AdjustmentUse.adjustment_id == adjustment.id, AdjustmentUse.sequence == Period.reference_sequence)
    )
    if from_date is not None:
        query = query.where(Period.issue_date >= from_date)
    for use, state, issue_date, invoice_id in session.execute(query.order_by(Period.issue_date)):
        if use == "used" and state == PeriodState.ISSUED:
            raise NotPossible(
                _(
                    "Adjustment {id} is in invoice {invoice_id} of {day}: add a line that takes it back to the next "
                    "period, or cancel the invoice at the vendor and bill the period again."
                ).format(id=adjustment.id, invoice_id=invoice_id, day=plain_words(issue_date))
            )
        if use == "sending" and (rule_id := complement_rule(adjustment.key)) and adjustment.origin == COMPLEMENT:
            text = _(
                "Rule {rule_id} bills adjustment {id} by itself: delete that rule at the vendor; the next run sees it, "
                "then withdraw."
            )
            raise NotPossible(text.format(rule_id=rule_id, id=adjustment.id))
        if use == "sending" and state in (PeriodState.SUBMITTING, PeriodState.IN_DOUBT, PeriodState.ISSUED):
            text = _("Adjustment {id} is on its way to the vendor: try again when it has arrived.")
            raise NotPossible(text.format(id=adjustment.id))


def _plan_again(
    session: Session,
    repository: AdjustmentRepository,
    skip: AdjustmentRow,
    first: date,
    reason: Reason,
    *,
    at: datetime,
) -> None:
    """Plan again what a `skip` gave up, from a planned date on; what another one is for stays given up, by that one."""
    query = select(Period).where(
        Period.organization_id == skip.organization_id,
        Period.contract_id == skip.contract_id,
        Period.issue_date >= first,
        Period.state == PeriodState.CANCELLED,
        Period.reason_kind == ReasonKind.SKIPPED_BY_ADJUSTMENT,
    )
    given_up = [
        period
        for period in session.scalars(query.order_by(Period.id))
        if period.reason is not None and period.reason.facts.get("adjustment_id") == skip.id
    ]
    others = repository.skips([skip.contract_id])[skip.contract_id]
    periods = PeriodRepository(session, skip.organization_id, Actor(person=str(reason.facts["person"])))
    periods.replan(given_up, reason=Reason(ReasonKind.PLANNED_AGAIN, dict(reason.facts)), at=at)
    for period in given_up:
        held = (each.id for each in others if each.rule_id in (None, period.rule_id) and each.is_for(period.issue_date))
        other = repository.get(next(held, 0))
        if other is not None:
            periods.cancel([period], reason=_skipped_by(other), at=at, by=other.person)
