"""The audit trail: every change of state is added, nothing is ever changed or removed; what a run stopped, by it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from ciclo.domain.states import Reason
from ciclo.ledger.rows import insert_rows
from ciclo.ledger.tables import AuditEntry, Period, PriceUpdateExecution, reason_columns


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes the ledger: a task of a Dag run, or a person."""

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    person: str | None = None

    @property
    def label(self) -> str:
        """One line that names the actor, for `planned_by` and messages."""
        return self.person or "/".join(part for part in (self.dag_id, self.run_id, self.task_id) if part) or "unknown"


class Change(NamedTuple):
    """One change of state of one thing."""

    subject_id: int
    from_state: str | None
    to_state: str
    reason: Reason | str | None = None

    def columns(self) -> dict[str, Any]:
        """Return it as columns of the audit trail."""
        return {
            "subject_id": self.subject_id,
            "from_state": self.from_state,
            "to_state": self.to_state,
            **reason_columns(self.reason),
        }


class AuditRepository:
    """Adds to and reads the audit trail of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._actor = actor

    def record(self, subject: str, changes: Iterable[Change], at: datetime) -> None:
        """Add one entry a change, all at once."""
        common: dict[str, Any] = {
            "organization_id": self._organization_id,
            "at": at,
            "subject": subject,
            "dag_id": self._actor.dag_id,
            "run_id": self._actor.run_id,
            "task_id": self._actor.task_id,
            "map_index": self._actor.map_index,
            "person": self._actor.person,
        }
        rows = [common | change.columns() for change in changes]
        insert_rows(self._session, AuditEntry, rows)

    def trail(self, subject: str, subject_id: int) -> list[AuditEntry]:
        """Return what happened to one thing, oldest first."""
        query = select(AuditEntry).where(
            AuditEntry.organization_id == self._organization_id,
            AuditEntry.subject == subject,
            AuditEntry.subject_id == subject_id,
        )
        return list(self._session.scalars(query.order_by(AuditEntry.id)))


STOPPED = ("parked", "in_doubt")

Stoppable = type[Period] | type[PriceUpdateExecution]


class StoppedRepository:
    """What one organization's runs stopped."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def periods(self, run_id: str) -> list[Period]:
        """Return the periods that a run stopped, oldest issue date first."""
        mine = select(Period).where(Period.id.in_(self._ids("period", run_id)), *self._still(Period))
        return list(self._session.scalars(mine.order_by(Period.issue_date, Period.id)))

    def price_updates(self, run_id: str) -> list[PriceUpdateExecution]:
        """Return the price updates that a run stopped, in order of execution date."""
        stopped = PriceUpdateExecution.id.in_(self._ids("execution", run_id))
        query = select(PriceUpdateExecution).where(stopped, *self._still(PriceUpdateExecution))
        return list(self._session.scalars(query.order_by(PriceUpdateExecution.execution_date, PriceUpdateExecution.id)))

    def _ids(self, subject: str, run_id: str) -> Select[int]:
        return select(AuditEntry.subject_id).where(
            AuditEntry.organization_id == self._organization_id,
            AuditEntry.subject == subject,
            AuditEntry.run_id == run_id,
            AuditEntry.to_state.in_(STOPPED),
        )

    def _still(self, table: Stoppable) -> tuple[ColumnElement[bool], ...]:
        return table.organization_id == self._organization_id, table.state.in_(STOPPED)
