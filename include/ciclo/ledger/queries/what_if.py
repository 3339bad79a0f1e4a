"""What a readjustment would come to if something were different: another index, a cap, a day, other months.

Nothing is written. The prices in force and the terms of the contract are the ledger's; the months are counted by the
letter of the schedule. Of an execution that is still to come the months that are out by now stand in, and the answer
says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from ciclo.domain.contract_terms import ContractTerm, Readjustment, TermKind, in_force, readjust
from ciclo.domain.errors import DomainError
from ciclo.domain.money import multiply_to_cents
from ciclo.domain.price_index import PriceIndex, WindowPolicy, price_index, window
from ciclo.domain.pricing import Price, ScheduledUpdate, affected_services, new_unit_value, price_in_force
from ciclo.domain.recurrence import DateRange
from ciclo.ledger import tables
from ciclo.ledger.queries.price_updates import index_series
from ciclo.ledger.repositories.prices import PriceRepository, history, terms_of_contracts
from ciclo.ledger.tables import PriceUpdateExecution, Rule, RuleVersion
from ciclo.ledger.terms import RuleTerms

EVERY_MONTH = DateRange(date(1900, 1, 1), date(2999, 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """What is to be different; what is left out stays as it is.

    Attributes:
        index: another index.
        replaces: only of updates by this index.
        cap: per cent a year, at most.
        execution_date: another day.
    """

    index: PriceIndex | None = None
    replaces: PriceIndex | None = None
    cap: Decimal | None = None
    execution_date: date | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """What a readjustment comes to: the index and months it uses, the factor, the new unit value in BRL."""

    index: PriceIndex
    months: tuple[date, ...]
    factor: Decimal
    new: Decimal


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One price, as it would be readjusted, and under the assumption. BRL.

    Attributes:
        units: how many of it a period bills.
        periods_a_year: how often; 12 for a monthly rule.
        as_it_is, assumed: None where it cannot be computed, and `why_not` says why.
        provisional: whether it executes later than today, so that the months out by today stand in for its own.
    """

    contract_id: int
    rule_id: int
    rule_title: str | None
    scheduled_update_id: int
    service_id: int
    execution_date: date
    units: Decimal
    periods_a_year: Decimal
    old: Decimal
    as_it_is: Figure | None
    assumed: Figure | None
    provisional: bool
    why_not: str | None

    @property
    def a_year(self) -> Decimal:
        """What the assumption makes of a year's billing more than it is without, BRL in cents."""
        if self.as_it_is is None or self.assumed is None:
            return Decimal("0.00")
        assumed, as_it_is = (multiply_to_cents(self.units, one.new) for one in (self.assumed, self.as_it_is))
        return multiply_to_cents(assumed - as_it_is, self.periods_a_year)


class Series:
    """The newest index values of the ledger, each index read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[PriceIndex, dict[date, Decimal]] = {}

    def values(self, index: PriceIndex) -> Mapping[date, Decimal]:
        """Return an index's variation in per cent by month."""
        if index not in self._read:
            self._read[index] = index_series(self._session, index, EVERY_MONTH)
        return self._read[index]


def what_if(
    session: Session,
    organization_id: int,
    assumed: Assumption,
    *,
    today: date,
    policy: WindowPolicy = WindowPolicy.PUBLISHED,
    scheduled_update_ids: Sequence[int] = (),
) -> tuple[WhatIf, ...]:
    """Return what the coming readjustments would come to, in a fixed number of statements.

    Args:
        session: the ledger.
        organization_id: whose.
        assumed: what is to be different.
        today: index values count as out by this day.
        policy: which months an update counts back from.
        scheduled_update_ids: these updates only; by default every one that will execute.
    """
    updates = _coming(session, organization_id, assumed, scheduled_update_ids)
    rule_ids = {update.rule_id for update, _ in updates}
    versions = _newest_terms(session, organization_id, rule_ids)
    prices = PriceRepository(session, organization_id).histories(rule_ids)
    agreed = terms_of_contracts(session, organization_id, {update.contract_id for update, _ in updates})
    series = Series(session)
    found: list[WhatIf] = []
    for update, title in updates:
        if update.rule_id in versions:
            known = history(prices.get(update.rule_id, [])), agreed.get(update.contract_id, [])
            case = _Case(update, title, versions[update.rule_id], *known, series, today, policy)
            found += case.lines(assumed)
    return tuple(found)


def by_window(session: Session, execution: PriceUpdateExecution, months: Sequence[date]) -> dict[int, Decimal]:
    """Return the new unit values of an execution that is computed already, by months that a person gives.

    Raises:
        MissingIndexValue: a month has no value.
    """
    organization_id, rule_id = execution.organization_id, execution.rule_id
    terms = _newest_terms(session, organization_id, {rule_id})[rule_id]
    agreed = terms_of_contracts(session, organization_id, [execution.contract_id]).get(execution.contract_id, [])
    found = readjust(
        price_index(execution.price_index),
        Series(session).values,
        months,
        in_force(agreed, rule_id, execution.execution_date),
        execution_date=execution.execution_date,
        apply_negative_updates=terms.apply_negative_updates,
    )
    prices = (execution.evidence or {}).get("prices", ())
    return {entry["service_id"]: new_unit_value(Decimal(entry["old"]), found.factor) for entry in prices}


@dataclass(frozen=True, slots=True)
class _Case:
    """A scheduled update with what its figures are computed from."""

    update: tables.ScheduledUpdate
    title: str | None
    terms: RuleTerms
    prices: Sequence[Price]
    agreed: Sequence[ContractTerm]
    series: Series
    today: date
    policy: WindowPolicy

    def lines(self, assumed: Assumption) -> list[WhatIf]:
        """Return a line a price; a single one without figures where nothing can be computed."""
        update = self.update
        day = update.next_execution_date or self.today
        try:
            schedule = ScheduledUpdate(
                id=update.scheduled_update_id,
                index=price_index(update.price_index),
                init_date=update.init_date,
                month_quantity=update.month_quantity,
                service_item_id=update.service_item_id,
            )
            keys = affected_services(schedule, self.terms.priced_services)
            olds = {key: price_in_force(self.prices, day, key) for key in keys}
            as_it_is, other = self._readjusted(Assumption(), day), self._readjusted(assumed, day)
        except DomainError as error:
            return [self._line(0, Decimal(0), None, None, str(error))]
        return [self._line(key, old, as_it_is, other, None) for key, old in olds.items()]

    def _readjusted(self, assumed: Assumption, own_day: date) -> Readjustment:
        day = assumed.execution_date or own_day
        index = assumed.index or price_index(self.update.price_index)
        months = window(index, min(day, self.today), self.update.month_quantity, self.policy)
        terms = in_force(self.agreed, self.update.rule_id, day)
        if assumed.cap is not None:
            cap = ContractTerm(kind=TermKind.CAP, percent=assumed.cap, effective_from=day, author="what-if")
            terms = in_force([*terms, replace(cap, rule_id=self.update.rule_id)], self.update.rule_id, day)
        negative = self.terms.apply_negative_updates
        values = self.series.values
        return readjust(index, values, months, terms, execution_date=day, apply_negative_updates=negative)

    def _line(
        self,
        service_id: int,
        old: Decimal,
        as_it_is: Readjustment | None,
        assumed: Readjustment | None,
        why_not: str | None,
    ) -> WhatIf:
        day = self.update.next_execution_date or self.today
        return WhatIf(
            contract_id=self.update.contract_id,
            rule_id=self.update.rule_id,
            rule_title=self.title,
            scheduled_update_id=self.update.scheduled_update_id,
            service_id=service_id,
            execution_date=day,
            units=next((line.units for line in self.terms.services if line.id == service_id), Decimal(1)),
            periods_a_year=Decimal(self.terms.recurrence.periods_a_year),
            old=old,
            as_it_is=_figure(as_it_is, old),
            assumed=_figure(assumed, old),
            provisional=day > self.today,
            why_not=why_not,
        )


def _figure(found: Readjustment | None, old: Decimal) -> Figure | None:
    if found is None:
        return None
    months = tuple(entry.month for entry in found.months)
    return Figure(found.index, months, found.factor, new_unit_value(old, found.factor))


def _coming(
    session: Session, organization_id: int, assumed: Assumption, scheduled_update_ids: Sequence[int]
) -> list[tuple[tables.ScheduledUpdate, str | None]]:
    table = tables.ScheduledUpdate
    same_rule = and_(Rule.organization_id == table.organization_id, Rule.rule_id == table.rule_id)
    query = select(table, Rule.title).join(Rule, same_rule, isouter=True)
    query = query.where(
        table.organization_id == organization_id, table.gone_at.is_(None), table.next_execution_date.is_not(None)
    )
    if assumed.replaces is not None:
        query = query.where(table.price_index == assumed.replaces.value)
    if scheduled_update_ids:
        query = query.where(table.scheduled_update_id.in_(scheduled_update_ids))
    rows = session.execute(query.order_by(table.contract_id, table.rule_id, table.scheduled_update_id))
    return [(update, title) for update, title in rows]


def _newest_terms(session: Session, organization_id: int, rule_ids: Iterable[int]) -> dict[int, RuleTerms]:
    newest = and_(
        RuleVersion.organization_id == Rule.organization_id,
        RuleVersion.rule_id == Rule.rule_id,
        RuleVersion.version == Rule.version,
    )
    query = select(Rule.rule_id, RuleVersion.terms).join(RuleVersion, newest)
    query = query.where(Rule.organization_id == organization_id, Rule.rule_id.in_(list(rule_ids)))
    return {rule_id: RuleTerms.read(terms) for rule_id, terms in session.execute(query)}
