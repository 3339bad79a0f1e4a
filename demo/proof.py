"""The proof: the vendor's own data against periods and prices that are worked out without any code of Ciclo.

Slow and obvious on purpose. A day is an issue date if the calendar says so; months are walked one by one; the index
series are read from the file itself. A period without invoice is missing unless it was held back with a reason; one
with two is a duplicate; an invoice that no period called for is unexpected; one at another price than that of its issue
date is mispriced.
"""

import csv
import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from importlib.resources import files
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


class ExpectedPeriod(NamedTuple):
    """One issue of a rule that the vendor must hold exactly one invoice for."""

    contract_id: int
    rule_id: int
    issue_date: date

    def __str__(self) -> str:
        return f"contract {self.contract_id}, rule {self.rule_id}, {self.issue_date.isoformat()}"


def expected_periods(state: Json, first: date, last: date) -> list[ExpectedPeriod]:
    """Return the periods of all rules of active contracts with an issue date from `first` to `last`, both included.

    `state` is a sandbox state (file or `GET /_sandbox/state`). Source of the rule: what the
    vendor's API says of an invoice rule.
    """
    active = {contract["id"] for contract in state["contracts"] if contract["state"] == "active"}
    return [
        ExpectedPeriod(rule["contract_id"], rule["id"], day)
        for rule in state["invoice_rules"]
        if rule["contract_id"] in active
        for day in _days(first, last)
        if _issues_on(rule["additional_information"], day)
    ]


def _issues_on(recurrence: Json, day: date) -> bool:
    init = date.fromisoformat(recurrence["init_date"])
    if day < init or (recurrence["end_date"] and day > date.fromisoformat(recurrence["end_date"])):
        return False
    if recurrence["period_unit"] == "weekly":
        return (day - init).days % 7 == 0
    return is_anniversary(init, day, recurrence["month_quantity"])


def is_anniversary(init: date, day: date, months: int) -> bool:
    """Tell whether `day` lies a multiple of so many months after `init`, or is `init` itself."""
    return _is_anniversary_day(init, day) and _months_between(init, day) % months == 0


def _is_anniversary_day(init: date, day: date) -> bool:
    """Tell whether `day` has the day number of `init`, or is the last day of a month that is too short for it."""
    last_of_month = monthrange(day.year, day.month)[1]
    return day.day == init.day or (day.day == last_of_month and init.day > last_of_month)


def _months_between(init: date, day: date) -> int:
    """Count the month boundaries from `init` to `day` by walking over every day in between."""
    return sum(1 for other in _days(init + timedelta(days=1), day) if other.day == 1)


def _days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)


Series = dict[tuple[str, int, int], Decimal]
"""Variation in percent by index, year and month."""

PUBLISHED_ON: Final = {"igpm": 1, "ipcfipe": 8, "igpdi": 9, "ipca": 13, "inpc": 13}
"""Day of the next month from which a month's value is out, by the publishers' calendars."""
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


REFERENCE: Final = re.compile(r"ciclo:(?P<organization>\d+):(?P<rule>\d+):(?P<issue_date>\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Mispriced:
    """An invoice that is not worth what its rule costs on its issue date. BRL."""

    invoice_id: int
    period: ExpectedPeriod
    found: Decimal
    expected: Decimal

    def __str__(self) -> str:
        return f"invoice {self.invoice_id} ({self.period}): {self.found:.2f} instead of {self.expected:.2f}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the comparison found; amounts in BRL. `parked` and `waiting` map a period held back to its reason."""

    expected: int
    invoices: int
    total: Decimal
    adopted: tuple[int, ...]
    missing: tuple[ExpectedPeriod, ...]
    duplicates: tuple[ExpectedPeriod, ...]
    unexpected: tuple[int, ...]
    unbalanced: tuple[int, ...]
    mispriced: tuple[Mispriced, ...]
    parked: Mapping[ExpectedPeriod, str]
    waiting: Mapping[ExpectedPeriod, str]

    @property
    def holds(self) -> bool:
        """True if every expected period has one right invoice or is parked for a person, and nothing else is there."""
        wrong = self.missing or self.duplicates or self.unexpected or self.unbalanced or self.mispriced
        return not wrong and not self.waiting


Reasons = Mapping[tuple[int, date], str]
"""Why there is no invoice, per rule id and issue date."""


def prove(state: Json, before: Json, first: date, last: date, *, parked: Reasons, waiting: Reasons) -> Proof:
    """Compare the sandbox's `state` with the periods expected from `first` to `last`, both included.

    Args:
        state: everything the vendor holds, in the state file's shape.
        before: what it held before the first of the prices to be checked was readjusted.
        first: first issue date.
        last: last issue date.
        parked: what Ciclo stopped for a person.
        waiting: what Ciclo holds back until a price update of the rule is settled.
    """
    expected = expected_periods(state, first, last)
    worth = _worth(before, expected)
    found, unexpected = _invoices_by_period(state, worth, first, last)
    absent = [period for period in expected if not found[period]]
    are_parked, are_waiting = _explained(absent, parked), _explained(absent, waiting)
    invoices = [invoice for period in expected for invoice in found[period]]
    return Proof(
        expected=len(expected),
        invoices=len(invoices),
        total=sum((Decimal(invoice["gross_value"]) for invoice in invoices), Decimal(0)),
        adopted=tuple(invoice["id"] for invoice in invoices if _reference(invoice) is None),
        missing=tuple(period for period in absent if period not in are_parked | are_waiting),
        duplicates=tuple(period for period in expected if len(found[period]) > 1),
        unexpected=tuple(unexpected),
        unbalanced=tuple(invoice["id"] for invoice in invoices if not _is_balanced(invoice)),
        mispriced=tuple(_mispriced(found, worth)),
        parked=are_parked,
        waiting=are_waiting,
    )


def _explained(absent: list[ExpectedPeriod], reasons: Reasons) -> dict[ExpectedPeriod, str]:
    return {period: reason for period in absent if (reason := reasons.get((period.rule_id, period.issue_date)))}


Worth = Mapping[ExpectedPeriod, Decimal]
"""What each expected period costs, in BRL."""


def _worth(before: Json, expected: list[ExpectedPeriod]) -> Worth:
    prices = PriceOracle(before)
    return {period: prices.gross_value(period.rule_id, period.issue_date) for period in expected}


def _mispriced(found: Mapping[ExpectedPeriod, list[Json]], worth: Worth) -> Iterator[Mispriced]:
    for period, invoices in found.items():
        for invoice in invoices:
            value = Decimal(invoice["gross_value"])
            if value != worth[period]:
                yield Mispriced(invoice["id"], period, value, worth[period])


def _invoices_by_period(
    state: Json, worth: Worth, first: date, last: date
) -> tuple[dict[ExpectedPeriod, list[Json]], list[int]]:
    """Put every invoice of the window to its period; return also the ids of those that no period called for."""
    organization_id = state["organizations"][0]["id"]
    by_reference = {f"ciclo:{organization_id}:{p.rule_id}:{p.issue_date.isoformat()}": p for p in worth}
    by_likeness = _periods_by_likeness(state, worth)
    found: dict[ExpectedPeriod, list[Json]] = defaultdict(list)
    unexpected: list[int] = []
    for invoice in state["invoices"]:
        if not first <= _issue_date(invoice) <= last:
            continue
        reference = _reference(invoice)
        period = by_reference.get(reference) if reference else by_likeness.get(_likeness(invoice))
        if period is None or (period.contract_id, period.issue_date) != (invoice["contract_id"], _issue_date(invoice)):
            unexpected.append(invoice["id"])
        else:
            found[period].append(invoice)
    return found, unexpected


Likeness = tuple[int, date, Decimal, str]


def _periods_by_likeness(state: Json, worth: Worth) -> dict[Likeness, ExpectedPeriod]:
    """Index the periods by what an invoice typed in by hand has in common with them."""
    rules = {rule["id"]: rule for rule in state["invoice_rules"]}
    return {(p.contract_id, p.issue_date, value, rules[p.rule_id]["description"]): p for p, value in worth.items()}


def _likeness(invoice: Json) -> Likeness:
    return (
        invoice["contract_id"],
        _issue_date(invoice),
        Decimal(invoice["gross_value"]),
        invoice["description"],
    )


def _reference(invoice: Json) -> str | None:
    match = REFERENCE.search(invoice["comments"] or "")
    return match.group() if match else None


def _issue_date(invoice: Json) -> date:
    return datetime.strptime(invoice["issue_date"], "%d/%m/%Y").date()  # noqa: DTZ007 - a calendar day has no zone


def _is_balanced(invoice: Json) -> bool:
    """Tell whether the receivables' shares total the invoice's gross value, to the cent."""
    shares = sum((Decimal(receivable["gross_value"]) for receivable in invoice["receivables"]), Decimal(0))
    return shares == Decimal(invoice["gross_value"])
