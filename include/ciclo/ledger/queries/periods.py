"""Periods for reading: lists, the grid of rules by month, one with all that is known of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import SETTLED, Reason, ReasonKind
from ciclo.ledger.queries.adjustments import AdjustmentRow, adjustments_of_period
from ciclo.ledger.queries.nfses import NfseFilter, NfseSeen, invoices_with_nfse, nfses_of
from ciclo.ledger.queries.paging import (
    MOST_ROWS,
    Listing,
    Page,
    PageRequest,
    Query,
    among_few,
    contains,
    has_more,
    not_at_rest,
)
from ciclo.ledger.queries.search import few_called
from ciclo.ledger.queries.trail import TrailEntry, trail_of
from ciclo.ledger.rows import among
from ciclo.ledger.tables import AuditEntry, Contract, Invoice, NotItsOwn, Period, Receivable, Rule, ScheduledUpdate

FOUND = 2_000
"""Rows that are counted and paged of those that have a text, where all are more than `MOST_ROWS`."""


@dataclass(frozen=True, slots=True)
class PeriodFilter:
    """What a list of periods is narrowed to; everything left out means all."""

    window: DateRange | None = None
    contract_id: int | None = None
    rule_id: int | None = None
    states: tuple[str, ...] = ()
    price_index: str | None = None
    text: str = ""
    reason_kind: str = ""
    nfse: NfseFilter | None = None
    """By the tax document of its invoice."""


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """A period in a list, with the names of its contract and rule. BRL."""

    id: int
    contract_id: int
    contract_name: str | None
    rule_id: int
    rule_title: str | None
    issue_date: date
    accrual_month: date
    first_due_date: date
    gross_value: Decimal | None
    state: str
    reason: Reason | None
    invoice_id: int | None
    attempts: int
    changed_at: datetime
    doubt_until: datetime | None


@dataclass(frozen=True, slots=True)
class InvoiceSeen:
    """The invoice of a period as last seen at the vendor."""

    invoice_id: int
    issue_date: date
    gross_value: Decimal
    state: str
    description: str | None
    reference: str | None
    adopted: bool
    seen_at: datetime
    gone_at: datetime | None
    fatura_url: str | None
    nfse_due: date | None


@dataclass(frozen=True, slots=True)
class ReceivableSeen:
    """One due date of an invoice as last seen at the vendor."""

    receivable_id: int
    due_date: date
    percentage: Decimal
    gross_value: Decimal
    state: str
    received_value: Decimal | None
    received_at: date | None
    finance_errors: str | None
    boleto_url: str | None


@dataclass(frozen=True, slots=True)
class PeriodPage:
    """Everything the ledger knows about one period."""

    period: PeriodRow
    parcel_number: int
    rule_version: int
    owner: str | None
    lease_until: datetime | None
    planned_by: str
    invoice: InvoiceSeen | None
    receivables: tuple[ReceivableSeen, ...]
    trail: tuple[TrailEntry, ...]
    adjustments: tuple[AdjustmentRow, ...]
    """What differs from its rule."""
    nfses: tuple[NfseSeen, ...]
    """The tax documents of its invoice, newest first."""
    refused_invoices: tuple[int, ...]
    """Invoices of which a person said here that they are not its own, and still says so."""


COLUMNS: tuple[Any, ...] = (
    Period.id,
    Period.contract_id,
    Contract.name,
    Period.rule_id,
    Rule.title,
    Period.issue_date,
    Period.accrual_month,
    Period.first_due_date,
    Period.gross_value,
    Period.state,
    Period.reason,
    Period.invoice_id,
    Period.attempts,
    Period.changed_at,
    Period.doubt_until,
)
SORTS: dict[str, Any] = {
    "issue_date": Period.issue_date,
    "contract": Contract.name,
    "rule": Rule.title,
    "due_date": Period.first_due_date,
    "gross_value": Period.gross_value,
    "state": Period.state,
    "invoice": Period.invoice_id,
    "changed": Period.changed_at,
}


def named(query: Query) -> Query:
    """Join the names of contract and rule to a query of periods."""
    return query.outerjoin(
        Contract,
        and_(Contract.organization_id == Period.organization_id, Contract.contract_id == Period.contract_id),
    ).outerjoin(Rule, and_(Rule.organization_id == Period.organization_id, Rule.rule_id == Period.rule_id))


def period_listing(
    session: Session, organization_id: int, wanted: PeriodFilter, *, oldest_first: bool = False
) -> Listing[PeriodRow]:
    """Return the organization's periods that match, as a list to page or export."""
    called, most = _called(session, organization_id, wanted.text, Period)
    conditions = [*_conditions(organization_id, wanted), *called]
    lean = select(Period.id).where(*conditions)

    def narrow(order: Sequence[ColumnElement[Any]], limit: int, offset: int) -> ColumnElement[bool]:
        return Period.id.in_(lean.order_by(*order).limit(limit).offset(offset).correlate(None))

    return Listing(
        lean=lean,
        rows=named(select(*COLUMNS)),
        conditions=conditions,
        build=PeriodRow,
        sorts=SORTS,
        key=(Period.id,),
        descending=not oldest_first,
        most=most,
        narrow=narrow,
    )


def period_page(session: Session, organization_id: int, period_id: int) -> PeriodPage | None:
    """Return one period with all that belongs to it, in seven statements, or None if there is no such period."""
    mine = Period.organization_id == organization_id
    extra = (Period.parcel_number, Period.rule_version, Period.owner, Period.lease_until, Period.planned_by)
    found = session.execute(named(select(*COLUMNS, *extra)).where(mine, Period.id == period_id)).one_or_none()
    if found is None:
        return None
    *row, parcels, version, owner, lease_until, planned_by = found
    period = PeriodRow(*row)
    invoice = _invoice(session, organization_id, period.invoice_id)
    due = receivables_of(session, organization_id, period.invoice_id)
    trail = trail_of(session, organization_id, "period", period_id)
    adjustments = adjustments_of_period(session, organization_id, period)
    nfses = nfses_of(session, organization_id, period.invoice_id)
    refused = refused_invoices(session, organization_id, period.rule_id, period_id)
    return PeriodPage(
        period,
        parcels,
        version,
        owner,
        lease_until,
        planned_by,
        invoice,
        due,
        trail,
        adjustments,
        nfses,
        refused,
    )


def refused_invoices(session: Session, organization_id: int, rule_id: int, period_id: int) -> tuple[int, ...]:
    """Return the invoices of which a person said on a period that they are not its own, and still says so."""
    said = select(AuditEntry.reason).where(
        AuditEntry.organization_id == organization_id,
        AuditEntry.subject == "period",
        AuditEntry.subject_id == period_id,
        AuditEntry.reason_kind == ReasonKind.NOT_ITS_OWN.value,
    )
    stated = [reason.facts.get("invoice_ids") for reason in session.scalars(said) if reason is not None]
    named = {int(each) for ids in stated if isinstance(ids, list | tuple) for each in ids}
    query = select(NotItsOwn.invoice_id).where(
        NotItsOwn.organization_id == organization_id,
        NotItsOwn.rule_id == rule_id,
        NotItsOwn.invoice_id.in_(named),
        NotItsOwn.withdrawn_at.is_(None),
    )
    return tuple(session.scalars(query.order_by(NotItsOwn.invoice_id))) if named else ()


def _conditions(organization_id: int, wanted: PeriodFilter) -> list[Any]:
    conditions: list[Any] = [
        Period.organization_id == organization_id
        if wanted.rule_id is None
        else among_few(Period.organization_id, organization_id)
    ]
    if wanted.window is not None:
        conditions += [Period.issue_date >= wanted.window.start, Period.issue_date < wanted.window.end]
    if wanted.contract_id is not None:
        conditions.append(Period.contract_id == wanted.contract_id)
    if wanted.rule_id is not None:
        conditions.append(Period.rule_id == wanted.rule_id)
    if wanted.states:
        conditions.append(Period.state.in_(wanted.states))
        if not SETTLED.intersection(wanted.states):
            conditions.append(not_at_rest())
    if wanted.reason_kind:
        conditions.append(Period.reason_kind == wanted.reason_kind)
    if wanted.nfse:
        conditions.append(Period.invoice_id.in_(invoices_with_nfse(organization_id, wanted.nfse)))
    if wanted.price_index:
        conditions.append(Period.rule_id.in_(rules_with_index(organization_id, wanted.price_index)))
    return conditions


def _called(
    session: Session, organization_id: int, text: str, of: type[Period | Rule]
) -> tuple[list[ColumnElement[bool]], int | None]:
    """Conditions on a row's contract and rule, the name of one of which contains a text; and how many rows are counted.

    None without a text, and where the organization's rows are not too many.
    Rows of few contracts or rules are looked up by their numbers; otherwise every row is asked for its own, in turn:
    to look for all that have the text beforehand may take PostgreSQL many minutes, where it needs but a page of rows.
    """
    if not text:
        return [], None
    conditions: list[ColumnElement[bool]] = []
    for column, key, name in (
        (of.contract_id, Contract.contract_id, Contract.name),
        (of.rule_id, Rule.rule_id, Rule.title),
    ):
        few = few_called(session, organization_id, key, name, text)
        if few is not None:
            conditions.append(among(column, few) if few else false())
        elif column is key:
            conditions.append(contains(name, text))
        else:
            own = select(name).where(key.class_.organization_id == organization_id, key == column).correlate(of)
            # PostgreSQL takes a subquery's text to be alike so rarely that it sorts all that are; not what may be null
            conditions.append(func.coalesce(contains(own.scalar_subquery(), text), false()))
    whole = select(of.organization_id).where(of.organization_id == organization_id)
    return [or_(*conditions)], FOUND if has_more(session, whole, MOST_ROWS) else None


def rules_with_index(organization_id: int, price_index: str) -> Select[int]:
    """Select the rules that follow a price index."""
    return select(ScheduledUpdate.rule_id).where(
        ScheduledUpdate.organization_id == organization_id,
        ScheduledUpdate.price_index == price_index,
        ScheduledUpdate.gone_at.is_(None),
    )


def _invoice(session: Session, organization_id: int, invoice_id: int | None) -> InvoiceSeen | None:
    if invoice_id is None:
        return None
    columns = (
        Invoice.invoice_id,
        Invoice.issue_date,
        Invoice.gross_value,
        Invoice.state,
        Invoice.description,
        Invoice.reference,
        Invoice.adopted,
        Invoice.seen_at,
        Invoice.gone_at,
        Invoice.fatura_url,
        Invoice.nfse_due,
    )
    wanted = Invoice.organization_id == organization_id, Invoice.invoice_id == invoice_id
    found = session.execute(select(*columns).where(*wanted)).one_or_none()
    return InvoiceSeen(*found) if found else None


def receivables_of(session: Session, organization_id: int, invoice_id: int | None) -> tuple[ReceivableSeen, ...]:
    """Return the receivables of an invoice, by due date."""
    if invoice_id is None:
        return ()
    query = (
        select(
            Receivable.receivable_id,
            Receivable.due_date,
            Receivable.percentage,
            Receivable.gross_value,
            Receivable.state,
            Receivable.received_value,
            Receivable.received_at,
            Receivable.finance_errors,
            Receivable.boleto_url,
        )
        .where(
            Receivable.organization_id == organization_id,
            Receivable.invoice_id == invoice_id,
            Receivable.gone_at.is_(None),
        )
        .order_by(Receivable.due_date, Receivable.receivable_id)
    )
    return tuple(ReceivableSeen(*row) for row in session.execute(query))


@dataclass(frozen=True, slots=True)
class GridFilter:
    """Which rules the grid shows: those with a period of some states, of a contract, with an index, with a text."""

    window: DateRange
    contract_id: int | None = None
    states: tuple[str, ...] = ()
    price_index: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class GridRule:
    """A rule at the head of a row."""

    rule_id: int
    title: str
    contract_id: int
    contract_name: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A period in a cell. BRL."""

    period_id: int
    issue_date: date
    state: str
    gross_value: Decimal | None


@dataclass(frozen=True, slots=True)
class GridRow:
    """A rule with its periods by first day of month."""

    rule: GridRule
    cells: dict[date, tuple[Mark, ...]]


def grid(
    session: Session, organization_id: int, wanted: GridFilter, request: PageRequest
) -> tuple[Page[GridRule], tuple[GridRow, ...]]:
    """Read one page of rules and all their periods in the window: three statements, two more for a text."""
    page = _listing(session, organization_id, wanted).page(session, request)
    cells = _cells(session, organization_id, [rule.rule_id for rule in page.rows], wanted.window)
    return page, tuple(GridRow(rule, cells.get(rule.rule_id, {})) for rule in page.rows)


def _listing(session: Session, organization_id: int, wanted: GridFilter) -> Listing[GridRule]:
    called, most = _called(session, organization_id, wanted.text, Rule)
    conditions = [*_grid_conditions(organization_id, wanted), *called]
    rows = (
        select(Rule.rule_id, Rule.title, Rule.contract_id, Contract.name)
        .outerjoin(
            Contract,
            and_(Contract.organization_id == Rule.organization_id, Contract.contract_id == Rule.contract_id),
        )
        .where(*conditions)
    )
    sorts: dict[str, Any] = {"contract": Contract.name, "rule": Rule.title}
    return Listing(
        lean=select(Rule.rule_id).where(*conditions),
        rows=rows,
        build=GridRule,
        sorts=sorts,
        key=(Rule.rule_id,),
        long_order=(Rule.contract_id, Rule.rule_id),
        most=most,
    )


def _grid_conditions(organization_id: int, wanted: GridFilter) -> list[Any]:
    conditions: list[Any] = [Rule.organization_id == organization_id]
    if wanted.contract_id is not None:
        conditions.append(Rule.contract_id == wanted.contract_id)
    if wanted.price_index:
        conditions.append(Rule.rule_id.in_(rules_with_index(organization_id, wanted.price_index)))
    if wanted.states:
        in_state = select(Period.rule_id).where(
            Period.organization_id == organization_id,
            Period.state.in_(wanted.states),
            Period.issue_date >= wanted.window.start,
            Period.issue_date < wanted.window.end,
        )
        settled = SETTLED.intersection(wanted.states)
        conditions.append(Rule.rule_id.in_(in_state if settled else in_state.where(not_at_rest())))
    return conditions


def _cells(
    session: Session, organization_id: int, rule_ids: Sequence[int], window: DateRange
) -> dict[int, dict[date, tuple[Mark, ...]]]:
    query = (
        select(Period.rule_id, Period.id, Period.issue_date, Period.state, Period.gross_value)
        .where(
            among_few(Period.organization_id, organization_id),
            Period.rule_id.in_(rule_ids),
            Period.issue_date >= window.start,
            Period.issue_date < window.end,
        )
        .order_by(Period.rule_id, Period.issue_date)
    )
    return _by_rule_and_month((row[0], Mark(*row[1:])) for row in session.execute(query))


def _by_rule_and_month(marks: Iterable[tuple[int, Mark]]) -> dict[int, dict[date, tuple[Mark, ...]]]:
    cells: dict[int, dict[date, tuple[Mark, ...]]] = {}
    for rule_id, mark in marks:
        row = cells.setdefault(rule_id, {})
        month = first_of_month(mark.issue_date)
        row[month] = (*row.get(month, ()), mark)
    return cells
