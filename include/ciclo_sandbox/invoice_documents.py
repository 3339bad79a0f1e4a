"""Invoices and their receivables: one document, and one row for each receivable that searches and payments need.

The rule: a receivable's row always says what its invoice's document says.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select

from ciclo_sandbox import casting
from ciclo_sandbox.answers import Json
from ciclo_sandbox.documents import Documents
from ciclo_sandbox.storage import INVOICES, RECEIVABLES

_BY_DATE: Final = (INVOICES.c.issue_date, INVOICES.c.id)


class InvoiceDocuments(Documents):
    """The invoices; `organization_of` tells a contract's organization."""

    def __init__(self, connection: Connection, organization_of: Callable[[int], int | None]) -> None:
        super().__init__(connection, INVOICES, self._invoice_columns)
        self._organization_of = organization_of
        self._insert_receivables = insert(RECEIVABLES)
        self._delete_receivables = delete(RECEIVABLES).where(RECEIVABLES.c.invoice_id == bindparam("number"))

    def add(self, document: Json) -> bytes:
        """Insert a new invoice and its receivables; return its answer."""
        self._add_receivables((document,))
        return super().add(document)

    def load(self, documents: Sequence[Json]) -> None:
        """Insert many invoices and their receivables."""
        super().load(documents)
        self._add_receivables(documents)

    def change(self, document: Json) -> bytes:
        """Write a changed invoice and its receivables; return its answer."""
        self._connection.execute(self._delete_receivables, {"number": document["id"]})
        self._add_receivables((document,))
        return super().change(document)

    def remove(self, number: int) -> None:
        """Delete an invoice and its receivables."""
        self._connection.execute(self._delete_receivables, {"number": number})
        super().remove(number)

    def page(self, conditions: Iterable[ColumnElement[bool]], *, page: int, per_page: int) -> tuple[int, list[bytes]]:
        """Return how many invoices meet the conditions, and the answers of one page of them, by issue date."""
        wanted = tuple(conditions)
        total = self._connection.scalar(select(func.count()).select_from(INVOICES).where(*wanted)) or 0
        offset = (page - 1) * per_page
        if offset >= total:
            return total, []
        ids = select(INVOICES.c.id).where(*wanted).order_by(*_BY_DATE).limit(per_page).offset(offset)
        return total, self.answers(INVOICES.c.id.in_(list(self._connection.scalars(ids))), order=_BY_DATE)

    def ids(self, *conditions: ColumnElement[bool]) -> list[int]:
        """Return the ids of the invoices that meet the conditions, by issue date."""
        query = select(INVOICES.c.id).where(*conditions).order_by(INVOICES.c.issue_date, INVOICES.c.id)
        return list(self._connection.scalars(query))

    def receivable_rows(self, *conditions: ColumnElement[bool]) -> list[tuple[int, int, str]]:
        """Return (receivable id, invoice id, ISO due date) of the receivables that meet the conditions, by due date."""
        columns = (RECEIVABLES.c.id, RECEIVABLES.c.invoice_id, RECEIVABLES.c.due_date)
        query = select(*columns).where(*conditions).order_by(RECEIVABLES.c.due_date, RECEIVABLES.c.id)
        return [(row.id, row.invoice_id, row.due_date) for row in self._connection.execute(query)]

    def _invoice_columns(self, invoice: Json) -> Json:
        return {
            "organization_id": self._organization_of(invoice["contract_id"]),
            "contract_id": invoice["contract_id"],
            "customer_id": invoice["customer_id"],
            "customer_type": invoice["customer_type"],
            "issue_date": casting.iso(casting.day(invoice["issue_date"])),
            "state": invoice["state"],
            "nfe_due": casting.iso(casting.day(invoice["automatic_nfe_issue_date"])),
        }

    def _add_receivables(self, invoices: Iterable[Json]) -> None:
        rows = [
            {
                "id": receivable["id"],
                "invoice_id": invoice["id"],
                "organization_id": self._organization_of(invoice["contract_id"]),
                "contract_id": invoice["contract_id"],
                "due_date": casting.iso(casting.day(receivable["due_date"])),
                "state": receivable["state"],
            }
            for invoice in invoices
            for receivable in invoice["receivables"]
        ]
        if rows:
            self._connection.execute(self._insert_receivables, rows)


def with_receivable(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that an invoice has one receivable that meets all of `conditions`."""
    return INVOICES.c.id.in_(select(RECEIVABLES.c.invoice_id).where(*conditions))


def past_due(today: date) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a receivable that is past due and unpaid on `today`."""
    return (RECEIVABLES.c.due_date < today.isoformat(), RECEIVABLES.c.state == "to_receive")
