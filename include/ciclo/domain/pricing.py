"""Prices: effective-dated, readjusted by scheduled updates, and what a period is worth at them.

A period is priced as of its issue date. History is never overwritten: an update adds a price that is in
force from its execution date on, so billing March after a June readjustment bills March's price.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain

from ciclo.domain.calendar import NO_HOLIDAYS, add_days, add_months
from ciclo.domain.due_dates import Charge, Receivable, due_dates, receivables
from ciclo.domain.errors import InvalidRule, NoPriceInForce, UnknownServiceItem
from ciclo.domain.money import cents, multiply_to_cents, service_value
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.recurrence import MONTHS_A_YEAR, DateRange, Period, Recurrence, step_on_or_after
from ciclo.locale import N_, Text

WHOLE_RULE = 0
"""Service key of the price of a rule without services: its gross value."""


@dataclass(frozen=True, slots=True)
class Price:
    """A unit value in force from a day on, until the next one of the same service.

    Attributes:
        service: the rule's service (`services[].id`), or `WHOLE_RULE` for the gross value of a rule without services.
        effective_from: first issue date it prices.
        unit_value: BRL, cents.
    """

    service: int
    effective_from: date
    unit_value: Decimal


LONGEST_PERIODICITY = 1200
"""Months between two executions at most: a hundred years. What is longer is a slip, and leaves the calendar."""

PriceHistory = Sequence[Price]
"""Prices of one rule, in the order they were recorded: of two from the same day, the later one counts."""


@dataclass(frozen=True, slots=True)
class Service:
    """A line of a rule: `units` of something at a price the history holds under `id`.

    `service_item_id` is the catalogue entry that a scheduled update names; None if it is not known.
    """

    id: int
    units: Decimal
    service_item_id: int | None = None


@dataclass(frozen=True, slots=True)
class ScheduledUpdate:
    """Terms of a readjustment (`scheduled_updates[]`).

    Attributes:
        id: the API's id.
        index: the price index it follows.
        init_date: first execution.
        month_quantity: months between executions and months of index compounded, `LONGEST_PERIODICITY` at most.
        days_until_update: days before an execution on which to remind.
        service_item_id: the one service item it readjusts, or None for the whole rule.
        execution_date: the next execution by the API's account; None means `init_date`.

    Raises:
        InvalidRule: `month_quantity` below 1 or beyond `LONGEST_PERIODICITY`, or `days_until_update` below 0.
    """

    id: int
    index: PriceIndex
    init_date: date
    month_quantity: int
    days_until_update: int = 0
    service_item_id: int | None = None
    execution_date: date | None = None

    def __post_init__(self) -> None:
        if self.month_quantity < 1:
            raise InvalidRule(
                "scheduled_updates.month_quantity",
                Text(N_("must be 1 or more, not {value}"), value=self.month_quantity),
            )
        if self.month_quantity > LONGEST_PERIODICITY:
            raise InvalidRule(
                "scheduled_updates.month_quantity",
                Text(N_("must be {most} or less, not {value}"), most=LONGEST_PERIODICITY, value=self.month_quantity),
            )
        if self.days_until_update < 0:
            raise InvalidRule(
                "scheduled_updates.days_until_update",
                Text(N_("must be 0 or more, not {value}"), value=self.days_until_update),
            )


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a scheduled update; they order by date, then by the update's id."""

    execution_date: date
    update: ScheduledUpdate

    @property
    def remind_at(self) -> date:
        """Day on which to remind of it: execution date - `days_until_update`."""
        return remind_at(self.update, self.execution_date)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One service's (or the whole rule's) price before and after an update."""

    service: int
    effective_from: date
    old_unit_value: Decimal
    new_unit_value: Decimal

    @property
    def price(self) -> Price:
        """The price this change puts in force."""
        return Price(self.service, self.effective_from, self.new_unit_value)


@dataclass(frozen=True, slots=True)
class PricedPeriod:
    """A period with the money it is worth on its issue date, in BRL.

    Attributes:
        issue_date: the day by whose prices it is billed.
        accrual_month: its first day.
        due_dates: one a receivable.
        gross_value: what it comes to; None where no price is in force on its issue date.
        receivables: its shares; empty where there is no price.
    """

    issue_date: date
    accrual_month: date
    due_dates: tuple[date, ...]
    gross_value: Decimal | None
    receivables: tuple[Receivable, ...]


def price_in_force(history: PriceHistory, on: date, service: int = WHOLE_RULE) -> Decimal:
    """Unit value of a service (or of the whole rule) on a day: the latest price effective on or before it.

    Raises:
        NoPriceInForce: the history has none for that service by that day.
    """
    candidates = [price for price in history if price.service == service and price.effective_from <= on]
    if not candidates:
        raise NoPriceInForce(service, on)
    return max(reversed(candidates), key=lambda price: price.effective_from).unit_value


def new_unit_value(old: Decimal, factor: Decimal) -> Decimal:
    """Readjusted unit value: old x unrounded factor, rounded once to cents; what a factor of 1 leaves, stays.

    A price finer than cents would otherwise rise where the index fell and the rule lets nothing fall.
    """
    return old if factor == 1 else multiply_to_cents(old, factor)


def gross_value(services: Sequence[Service], history: PriceHistory, on: date) -> Decimal:
    """What a rule bills on a day: the sum of its services' values, or without services its own gross value.

    Raises:
        NoPriceInForce: a price it needs is not in the history.
    """
    if not services:
        return cents(price_in_force(history, on))
    return sum((service_value(line.units, price_in_force(history, on, line.id)) for line in services), Decimal("0.00"))


def per_month(recurrence: Recurrence, value: Decimal) -> Decimal:
    """What a rule's value of a period comes to in a month, BRL in cents."""
    return cents(value * recurrence.periods_a_year / MONTHS_A_YEAR)


def priced_period(
    period: Period,
    charge: Charge,
    services: Sequence[Service],
    history: PriceHistory,
    own_holidays: Collection[date] = NO_HOLIDAYS,
) -> PricedPeriod:
    """Price a period as of its issue date and split it into its receivables; one without a price has its dates."""
    days = due_dates(charge, period.issue_date, own_holidays)
    try:
        gross = gross_value(services, history, period.issue_date)
    except NoPriceInForce:
        return PricedPeriod(period.issue_date, period.accrual_month, days, None, ())
    parts = receivables(charge, period.issue_date, gross, own_holidays)
    return PricedPeriod(period.issue_date, period.accrual_month, days, gross, parts)


def execution_dates(update: ScheduledUpdate, window: DateRange) -> Iterator[date]:
    """Executions of an update inside the half-open `window`: `init_date` + j x `month_quantity` months, clamped."""
    first = step_on_or_after(update.init_date, update.month_quantity, window.start)
    stop = step_on_or_after(update.init_date, update.month_quantity, window.end)
    return (add_months(update.init_date, step * update.month_quantity) for step in range(first, stop))


def next_execution(update: ScheduledUpdate, after: date) -> date:
    """First execution strictly after a day."""
    step = step_on_or_after(update.init_date, update.month_quantity, add_days(after, 1))
    return add_months(update.init_date, step * update.month_quantity)


def remind_at(update: ScheduledUpdate, execution_date: date) -> date:
    """Day on which to remind of an execution."""
    return add_days(execution_date, -update.days_until_update)


def executions(updates: Iterable[ScheduledUpdate], window: DateRange) -> tuple[Execution, ...]:
    """Executions of a rule's updates inside `window`, in the order in which they apply."""
    dated = chain.from_iterable(
        (Execution(day, update) for day in execution_dates(update, window)) for update in updates
    )
    return tuple(sorted(dated, key=lambda each: (each.execution_date, each.update.id)))


def affected_services(update: ScheduledUpdate, services: Sequence[Service]) -> tuple[int, ...]:
    """Keys of the prices an update changes: those of its service item, of every service, or the whole rule's.

    Raises:
        UnknownServiceItem: the update names a service item that no service of the rule is made of.
    """
    if update.service_item_id is None:
        return tuple(line.id for line in services) or (WHOLE_RULE,)
    keys = tuple(line.id for line in services if line.service_item_id == update.service_item_id)
    if not keys:
        raise UnknownServiceItem(update.id, update.service_item_id)
    return keys


def price_changes(
    execution: Execution, services: Sequence[Service], history: PriceHistory, factor: Decimal
) -> tuple[PriceChange, ...]:
    """Old and new prices of one execution, from the prices in force on its day.

    For a chain of updates, extend the history by each `PriceChange.price` before asking for the next one.

    Raises:
        UnknownServiceItem: see `affected_services`.
        NoPriceInForce: there is nothing to readjust yet on that day.
    """
    day = execution.execution_date
    olds = ((key, price_in_force(history, day, key)) for key in affected_services(execution.update, services))
    return tuple(PriceChange(key, day, old, new_unit_value(old, factor)) for key, old in olds)


def waits_for(unsettled: Iterable[Execution], issue_date: date) -> tuple[Execution, ...]:
    """Unsettled executions that a period must wait for: those on or before its issue date."""
    return tuple(execution for execution in unsettled if execution.execution_date <= issue_date)
