"""Contracts and rules: lists and pages, with what a rule will bill next.

What it will bill comes from the same domain functions as billing itself, at the prices known today; a price update
still to come is named, never guessed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import NO_HOLIDAYS
from ciclo.domain.money import ZERO
from ciclo.domain.pricing import Price, PricedPeriod
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.queries.months import Share
from ciclo.ledger.queries.paging import Listing, by_text, contains
from ciclo.ledger.queries.price_updates import PricePoint, prices_of
from ciclo.ledger.tables import Contract, Payload, Period, Rule, RuleVersion, ScheduledUpdate
from ciclo.ledger.terms import RuleTerms


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract in a list, with the number of its rules."""

    contract_id: int
    name: str
    customer_id: int | None
    state: str
    gone_at: datetime | None
    rules: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of a contract."""

    rule_id: int
    title: str
    version: int
    init_date: date
    end_date: date | None
    gone_at: datetime | None


@dataclass(frozen=True, slots=True)
class ContractPage:
    """A contract with its rules and its periods by state."""

    contract: ContractRow
    rules: tuple[RuleRow, ...]
    states: dict[str, Share]


@dataclass(frozen=True, slots=True)
class Version:
    """The terms of a rule from a day on."""

    version: int
    effective_from: date
    seen_at: datetime
    terms: Payload
    """What `ciclo.ledger.terms.RuleTerms` wrote."""


@dataclass(frozen=True, slots=True)
class UpdateTerms:
    """A scheduled update of a rule."""

    scheduled_update_id: int
    price_index: str
    month_quantity: int
    next_execution_date: date | None
    service_item_id: int | None
    days_until_update: int | None


@dataclass(frozen=True, slots=True)
class RulePage:
    """A rule with its versions, prices and scheduled updates."""

    rule: RuleRow
    contract_id: int
    contract_name: str | None
    contract_state: str | None
    versions: tuple[Version, ...]
    prices: tuple[PricePoint, ...]
    updates: tuple[UpdateTerms, ...]


_RULE: tuple[Any, ...] = (
    Rule.rule_id,
    Rule.title,
    Rule.version,
    Rule.init_date,
    Rule.end_date,
    Rule.gone_at,
)


def contract_listing(organization_id: int, *, text: str = "", state: str | None = None) -> Listing[ContractRow]:
    """Return the contracts, by name, as a list to page or export."""
    rules = (
        select(func.count())
        .select_from(Rule)
        .where(
            Rule.organization_id == Contract.organization_id,
            Rule.contract_id == Contract.contract_id,
            Rule.gone_at.is_(None),
        )
        .correlate(Contract)
        .scalar_subquery()
    )
    rows = select(
        Contract.contract_id, Contract.name, Contract.customer_id, Contract.state, Contract.gone_at, rules
    ).where(*_conditions(organization_id, text, state))
    sorts: dict[str, Any] = {
        "name": Contract.name,
        "contract": Contract.contract_id,
        "customer": Contract.customer_id,
        "state": Contract.state,
    }
    return Listing(
        lean=rows,
        rows=rows,
        build=ContractRow,
        sorts=sorts,
        key=(Contract.contract_id,),
        long_order=(*by_text(Contract.name), Contract.contract_id),
    )


def contract_page(session: Session, organization_id: int, contract_id: int) -> ContractPage | None:
    """Return one contract in three statements, or None if there is no such contract."""
    wanted = Contract.organization_id == organization_id, Contract.contract_id == contract_id
    columns = Contract.contract_id, Contract.name, Contract.customer_id, Contract.state, Contract.gone_at
    found = session.execute(select(*columns).where(*wanted)).one_or_none()
    if found is None:
        return None
    query = select(*_RULE).where(Rule.organization_id == organization_id, Rule.contract_id == contract_id)
    rules = tuple(RuleRow(*row) for row in session.execute(query.order_by(Rule.title, Rule.rule_id)))
    states = _states(session, organization_id, contract_id)
    return ContractPage(ContractRow(*found, sum(rule.gone_at is None for rule in rules)), rules, states)


def rule_page(session: Session, organization_id: int, rule_id: int) -> RulePage | None:
    """Return one rule in four statements, or None if there is no such rule."""
    query = select(*_RULE, Rule.contract_id, Contract.name, Contract.state).outerjoin(
        Contract, and_(Contract.organization_id == Rule.organization_id, Contract.contract_id == Rule.contract_id)
    )
    query = query.where(Rule.organization_id == organization_id, Rule.rule_id == rule_id)
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    *row, contract_id, contract_name, contract_state = found
    return RulePage(
        RuleRow(*row),
        contract_id,
        contract_name,
        contract_state,
        versions=_versions(session, organization_id, rule_id),
        prices=prices_of(session, organization_id, rule_id),
        updates=_updates(session, organization_id, rule_id),
    )


def _conditions(organization_id: int, text: str, state: str | None) -> list[Any]:
    conditions: list[Any] = [Contract.organization_id == organization_id]
    if text:
        conditions.append(contains(Contract.name, text))
    if state == "active":
        conditions += [Contract.state == "active", Contract.gone_at.is_(None)]
    elif state == "inactive":
        conditions.append(or_(Contract.state != "active", Contract.gone_at.is_not(None)))
    return conditions


def _states(session: Session, organization_id: int, contract_id: int) -> dict[str, Share]:
    query = (
        select(Period.state, func.count(), func.sum(Period.gross_value))
        .where(Period.organization_id == organization_id, Period.contract_id == contract_id)
        .group_by(Period.state)
    )
    return {state: Share(count, amount or ZERO) for state, count, amount in session.execute(query)}


def _versions(session: Session, organization_id: int, rule_id: int) -> tuple[Version, ...]:
    query = (
        select(RuleVersion.version, RuleVersion.effective_from, RuleVersion.seen_at, RuleVersion.terms)
        .where(RuleVersion.organization_id == organization_id, RuleVersion.rule_id == rule_id)
        .order_by(RuleVersion.version)
    )
    return tuple(Version(*row) for row in session.execute(query))


def _updates(session: Session, organization_id: int, rule_id: int) -> tuple[UpdateTerms, ...]:
    query = (
        select(
            ScheduledUpdate.scheduled_update_id,
            ScheduledUpdate.price_index,
            ScheduledUpdate.month_quantity,
            ScheduledUpdate.next_execution_date,
            ScheduledUpdate.service_item_id,
            ScheduledUpdate.days_until_update,
        )
        .where(
            ScheduledUpdate.organization_id == organization_id,
            ScheduledUpdate.rule_id == rule_id,
            ScheduledUpdate.gone_at.is_(None),
        )
        .order_by(ScheduledUpdate.next_execution_date, ScheduledUpdate.scheduled_update_id)
    )
    return tuple(UpdateTerms(*row) for row in session.execute(query))


_FAR_AHEAD = timedelta(days=366 * 13)  # twelve yearly periods and the one under way


@dataclass(frozen=True, slots=True)
class ComingPeriod:
    """A period to come at the prices of today; `waits_for` is the day of a price update that comes first."""

    priced: PricedPeriod
    waits_for: date | None


def coming_periods(
    terms: RuleTerms,
    prices: Sequence[PricePoint],
    updates: Sequence[UpdateTerms],
    *,
    after: date,
    count: int = 12,
    own_holidays: Collection[date] = NO_HOLIDAYS,
) -> tuple[ComingPeriod, ...]:
    """Return the rule's next `count` periods with an issue date on or after `after`.

    Raises:
        DomainError: the terms lead to dates that cannot be.
    """
    history = [Price(point.service_id, point.effective_from, point.unit_value) for point in prices]
    start = max(after, terms.recurrence.init_date)
    pending = sorted(update.next_execution_date for update in updates if update.next_execution_date)
    return tuple(
        ComingPeriod(period, next((day for day in pending if day <= period.issue_date), None))
        for period in islice(terms.preview(DateRange(start, start + _FAR_AHEAD), history, own_holidays), count)
    )
