"""The proof: the vendor's own data against periods and prices that are worked out without any code of Ciclo.

Slow and obvious on purpose. A day is an issue date if the calendar says so; months are walked one by one; the index
series are read from the file itself; every invoice is held against every period of its contract. A period without
invoice is missing unless it was held back with a reason; one with two is a duplicate; an invoice that no period called
for is unexpected; one at another price than that of its planned date is mispriced, unless it was there before Ciclo
came: then a person has changed it, and Ciclo must have shown it. What differs in the year, measured, agreed or paused
(`adjustments` of the state from before), is part of what a period costs, by the same slow code.
"""

import csv
import re
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from functools import cache
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


def expected_periods(state: Json, first: date, last: date, differing: Sequence[Json] = ()) -> list[ExpectedPeriod]:
    """Return the periods of all rules of active contracts with an issue date from `first` to `last`, both included.

    `state` is a sandbox state (file or `GET /_sandbox/state`); what `differing` pauses is left out. Source of the rule:
    what the vendor's API says of an invoice rule.
    """
    active = {contract["id"] for contract in state["contracts"] if contract["state"] == "active"}
    pauses = [each for each in differing if each["kind"] == "skip"]
    return [
        ExpectedPeriod(rule["contract_id"], rule["id"], day)
        for rule in state["invoice_rules"]
        if rule["contract_id"] in active
        for day in _days(first, last)
        if _issues_on(rule["additional_information"], day)
        and not any(pause["contract_id"] == rule["contract_id"] and _is_for(pause, day) for pause in pauses)
    ]


def _is_for(adjustment: Json, day: date) -> bool:
    """Whether what differs is for the period of a day: of its month, or from its first day to its last one."""
    if "period" in adjustment:
        month = date.fromisoformat(adjustment["period"])
        return (month.year, month.month) == (day.year, day.month)
    return date.fromisoformat(adjustment["from"]) <= day <= date.fromisoformat(adjustment["to"])


def _issues_on(recurrence: Json, day: date) -> bool:
    init = date.fromisoformat(recurrence["init_date"])
    if day < init or (recurrence["end_date"] and day > date.fromisoformat(recurrence["end_date"])):
        return False
    if recurrence["period_unit"] == "weekly":
        return (day - init).days % 7 == 0
    return is_anniversary(init, day, recurrence["month_quantity"])


def is_anniversary(init: date, day: date, months: int) -> bool:
    """Tell whether `day` lies a multiple of so many months after `init`, or is `init` itself."""
    last_of_month = monthrange(day.year, day.month)[1]
    if day.day != init.day and not (day.day == last_of_month and init.day > last_of_month):
        return False
    return _months_begun(init, day) % months == 0


@cache  # the same days are asked about for each of a rule's periods
def _months_begun(init: date, day: date) -> int:
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
        self._differing: list[Json] = state.get("adjustments", [])
        self._series = shipped_series()

    def with_what_differs(self, rule_id: int, issue_date: date) -> Decimal:
        """Return what a rule's period costs with what differs: measured, in part, a line more, a discount. BRL."""
        mine = [each for each in self._differing if each.get("rule_id") == rule_id and _is_for(each, issue_date)]
        units = {each["service"]: Decimal(each["quantity"]) for each in mine if each["kind"] == "quantity"}
        total = self.gross_value(rule_id, issue_date, units)
        for part in (each for each in mine if each["kind"] == "prorate"):
            days = monthrange(issue_date.year, issue_date.month)[1]
            first = int(part["first_day"][-2:]) if "first_day" in part else 1
            last = int(part["last_day"][-2:]) if "last_day" in part else days
            total = _to_cents(total * (last - first + 1) / days)
        for line in (each for each in mine if each["kind"] == "line"):
            total += _to_cents(Decimal(line["quantity"]) * Decimal(line["unit_value"]))
        for discount in (each for each in mine if each["kind"] == "discount"):
            total -= _to_cents(total * Decimal(discount["percent"]) / 100)
        return total

    def gross_value(self, rule_id: int, issue_date: date, measured: Mapping[str, Decimal] | None = None) -> Decimal:
        """Return what a rule bills on a day: its lines at the prices in force, each rounded half up to cents. BRL.

        `measured` are units by the name of the service, instead of the rule's.
        """
        rule = self._rules[rule_id]
        services: dict[int | None, Decimal] = {line["id"]: Decimal(line["unit_value"]) for line in rule["services"]}
        prices = services or {None: Decimal(rule["gross_value"])}
        for day in _days_of_updates(rule, issue_date):
            for update in sorted(rule["scheduled_updates"], key=lambda update: int(update["id"])):
                begun, is_owed = date.fromisoformat(update["init_date"]), day.isoformat() >= update["execution_date"]
                if is_owed and is_anniversary(begun, day, update["month_quantity"]):
                    self._apply(update, rule, day, prices)
        if not rule["services"]:
            return prices[None]
        units = measured or {}
        lines = ((units.get(line.get("name"), Decimal(line["units"])), prices[line["id"]]) for line in rule["services"])
        return sum((_to_cents(units * price) for units, price in lines), Decimal(0))

    def _apply(self, update: Json, rule: Json, day: date, prices: dict[int | None, Decimal]) -> None:
        factor = self.factor(update["price_index"], update["month_quantity"], day)
        if factor < 1 and not rule["apply_negative_updates"]:
            factor = Decimal(1)
        item = update["service_item_id"]
        readjusted = {line["id"] for line in rule["services"] if item in (None, line["service_item_id"])} or {None}
        for key in readjusted:
            prices[key] = _to_cents(EXACT.multiply(prices[key], factor))

    def factor(self, index: str, months: int, execution_date: date) -> Decimal:
        """Return the index compounded over the last so many months that were published by a day."""
        factor = Decimal(1)
        year, month = execution_date.year, execution_date.month
        while months:
            if _is_published(index, year, month, execution_date):
                factor = EXACT.multiply(factor, 1 + self._value(index, year, month) / 100)
                months -= 1
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        return factor

    def _value(self, index: str, year: int, month: int) -> Decimal:
        """Return a month's variation; after the last shipped month that of a year before, as the stand-in goes on."""
        while (index, year, month) not in self._series:
            year -= 1
        return self._series[index, year, month]


def shipped_series() -> Series:
    """Read the five series from the package's file."""
    with files("ciclo.sgs").joinpath("price_indices.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row["index"], int(row["month"][:4]), int(row["month"][5:])): Decimal(row["value"]) for row in rows}


def _days_of_updates(rule: Json, until: date) -> Iterator[date]:
    """Walk from the first update that is still owed to a day, both included."""
    owed = [date.fromisoformat(update["execution_date"]) for update in rule["scheduled_updates"]]
    day = min(owed, default=until + timedelta(days=1))
    while day <= until:
        yield day
        day += timedelta(days=1)


def _is_published(index: str, year: int, month: int, day: date) -> bool:
    next_month = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    return day >= next_month + timedelta(days=PUBLISHED_ON[index] - 1)


def _to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


REFERENCE: Final = re.compile(r"ciclo:(?P<organization>\d+):(?P<rule>\d+):(?P<issue_date>\d{4}-\d{2}-\d{2})")


class MadeBy(StrEnum):
    """Who made an invoice."""

    VENDOR = "vendor"
    CICLO = "Ciclo"
    PEOPLE = "people"


class Edited(StrEnum):
    """What of an invoice is not as its rule says."""

    VALUE = "value"
    DATE = "date"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Mispriced:
    """An invoice that is not worth what its rule costs on its planned date. BRL."""

    invoice_id: int
    period: ExpectedPeriod
    found: Decimal
    expected: Decimal

    def __str__(self) -> str:
        return f"invoice {self.invoice_id} ({self.period}): {self.found:.2f} instead of {self.expected:.2f}"


class Difference(NamedTuple):
    """That somebody changed an invoice which was there before Ciclo came."""

    invoice_id: int
    what: Edited

    def __str__(self) -> str:
        return f"invoice {self.invoice_id}: {self.what.value}"


Reasons = Mapping[tuple[int, date], str]
"""Why there is no invoice, per rule id and issue date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the proof has to be told, beside the vendor's data: what was there before Ciclo came, and what it showed.

    `parked` is what Ciclo stopped for a person, `waiting` what it holds back until a price update is settled.
    """

    before_ciclo: frozenset[int] = frozenset()
    """Ids of invoices."""
    shown: frozenset[Difference] = frozenset()
    """The differences of which Ciclo told a person."""
    parked: Reasons = field(default_factory=dict)
    waiting: Reasons = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the comparison found; amounts in BRL. `parked` and `waiting` map a period held back to its reason."""

    expected: int
    invoices: int
    total: Decimal
    made_by: Mapping[MadeBy, int]
    missing: tuple[ExpectedPeriod, ...]
    duplicates: tuple[ExpectedPeriod, ...]
    unexpected: tuple[int, ...]
    unbalanced: tuple[int, ...]
    mispriced: tuple[Mispriced, ...]
    edited: tuple[Difference, ...]
    """What people changed, shown by Ciclo or not."""
    not_shown: tuple[Difference, ...]
    shown_wrongly: tuple[Difference, ...]
    parked: Mapping[ExpectedPeriod, str]
    waiting: Mapping[ExpectedPeriod, str]
    differing: int
    """Periods that cost something else than their rule says."""
    paused: int
    """Periods that are not billed."""
    billed_again: tuple[ExpectedPeriod, ...]
    """Periods of which Ciclo's first invoice was cancelled, and that have another one."""

    def figures(self) -> Json:
        """Return the figures for machines: how many of each, and BRL."""
        counted = ("missing", "duplicates", "unexpected", "unbalanced", "mispriced", "edited", "not_shown",
                   "shown_wrongly", "parked", "waiting", "billed_again")  # fmt: skip
        plain = {"expected": self.expected, "invoices": self.invoices, "total": f"{self.total:.2f}"}
        more = {"differing": self.differing, "paused": self.paused, "holds": self.holds}
        return plain | {name: len(getattr(self, name)) for name in counted} | more

    @property
    def holds(self) -> bool:
        """Whether every expected period has one right invoice or is parked, and Ciclo showed just what people did."""
        wrong = self.missing or self.duplicates or self.unexpected or self.unbalanced or self.mispriced
        return not (wrong or self.waiting or self.not_shown or self.shown_wrongly)


def prove(state: Json, before: Json, first: date, last: date, told: Told) -> Proof:
    """Compare the sandbox's `state` with the periods expected from `first` to `last`, both included.

    Args:
        state: everything the vendor holds, in the state file's shape.
        before: the rules as they were before the first of the prices to be checked was readjusted, likewise.
        first: first issue date.
        last: last issue date.
        told: what was there before, and what Ciclo says.
    """
    differing: list[Json] = before.get("adjustments", [])
    expected = expected_periods(state, first, last, differing)
    worth = _worth(before, expected)
    by_rule = PriceOracle(before)
    found, unexpected = _invoices_by_period(state, worth, first, last)
    absent = [period for period in expected if not found[period]]
    are_parked, are_waiting = _explained(absent, told.parked), _explained(absent, told.waiting)
    pairs = [(period, invoice) for period in expected for invoice in found[period]]
    parcels = {
        rule["id"]: int(rule["receivables_additional_information"]["parcel_number"] or 1)
        for rule in state["invoice_rules"]
    }
    edited = {
        Difference(invoice["id"], what)
        for period, invoice in pairs
        if invoice["id"] in told.before_ciclo
        for what in _edits(period, invoice, worth[period], parcels[period.rule_id])
    }
    return Proof(
        expected=len(expected),
        invoices=len(pairs),
        total=sum((Decimal(invoice["gross_value"]) for _, invoice in pairs), Decimal(0)),
        made_by=Counter(_made_by(invoice, told) for _, invoice in pairs),
        missing=tuple(period for period in absent if period not in are_parked | are_waiting),
        duplicates=tuple(period for period in expected if len(found[period]) > 1),
        unexpected=tuple(unexpected),
        unbalanced=tuple(invoice["id"] for _, invoice in pairs if not _is_balanced(invoice)),
        mispriced=tuple(
            Mispriced(invoice["id"], period, Decimal(invoice["gross_value"]), worth[period])
            for period, invoice in pairs
            if invoice["id"] not in told.before_ciclo and Decimal(invoice["gross_value"]) != worth[period]
        ),
        edited=tuple(sorted(edited)),
        not_shown=tuple(sorted(edited - told.shown)),
        shown_wrongly=tuple(sorted(told.shown - edited)),
        parked=are_parked,
        waiting=are_waiting,
        differing=sum(by_rule.gross_value(each.rule_id, each.issue_date) != worth[each] for each in expected),
        paused=len(expected_periods(state, first, last)) - len(expected),
        billed_again=tuple(period for period in expected if found[period] and _was_cancelled(state, period)),
    )


def _was_cancelled(state: Json, period: ExpectedPeriod) -> bool:
    """Whether an invoice that Ciclo made for a period is cancelled."""
    name = f"ciclo:{state['organizations'][0]['id']}:{period.rule_id}:{period.issue_date.isoformat()}"
    return any(one["state"] == "cancelled" and name in (one["comments"] or "") for one in state["invoices"])


def removed_periods(state: Json, before: Json, first: date, last: date) -> list[ExpectedPeriod]:
    """Return the periods without invoice between two invoices that the vendor holds of the same rule.

    The vendor makes a rule's invoices all at once, without a gap: somebody removed what is not there.
    """
    expected = expected_periods(state, first, last, before.get("adjustments", []))
    found, _ = _invoices_by_period(state, _worth(before, expected), first, last)
    made = [period for period in expected if any(invoice.get("generated") for invoice in found[period])]
    days: dict[int, list[date]] = defaultdict(list)
    for period in made:
        days[period.rule_id].append(period.issue_date)
    return [
        period
        for period in expected
        if not found[period]
        and days[period.rule_id]
        and min(days[period.rule_id]) < period.issue_date < max(days[period.rule_id])
    ]


def _explained(absent: list[ExpectedPeriod], reasons: Reasons) -> dict[ExpectedPeriod, str]:
    return {period: reason for period in absent if (reason := reasons.get((period.rule_id, period.issue_date)))}


Worth = Mapping[ExpectedPeriod, Decimal]
"""What each expected period costs, in BRL."""


def _worth(before: Json, expected: list[ExpectedPeriod]) -> Worth:
    prices = PriceOracle(before)
    return {period: prices.with_what_differs(period.rule_id, period.issue_date) for period in expected}


# -- whose invoice is it -----------------------------------------------------------------------------------------------

REFERENCED, SAME_DAY, SAME_TEXT, SAME_VALUE, SAME_SERVICES = 100, 4, 4, 3, 1
"""What speaks for an invoice being a period's, weighed."""


def _invoices_by_period(
    state: Json, worth: Worth, first: date, last: date
) -> tuple[dict[ExpectedPeriod, list[Json]], list[int]]:
    """Give every living invoice to the period for which most speaks; return also the ids of those that fit none.

    Every invoice is weighed against every period of its contract, and the strongest pairs are taken first. What fits a
    period that has one already is its second.
    """
    organization_id = state["organizations"][0]["id"]
    rules = {rule["id"]: rule for rule in state["invoice_rules"]}
    by_contract: dict[int, list[ExpectedPeriod]] = defaultdict(list)
    for period in worth:
        by_contract[period.contract_id].append(period)
    alive = [invoice for invoice in state["invoices"] if invoice["state"] != "cancelled"]
    pairs = []
    for invoice in alive:
        for period in by_contract[invoice["contract_id"]]:
            weight = _weight(invoice, period, rules[period.rule_id], worth[period], organization_id)
            if weight:
                pairs.append((-weight, invoice["id"], period, invoice))
    found: dict[ExpectedPeriod, list[Json]] = defaultdict(list)
    given: set[int] = set()
    seconds = []
    for _, number, period, invoice in sorted(pairs, key=lambda pair: pair[:3]):
        if number in given:
            continue
        if found[period]:
            seconds.append((number, period, invoice))
            continue
        found[period].append(invoice)
        given.add(number)
    for number, period, invoice in seconds:
        if number not in given:
            found[period].append(invoice)
            given.add(number)
    unmatched = [one["id"] for one in alive if one["id"] not in given and first <= _planned_date(one) <= last]
    return found, unmatched


def _weight(invoice: Json, period: ExpectedPeriod, rule: Json, value: Decimal, organization_id: int) -> int:
    """Say how much speaks for an invoice being a period's; 0 if nothing does, or it cannot be."""
    planned = _planned_date(invoice)
    if invoice["customer_id"] != rule["customer_id"] or not _covers(rule["additional_information"], period, planned):
        return 0
    named = {match.group() for match in REFERENCE.finditer(invoice["comments"] or "")}
    weight = 0
    if f"ciclo:{organization_id}:{period.rule_id}:{period.issue_date.isoformat()}" in named:
        weight += REFERENCED
    ours, theirs = rule["description"] or "", invoice["description"] or ""
    if ours and theirs and (theirs.startswith(ours) or ours.startswith(theirs)):
        weight += SAME_TEXT
    if Decimal(invoice["gross_value"]) == value:
        weight += SAME_VALUE
    names = [{line["name"] for line in one["services"]} for one in (rule, invoice)]
    if names[0] and names[0] == names[1]:
        weight += SAME_SERVICES
    return weight + SAME_DAY if weight and planned == period.issue_date else weight


def _covers(recurrence: Json, period: ExpectedPeriod, day: date) -> bool:
    """Whether a day lies in the months, or the week, that a period pays for."""
    if recurrence["period_unit"] == "weekly":
        return 0 <= (day - period.issue_date).days < 7
    months = (day.year - period.issue_date.year) * 12 + day.month - period.issue_date.month
    return 0 <= months < int(recurrence["month_quantity"])


def _made_by(invoice: Json, told: Told) -> MadeBy:
    """Say who made an invoice; that its own machinery did is known to the vendor's stand-in alone."""
    if invoice["id"] not in told.before_ciclo:
        return MadeBy.CICLO
    return MadeBy.VENDOR if invoice.get("generated") else MadeBy.PEOPLE


def _edits(period: ExpectedPeriod, invoice: Json, worth: Decimal, parcels: int) -> Iterator[Edited]:
    if Decimal(invoice["gross_value"]) != worth:
        yield Edited.VALUE
    if _planned_date(invoice) != period.issue_date:
        yield Edited.DATE
    if len(invoice["receivables"]) != parcels:
        yield Edited.SPLIT


def _planned_date(invoice: Json) -> date:
    planned = invoice["estimated_issue_date"] or invoice["issue_date"]
    return datetime.strptime(planned, "%d/%m/%Y").date()  # noqa: DTZ007 - a calendar day has no zone


def _is_balanced(invoice: Json) -> bool:
    """Tell whether the receivables' shares total the invoice's gross value, to the cent."""
    shares = sum((Decimal(receivable["gross_value"]) for receivable in invoice["receivables"]), Decimal(0))
    return shares == Decimal(invoice["gross_value"])
