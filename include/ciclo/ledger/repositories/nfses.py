"""Tax documents as last seen at the vendor, by the invoices that they belong to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.receivables import InvoiceState
from ciclo.ledger.database import in_parts, upsert
from ciclo.ledger.tables import Invoice, Nfse, Period

BILLED = (InvoiceState.TO_RECEIVE.value, InvoiceState.RECEIVED.value)


@dataclass(frozen=True, slots=True)
class TaxedInvoice:
    """A billed invoice that is to have a tax document, and those that it has. BRL."""

    invoice_id: int
    contract_id: int
    rule_id: int | None
    issue_date: date
    """Its period's; the planned date of an invoice that belongs to none."""
    gross_value: Decimal
    nfse_due: date | None
    """None where it waits for the money."""
    nfse_issued: bool
    """What the invoice says itself."""
    documents: tuple[Nfse, ...]


class NfseRepository:
    """The tax documents of one organization."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update tax documents. Flushes; the caller commits."""
        if rows:
            self._session.connection().execute(upsert(self._session, Nfse), rows)

    def newest_change(self) -> datetime | None:
        """Return when the vendor last changed one of those that are known; None where none is."""
        query = select(func.max(Nfse.changed_at_vendor)).where(Nfse.organization_id == self._organization_id)
        return self._session.scalar(query)

    def taxed(self, invoice_ids: Iterable[int]) -> Iterator[TaxedInvoice]:
        """Yield those of some invoices that are billed and are to have a tax document, or have one."""
        mine = Nfse.organization_id == self._organization_id
        has_one = exists().where(mine, Nfse.invoice_id == Invoice.invoice_id)
        query = (
            select(
                Invoice.invoice_id, Invoice.contract_id, Period.rule_id,
                func.coalesce(Period.issue_date, Invoice.planned_date),
                Invoice.gross_value, Invoice.nfse_due, Invoice.nfse_issued,
            )
            .outerjoin(Period, Period.id == Invoice.period_id)
            .where(
                Invoice.organization_id == self._organization_id,
                Invoice.state.in_(BILLED),
                Invoice.gone_at.is_(None),
                or_(Invoice.nfse_wanted, has_one),
            )
        )  # fmt: skip
        for ids in in_parts(sorted(set(invoice_ids))):
            rows: Sequence[Any] = self._session.execute(query.where(Invoice.invoice_id.in_(ids))).all()
            documents: dict[int, list[Nfse]] = {}
            of_these = mine, Nfse.invoice_id.in_([row.invoice_id for row in rows])
            for document in self._session.scalars(select(Nfse).where(*of_these).order_by(Nfse.nfse_id)) if rows else ():
                documents.setdefault(document.invoice_id, []).append(document)
            for row in rows:
                yield TaxedInvoice(*(*row, tuple(documents.get(row.invoice_id, ()))))
