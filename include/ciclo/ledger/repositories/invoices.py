"""Invoices and receivables as last seen at the vendor."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.ledger.repositories.statements import Merge, upsert
from ciclo.ledger.tables import Invoice, NotItsOwn, Receivable

PERIOD_OF: dict[str, Merge] = {"period_id": func.coalesce, "adopted": or_}
"""A reading that knows no period of an invoice leaves the stored one; an adopted invoice stays adopted."""


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
        query = select(Invoice.invoice_id).where(
            Invoice.organization_id == self._organization_id,
            Invoice.invoice_id.in_(list(invoice_ids)),
            Invoice.period_id.is_not(None),
        )
        return set(self._session.scalars(query))

    def not_its_own(self, invoice_ids: Collection[int]) -> set[tuple[int, int]]:
        """Return of which of `invoice_ids` a person said that it is not a rule's own: (invoice, rule)."""
        query = select(NotItsOwn.invoice_id, NotItsOwn.rule_id).where(
            NotItsOwn.organization_id == self._organization_id, NotItsOwn.invoice_id.in_(list(invoice_ids))
        )
        return {(row.invoice_id, row.rule_id) for row in self._session.execute(query)}

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
