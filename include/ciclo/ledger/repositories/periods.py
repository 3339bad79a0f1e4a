"""Periods: planning, claiming and every change of their state, each with its audit entry.

The claim is one atomic statement. On PostgreSQL it skips rows that another run is claiming; on SQLite the transaction
holds the write lock. Whoever calls commits: a claim counts only once it is committed, and only then may a POST begin.

Every other change is a comparison first: a period that somebody else has moved since it was read is left alone, so
that a run which lost its claim cannot undo what came after it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session

from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind, as_reason, check_transition
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.scope import Scope, contract_unread, quantities_missing, update_unsettled
from ciclo.ledger.rows import among, in_parts, insert_new_rows, update_rows
from ciclo.ledger.tables import (
    Invoice,
    Period,
    PlannedInvoice,
    reason_columns,
)


class PlannedPeriod(NamedTuple):
    """A planned period as it was read: which one, of which rule, on which day, and how often it had been sent."""

    period_id: int
    attempts: int
    issue_date: date
    contract_id: int
    rule_id: int


@dataclass(frozen=True, slots=True)
class Issued:
    """What became of a period that is an invoice now."""

    period_id: int
    invoice_id: int
    gross_value: Decimal
    from_state: str
    reason: Reason | str | None = None


@dataclass(slots=True)
class StateCount:
    """How many periods are in a state, and what they amount to in BRL."""

    periods: int = 0
    amount: Decimal = field(default_factory=lambda: Decimal("0.00"))


class PeriodRepository:
    """The periods of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._actor = actor
        self._audit = AuditRepository(session, organization_id, actor)

    # -- planning ------------------------------------------------------------------------------------------------

    def plan(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add planned periods and return how many are new; one with the same rule and issue date stays as it is."""
        in_order = sorted(rows, key=itemgetter("rule_id", "issue_date"))  # as `upsert` does, by what is unique
        columns = [{**row, **reason_columns(row.get("reason"))} for row in in_order]
        for row in columns:
            row.pop("reason", None)
        return insert_new_rows(self._session, Period, columns)

    def take_over(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Plan what another organization gave up when it lost the contract to this one; return how many.

        Args:
            rows: as for `plan`, of rules that this organization has just read.
        """
        wanted = {(row["rule_id"], row["issue_date"]): row for row in rows}
        query = select(Period).where(
            among(Period.rule_id, {rule_id for rule_id, _ in wanted}),
            Period.organization_id != self._organization_id,
            Period.state == PeriodState.CANCELLED,
            Period.cancelled_by.is_(None),
        )
        given_up = self._session.scalars(query.execution_options(populate_existing=True)).all()
        found = [each for each in given_up if (each.rule_id, each.issue_date) in wanted]
        for period in found:
            row = wanted[period.rule_id, period.issue_date]
            for name in row.keys() - {"state", "reason", "attempts", "created_at"}:
                setattr(period, name, row[name])
            self._session.flush()
            facts = {"contract_id": period.contract_id, "rule_id": period.rule_id}
            self.replan([period], reason=Reason(ReasonKind.CALLED_FOR_AGAIN, facts), at=row["changed_at"])
            if row["state"] == PeriodState.PARKED:
                self.park([period], reason=row["reason"], at=row["changed_at"])
        return len(found)

    def of_rules(self, rule_ids: Iterable[int], window: DateRange) -> list[Period]:
        """Return the periods of some rules in a window, by rule and issue date."""
        query = self._mine().where(among(Period.rule_id, rule_ids), *_within(window))
        return list(self._session.scalars(query.order_by(Period.rule_id, Period.issue_date)))

    def of_contracts(self, contract_ids: Iterable[int], window: DateRange) -> list[Period]:
        """Return the periods of some contracts in a window that are not given up, as they are in the ledger now."""
        wanted = sorted(contract_ids)
        alive = *_within(window), Period.state != PeriodState.CANCELLED
        found: list[Period] = []
        for part in in_parts(wanted):
            query = self._mine().where(among(Period.contract_id, part), *alive)
            found += self._session.scalars(query.execution_options(populate_existing=True))
        return found

    def follow_terms(self, terms: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """Let periods that were never sent follow the terms of their rule: version, months, due dates, estimate.

        Args:
            terms: by period, the columns to set; all with the same names.
        """
        if not terms:
            return
        names = list(terms[0][1])
        unsent = (PeriodState.PLANNED, PeriodState.WAITING, PeriodState.PARKED)
        mine = self._belongs(), Period.id == bindparam("id_"), or_(*(Period.state == state.value for state in unsent))
        statement = update(Period).where(*mine).values({name: bindparam(f"{name}_") for name in names})
        rows = [{"id_": period_id, **{f"{name}_": value for name, value in row.items()}} for period_id, row in terms]
        self._session.flush()
        self._session.connection().execute(statement, rows)

    def issued_since(self, since: Mapping[int, datetime], today: date) -> list[Period]:
        """Return the periods of some rules that were issued after an instant, given by rule.

        So are those that were issued ahead of a day after that instant and before today: nothing was read on it.
        """
        found: list[Period] = []
        days = {rule_id: at.astimezone(SAO_PAULO).date() for rule_id, at in since.items()}
        for part in in_parts(sorted(since)):
            missed = (Period.issue_date > min(days.values())) & (Period.issue_date < today)
            query = self._mine().where(
                Period.rule_id.in_(part),
                Period.state == PeriodState.ISSUED,
                or_(Period.changed_at > min(since.values()), missed),
            )
            found += [
                each
                for each in self._session.scalars(query)
                if each.changed_at > since[each.rule_id] or days[each.rule_id] < each.issue_date < today
            ]
        return found

    def issued_ahead(self, today: date, scope: Scope) -> list[Period]:
        """Return the periods of a shard with an invoice, still `to_emit`, made before the day they are planned for.

        They are planned for `today` or a later day: the price of today counts for today's, too.
        """
        made_before = or_(Period.issue_date > today, Period.changed_at < datetime.combine(today, time.min, SAO_PAULO))
        to_emit = exists().where(
            Invoice.organization_id == Period.organization_id,
            Invoice.invoice_id == Period.invoice_id,
            Invoice.state == InvoiceState.TO_EMIT,
            Invoice.gone_at.is_(None),
        )
        from_today = replace(scope, window=DateRange(today, date.max))
        query = self._mine().where(*self._due(from_today), Period.state == PeriodState.ISSUED, made_before, to_emit)
        return list(self._session.scalars(query.order_by(Period.issue_date, Period.id)))

    def corrected(self, period: Period, gross_value: Decimal, version: int, *, reason: Reason, at: datetime) -> None:
        """Remember that a period's invoice follows other terms of its rule now. Flushes."""
        period.gross_value, period.rule_version = gross_value, version
        period.reason, period.changed_at = reason, at
        self._session.add(period)
        self._session.flush()
        self._audit.record("period", [Change(period.id, period.state, period.state, reason)], at)

    def open_contracts(self, scope: Scope) -> list[int]:
        """Return the contracts that have something planned, or waiting, in a scope."""
        query = select(Period.contract_id).where(
            *self._due(scope), Period.state.in_([PeriodState.PLANNED.value, PeriodState.WAITING.value])
        )
        return list(self._session.scalars(query.distinct()))

    # -- the protocol --------------------------------------------------------------------------------------------

    def claim_planned(
        self, looked_for: Sequence[PlannedPeriod], *, owner: str, lease_until: datetime, at: datetime
    ) -> list[Period]:
        """Take those periods for `owner` that are still `planned` and were not sent since they were looked for.

        `planned` becomes `submitting`. A period waits while an update of its rule with an execution date up to its
        planned date is not settled, and while quantities that its rule waits for have not come.
        """
        if not looked_for:
            return []
        by_attempts: dict[int, list[int]] = {}
        for each in looked_for:
            by_attempts.setdefault(each.attempts, []).append(each.period_id)
        unmoved = or_(*((Period.attempts == times) & among(Period.id, ids) for times, ids in by_attempts.items()))
        settled = ~update_unsettled(), ~quantities_missing(), ~contract_unread()
        wanted = self._belongs(), Period.state == PeriodState.PLANNED, unmoved, *settled
        free = select(Period.id).where(*wanted).with_for_update(skip_locked=True)
        return self._take(free, owner=owner, lease_until=lease_until, at=at)

    def claim_these(
        self, period_ids: Iterable[int], *, owner: str, lease_until: datetime, at: datetime
    ) -> list[Period]:
        """Take those of `period_ids` that are still `planned`, whatever they wait for: nothing is sent for them."""
        wanted = self._belongs(), Period.state == PeriodState.PLANNED, among(Period.id, period_ids)
        free = select(Period.id).where(*wanted).with_for_update(skip_locked=True)
        return self._take(free, owner=owner, lease_until=lease_until, at=at)

    def _take(self, free: Select[int], *, owner: str, lease_until: datetime, at: datetime) -> list[Period]:
        # MATERIALIZED: PostgreSQL may run a plain subquery once a row, and then its LIMIT is no limit
        once = free.cte("free").prefix_with("MATERIALIZED", dialect="postgresql")
        statement = (
            update(Period)
            .where(Period.id.in_(select(once.c.id)), Period.state == PeriodState.PLANNED)
            .values(
                state=PeriodState.SUBMITTING.value,
                owner=owner,
                lease_until=lease_until,
                attempts=Period.attempts + 1,
                reason_kind=None,
                reason_facts=None,
                changed_at=at,
            )
            .returning(Period)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        claimed = Reason(ReasonKind.CLAIMED, {"owner": owner})
        taken = sorted(self._session.scalars(statement), key=lambda period: (period.issue_date, period.id))
        self._audit.record(
            "period",
            (Change(period.id, PeriodState.PLANNED, PeriodState.SUBMITTING, claimed) for period in taken),
            at,
        )
        return taken

    def issued(self, outcomes: Sequence[Issued], *, at: datetime) -> set[int]:
        """Record periods that are invoices now, whether created or adopted, and return the ids of those.

        One that has moved on since it was sent (its lease ran out and another run settled it) is not among them. One
        that another run has put in doubt meanwhile is: an answer ends every doubt.
        """
        for source in {outcome.from_state for outcome in outcomes}:
            check_transition(PeriodState(source), PeriodState.ISSUED)
        mine = self._belongs(), among(Period.id, [outcome.period_id for outcome in outcomes])
        locked = select(Period.id, Period.state).where(*mine).order_by(Period.id).with_for_update()
        current = {row.id: row.state for row in self._session.execute(locked)}
        sent = (PeriodState.SUBMITTING, PeriodState.IN_DOUBT)
        held = [outcome for outcome in outcomes if current.get(outcome.period_id) in sent]
        become: dict[str, Any] = {"state": PeriodState.ISSUED.value, "changed_at": at, **reason_columns(None)}
        become |= {"owner": None, "lease_until": None, "doubt_until": None}
        rows = [{"id": o.period_id, "invoice_id": o.invoice_id, "gross_value": o.gross_value} for o in held]
        update_rows(self._session, Period, [row | become for row in rows])
        changes = (Change(o.period_id, current[o.period_id], PeriodState.ISSUED, o.reason) for o in held)
        self._audit.record("period", changes, at)
        return {outcome.period_id for outcome in held}

    def doubt(
        self, periods: Iterable[Period], *, reason: Reason, until: datetime, at: datetime, answer_lost: bool = False
    ) -> list[Period]:
        """Mark what may have been sent; before `until` its absence at the vendor proves nothing.

        Args:
            periods: those of a claim.
            reason: why.
            until: end of the grace period.
            at: when.
            answer_lost: whether something was sent, or may have been: the second time is for a person.
        """
        doubtful = self._change(periods, PeriodState.IN_DOUBT, reason=reason, at=at, doubt_until=until)
        for period in doubtful:
            period.lost_answers += answer_lost
        self._session.flush()
        return doubtful

    def park(self, periods: Iterable[Period], *, reason: Reason | str, at: datetime) -> list[Period]:
        """Stop periods for a person."""
        return self._change(periods, PeriodState.PARKED, reason=reason, at=at)

    def wait(self, periods: Iterable[Period], *, reason: Reason | str, at: datetime) -> list[Period]:
        """Let planned periods wait for a price update."""
        return self._change(periods, PeriodState.WAITING, reason=reason, at=at)

    def replan(self, periods: Iterable[Period], *, reason: Reason | str, at: datetime) -> list[Period]:
        """Put periods back to `planned`: they certainly are not at the vendor, or a person released them."""
        return self._change(periods, PeriodState.PLANNED, reason=reason, at=at)

    def bill_again(self, period: Period, *, reason: Reason, at: datetime) -> None:
        """Plan an issued period anew, with a reference of its own; its invoice stays in the ledger without a period."""
        check_transition(PeriodState(period.state), PeriodState.PLANNED)
        mine = Invoice.organization_id == self._organization_id, Invoice.period_id == period.id
        self._session.execute(update(Invoice).where(*mine).values(period_id=None))
        period.invoice_id, period.reference_sequence = None, period.reference_sequence + 1
        period.state, period.reason, period.changed_at = PeriodState.PLANNED.value, reason, at
        self._session.flush()
        self._audit.record("period", [Change(period.id, PeriodState.ISSUED, PeriodState.PLANNED, reason)], at)

    def cancel(
        self, periods: Iterable[Period], *, reason: Reason | str, at: datetime, by: str | None = None
    ) -> list[Period]:
        """Give periods up.

        Args:
            periods: planned or parked ones.
            reason: why.
            at: when.
            by: the person, or the run whose policy left them out; default: the person who acts, else nobody: they are
                planned again when their rule calls for them.
        """
        cancelled = self._change(periods, PeriodState.CANCELLED, reason=reason, at=at)
        for period in cancelled:
            period.cancelled_by = by or self._actor.person
        self._session.flush()
        return cancelled

    def _change(
        self,
        periods: Iterable[Period],
        target: PeriodState,
        *,
        reason: Reason | str,
        at: datetime,
        doubt_until: datetime | None = None,
    ) -> list[Period]:
        """Change those of `periods` that are still as they were read, and return them."""
        read = {period.id: (period.state, period.attempts) for period in periods}
        for state, _ in read.values():
            check_transition(PeriodState(state), target)
        unmoved = [period for period in self._locked(read) if (period.state, period.attempts) == read[period.id]]
        changes = [Change(period.id, period.state, target, reason) for period in unmoved]
        for period in unmoved:
            period.state, period.reason, period.changed_at = target.value, as_reason(reason), at
            period.owner, period.lease_until, period.doubt_until, period.cancelled_by = None, None, doubt_until, None
        self._session.flush()
        self._audit.record("period", changes, at)
        return unmoved

    def _locked(self, period_ids: Iterable[int]) -> Iterator[Period]:
        """Yield some periods as they are in the ledger now; nobody else changes them before the commit."""
        wanted = sorted(period_ids)  # everybody locks in the same order: no deadlocks
        for part in in_parts(wanted):
            query = self._mine().where(Period.id.in_(part)).order_by(Period.id)
            fresh = query.with_for_update().execution_options(populate_existing=True)
            yield from self._session.scalars(fresh).all()

    # -- finding -------------------------------------------------------------------------------------------------

    def get(self, period_id: int) -> Period | None:
        """Return one period, or None if the organization has no such one."""
        return self._session.scalar(self._mine().where(Period.id == period_id))

    def in_state(self, *states: PeriodState, scope: Scope | None = None) -> list[Period]:
        """Return the periods in some states, oldest issue date first."""
        query = self._mine().where(Period.state.in_([state.value for state in states]))
        if scope is not None:
            query = query.where(*self._due(scope))
        return list(self._session.scalars(query.order_by(Period.issue_date, Period.id)))

    def planned(self, scope: Scope) -> list[PlannedPeriod]:
        """Return what is planned of contracts that could be read, oldest issue date first, without loading it."""
        query = select(Period.id, Period.attempts, Period.issue_date, Period.contract_id, Period.rule_id)
        query = query.where(*self._due(scope), Period.state == PeriodState.PLANNED, ~contract_unread())
        return [PlannedPeriod(*row) for row in self._session.execute(query.order_by(Period.issue_date, Period.id))]

    def decided_before(self, scope: Scope, decisions: Collection[ReasonKind]) -> list[Period]:
        """Return what is planned for one of some reasons before a scope's first day, oldest issue date first."""
        before = replace(scope, window=DateRange(date.min, scope.window.start))
        kinds = Period.reason_kind.in_([kind.value for kind in decisions])
        query = self._mine().where(*self._due(before), Period.state == PeriodState.PLANNED, kinds)
        return list(self._session.scalars(query.order_by(Period.issue_date, Period.id)))

    def some(self, period_ids: Iterable[int]) -> list[Period]:
        """Return some periods as they are in the ledger now, oldest issue date first."""
        wanted = list(period_ids)
        found: list[Period] = []
        for part in in_parts(wanted):
            query = self._mine().where(among(Period.id, part))
            found += self._session.scalars(query.execution_options(populate_existing=True))
        return sorted(found, key=lambda period: (period.issue_date, period.id))

    def unanswered(self, scope: Scope, now: datetime) -> list[Period]:
        """Return what must be settled: in doubt, or submitting under a lease that has run out."""
        expired = (Period.state == PeriodState.SUBMITTING) & (Period.lease_until < now)
        query = self._mine().where(*self._due(scope), or_(Period.state == PeriodState.IN_DOUBT, expired))
        return list(self._session.scalars(query.order_by(Period.issue_date, Period.id)))

    def held_back(self, scope: Scope) -> list[Period]:
        """Return the planned periods that wait: for a price update up to their issue date, or for their quantities."""
        waits = or_(update_unsettled(), quantities_missing())
        query = self._mine().where(*self._due(scope), Period.state == PeriodState.PLANNED, waits)
        return list(self._session.scalars(query))

    def free_again(self, scope: Scope) -> list[Period]:
        """Return the waiting periods whose rule's price updates are settled by now, and whose quantities have come."""
        waits_no_more = ~update_unsettled(), ~quantities_missing()
        query = self._mine().where(*self._due(scope), Period.state == PeriodState.WAITING, *waits_no_more)
        return list(self._session.scalars(query))

    def totals(self, scope: Scope) -> dict[PeriodState, StateCount]:
        """Return number and amount of the scope's periods by state; states without any are there with zero."""
        query = select(Period.state, func.count(), func.sum(Period.gross_value)).where(*self._due(scope))
        totals = {state: StateCount() for state in PeriodState}
        for state, periods, amount in self._session.execute(query.group_by(Period.state)):
            totals[PeriodState(state)] = StateCount(periods, amount or Decimal("0.00"))
        return totals

    def _mine(self) -> Select[Period]:
        return select(Period).where(self._belongs())

    def _belongs(self) -> ColumnElement[bool]:
        return Period.organization_id == self._organization_id

    def _due(self, scope: Scope) -> list[ColumnElement[bool]]:
        conditions = [self._belongs(), *_within(scope.window)]
        if scope.contract_ids:
            conditions.append(Period.contract_id.in_(scope.contract_ids))
        if scope.shards > 1:
            conditions.append(Period.contract_id % scope.shards == scope.shard)
        if scope.plan_id is not None:
            billed = PlannedInvoice.plan_id == scope.plan_id, PlannedInvoice.left_out.is_(False)
            conditions.append(Period.id.in_(select(PlannedInvoice.period_id).where(*billed)))
        if scope.rule_ids:
            conditions.append(Period.rule_id.in_(scope.rule_ids))
        return conditions


def _within(window: DateRange) -> list[ColumnElement[bool]]:
    return [Period.issue_date >= window.start, Period.issue_date < window.end]
