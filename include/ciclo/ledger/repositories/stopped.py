"""What a run stopped for a person: the periods and price updates that it parked or left in doubt.

The one rule: only what is still stopped, and only by this run, so that nobody is told twice of the same thing.
"""

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from ciclo.ledger.tables import AuditEntry, Period, PriceUpdateExecution

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
