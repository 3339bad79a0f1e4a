"""The domain alone: a year's dates of many rules against dateutil's, and many price updates. No I/O."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from dateutil.relativedelta import relativedelta
from dateutil.rrule import MONTHLY, rrule

from bench.figures import Bench, Figure
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.price_index import PriceIndex, accumulate, window
from ciclo.domain.pricing import new_unit_value
from ciclo.domain.recurrence import AccrualMonth, DateRange, ExpandedPeriod, Recurrence, expand
from ciclo.sgs.series import shipped_series

NEAR: Final = DateRange.days(date(2021, 1, 1), date(2021, 12, 31))
FAR: Final = DateRange.days(date(2051, 1, 1), date(2051, 12, 31))
SAMPLE: Final = 1000
"""Rules that dateutil is timed on, at most: a hundred thousand would take it minutes."""

Rule = tuple[Recurrence, Charge, AccrualMonth]
Expansion = Callable[[Rule, DateRange], list[ExpandedPeriod]]

CHARGES: Final = (
    Charge(ChargeType.FIXED_DAY, day_number=5),
    Charge(ChargeType.FIXED_DAY, day_number=31),
    Charge(ChargeType.LAST_DAY_OF_MONTH),
    Charge(ChargeType.DAY_QUANTITY, day_quantity=15),
)


def rules(count: int) -> Iterator[Rule]:
    """Yield monthly rules that began in 2020, on every day of a month, with the kinds of due dates in turn."""
    for number in range(count):
        init_date = date(2020, number % 12 + 1, 1).replace(day=min(number % 31 + 1, 28 if number % 12 == 1 else 30))
        yield Recurrence(init_date, month_quantity=1), CHARGES[number % len(CHARGES)], AccrualMonth.SAME_MONTH


# -- dates -------------------------------------------------------------------------------------------------------------


def measure_expansion(bench: Bench) -> Iterator[Figure]:
    """Measure a year's periods, and those of a window thirty years away: the form is closed."""
    mine = list(rules(bench.size(100_000)))
    sample = list(islice(mine, SAMPLE))
    for rule in sample[:200]:
        if by_dateutil(rule, NEAR) != by_ciclo(rule, NEAR):
            raise AssertionError(f"dateutil and Ciclo do not agree about {rule}")
    title = f"{len(mine):,} rules"
    ours, theirs = bench.in_turn(lambda: _rate(by_ciclo, mine, NEAR), lambda: _rate(by_dateutil, sample, NEAR))
    yield Figure("expand", title, "periods/s", ours, "dateutil.rrule", theirs, at_least=5)
    yield Figure("expand", title, "periods/s", ours, at_least=300_000)
    far, near = bench.in_turn(lambda: _rate(by_ciclo, mine, FAR), lambda: _rate(by_ciclo, mine, NEAR))
    yield Figure("expand", "window 30 years after the start", "periods/s", far, "first year", near, at_least=0.87)


def _rate(way: Expansion, mine: Sequence[Rule], range_: DateRange) -> float:
    began = time.process_time()
    periods = sum(len(way(rule, range_)) for rule in mine)
    return periods / (time.process_time() - began)


def by_ciclo(rule: Rule, range_: DateRange) -> list[ExpandedPeriod]:
    """Ciclo's own expansion."""
    recurrence, charge, accrual = rule
    return list(expand(recurrence, charge, accrual, range_))


def by_dateutil(rule: Rule, range_: DateRange) -> list[ExpandedPeriod]:
    """The same as a user of `dateutil.rrule` and `relativedelta` would write it."""
    recurrence, charge, _ = rule
    first, begin, last = recurrence.init_date, max(range_.start, recurrence.init_date), range_.last_day
    recurring = rrule(
        MONTHLY,
        dtstart=datetime(first.year, first.month, 1),  # noqa: DTZ001 - rrule's dates have no zone
        # the last of the days 28…n that a month has: rrule itself would leave February out
        bymonthday=tuple(range(28, first.day + 1)) or (first.day,),
        bysetpos=-1,
    )
    between = recurring.between(
        datetime(begin.year, begin.month, begin.day),  # noqa: DTZ001 - same
        datetime(last.year, last.month, last.day),  # noqa: DTZ001 - same
        inc=True,
    )
    days = [moment.date() for moment in between]
    return [(day, day.replace(day=1), (_due_by_dateutil(charge, day),)) for day in days]


def _due_by_dateutil(charge: Charge, issued: date) -> date:
    if charge.charge_type is ChargeType.DAY_QUANTITY:
        return issued + relativedelta(days=charge.day_quantity or 0)
    day = charge.day_number or 31
    due = issued + relativedelta(day=day)
    return due if due > issued else issued + relativedelta(months=1, day=day)


# -- prices ------------------------------------------------------------------------------------------------------------


def measure_price_updates(bench: Bench) -> list[Figure]:
    """Measure window, factor and new unit value of updates by IGP-M over twelve months, on every day of ten years."""
    updates = [
        (date(2015 + number % 10, number % 12 + 1, number % 28 + 1), Decimal(100 + number % 900) + Decimal("0.37"))
        for number in range(bench.size(20_000))
    ]
    series = shipped_series()[PriceIndex.IGPM]

    def rate() -> float:
        began = time.process_time()
        for executed, before in updates:
            months = window(PriceIndex.IGPM, executed, 12)
            new_unit_value(before, accumulate(PriceIndex.IGPM, series, months).factor)
        return len(updates) / (time.process_time() - began) * 60

    rates = [rate() for _ in range(bench.runs)]
    return [Figure("price", "12 months of IGP-M", "updates/min", rates, at_least=100_000)]
