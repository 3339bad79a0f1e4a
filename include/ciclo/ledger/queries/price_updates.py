"""Price updates: what is coming, what was proposed and applied, each with its evidence; index and price over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.passport import FORMAT, LAW, sealed
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Reason
from ciclo.ledger.queries.paging import Listing, Query, contains
from ciclo.ledger.queries.trail import TrailEntry, trail_of
from ciclo.ledger.tables import Contract, IndexValue, Price, PriceUpdateExecution, Rule, ScheduledUpdate

OPEN_STATES = ("planned", "waiting", "proposed", "submitting", "in_doubt", "parked")
DONE_STATES = ("applied", "adopted")


@dataclass(frozen=True, slots=True)
class UpdateFilter:
    """Which updates: in a window of execution dates, of a state, an index, a contract, a rule, a text."""

    window: DateRange | None = None
    states: tuple[str, ...] = ()
    price_index: str | None = None
    contract_id: int | None = None
    rule_id: int | None = None
    text: str = ""
    reason_kind: str = ""


@dataclass(frozen=True, slots=True)
class ComingRow:
    """A scheduled update's next execution."""

    scheduled_update_id: int
    contract_id: int
    contract_name: str | None
    rule_id: int
    rule_title: str | None
    price_index: str
    month_quantity: int
    execution_date: date
    days_until_update: int | None
    service_item_id: int | None

    @property
    def remind_at(self) -> date:
        """Day of the reminder: execution date - `days_until_update`."""
        return self.execution_date - timedelta(self.days_until_update or 0)


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One execution of a scheduled update; the factor is unrounded."""

    id: int
    contract_id: int
    contract_name: str | None
    rule_id: int
    rule_title: str | None
    price_index: str
    execution_date: date
    state: str
    reason: Reason | None
    factor: Decimal | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    """An execution with its evidence, the values its months have by now, and its trail."""

    execution: ExecutionRow
    policy: str
    evidence: dict[str, Any]
    approved_by: str | None
    approved_at: datetime | None
    waiting_since: date | None
    reminded_at: datetime | None
    newest_values: dict[tuple[str, date], Decimal]
    """By index and month: a substitute's months are of another index."""
    trail: tuple[TrailEntry, ...]


@dataclass(frozen=True, slots=True)
class MonthCount:
    """How many executions of an index fall in a month."""

    month: date
    price_index: str
    count: int


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price from a day on. BRL a unit; service 0 is the gross value of a rule without services."""

    service_id: int
    effective_from: date
    unit_value: Decimal
    source: str
    execution_id: int | None


_COMING: tuple[Any, ...] = (
    ScheduledUpdate.scheduled_update_id,
    ScheduledUpdate.contract_id,
    Contract.name,
    ScheduledUpdate.rule_id,
    Rule.title,
    ScheduledUpdate.price_index,
    ScheduledUpdate.month_quantity,
    ScheduledUpdate.next_execution_date,
    ScheduledUpdate.days_until_update,
    ScheduledUpdate.service_item_id,
)
_EXECUTION: tuple[Any, ...] = (
    PriceUpdateExecution.id,
    PriceUpdateExecution.contract_id,
    Contract.name,
    PriceUpdateExecution.rule_id,
    Rule.title,
    PriceUpdateExecution.price_index,
    PriceUpdateExecution.execution_date,
    PriceUpdateExecution.state,
    PriceUpdateExecution.reason,
    PriceUpdateExecution.factor,
    PriceUpdateExecution.changed_at,
)


def coming_calendar(session: Session, organization_id: int, window: DateRange) -> tuple[MonthCount, ...]:
    """Count the next executions by month and index; what is overdue counts in the window's first month."""
    day: Any = ScheduledUpdate.next_execution_date
    query = (
        select(day, ScheduledUpdate.price_index, func.count())
        .where(*_coming_conditions(organization_id, UpdateFilter()), day < window.end)
        .group_by(day, ScheduledUpdate.price_index)
    )
    counts: dict[tuple[date, str], int] = {}
    for execution_date, price_index, count in session.execute(query):
        month = max(first_of_month(execution_date), window.start)
        counts[month, price_index] = counts.get((month, price_index), 0) + count
    return tuple(MonthCount(month, index, count) for (month, index), count in sorted(counts.items()))


def coming_listing(organization_id: int, wanted: UpdateFilter) -> Listing[ComingRow]:
    """Return the scheduled updates that will execute, by date, as a list to page or export."""
    conditions = _coming_conditions(organization_id, wanted)
    rows = _named(select(*_COMING), ScheduledUpdate).where(*conditions)
    sorts: dict[str, Any] = {
        "execution_date": ScheduledUpdate.next_execution_date,
        "contract": Contract.name,
        "rule": Rule.title,
        "index": ScheduledUpdate.price_index,
        "months": ScheduledUpdate.month_quantity,
    }
    key = (ScheduledUpdate.scheduled_update_id,)
    return Listing(lean=rows, rows=rows, build=ComingRow, sorts=sorts, key=key)


def execution_listing(organization_id: int, wanted: UpdateFilter) -> Listing[ExecutionRow]:
    """Return executions, newest first, as a list to page or export."""
    table = PriceUpdateExecution
    conditions: list[Any] = [table.organization_id == organization_id, *_common(table, wanted)]
    if wanted.window is not None:
        conditions += [table.execution_date >= wanted.window.start, table.execution_date < wanted.window.end]
    if wanted.states:
        conditions.append(table.state.in_(wanted.states))
    if wanted.reason_kind:
        conditions.append(table.reason_kind == wanted.reason_kind)
    rows = _named(select(*_EXECUTION), table).where(*conditions)
    sorts: dict[str, Any] = {
        "execution_date": table.execution_date,
        "contract": Contract.name,
        "rule": Rule.title,
        "index": table.price_index,
        "state": table.state,
    }
    return Listing(lean=rows, rows=rows, build=ExecutionRow, sorts=sorts, key=(table.id,), descending=True)


def execution_page(session: Session, organization_id: int, execution_id: int) -> ExecutionPage | None:
    """Return one execution with its evidence, in three statements, or None if there is no such one."""
    table = PriceUpdateExecution
    extra = (
        table.policy,
        table.evidence,
        table.approved_by,
        table.approved_at,
        table.waiting_since,
        table.reminded_at,
    )
    query = _named(select(*_EXECUTION, *extra), table)
    query = query.where(table.organization_id == organization_id, table.id == execution_id)
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    *row, policy, evidence, approved_by, approved_at, waiting_since, reminded_at = found
    execution = ExecutionRow(*row)
    months = evidence_months(evidence or {})
    newest = _newest_values(session, months) if months else {}
    trail = trail_of(session, organization_id, "execution", execution_id)
    return ExecutionPage(
        execution, policy, evidence or {}, approved_by, approved_at, waiting_since, reminded_at, newest, trail
    )


def passport(session: Session, organization_id: int, execution_id: int) -> dict[str, Any] | None:
    """Return the passport of an execution that is in the prices, sealed; None if there is no such one."""
    table = PriceUpdateExecution
    query = select(table, Contract.name, Rule).where(
        table.organization_id == organization_id,
        table.id == execution_id,
        table.state.in_(DONE_STATES),
        Contract.organization_id == table.organization_id,
        Contract.contract_id == table.contract_id,
        Rule.organization_id == table.organization_id,
        Rule.rule_id == table.rule_id,
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    row, contract, rule = found
    evidence = row.evidence or {}
    decision = evidence.get("decision")
    names = {line.get("id"): line.get("name") for line in rule.payload.get("services") or ()}
    months = [{**used, "month": used["month"][:7]} for used in evidence.get("months") or ()]
    shared = {
        "factor": f"{row.factor:f}" if row.factor is not None else None,
        "months": [months[0]["month"], months[-1]["month"]] if months else [],
        "terms": evidence.get("terms") or [],
    }
    prices = [
        {**shared, **price, "service": names.get(price["service_id"]) or ""} for price in evidence.get("prices", ())
    ]
    decided = {"by": row.approved_by, "at": row.approved_at.isoformat() if row.approved_at else None}
    if decision:
        decided |= {"basis": decision["basis"], "note": decision["note"]}
    return sealed(
        {
            "passport": FORMAT,
            "organization_id": str(organization_id),
            "contract_id": str(row.contract_id),
            "contract": contract or "",
            "rule_id": str(row.rule_id),
            "rule": rule.title or "",
            "scheduled_update_id": str(row.scheduled_update_id),
            "index": row.price_index,
            "policy": row.policy,
            "execution_date": row.execution_date.isoformat(),
            "state": row.state,
            "law": LAW,
            "clauses": sorted({step["clause"] for price in prices for step in price["terms"] if step.get("clause")}),
            "breaks": evidence.get("breaks") or [],
            "months": months,
            "floored": bool(evidence.get("floored")),
            "prices": prices,
            "decided": decided if row.approved_by else None,
        }
    )


def evidence_months(evidence: Mapping[str, Any]) -> tuple[date, ...]:
    """Return the months whose values an execution used; `YYYY-MM` and `YYYY-MM-DD` are both read."""
    return tuple(date.fromisoformat(f"{entry['month'][:7]}-01") for entry in evidence.get("months", ()))


def index_series(session: Session, price_index: str, window: DateRange) -> dict[date, Decimal]:
    """Return the newest revision of each month's variation in per cent."""
    query = (
        select(IndexValue.month, IndexValue.value)
        .where(IndexValue.price_index == price_index, IndexValue.month >= window.start, IndexValue.month < window.end)
        .order_by(IndexValue.month, IndexValue.revision)
    )
    return {month: value for month, value in session.execute(query)}  # noqa: C416 - a later revision replaces


def newest_month(session: Session, price_index: str) -> date | None:
    """Return the newest month that an index has a value for."""
    return session.scalar(select(func.max(IndexValue.month)).where(IndexValue.price_index == price_index))


def prices_of(session: Session, organization_id: int, rule_id: int) -> tuple[PricePoint, ...]:
    """Return a rule's prices, by service and day."""
    query = (
        select(Price.service_id, Price.effective_from, Price.unit_value, Price.source, Price.execution_id)
        .where(Price.organization_id == organization_id, Price.rule_id == rule_id)
        .order_by(Price.service_id, Price.effective_from, Price.revision)
    )
    return tuple(PricePoint(*row) for row in session.execute(query))


def _newest_values(session: Session, months: tuple[date, ...]) -> dict[tuple[str, date], Decimal]:
    query = (
        select(IndexValue.price_index, IndexValue.month, IndexValue.value)
        .where(IndexValue.month.in_(months))
        .order_by(IndexValue.month, IndexValue.revision)
    )
    return {(index, month): value for index, month, value in session.execute(query)}


def _coming_conditions(organization_id: int, wanted: UpdateFilter) -> list[Any]:
    table = ScheduledUpdate
    conditions: list[Any] = [
        table.organization_id == organization_id,
        table.gone_at.is_(None),
        table.next_execution_date.is_not(None),
        *_common(table, wanted),
    ]
    if wanted.window is not None:
        conditions += [table.next_execution_date >= wanted.window.start, table.next_execution_date < wanted.window.end]
    return conditions


def _common(table: Any, wanted: UpdateFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.price_index:
        conditions.append(table.price_index == wanted.price_index)
    if wanted.contract_id is not None:
        conditions.append(table.contract_id == wanted.contract_id)
    if wanted.rule_id is not None:
        conditions.append(table.rule_id == wanted.rule_id)
    if wanted.text:
        conditions.append(or_(contains(Contract.name, wanted.text), contains(Rule.title, wanted.text)))
    return conditions


def _named(query: Query, table: Any) -> Query:
    return query.outerjoin(
        Contract,
        and_(Contract.organization_id == table.organization_id, Contract.contract_id == table.contract_id),
    ).outerjoin(Rule, and_(Rule.organization_id == table.organization_id, Rule.rule_id == table.rule_id))
