"""Index values: a month's variation in per cent, and every revision of it. Shared by all organizations.

The one rule: a value is never changed. A different value for a known month is a further revision; the newest counts
for what is not applied yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ciclo.ledger.repositories.statements import insert_new
from ciclo.ledger.tables import IndexValue


@dataclass(frozen=True, slots=True)
class Revised:
    """A month of an index whose value was changed by its publisher after it was out."""

    price_index: str
    month: date
    first: Decimal
    newest: Decimal
    revisions: int


class IndexValueRepository:
    """The values of the price indices."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add values and return how many are new; a known revision of a month stays as it is."""
        if not rows:
            return 0
        statement = insert_new(self._session, IndexValue).returning(IndexValue.id)
        return len(self._session.connection().execute(statement, rows).all())

    def newest(self, price_index: str, *, since: date = date.min) -> dict[date, IndexValue]:
        """Return the newest revision of each month from `since` on, oldest month first."""
        query = select(IndexValue).where(IndexValue.price_index == price_index, IndexValue.month >= since)
        rows = self._session.scalars(query.order_by(IndexValue.month, IndexValue.revision))
        return {row.month: row for row in rows}

    def months(self) -> set[tuple[str, date]]:
        """Return every index and month that has a value."""
        query = select(IndexValue.price_index, IndexValue.month).distinct()
        return {(price_index, month) for price_index, month in self._session.execute(query)}

    def revised(self, price_index: str) -> list[Revised]:
        """Return the months of an index that have been revised, oldest first."""
        many = (
            select(IndexValue.month)
            .where(IndexValue.price_index == price_index)
            .group_by(IndexValue.month)
            .having(func.count() > 1)
        )
        query = select(IndexValue).where(IndexValue.price_index == price_index, IndexValue.month.in_(many))
        history: dict[date, list[Decimal]] = {}
        for row in self._session.scalars(query.order_by(IndexValue.month, IndexValue.revision)):
            history.setdefault(row.month, []).append(row.value)
        return [Revised(price_index, month, v[0], v[-1], len(v)) for month, v in history.items()]
