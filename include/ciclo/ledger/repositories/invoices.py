"""Invoices and receivables as last seen at the vendor."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from ciclo.domain.receivables import MadeBy
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.repositories.statements import Merge, upsert
from ciclo.ledger.tables import GeneratedRange, Invoice, NotItsOwn, Receivable

PERIOD_OF: dict[str, Merge] = {"period_id": func.coalesce, "adopted": or_, "made_by": func.coalesce}
"""A reading that knows no period of an invoice leaves the stored one, and who made it; an adopted one stays adopted."""

_IDS_AT_ONCE = 5000
"""Ids in one statement: databases limit its parameters."""


class InvoiceRepository:
    """The invoices of one organization."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def store(self, invoices: Sequence[Mapping[str, Any]], receivables: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update invoices with their receivables; a row without a period leaves a stored one's as it is."""
        self._session.flush()
        connection = self._session.connection()  # not as entities: nobody reads them here
        if invoices:
            connection.execute(upsert(self._session, Invoice, keep=["first_seen_at"], merge=PERIOD_OF), invoices)
        if receivables:
            connection.execute(upsert(self._session, Receivable, keep=["first_seen_at"]), receivables)

    def taken(self, invoice_ids: Collection[int]) -> set[int]:
        """Return those of `invoice_ids` that belong to a period already."""
        return {
            invoice_id
            for ids in _chunks(invoice_ids)
            for invoice_id in self._session.scalars(self._some(ids).where(Invoice.period_id.is_not(None)))
        }

    def makers(self, invoice_ids: Iterable[int]) -> dict[int, MadeBy]:
        """Return who made some invoices, as far as the ledger knows."""
        query = select(Invoice.invoice_id, Invoice.made_by).where(
            Invoice.organization_id == self._organization_id, Invoice.made_by.is_not(None)
        )
        rows = (
            row
            for ids in _chunks(invoice_ids)
            for row in self._session.execute(query.where(Invoice.invoice_id.in_(ids)))
        )
        return {row.invoice_id: MadeBy(row.made_by) for row in rows}

    def count(self, window: DateRange) -> int:
        """Return how many invoices with an issue date in the window the ledger knows."""
        query = select(func.count()).where(
            Invoice.organization_id == self._organization_id,
            Invoice.issue_date >= window.start,
            Invoice.issue_date < window.end,
        )
        return self._session.scalar(query) or 0

    def stamped(self, references: Mapping[int, str]) -> None:
        """Remember which reference some invoices carry now."""
        for invoice_id, reference in references.items():
            mine = Invoice.organization_id == self._organization_id, Invoice.invoice_id == invoice_id
            self._session.execute(update(Invoice).where(*mine).values(reference=reference))

    def not_own(self, rule_ids: Iterable[int]) -> dict[int, frozenset[int]]:
        """Return by rule the invoices of which a person said that they are not its own."""
        query = select(NotItsOwn.rule_id, NotItsOwn.invoice_id).where(
            NotItsOwn.organization_id == self._organization_id
        )
        found: dict[int, set[int]] = {}
        for ids in _chunks(rule_ids):
            for rule_id, invoice_id in self._session.execute(query.where(NotItsOwn.rule_id.in_(ids))):
                found.setdefault(rule_id, set()).add(invoice_id)
        return {rule_id: frozenset(ids) for rule_id, ids in found.items()}

    def remember_generated(
        self, seen: Mapping[int, DateRange], rule_ids: Iterable[int], *, at: datetime
    ) -> dict[int, DateRange]:
        """Return by rule the days for which the vendor has ever been seen to have generated; remember what is new.

        What was removed since is not forgotten. Flushes; the caller commits.

        Args:
            seen: by rule, from the first to the last planned date generated.
            rule_ids: the rules that are asked about, with those of `seen`.
            at: when.
        """
        query = select(GeneratedRange).where(GeneratedRange.organization_id == self._organization_id)
        rows = {
            row.rule_id: row
            for ids in _chunks(rule_ids)
            for row in self._session.scalars(query.where(GeneratedRange.rule_id.in_(ids)))
        }
        for rule_id, days in seen.items():
            row = rows.get(rule_id)
            if row is None:
                mine = {"organization_id": self._organization_id, "rule_id": rule_id}
                values = {**mine, "first_date": days.start, "last_date": days.last_day, "seen_at": at}
                self._session.execute(upsert(self._session, GeneratedRange), [values])
                rows[rule_id] = GeneratedRange(**values)
            elif days.start < row.first_date or days.last_day > row.last_date:
                row.first_date, row.last_date = min(days.start, row.first_date), max(days.last_day, row.last_date)
                row.seen_at = at
        self._session.flush()
        return {rule_id: DateRange.days(row.first_date, row.last_date) for rule_id, row in rows.items()}

    def within(self, window: DateRange) -> list[Invoice]:
        """Return the invoices with an issue date in the window, by id."""
        query = select(Invoice).where(
            Invoice.organization_id == self._organization_id,
            Invoice.issue_date >= window.start,
            Invoice.issue_date < window.end,
        )
        return list(self._session.scalars(query.order_by(Invoice.invoice_id)))

    def receivables_of(self, invoice_ids: Iterable[int]) -> dict[int, list[Receivable]]:
        """Return the receivables of some invoices, by due date."""
        query = select(Receivable).where(
            Receivable.organization_id == self._organization_id, Receivable.invoice_id.in_(list(invoice_ids))
        )
        found: dict[int, list[Receivable]] = {}
        for receivable in self._session.scalars(query.order_by(Receivable.due_date, Receivable.receivable_id)):
            found.setdefault(receivable.invoice_id, []).append(receivable)
        return found

    def _some(self, invoice_ids: Collection[int]) -> Select[int]:
        mine = Invoice.organization_id == self._organization_id, Invoice.invoice_id.in_(invoice_ids)
        return select(Invoice.invoice_id).where(*mine)


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    rows = sorted(set(ids))
    for start in range(0, len(rows), _IDS_AT_ONCE):
        yield rows[start : start + _IDS_AT_ONCE]
