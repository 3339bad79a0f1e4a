"""What reconciliation asks of the ledger: which invoices are not at rest, and what it knows of those just read.

The one rule: rows are asked for by the ids of a chunk, never one by one, so that the cost follows the pages read.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, select, update
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import AT_REST
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.ledger.tables import Contract, Invoice, Period, Receivable

IDS_AT_ONCE = 5000
"""Ids in one statement: SQLite and PostgreSQL both take more."""


@dataclass(slots=True)
class MonthOfInvoices:
    """How many invoices the ledger has of an issue month, and how many of them are not at rest."""

    invoices: int = 0
    open: int = 0


class ReconciliationRepository:
    """The invoices of one organization, seen from the vendor's side."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def months(self) -> dict[date, MonthOfInvoices]:
        """Return the issue months of the invoices that are still at the vendor, by first day."""
        is_open = case((Invoice.state.in_([state.value for state in AT_REST]), 0), else_=1)
        query = (
            select(Invoice.issue_date, func.count(), func.sum(is_open))
            .where(Invoice.organization_id == self._organization_id, Invoice.gone_at.is_(None))
            .group_by(Invoice.issue_date)
        )
        months: dict[date, MonthOfInvoices] = {}
        for issue_date, invoices, still_open in self._session.execute(query):
            month = months.setdefault(first_of_month(issue_date), MonthOfInvoices())
            month.invoices += invoices
            month.open += still_open
        return months

    def first_period_of_contracts(self) -> dict[int, date]:
        """Return the first issue date that the ledger knows of each contract: before it, Ciclo did not bill."""
        query = select(Period.contract_id, func.min(Period.issue_date)).where(
            Period.organization_id == self._organization_id
        )
        rows = self._session.execute(query.group_by(Period.contract_id))
        return {row[0]: row[1] for row in rows}

    def sellers(self) -> set[int]:
        """Return the contracts that the ledger knows."""
        query = select(Contract.contract_id).where(Contract.organization_id == self._organization_id)
        return set(self._session.scalars(query))

    def invoices(self, invoice_ids: Iterable[int]) -> dict[int, Invoice]:
        """Return some invoices by id."""
        found: dict[int, Invoice] = {}
        for ids in _chunks(invoice_ids):
            query = select(Invoice).where(Invoice.organization_id == self._organization_id, Invoice.invoice_id.in_(ids))
            found |= {invoice.invoice_id: invoice for invoice in self._session.scalars(query)}
        return found

    def receivables(self, invoice_ids: Iterable[int]) -> dict[int, list[Receivable]]:
        """Return the receivables of some invoices that are still at the vendor, by due date."""
        found: dict[int, list[Receivable]] = {}
        for ids in _chunks(invoice_ids):
            query = select(Receivable).where(
                Receivable.organization_id == self._organization_id, Receivable.invoice_id.in_(ids)
            )
            for receivable in self._session.scalars(query.order_by(Receivable.due_date, Receivable.receivable_id)):
                found.setdefault(receivable.invoice_id, []).append(receivable)
        return found

    def periods(self, period_ids: Iterable[int]) -> dict[int, Period]:
        """Return some periods by id."""
        found: dict[int, Period] = {}
        for ids in _chunks(period_ids):
            query = select(Period).where(Period.organization_id == self._organization_id, Period.id.in_(ids))
            found |= {period.id: period for period in self._session.scalars(query)}
        return found

    def periods_on(self, contract_ids: Iterable[int], days: Iterable[date]) -> list[Period]:
        """Return the periods of some contracts on some issue dates."""
        wanted = set(days)
        if not wanted:
            return []
        query = select(Period).where(
            Period.organization_id == self._organization_id,
            Period.issue_date >= min(wanted),
            Period.issue_date <= max(wanted),
        )
        contracts = set(contract_ids)
        rows = (
            row for ids in _chunks(contracts) for row in self._session.scalars(query.where(Period.contract_id.in_(ids)))
        )
        return [period for period in rows if period.issue_date in wanted]

    def present_ids(self, window: DateRange, contract_ids: Collection[int] = ()) -> set[int]:
        """Return the invoices with an issue date in the window that were at the vendor when last seen."""
        return set(self._session.scalars(self._within(window, contract_ids).where(Invoice.gone_at.is_(None))))

    def all_ids(self, window: DateRange, contract_ids: Collection[int] = ()) -> set[int]:
        """Return every invoice with an issue date in the window, those that are gone too."""
        return set(self._session.scalars(self._within(window, contract_ids)))

    def _within(self, window: DateRange, contract_ids: Collection[int]) -> Select[int]:
        query = select(Invoice.invoice_id).where(
            Invoice.organization_id == self._organization_id,
            Invoice.issue_date >= window.start,
            Invoice.issue_date < window.end,
        )
        return query.where(Invoice.contract_id.in_(contract_ids)) if contract_ids else query

    def gone(self, invoice_ids: Iterable[int]) -> list[Invoice]:
        """Return those of some invoices that are no longer at the vendor."""
        mine = Invoice.organization_id == self._organization_id, Invoice.gone_at.is_not(None)
        query = select(Invoice).where(*mine)
        return [
            row
            for ids in _chunks(invoice_ids)
            for row in self._session.scalars(query.where(Invoice.invoice_id.in_(ids)))
        ]

    def receivable_ids(self, invoice_ids: Iterable[int]) -> set[int]:
        """Return the receivables of some invoices, those that are gone too."""
        query = select(Receivable.receivable_id).where(Receivable.organization_id == self._organization_id)
        return {
            line
            for ids in _chunks(invoice_ids)
            for line in self._session.scalars(query.where(Receivable.invoice_id.in_(ids)))
        }

    def each(self, invoice_ids: Iterable[int]) -> Iterator[Invoice]:
        """Yield some invoices, some thousands at a time, without keeping them."""
        for ids in _chunks(invoice_ids):
            rows = list(self.invoices(ids).values())
            yield from rows
            for row in rows:
                self._session.expunge(row)

    def touch(self, invoice_ids: Sequence[int], at: datetime) -> None:
        """Say that invoices and their receivables were seen unchanged."""
        for ids in _chunks(invoice_ids):
            for table in (Invoice, Receivable):
                mine = and_(table.organization_id == self._organization_id, table.invoice_id.in_(ids))
                statement: Any = update(table).where(mine, table.gone_at.is_(None)).values(seen_at=at)
                self._session.execute(statement.execution_options(synchronize_session=False))

    def stand_in(self, period: Period, old_invoice_id: int | None, new_invoice_id: int, at: datetime) -> None:
        """Let an issued period have another invoice: its own is deleted or cancelled at the vendor."""
        rows = self.invoices([new_invoice_id, *([old_invoice_id] if old_invoice_id is not None else [])])
        if old_invoice_id is not None and old_invoice_id in rows:
            rows[old_invoice_id].period_id = None
            self._session.flush()  # a period has one invoice at any time
        new = rows[new_invoice_id]
        new.period_id, new.adopted = period.id, True
        period.invoice_id, period.changed_at = new_invoice_id, at
        self._session.flush()

    def unbilled(self, window: DateRange) -> list[Period]:
        """Return the window's periods that are not invoices, whatever their state."""
        query = select(Period).where(
            Period.organization_id == self._organization_id,
            Period.issue_date >= window.start,
            Period.issue_date < window.end,
            Period.state != PeriodState.ISSUED.value,
        )
        return list(self._session.scalars(query.order_by(Period.issue_date, Period.id)))


def _chunks(ids: Iterable[int]) -> list[list[int]]:
    rows = sorted(set(ids))
    return [rows[start : start + IDS_AT_ONCE] for start in range(0, len(rows), IDS_AT_ONCE)]
