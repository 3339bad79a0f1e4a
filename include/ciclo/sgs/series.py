"""The five price-index series that ship with the package, so that everything works without the internet.

A starting point, read-only. Newer and revised values come from SGS into the ledger, never into this file.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from ciclo.domain.calendar import day_in_month, month_number
from ciclo.domain.errors import WindowUpsideDown
from ciclo.domain.price_index import accumulate, price_index

Series = Mapping[date, Decimal]
"""First day of month → variation in percent."""


@dataclass(frozen=True, slots=True)
class ShippedValue:
    """One line of the file: a month's variation in percent and where it was taken from."""

    index: str
    month: date
    value: Decimal
    source: str


@cache
def shipped_values() -> tuple[ShippedValue, ...]:
    """Every shipped value, by index, then by month; read once."""
    lines = files("ciclo.sgs").joinpath("price_indices.csv").read_text(encoding="utf-8").splitlines()
    return tuple(
        ShippedValue(row["index"], date.fromisoformat(f"{row['month']}-01"), Decimal(row["value"]), row["source"])
        for row in csv.DictReader(lines)
    )


@cache
def shipped_series() -> Mapping[str, Series]:
    """Shipped series by index name (`igpm`, …); read once, not to be changed."""
    series: dict[str, dict[date, Decimal]] = {}
    for entry in shipped_values():
        series.setdefault(entry.index, {})[entry.month] = entry.value
    return MappingProxyType({index: MappingProxyType(values) for index, values in series.items()})


def index_report(
    index: str, from_month: date, to_month: date, values: Series | None = None
) -> dict[str, str | list[dict[str, str]]]:
    """What `ciclo index` prints: an index compounded over months, both included, unrounded decimal strings.

    Args:
        index: its API name.
        from_month: any day of the first month.
        to_month: any day of the last month.
        values: a series to use instead of the shipped one.

    Returns:
        `{"index", "from", "to", "months": [{"month": "YYYY-MM", "value": "0.92"}], "factor", "percent"}`.

    Raises:
        UnknownPriceIndex: no such index.
        WindowUpsideDown: the last month is before the first.
        MissingIndexValue: a month has no value.
    """
    known = price_index(index)
    months = months_between(from_month, to_month)
    result = accumulate(known, shipped_series()[known] if values is None else values, months)
    return {
        "index": known.value,
        "from": f"{months[0]:%Y-%m}",
        "to": f"{months[-1]:%Y-%m}",
        "months": [{"month": f"{used.month:%Y-%m}", "value": f"{used.value:f}"} for used in result.months],
        "factor": f"{result.factor:f}",
        "percent": f"{result.percent:f}",
    }


def months_between(from_month: date, to_month: date) -> tuple[date, ...]:
    """First days of the months from one to the other, both included.

    Raises:
        WindowUpsideDown: the last is before the first.
    """
    first, last = month_number(from_month), month_number(to_month)
    if last < first:
        raise WindowUpsideDown(from_month, to_month)
    return tuple(day_in_month(number, 1) for number in range(first, last + 1))
