"""What each period has to cost, worked out from the rules as they were and the index series that ship with Ciclo.

The rule here: slow and obvious, like `demo.oracle`. The series are read from the file itself, months are walked
one by one, and nothing is shared with `ciclo.domain` or `ciclo.jobs`.
"""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from importlib.resources import files
from typing import Any, Final

from demo.oracle import is_anniversary

Json = dict[str, Any]
Series = dict[tuple[str, int, int], Decimal]
"""Variation in percent by index, year and month."""

PUBLISHED_ON: Final = {"igpm": 1, "ipcfipe": 8, "igpdi": 9, "ipca": 13, "inpc": 13}
"""Day of the next month from which a month's value is out (DESIGN 3, Price update)."""
CENT: Final = Decimal("0.01")
EXACT: Final = Context(prec=500)
"""More digits than any product of index values has."""


class PriceOracle:
    """The prices of the rules in `state`, a sandbox state from before any update that is to be checked."""

    def __init__(self, state: Json) -> None:
        self._rules = {rule["id"]: rule for rule in state["invoice_rules"]}
        self._series = shipped_series()

    def gross_value(self, rule_id: int, issue_date: date) -> Decimal:
        """Return what a rule bills on a day: its lines at the prices in force, each rounded half up to cents. BRL."""
        rule = self._rules[rule_id]
        prices = _starting_prices(rule)
        for day in _days_of_updates(rule, issue_date):
            for update in sorted(rule["scheduled_updates"], key=lambda update: int(update["id"])):
                if _executes_on(update, day):
                    self._apply(update, rule, day, prices)
        if not rule["services"]:
            return prices[None]
        lines = ((Decimal(line["units"]), prices[line["id"]]) for line in rule["services"])
        return sum((_to_cents(units * price) for units, price in lines), Decimal(0))

    def _apply(self, update: Json, rule: Json, day: date, prices: dict[int | None, Decimal]) -> None:
        factor = self.factor(update["price_index"], update["month_quantity"], day)
        if factor < 1 and not rule["apply_negative_updates"]:
            factor = Decimal(1)
        readjusted = {line["id"] for line in rule["services"] if _concerns(update, line)} or {None}
        for key in readjusted:
            prices[key] = _to_cents(EXACT.multiply(prices[key], factor))

    def factor(self, index: str, months: int, execution_date: date) -> Decimal:
        """Return the index compounded over the last so many months that were published by a day."""
        factor = Decimal(1)
        year, month = execution_date.year, execution_date.month
        while months:
            if _is_published(index, year, month, execution_date):
                factor = EXACT.multiply(factor, 1 + self._series[index, year, month] / 100)
                months -= 1
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        return factor


def shipped_series() -> Series:
    """Read the five series from the package's file."""
    with files("ciclo.sgs").joinpath("price_indices.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row["index"], int(row["month"][:4]), int(row["month"][5:])): Decimal(row["value"]) for row in rows}


def _starting_prices(rule: Json) -> dict[int | None, Decimal]:
    """Return the unit values by service; None stands for the amount of a rule without services."""
    prices: dict[int | None, Decimal] = {line["id"]: Decimal(line["unit_value"]) for line in rule["services"]}
    return prices or {None: Decimal(rule["gross_value"])}


def _days_of_updates(rule: Json, until: date) -> Iterator[date]:
    """Walk from the first update that is still owed to a day, both included."""
    owed = [date.fromisoformat(update["execution_date"]) for update in rule["scheduled_updates"]]
    day = min(owed, default=until + timedelta(days=1))
    while day <= until:
        yield day
        day += timedelta(days=1)


def _executes_on(update: Json, day: date) -> bool:
    is_owed = day >= date.fromisoformat(update["execution_date"])
    return is_owed and is_anniversary(date.fromisoformat(update["init_date"]), day, update["month_quantity"])


def _concerns(update: Json, line: Json) -> bool:
    return update["service_item_id"] in (None, line["service_item_id"])


def _is_published(index: str, year: int, month: int, day: date) -> bool:
    next_month = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    return day >= next_month + timedelta(days=PUBLISHED_ON[index] - 1)


def _to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
