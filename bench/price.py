"""Price updates: window, compounded factor and new unit value, against multiplying the months of a series by hand.

The one rule: both give the same cents, which is checked first.
"""

import time
from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from dateutil.relativedelta import relativedelta

from bench.figures import Figure, InTurn
from bench.plan import Plan
from ciclo.domain.price_index import PriceIndex, accumulate, window
from ciclo.domain.pricing import new_unit_value
from ciclo.sgs.series import shipped_series

Update = tuple[date, Decimal]
"""Execution date, unit value before."""


def measure(plan: Plan) -> list[Figure]:
    """Measure updates by IGP-M over twelve months, on every day of some years."""
    updates = [_update(number) for number in range(plan.size(20_000))]
    if [_ciclo(update) for update in updates[:500]] != [_by_hand(update) for update in updates[:500]]:
        raise AssertionError("the two ways do not agree")
    pair = InTurn.measure(plan.runs, lambda: _rate(_ciclo, updates), lambda: _rate(_by_hand, updates[:2000]))
    title = "12 months of IGP-M"
    return [
        Figure("price", title, "updates/min", pair.ours, "by hand", pair.baseline),
        Figure("price", title, "updates/min", pair.ours, at_least=100_000),
    ]


def _update(number: int) -> Update:
    return date(2015 + number % 10, number % 12 + 1, number % 28 + 1), Decimal(100 + number % 900) + Decimal("0.37")


def _ciclo(update: Update) -> Decimal:
    executed, before = update
    series = shipped_series()[PriceIndex.IGPM]
    months = window(PriceIndex.IGPM, executed, 12)
    return new_unit_value(before, accumulate(PriceIndex.IGPM, series, months).factor)


def _by_hand(update: Update) -> Decimal:
    executed, before = update
    series = shipped_series()[PriceIndex.IGPM]
    factor = Decimal(1)
    for back in range(1, 13):
        factor *= 1 + series[executed.replace(day=1) - relativedelta(months=back)] / 100
    return (before * factor).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _rate(way: Callable[[Update], Decimal], updates: Sequence[Update]) -> float:
    began = time.perf_counter()
    for update in updates:
        way(update)
    return len(updates) / (time.perf_counter() - began) * 60
