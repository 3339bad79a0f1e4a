"""Closed months: every attempt with its report, and what a closed month held.

The one rule: a month that was closed once stays the measure of later changes, until it is closed anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.tables import ClosedInvoice, MonthClosing

IDS_AT_ONCE = 5000
ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class AsClosed:
    """An invoice as its month was closed. BRL."""

    invoice_id: int
    contract_id: int
    month: date
    gross_value: Decimal
    cancelled: bool


class ClosingRepository:
    """The closed months of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._actor = actor
        self._audit = AuditRepository(session, organization_id, actor)

    def record(
        self, month: date, *, closed: bool, report: Mapping[str, Any], held: Sequence[Mapping[str, Any]], at: datetime
    ) -> MonthClosing:
        """Add an attempt to close a month; `held` is what a closed month's invoices were.

        Args:
            month: first day of the month.
            closed: whether the proof held.
            report: what the attempt found.
            held: rows of `ClosedInvoice` without `closing_id`; kept only if `closed`.
            at: when.
        """
        before = self.last_attempt(month)
        attempt = MonthClosing(
            organization_id=self._organization_id,
            billing_month=month,
            closed=closed,
            report=dict(report),
            run_id=self._actor.run_id,
            created_at=at,
        )
        self._session.add(attempt)
        self._session.flush()
        if closed:
            self._hold(attempt.id, held)
        was = None if before is None else _word(closed=before.closed)
        change = Change(attempt.id, was, _word(closed=closed), f"{month:%m/%Y}: {report.get('verdict', '')}")
        self._audit.record("month", [change], at)
        return attempt

    def _hold(self, closing_id: int, held: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(held), ROWS_AT_ONCE):
            rows = [{"closing_id": closing_id, **row} for row in held[start : start + ROWS_AT_ONCE]]
            self._session.execute(insert(ClosedInvoice), rows)

    def last_attempt(self, month: date) -> MonthClosing | None:
        """Return the newest attempt to close a month."""
        query = select(MonthClosing).where(
            MonthClosing.organization_id == self._organization_id, MonthClosing.billing_month == month
        )
        return self._session.scalar(query.order_by(MonthClosing.id.desc()).limit(1))

    def closed_months(self) -> dict[date, int]:
        """Return the months that were closed, with the newest attempt that closed each."""
        query = select(MonthClosing.billing_month, func.max(MonthClosing.id)).where(
            MonthClosing.organization_id == self._organization_id, MonthClosing.closed.is_(True)
        )
        rows = self._session.execute(query.group_by(MonthClosing.billing_month))
        return {row[0]: row[1] for row in rows}

    def as_closed(self, invoice_ids: Iterable[int]) -> dict[int, AsClosed]:
        """Return how some invoices stood when their month was closed; one of an open month is not there."""
        months = {closing_id: month for month, closing_id in self.closed_months().items()}
        if not months:
            return {}
        wanted = sorted(set(invoice_ids))
        found: dict[int, AsClosed] = {}
        for start in range(0, len(wanted), IDS_AT_ONCE):
            query = select(ClosedInvoice).where(
                ClosedInvoice.closing_id.in_(months), ClosedInvoice.invoice_id.in_(wanted[start : start + IDS_AT_ONCE])
            )
            for row in self._session.scalars(query):
                found[row.invoice_id] = AsClosed(
                    row.invoice_id, row.contract_id, months[row.closing_id], row.gross_value, row.cancelled
                )
        return found


def _word(*, closed: bool) -> str:
    return "closed" if closed else "not closed"
