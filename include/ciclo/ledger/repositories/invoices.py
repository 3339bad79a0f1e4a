"""Invoices and receivables as last seen at the vendor; what is owed, and how long money took to come.

Rows are asked for by the ids of a part, never one by one, so that the cost follows the pages read. Lateness is as of a
day that the caller names: due dates and receipts are stored, ages never.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import AT_REST
from ciclo.domain.receivables import InvoiceState, MadeBy
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.rows import Merge, among, in_parts, upsert
from ciclo.ledger.tables import Contract, GeneratedRange, Invoice, Nfse, NotItsOwn, Period, Receivable


def _moved_from(given: Column[date | None], stored: Column[date | None]) -> ColumnElement[date | None]:
    read, known = given.table.c.planned_date, stored.table.c.planned_date
    return case((read != known, func.coalesce(stored, known)), else_=stored)


KEPT: dict[str, Merge] = {
    "period_id": func.coalesce,
    "adopted": or_,
    "made_by": func.coalesce,
    "moved_from": _moved_from,
}
"""A reading that knows no period of an invoice leaves the stored one, and who made it; an adopted one stays adopted.
Where the planned date is another one, the first is kept."""


class InvoiceRepository:
    """The invoices of one organization."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def store(self, invoices: Sequence[Mapping[str, Any]], receivables: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update invoices with their receivables; a row without a period leaves a stored one's as it is."""
        upsert(self._session, Invoice, invoices, keep=["first_seen_at"], merge=KEPT)
        upsert(self._session, Receivable, receivables, keep=["first_seen_at"])

    def taken(self, invoice_ids: Collection[int]) -> set[int]:
        """Return those of `invoice_ids` that belong to a period already."""
        query = select(Invoice.invoice_id).where(
            Invoice.organization_id == self._organization_id, Invoice.period_id.is_not(None)
        )
        return {
            invoice_id
            for ids in in_parts(sorted(set(invoice_ids)))
            for invoice_id in self._session.scalars(query.where(among(Invoice.invoice_id, ids)))
        }

    def makers(self, invoice_ids: Iterable[int]) -> dict[int, MadeBy]:
        """Return who made some invoices, as far as the ledger knows."""
        query = select(Invoice.invoice_id, Invoice.made_by).where(
            Invoice.organization_id == self._organization_id, Invoice.made_by.is_not(None)
        )
        rows = (
            row
            for ids in in_parts(sorted(set(invoice_ids)))
            for row in self._session.execute(query.where(among(Invoice.invoice_id, ids)))
        )
        return {row.invoice_id: MadeBy(row.made_by) for row in rows}

    def with_reference(self, references: Collection[str], contract_ids: Collection[int]) -> set[str]:
        """Return which of some references an invoice of some contracts carries, be it gone by now."""
        query = select(Invoice.reference).where(
            Invoice.organization_id == self._organization_id, Invoice.reference.in_(references)
        )
        parts = in_parts(sorted(contract_ids))
        found = (row for ids in parts for row in self._session.scalars(query.where(among(Invoice.contract_id, ids))))
        return {row for row in found if row is not None}

    def unowned(self, contract_ids: Collection[int], window: DateRange) -> list[Invoice]:
        """Return the invoices of some contracts, planned in a window at first or now, that were never a period's.

        Those that were removed are among them.
        """
        query = select(Invoice).where(
            Invoice.organization_id == self._organization_id,
            Invoice.period_id.is_(None),
            Invoice.made_by.is_(None),
            Invoice.reference.is_(None),
            or_(
                and_(Invoice.planned_date >= window.start, Invoice.planned_date < window.end),
                and_(Invoice.moved_from >= window.start, Invoice.moved_from < window.end),
            ),
        )
        return [
            row
            for ids in in_parts(sorted(contract_ids))
            for row in self._session.scalars(query.where(among(Invoice.contract_id, ids)))
        ]

    def billed_before(self, contract_ids: Collection[int], window: DateRange) -> list[Invoice]:
        """Return the invoices of some contracts, no period's and planned in a window, that were billed before."""
        query = select(Invoice).where(
            Invoice.organization_id == self._organization_id,
            Invoice.period_id.is_(None),
            Invoice.gone_at.is_(None),
            Invoice.planned_date >= window.start,
            Invoice.planned_date < window.end,
            Invoice.issue_date < Invoice.planned_date,
        )
        return [
            row
            for ids in in_parts(sorted(contract_ids))
            for row in self._session.scalars(query.where(among(Invoice.contract_id, ids)))
        ]

    def count(self, window: DateRange, *, at_most: int) -> int:
        """Return how many invoices with an issue date in the window the ledger knows; no more than that are counted."""
        some = select(Invoice.invoice_id).where(
            Invoice.organization_id == self._organization_id,
            Invoice.issue_date >= window.start,
            Invoice.issue_date < window.end,
        )
        query = select(func.count()).select_from(some.limit(at_most).subquery())
        return self._session.scalar(query) or 0

    def stamped(self, references: Mapping[int, str]) -> None:
        """Remember which reference some invoices carry now."""
        for invoice_id, reference in references.items():
            mine = Invoice.organization_id == self._organization_id, Invoice.invoice_id == invoice_id
            self._session.execute(update(Invoice).where(*mine).values(reference=reference))

    def not_own(self, rule_ids: Iterable[int]) -> dict[int, frozenset[int]]:
        """Return by rule the invoices of which a person said that they are not its own."""
        query = select(NotItsOwn.rule_id, NotItsOwn.invoice_id).where(
            NotItsOwn.organization_id == self._organization_id, NotItsOwn.withdrawn_at.is_(None)
        )
        found: dict[int, set[int]] = {}
        for ids in in_parts(sorted(set(rule_ids))):
            for rule_id, invoice_id in self._session.execute(query.where(among(NotItsOwn.rule_id, ids))):
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
            for ids in in_parts(sorted(set(rule_ids)))
            for row in self._session.scalars(query.where(among(GeneratedRange.rule_id, ids)))
        }
        for rule_id, days in seen.items():
            row = rows.get(rule_id)
            if row is None:
                mine = {"organization_id": self._organization_id, "rule_id": rule_id}
                values = {**mine, "first_date": days.start, "last_date": days.last_day, "seen_at": at}
                upsert(self._session, GeneratedRange, [values])
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
        for ids in in_parts(sorted(set(invoice_ids))):
            query = select(Invoice).where(Invoice.organization_id == self._organization_id, Invoice.invoice_id.in_(ids))
            found |= {invoice.invoice_id: invoice for invoice in self._session.scalars(query)}
        return found

    def receivables(self, invoice_ids: Iterable[int]) -> dict[int, list[Receivable]]:
        """Return the receivables of some invoices, by due date; those that are gone too."""
        found: dict[int, list[Receivable]] = {}
        for ids in in_parts(sorted(set(invoice_ids))):
            query = select(Receivable).where(
                Receivable.organization_id == self._organization_id, Receivable.invoice_id.in_(ids)
            )
            for receivable in self._session.scalars(query.order_by(Receivable.due_date, Receivable.receivable_id)):
                found.setdefault(receivable.invoice_id, []).append(receivable)
        return found

    def periods(self, period_ids: Iterable[int]) -> dict[int, Period]:
        """Return some periods by id."""
        found: dict[int, Period] = {}
        for ids in in_parts(sorted(set(period_ids))):
            query = select(Period).where(Period.organization_id == self._organization_id, Period.id.in_(ids))
            found |= {period.id: period for period in self._session.scalars(query)}
        return found

    def present_ids(self, window: DateRange, contract_ids: Collection[int] = ()) -> set[int]:
        """Return the invoices issued or planned in the window that were at the vendor when last seen."""
        return set(self._session.scalars(self._within(window, contract_ids).where(Invoice.gone_at.is_(None))))

    def all_ids(self, window: DateRange, contract_ids: Collection[int] = ()) -> set[int]:
        """Return every invoice issued or planned in the window, those that are gone too."""
        return set(self._session.scalars(self._within(window, contract_ids)))

    def _within(self, window: DateRange, contract_ids: Collection[int]) -> Select[int]:
        query = select(Invoice.invoice_id).where(
            Invoice.organization_id == self._organization_id,
            or_(
                and_(Invoice.issue_date >= window.start, Invoice.issue_date < window.end),
                and_(Invoice.planned_date >= window.start, Invoice.planned_date < window.end),
            ),
        )
        return query.where(Invoice.contract_id.in_(contract_ids)) if contract_ids else query

    def gone(self, invoice_ids: Iterable[int]) -> list[Invoice]:
        """Return those of some invoices that are no longer at the vendor."""
        mine = Invoice.organization_id == self._organization_id, Invoice.gone_at.is_not(None)
        query = select(Invoice).where(*mine)
        return [
            row
            for ids in in_parts(sorted(set(invoice_ids)))
            for row in self._session.scalars(query.where(Invoice.invoice_id.in_(ids)))
        ]

    def receivable_ids(self, invoice_ids: Iterable[int]) -> set[int]:
        """Return the receivables of some invoices, those that are gone too."""
        query = select(Receivable.receivable_id).where(Receivable.organization_id == self._organization_id)
        return {
            line
            for ids in in_parts(sorted(set(invoice_ids)))
            for line in self._session.scalars(query.where(Receivable.invoice_id.in_(ids)))
        }

    def each(self, invoice_ids: Iterable[int]) -> Iterator[Invoice]:
        """Yield some invoices, some thousands at a time, without keeping them."""
        for ids in in_parts(sorted(set(invoice_ids))):
            rows = list(self.invoices(ids).values())
            yield from rows
            for row in rows:
                self._session.expunge(row)

    def touch(self, invoice_ids: Sequence[int], at: datetime) -> None:
        """Say that invoices and their receivables were seen unchanged."""
        for ids in in_parts(sorted(set(invoice_ids))):
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
        upsert(self._session, Nfse, rows)

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
            rows: Sequence[Any] = self._session.execute(query.where(among(Invoice.invoice_id, ids))).all()
            documents: dict[int, list[Nfse]] = {}
            of_these = mine, Nfse.invoice_id.in_([row.invoice_id for row in rows])
            for document in self._session.scalars(select(Nfse).where(*of_these).order_by(Nfse.nfse_id)) if rows else ():
                documents.setdefault(document.invoice_id, []).append(document)
            for row in rows:
                yield TaxedInvoice(*(*row, tuple(documents.get(row.invoice_id, ()))))
