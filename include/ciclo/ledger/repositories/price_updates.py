"""Price updates: what is scheduled, and its executions with every change of their state and its audit entry.

A change of an execution is one statement that names the state (and owner) it comes from. Whoever loses a race changes
nothing and is told so. Whoever calls commits: a claim counts only once it is committed, and only then may a PUT begin.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.states import EXECUTION_TRANSITIONS, IN_PRICES, UNSENT, ExecutionState, Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.contracts import ACTIVE
from ciclo.ledger.repositories.scope import Scope
from ciclo.ledger.rows import insert_new_rows, upsert
from ciclo.ledger.tables import Contract, Payload, PriceUpdateExecution, Rule, ScheduledUpdate, reason_columns

_S = ExecutionState


class ExecutionRepository:
    """The executions of price updates of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    # -- planning and changing -----------------------------------------------------------------------------------

    def ensure(self, scheduled: ScheduledUpdate, execution_date: date, *, policy: str, at: datetime) -> Any:
        """Return the execution of an update on a day; it is planned if it was never seen.

        What another organization decided, or has sent, while it had the contract, is that execution: it is done once.
        """
        this_one = (
            PriceUpdateExecution.scheduled_update_id == scheduled.scheduled_update_id,
            PriceUpdateExecution.execution_date == execution_date,
        )
        elsewhere = select(PriceUpdateExecution).where(self._done_elsewhere(), *this_one)
        if (done := self._session.scalars(elsewhere.execution_options(populate_existing=True)).first()) is not None:
            return done
        row = {
            "organization_id": self._organization_id,
            "scheduled_update_id": scheduled.scheduled_update_id,
            "contract_id": scheduled.contract_id,
            "rule_id": scheduled.rule_id,
            "execution_date": execution_date,
            "state": _S.PLANNED.value,
            "price_index": scheduled.price_index,
            "policy": policy,
            "created_at": at,
            "changed_at": at,
        }
        insert_new_rows(self._session, PriceUpdateExecution, [row])
        query = self._mine().where(*this_one)
        return self._session.scalars(query.execution_options(populate_existing=True)).one()

    def claim(
        self, execution: PriceUpdateExecution, *, owner: str, lease_until: datetime, at: datetime, **values: Any
    ) -> bool:
        """Take an execution for `owner` with the proposal it will carry out; False if somebody else has it."""
        taken = {"owner": owner, "lease_until": lease_until, **values}
        return self.change(
            execution, _S.SUBMITTING, reason=Reason(ReasonKind.CLAIMED, {"owner": owner}), at=at, **taken
        )

    def change(
        self,
        execution: PriceUpdateExecution,
        target: ExecutionState,
        *,
        reason: Reason | str | None,
        at: datetime,
        **values: Any,
    ) -> bool:
        """Change an execution's state from the one it was read in; False if somebody else changed it meanwhile.

        Raises:
            IllegalTransition: naming both states and what would be legal.
        """
        source = _S(execution.state)
        if target not in EXECUTION_TRANSITIONS[source]:
            raise IllegalTransition("price update", source, target, sorted(EXECUTION_TRANSITIONS[source]))
        free = {"owner": None, "lease_until": None, "doubt_until": None}
        # the reason to show beside the state; a claim's and a success's stand in the trail only
        shown = reason_columns(None if target in (_S.SUBMITTING, _S.APPLIED) else reason)
        changed = self._session.scalars(
            update(PriceUpdateExecution)
            .where(
                PriceUpdateExecution.id == execution.id,
                PriceUpdateExecution.organization_id == self._organization_id,
                PriceUpdateExecution.state == source.value,
                PriceUpdateExecution.owner.is_not_distinct_from(execution.owner),
            )
            .values(**(free | values), state=target.value, changed_at=at, **shown)
            .returning(PriceUpdateExecution)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one_or_none()
        if changed is None:
            return False
        self._audit.record("execution", [Change(execution.id, source, target, reason)], at)
        return True

    def approve(
        self, execution: PriceUpdateExecution, *, person: str, at: datetime, reason: Reason | None = None
    ) -> None:
        """Record who approved a proposal; its hash says what was approved."""
        execution.approved_by, execution.approved_at = person, at
        self._session.flush()
        said = reason or Reason(ReasonKind.APPROVED, {"person": person, "hash": execution.proposal_hash})
        approved = Change(execution.id, _S.PROPOSED, _S.PROPOSED, said)
        self._audit.record("execution", [approved], at)

    def take_reminder(self, execution: PriceUpdateExecution, at: datetime) -> bool:
        """Mark an execution's reminder as sent; False if it was already."""
        statement = (
            update(PriceUpdateExecution)
            .where(PriceUpdateExecution.id == execution.id, PriceUpdateExecution.reminded_at.is_(None))
            .values(reminded_at=at)
            .returning(PriceUpdateExecution.id)
            .execution_options(synchronize_session=False)
        )
        return self._session.scalar(statement) is not None

    def give_reminder_back(self, execution_ids: Iterable[int]) -> None:
        """Mark reminders as not sent after all."""
        statement = (
            update(PriceUpdateExecution)
            .where(PriceUpdateExecution.id.in_(list(execution_ids)))
            .values(reminded_at=None)
            .execution_options(synchronize_session=False)
        )
        self._session.execute(statement)

    def add_evidence(self, execution: PriceUpdateExecution, more: Payload) -> None:
        """Add to an execution's evidence; what is there stays."""
        execution.evidence = {**(execution.evidence or {}), **more}
        self._session.flush()

    # -- finding -------------------------------------------------------------------------------------------------

    def get(self, execution_id: int) -> PriceUpdateExecution | None:
        """Return one execution, or None if the organization has no such one."""
        return self._session.scalar(self._mine().where(PriceUpdateExecution.id == execution_id))

    def some(self, execution_ids: Iterable[int]) -> list[PriceUpdateExecution]:
        """Return some executions by id, as they are in the ledger now."""
        query = self._mine().where(PriceUpdateExecution.id.in_(list(execution_ids))).order_by(PriceUpdateExecution.id)
        return list(self._session.scalars(query.execution_options(populate_existing=True)))

    def told(self, *, after: date) -> set[tuple[date, int]]:
        """Return day and update of the executions after a day that nobody is to be reminded of any more.

        They were told already, or decided, by this organization or by one that had the contract before.
        """
        decided = PriceUpdateExecution.state.not_in([state.value for state in UNSENT])
        query = select(PriceUpdateExecution.execution_date, PriceUpdateExecution.scheduled_update_id).where(
            self._known(),
            PriceUpdateExecution.execution_date > after,
            or_(decided, PriceUpdateExecution.reminded_at.is_not(None)),
        )
        return {(day, update_id) for day, update_id in self._session.execute(query)}

    def in_state(
        self, *states: ExecutionState, scope: Scope | None = None, since: datetime | None = None
    ) -> list[PriceUpdateExecution]:
        """Return the executions in some states, changed since an instant, in order of execution date."""
        query = self._mine().where(PriceUpdateExecution.state.in_([state.value for state in states]))
        if scope is not None:
            query = query.where(*within_scope(PriceUpdateExecution, scope))
        if since is not None:
            query = query.where(PriceUpdateExecution.changed_at >= since)
        order = PriceUpdateExecution.execution_date, PriceUpdateExecution.scheduled_update_id
        return list(self._session.scalars(query.order_by(*order).execution_options(populate_existing=True)))

    def unanswered(self, scope: Scope, now: datetime) -> list[PriceUpdateExecution]:
        """Return what must be settled: in doubt, or submitting under a lease that has run out."""
        expired = and_(PriceUpdateExecution.state == _S.SUBMITTING.value, PriceUpdateExecution.lease_until < now)
        lost = or_(PriceUpdateExecution.state == _S.IN_DOUBT.value, expired)
        query = self._mine().where(lost, *within_scope(PriceUpdateExecution, scope))
        order = PriceUpdateExecution.execution_date, PriceUpdateExecution.scheduled_update_id
        return list(self._session.scalars(query.order_by(*order).execution_options(populate_existing=True)))

    def of_rules(self, rule_ids: Iterable[int]) -> dict[int, list[PriceUpdateExecution]]:
        """Return the executions of some rules, those that another organization decided too, by execution date."""
        query = select(PriceUpdateExecution).where(self._known(), PriceUpdateExecution.rule_id.in_(list(rule_ids)))
        found: dict[int, list[PriceUpdateExecution]] = {}
        order = PriceUpdateExecution.execution_date, PriceUpdateExecution.scheduled_update_id
        for execution in self._session.scalars(query.order_by(*order).execution_options(populate_existing=True)):
            found.setdefault(execution.rule_id, []).append(execution)
        return found

    def strays(self, scope: Scope) -> list[PriceUpdateExecution]:
        """Return what is open and not sent, though its update is gone, has ended or executes on another day."""
        coming = (
            select(ScheduledUpdate.scheduled_update_id)
            .where(
                ScheduledUpdate.organization_id == PriceUpdateExecution.organization_id,
                ScheduledUpdate.scheduled_update_id == PriceUpdateExecution.scheduled_update_id,
                ScheduledUpdate.gone_at.is_(None),
                ScheduledUpdate.next_execution_date == PriceUpdateExecution.execution_date,
            )
            .correlate(PriceUpdateExecution)
            .exists()
        )
        unsent = PriceUpdateExecution.state.in_([state.value for state in UNSENT])
        query = self._mine().where(unsent, ~coming, *within_scope(PriceUpdateExecution, scope))
        return list(self._session.scalars(query.order_by(PriceUpdateExecution.id)))

    def _mine(self) -> Select[PriceUpdateExecution]:
        return select(PriceUpdateExecution).where(PriceUpdateExecution.organization_id == self._organization_id)

    def _known(self) -> ColumnElement[bool]:
        return or_(PriceUpdateExecution.organization_id == self._organization_id, self._done_elsewhere())

    def _done_elsewhere(self) -> ColumnElement[bool]:
        """Whether another organization, which had the contract before, has decided an execution or sent it."""
        states = PriceUpdateExecution.state.in_([state.value for state in (*IN_PRICES, _S.SUBMITTING, _S.IN_DOUBT)])
        skipped = and_(
            PriceUpdateExecution.state == _S.CANCELLED.value,
            PriceUpdateExecution.reason_kind == ReasonKind.SKIPPED.value,
        )
        return and_(PriceUpdateExecution.organization_id != self._organization_id, or_(states, skipped))


class UsedValue(NamedTuple):
    """A month's value of an index on which an execution's prices rest."""

    price_index: str
    month: date
    value: Decimal


def used_values(execution: PriceUpdateExecution) -> set[UsedValue]:
    """Return the values that an execution used: its own index's, a substitute's, those that a term compared with."""
    evidence = execution.evidence or {}
    steps = [*evidence.get("terms", ()), *(s for price in evidence.get("prices", ()) for s in price.get("terms", ()))]
    used = [(each.get("index") or execution.price_index, each) for each in evidence.get("months", ())]
    used += [(step["index"], each) for step in steps for each in step.get("months", ())]
    return {
        UsedValue(index, date.fromisoformat(f"{each['month'][:7]}-01"), Decimal(each["value"])) for index, each in used
    }


def executions_in_prices(session: Session, *, after: date) -> Sequence[PriceUpdateExecution]:
    """Return the executions, of every organization, that are in the prices and executed after a day."""
    query = select(PriceUpdateExecution).where(
        PriceUpdateExecution.state.in_([state.value for state in IN_PRICES]),
        PriceUpdateExecution.execution_date > after,
    )
    return session.scalars(query.order_by(PriceUpdateExecution.id)).all()


def within_scope(table: type[PriceUpdateExecution] | type[ScheduledUpdate], scope: Scope) -> list[ColumnElement[bool]]:
    """Return the conditions that keep a table's rows to a scope's contracts and shard (not to its window)."""
    conditions: list[ColumnElement[bool]] = []
    if scope.contract_ids:
        conditions.append(table.contract_id.in_(scope.contract_ids))
    if scope.shards > 1:
        conditions.append(table.contract_id % scope.shards == scope.shard)
    return conditions


class Schedule(NamedTuple):
    """When an update executes."""

    init_date: date
    month_quantity: int
    next_execution_date: date | None

    @classmethod
    def of(cls, row: ScheduledUpdate) -> "Schedule":
        """Take it from a row."""
        return cls(row.init_date, row.month_quantity, row.next_execution_date)


class ScheduledUpdateRepository:
    """The scheduled updates of one organization's rules."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update scheduled updates; where the ledger stands (`next_execution_date`) is kept."""
        upsert(self._session, ScheduledUpdate, rows, keep=["first_seen_at", "next_execution_date"])

    def of_rules(self, rule_ids: Iterable[int]) -> dict[int, list[ScheduledUpdate]]:
        """Return the scheduled updates of some rules that are still at the vendor, by id."""
        query = select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.rule_id.in_(list(rule_ids)),
            ScheduledUpdate.gone_at.is_(None),
        )
        found: dict[int, list[ScheduledUpdate]] = {}
        for scheduled in self._session.scalars(_fresh(query.order_by(ScheduledUpdate.scheduled_update_id))):
            found.setdefault(scheduled.rule_id, []).append(scheduled)
        return found

    def known(self, scheduled_update_ids: Iterable[int]) -> dict[int, Schedule]:
        """Return when some updates execute, by id: a snapshot that a later `store` does not change."""
        query = select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.scheduled_update_id.in_(list(scheduled_update_ids)),
        )
        return {row.scheduled_update_id: Schedule.of(row) for row in self._session.scalars(_fresh(query))}

    def mark_gone(self, rule_ids: Iterable[int], present: Collection[int], at: datetime) -> None:
        """Mark the rules' scheduled updates that are not in `present` as gone."""
        for updates in self.of_rules(rule_ids).values():
            for scheduled in updates:
                if scheduled.scheduled_update_id not in present:
                    scheduled.gone_at = at
        self._session.flush()

    def get(self, scheduled_update_id: int) -> ScheduledUpdate | None:
        """Return one update, also one that is gone, or None if the organization has no such one."""
        query = select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.scheduled_update_id == scheduled_update_id,
        )
        return self._session.scalar(_fresh(query))

    def due(self, on: date, scope: Scope) -> list[ScheduledUpdate]:
        """Return the scope's updates with a next execution up to `on` (its window aside), by execution date."""
        query = self._coming(scope).where(ScheduledUpdate.next_execution_date <= on)
        order = ScheduledUpdate.next_execution_date, ScheduledUpdate.rule_id, ScheduledUpdate.scheduled_update_id
        return list(self._session.scalars(_fresh(query.order_by(*order))))

    def without_rule(self, scope: Scope) -> list[ScheduledUpdate]:
        """Return the scope's updates with a next execution whose rule or contract is gone or no longer billed."""
        rule_is_there = and_(
            Rule.organization_id == ScheduledUpdate.organization_id,
            Rule.rule_id == ScheduledUpdate.rule_id,
            Rule.gone_at.is_(None),
        )
        contract_is_active = and_(
            Contract.organization_id == ScheduledUpdate.organization_id,
            Contract.contract_id == ScheduledUpdate.contract_id,
            Contract.gone_at.is_(None),
            Contract.state == ACTIVE,
        )
        billed = exists().where(rule_is_there).correlate(ScheduledUpdate)
        active = exists().where(contract_is_active).correlate(ScheduledUpdate)
        query = self._coming(scope).where(or_(~billed, ~active))
        return list(self._session.scalars(_fresh(query)))

    def move(self, scheduled_update_id: int, *, expected: date | None, to: date | None) -> bool:
        """Let an update's next execution be another day; False if it is no longer the `expected` one."""
        statement = (
            update(ScheduledUpdate)
            .where(
                ScheduledUpdate.organization_id == self._organization_id,
                ScheduledUpdate.scheduled_update_id == scheduled_update_id,
                ScheduledUpdate.next_execution_date.is_not_distinct_from(expected),
            )
            .values(next_execution_date=to)
            .returning(ScheduledUpdate.scheduled_update_id)
            .execution_options(synchronize_session=False)
        )
        return self._session.scalar(statement) is not None

    def _coming(self, scope: Scope) -> Select[ScheduledUpdate]:
        return select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.gone_at.is_(None),
            ScheduledUpdate.next_execution_date.is_not(None),
            *within_scope(ScheduledUpdate, scope),
        )


def _fresh(query: Select[ScheduledUpdate]) -> Select[ScheduledUpdate]:
    """Read rows as they are now: updates are stored and moved by statements that the session's objects do not see."""
    return query.execution_options(populate_existing=True)
