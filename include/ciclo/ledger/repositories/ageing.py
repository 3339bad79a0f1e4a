"""What is owed, by contract and by month of issue, and how long money took to come.

The one rule: lateness is as of a day that the caller names; the ledger stores due dates and receipts, never ages.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from ciclo.domain.receivables import ReceivableState
from ciclo.ledger.tables import Invoice, Receivable


class OwedSum(NamedTuple):
    """Receivables of a contract that were issued on a day, fall due on another and are not received. BRL."""

    contract_id: int
    issue_date: date
    due_date: date
    receivables: int
    amount: Decimal


class ReceivedSum(NamedTuple):
    """Receivables of a contract that were issued on a day and received on another. BRL."""

    contract_id: int
    issue_date: date
    received_at: date
    receivables: int
    amount: Decimal


class AgeingRepository:
    """The receivables of one organization, summed up."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def owed(self) -> list[OwedSum]:
        """Return what is issued and not received, by contract, issue date and due date."""
        group = Receivable.contract_id, Invoice.issue_date, Receivable.due_date
        query = (
            select(*group, func.count(), func.sum(Receivable.gross_value))
            .join(Invoice, self._same_invoice())
            .where(*self._at_vendor(ReceivableState.TO_RECEIVE))
            .group_by(*group)
        )
        return [OwedSum(*row) for row in self._session.execute(query)]

    def received(self) -> list[ReceivedSum]:
        """Return what came in, by contract, issue date and day of receipt."""
        group = Receivable.contract_id, Invoice.issue_date, Receivable.received_at
        query = (
            select(*group, func.count(), func.sum(func.coalesce(Receivable.received_value, Receivable.gross_value)))
            .join(Invoice, self._same_invoice())
            .where(*self._at_vendor(ReceivableState.RECEIVED), Receivable.received_at.is_not(None))
            .group_by(*group)
        )
        rows = self._session.execute(query)
        return [ReceivedSum(row[0], row[1], row[2], row[3], row[4]) for row in rows if row[2] is not None]

    @staticmethod
    def _same_invoice() -> ColumnElement[bool]:
        return and_(Invoice.organization_id == Receivable.organization_id, Invoice.invoice_id == Receivable.invoice_id)

    def _at_vendor(self, state: ReceivableState) -> tuple[ColumnElement[bool], ...]:
        return (
            Receivable.organization_id == self._organization_id,
            Receivable.state == state.value,
            Receivable.gone_at.is_(None),
        )
