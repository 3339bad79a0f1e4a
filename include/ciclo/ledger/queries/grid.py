"""The grid: one row a rule, one column a month, one mark a period, as Airflow's own grid has one a run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import SETTLED
from ciclo.ledger.queries.expressions import contains, not_at_rest
from ciclo.ledger.queries.paging import Listing, Page, PageRequest, counted
from ciclo.ledger.queries.periods import rules_with_index
from ciclo.ledger.tables import Contract, Period, Rule


@dataclass(frozen=True, slots=True)
class GridFilter:
    """Which rules the grid shows: those with a period of a state, of a contract, with an index, with a text."""

    window: DateRange
    contract_id: int | None = None
    state: str | None = None
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
    """Read one page of rules and all their periods in the window: three statements."""
    page = _listing(organization_id, wanted).page(session, request)
    cells = _cells(session, organization_id, [rule.rule_id for rule in page.rows], wanted.window)
    return page, tuple(GridRow(rule, cells.get(rule.rule_id, {})) for rule in page.rows)


def _listing(organization_id: int, wanted: GridFilter) -> Listing[GridRule]:
    rows = (
        select(Rule.rule_id, Rule.title, Rule.contract_id, Contract.name)
        .outerjoin(
            Contract,
            and_(Contract.organization_id == Rule.organization_id, Contract.contract_id == Rule.contract_id),
        )
        .where(*_conditions(organization_id, wanted))
    )
    sorts: dict[str, Any] = {"contract": Contract.name, "rule": Rule.title}
    return Listing(count=counted(rows), rows=rows, build=GridRule, sorts=sorts, key=(Rule.rule_id,))


def _conditions(organization_id: int, wanted: GridFilter) -> list[Any]:
    conditions: list[Any] = [Rule.organization_id == organization_id]
    if wanted.contract_id is not None:
        conditions.append(Rule.contract_id == wanted.contract_id)
    if wanted.price_index:
        conditions.append(Rule.rule_id.in_(rules_with_index(organization_id, wanted.price_index)))
    if wanted.text:
        conditions.append(or_(contains(Contract.name, wanted.text), contains(Rule.title, wanted.text)))
    if wanted.state:
        in_state = select(Period.rule_id).where(
            Period.organization_id == organization_id,
            Period.state == wanted.state,
            Period.issue_date >= wanted.window.start,
            Period.issue_date < wanted.window.end,
        )
        conditions.append(Rule.rule_id.in_(in_state if wanted.state in SETTLED else in_state.where(not_at_rest())))
    return conditions


def _cells(
    session: Session, organization_id: int, rule_ids: Sequence[int], window: DateRange
) -> dict[int, dict[date, tuple[Mark, ...]]]:
    query = (
        select(Period.rule_id, Period.id, Period.issue_date, Period.state, Period.gross_value)
        .where(
            Period.organization_id == organization_id,
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
