"""Closed months: the newest attempt to close each, and every attempt with its report."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ciclo.ledger.queries.paging import Listing, counted
from ciclo.ledger.tables import MonthClosing, Payload


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One attempt to close a month, with its report."""

    id: int
    billing_month: date
    closed: bool
    run_id: str | None
    created_at: datetime
    report: Payload


_COLUMNS: tuple[Any, ...] = (
    MonthClosing.id,
    MonthClosing.billing_month,
    MonthClosing.closed,
    MonthClosing.run_id,
    MonthClosing.created_at,
    MonthClosing.report,
)


def closing_listing(organization_id: int) -> Listing[ClosingRow]:
    """Return the newest attempt of each month, newest month first."""
    newest = (
        select(func.max(MonthClosing.id))
        .where(MonthClosing.organization_id == organization_id)
        .group_by(MonthClosing.billing_month)
    )
    rows = select(*_COLUMNS).where(MonthClosing.id.in_(newest))
    sorts: dict[str, Any] = {"month": MonthClosing.billing_month, "at": MonthClosing.created_at}
    return Listing(
        count=counted(rows), rows=rows, build=ClosingRow, sorts=sorts, key=(MonthClosing.id,), descending=True
    )


def closings_of(session: Session, organization_id: int, month: date) -> tuple[ClosingRow, ...]:
    """Return every attempt to close a month, newest first."""
    query = (
        select(*_COLUMNS)
        .where(MonthClosing.organization_id == organization_id, MonthClosing.billing_month == month)
        .order_by(MonthClosing.id.desc())
    )
    return tuple(ClosingRow(*row) for row in session.execute(query))
