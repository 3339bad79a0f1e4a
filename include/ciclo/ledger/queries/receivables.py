"""Receivables: what is owed and since when, what came in and how fast.

`late` is no stored state; everything about lateness is as of a day that the caller names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.receivables import AgeingBucket, ReceivableState, days_late, earliest_due_dates
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.queries.months import Share
from ciclo.ledger.queries.paging import Listing, Query, contains, days_between
from ciclo.ledger.tables import Contract, Invoice, Receivable, ReceivableSum

NOT_CANCELLED = "not_cancelled"
"""Every state but cancelled, where one may be asked for."""
LATE = "late"
"""Every ageing bucket but what is not due, where one may be asked for."""


@dataclass(frozen=True, slots=True)
class ReceivableFilter:
    """Which receivables: of a state, in an ageing bucket as of `today`, of a contract, refused for finance."""

    today: date
    state: str | None = None
    """A state, or `NOT_CANCELLED`."""
    bucket: str | None = None
    """A bucket, or `LATE`."""
    contract_id: int | None = None
    refused: bool = False
    text: str = ""
    due: DateRange | None = None
    issued: DateRange | None = None
    """By the issue date of their invoices."""
    on_time: bool = False
    """Received, on the due date or before."""


@dataclass(frozen=True, slots=True)
class ReceivableRow:
    """A receivable in a list. BRL."""

    receivable_id: int
    invoice_id: int
    contract_id: int
    contract_name: str | None
    due_date: date
    gross_value: Decimal
    state: str
    received_at: date | None
    received_value: Decimal | None
    finance_errors: str | None
    period_id: int | None
    boleto_url: str | None
    days_late: int


@dataclass(frozen=True, slots=True)
class CollectedMonth:
    """What was due in a month and what became of it; days are means from issue to receipt, where both are known."""

    month: date
    due: Share
    received: Share
    received_on_time: int
    days_to_receive: Decimal | None


_OWED = tuple(state.value for state in ReceivableState if state != ReceivableState.CANCELLED)
_OF_INVOICE = and_(Invoice.organization_id == Receivable.organization_id, Invoice.invoice_id == Receivable.invoice_id)
SORTS: dict[str, Any] = {
    "due_date": Receivable.due_date,
    "contract": Contract.name,
    "invoice": Receivable.invoice_id,
    "gross_value": Receivable.gross_value,
    "state": Receivable.state,
    "received_at": Receivable.received_at,
}


def ageing(session: Session, organization_id: int, today: date) -> dict[AgeingBucket, Share]:
    """Open receivables (issued, not received) by bucket as of `today`: one statement over the sums by day."""
    edges = earliest_due_dates(today).items()
    day = ReceivableSum.due_date
    bucket = case(*((day >= edge, name.value) for name, edge in edges), else_=AgeingBucket.OVER_90_DAYS)
    query = (
        select(bucket, func.sum(ReceivableSum.receivables), func.sum(ReceivableSum.gross_value))
        .where(
            ReceivableSum.organization_id == organization_id,
            ReceivableSum.state == ReceivableState.TO_RECEIVE.value,
        )
        .group_by(bucket)
    )
    shares = {name: Share() for name in AgeingBucket}
    for name, count, amount in session.execute(query):
        shares[AgeingBucket(name)] = Share(int(count), amount)
    return shares


def days_to_receive(session: Session, organization_id: int) -> Decimal | None:
    """Mean days from issue to receipt of all that came in, to one decimal; None if nothing did. One statement."""
    query = select(func.sum(ReceivableSum.timed), func.sum(ReceivableSum.days)).where(
        ReceivableSum.organization_id == organization_id, ReceivableSum.state == ReceivableState.RECEIVED.value
    )
    count, days = session.execute(query).one()
    return _mean(int(days or 0), int(count or 0))


def collected(session: Session, organization_id: int, window: DateRange) -> tuple[CollectedMonth, ...]:
    """What was due in each month of the window and how much of it came in, how fast; one statement."""
    table = ReceivableSum
    sums = table.receivables, table.gross_value, table.on_time, table.timed, table.days
    query = (
        select(ReceivableSum.due_date, ReceivableSum.state, *map(func.sum, sums))
        .where(
            ReceivableSum.organization_id == organization_id,
            ReceivableSum.state.in_(_OWED),
            ReceivableSum.due_date >= window.start,
            ReceivableSum.due_date < window.end,
        )
        .group_by(ReceivableSum.due_date, ReceivableSum.state)
        .having(func.sum(ReceivableSum.receivables) > 0)
    )
    months: dict[date, _Collected] = {}
    for day, state, *figures in session.execute(query):
        month = first_of_month(day)
        months[month] = months.get(month, _NOTHING) + _Collected.read(state, *figures)
    return tuple(
        CollectedMonth(month, sums.due, sums.received, sums.on_time, _mean(sums.days, sums.timed))
        for month, sums in sorted(months.items())
    )


def receivable_sums() -> Query:
    """Select what `receivable_sums` holds, of one writer, by adding up every receivable of every organization."""
    days = days_between(Receivable.received_at, Receivable.issue_date)
    key = (
        Receivable.organization_id,
        Receivable.state,
        Receivable.due_date,
        func.coalesce(Receivable.issue_date, literal(date.min)).label("issue_date"),
    )
    return (
        select(
            *key,
            literal(0).label("writer"),
            func.count().label("receivables"),
            func.sum(Receivable.gross_value).label("gross_value"),
            func.sum(case((Receivable.received_at <= Receivable.due_date, 1), else_=0)).label("on_time"),
            func.count(days).label("timed"),
            func.coalesce(func.sum(days), 0).label("days"),
        )
        .where(Receivable.gone_at.is_(None))
        .group_by(*key)
    )


def receivable_listing(organization_id: int, wanted: ReceivableFilter) -> Listing[ReceivableRow]:
    """Return the organization's receivables that match, as a list to page or export."""
    conditions = _conditions(organization_id, wanted)
    of_contract = and_(
        Contract.organization_id == Receivable.organization_id, Contract.contract_id == Receivable.contract_id
    )
    base = select(Receivable.receivable_id).where(*conditions)
    lean = base.outerjoin(Contract, of_contract) if wanted.text else base
    rows = (
        select(
            Receivable.receivable_id,
            Receivable.invoice_id,
            Receivable.contract_id,
            Contract.name,
            Receivable.due_date,
            Receivable.gross_value,
            Receivable.state,
            Receivable.received_at,
            Receivable.received_value,
            Receivable.finance_errors,
            Invoice.period_id,
            Receivable.boleto_url,
        )
        .outerjoin(Contract, of_contract)
        .outerjoin(Invoice, _OF_INVOICE)
    )

    def narrow(order: Sequence[ColumnElement[Any]], limit: int, offset: int) -> ColumnElement[bool]:
        wanted_ids = lean.order_by(*order).limit(limit).offset(offset).correlate(None)
        return and_(Receivable.organization_id == organization_id, Receivable.receivable_id.in_(wanted_ids))

    def build(*row: Any) -> ReceivableRow:
        found = ReceivableRow(*(*row, 0))
        if found.state != ReceivableState.TO_RECEIVE:
            return found
        return replace(found, days_late=days_late(found.due_date, wanted.today))

    key: tuple[Any, ...] = (Receivable.receivable_id,)
    by: tuple[Any, ...] = (
        (Receivable.issue_date,) if wanted.issued is not None else (Receivable.state, Receivable.due_date)
    )
    return Listing(lean, rows, build, SORTS, key, conditions, long_order=(*by, *key), narrow=narrow)


def _conditions(organization_id: int, wanted: ReceivableFilter) -> list[Any]:
    conditions: list[Any] = [Receivable.organization_id == organization_id, Receivable.gone_at.is_(None)]
    if wanted.bucket is not None:
        conditions += [Receivable.state == ReceivableState.TO_RECEIVE.value, *_in_bucket(wanted.bucket, wanted.today)]
    elif wanted.state == NOT_CANCELLED:
        conditions.append(Receivable.state.in_(_OWED))
    elif wanted.state:
        conditions.append(Receivable.state == wanted.state)
    if wanted.contract_id is not None:
        conditions.append(Receivable.contract_id == wanted.contract_id)
    if wanted.refused:
        conditions.append(Receivable.finance_errors.is_not(None))
    if wanted.due is not None:
        conditions += [Receivable.due_date >= wanted.due.start, Receivable.due_date < wanted.due.end]
    if wanted.on_time:
        received = Receivable.state == ReceivableState.RECEIVED.value
        conditions += [received, Receivable.received_at <= Receivable.due_date]
    if wanted.issued is not None:
        conditions += [Receivable.issue_date >= wanted.issued.start, Receivable.issue_date < wanted.issued.end]
    if wanted.text:
        conditions.append(contains(Contract.name, wanted.text))
    return conditions


def _in_bucket(wanted: str, today: date) -> list[ColumnElement[bool]]:
    edges = earliest_due_dates(today)
    if wanted == LATE:
        return [Receivable.due_date < edges[AgeingBucket.NOT_DUE]]
    bucket = AgeingBucket(wanted)
    names = list(AgeingBucket)
    conditions = [Receivable.due_date >= edges[bucket]] if bucket in edges else []
    if bucket != AgeingBucket.NOT_DUE:
        conditions.append(Receivable.due_date < edges[names[names.index(bucket) - 1]])
    return conditions


@dataclass(frozen=True, slots=True)
class _Collected:
    """Sums over some due dates and states; they add up."""

    due: Share
    received: Share
    on_time: int
    timed: int
    """How many of the received have both days."""
    days: int

    @classmethod
    def read(cls, state: str, count: int, amount: Decimal, *sums: int) -> "_Collected":
        share = Share(int(count), amount)
        if state != ReceivableState.RECEIVED:
            return cls(share, Share(), 0, 0, 0)
        return cls(share, share, *map(int, sums))

    def __add__(self, other: "_Collected") -> "_Collected":
        return _Collected(
            self.due + other.due,
            self.received + other.received,
            self.on_time + other.on_time,
            self.timed + other.timed,
            self.days + other.days,
        )


_NOTHING = _Collected(Share(), Share(), 0, 0, 0)


def _mean(days: int, count: int) -> Decimal | None:
    return (Decimal(days) / count).quantize(Decimal("0.1"), ROUND_HALF_UP) if count else None
