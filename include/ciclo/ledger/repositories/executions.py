"""Executions of price updates: every change of their state, each with its audit entry.

The one rule: a change is one statement that names the state (and owner) it comes from. Whoever loses a race changes
nothing and is told so. Whoever calls commits: a claim counts only once it is committed, and only then may a PUT begin.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.states import EXECUTION_TRANSITIONS, IN_PRICES, UNSENT, ExecutionState, Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.periods import Scope
from ciclo.ledger.repositories.statements import insert_new
from ciclo.ledger.tables import Payload, PriceUpdateExecution, ScheduledUpdate, reason_columns

_S = ExecutionState


class ExecutionRepository:
    """The executions of price updates of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    # -- planning and changing -----------------------------------------------------------------------------------

    def ensure(self, scheduled: ScheduledUpdate, execution_date: date, *, policy: str, at: datetime) -> Any:
        """Return the execution of an update on a day; it is planned if it was never seen."""
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
        self._session.execute(insert_new(self._session, PriceUpdateExecution), [row])
        query = self._mine().where(
            PriceUpdateExecution.scheduled_update_id == scheduled.scheduled_update_id,
            PriceUpdateExecution.execution_date == execution_date,
        )
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
        changed = self._session.scalars(
            update(PriceUpdateExecution)
            .where(
                PriceUpdateExecution.id == execution.id,
                PriceUpdateExecution.organization_id == self._organization_id,
                PriceUpdateExecution.state == source.value,
                PriceUpdateExecution.owner.is_not_distinct_from(execution.owner),
            )
            .values(**(free | values), state=target.value, changed_at=at, **_kept_reason(target, reason))
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

    def in_state(self, *states: ExecutionState, scope: Scope | None = None) -> list[PriceUpdateExecution]:
        """Return the executions in some states, in order of execution date."""
        query = self._mine().where(PriceUpdateExecution.state.in_([state.value for state in states]))
        if scope is not None:
            query = query.where(*within_scope(PriceUpdateExecution, scope))
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
        """Return the executions of some rules, in order of execution date."""
        query = self._mine().where(PriceUpdateExecution.rule_id.in_(list(rule_ids)))
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


def executions_using(session: Session, price_index: str, months: Collection[date]) -> Sequence[PriceUpdateExecution]:
    """Return the executions, of every organization, whose prices rest on one of an index's months."""
    if not months:
        return []
    query = select(PriceUpdateExecution).where(
        PriceUpdateExecution.price_index == price_index,
        PriceUpdateExecution.state.in_([state.value for state in IN_PRICES]),
        PriceUpdateExecution.execution_date > min(months),
    )
    wanted = {f"{month:%Y-%m}" for month in months}
    rows = session.scalars(query.order_by(PriceUpdateExecution.id))
    return [row for row in rows if wanted & {used["month"] for used in (row.evidence or {}).get("months", ())}]


def within_scope(table: type[PriceUpdateExecution] | type[ScheduledUpdate], scope: Scope) -> list[ColumnElement[bool]]:
    """Return the conditions that keep a table's rows to a scope's contracts and shard (not to its window)."""
    conditions: list[ColumnElement[bool]] = []
    if scope.contract_ids:
        conditions.append(table.contract_id.in_(scope.contract_ids))
    if scope.shards > 1:
        conditions.append(table.contract_id % scope.shards == scope.shard)
    return conditions


def _kept_reason(target: ExecutionState, reason: Reason | str | None) -> dict[str, Any]:
    """Return the reason to show beside the state; a claim's and a success's stand in the trail only."""
    return reason_columns(None if target in (_S.SUBMITTING, _S.APPLIED) else reason)
