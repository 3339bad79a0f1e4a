"""The vocabulary in which the demo company's contracts are written down: what is sold, how often, due when.

The rule here: these are the words of a sales person; `demo.vendor_shapes` alone makes the vendor's JSON of them.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

ChargeType = Literal["fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"]
PriceIndex = Literal["igpm", "ipca", "igpdi", "inpc", "ipcfipe"]
Periodicity = Literal[1, 2, 3, 6, 12, "weekly"]


@dataclass(frozen=True, slots=True)
class Due:
    """How an invoice's first due date follows from its issue date; `parcels` more follow one month apart each."""

    charge_type: ChargeType
    day_number: int | None = None
    day_quantity: int | None = None
    month_quantity: int | None = None
    only_business_days: bool = False
    parcels: int | None = None


def fixed_day(day: int, *, parcels: int | None = None) -> Due:
    """Due on the next day number `day` after the issue date."""
    return Due("fixed_day", day_number=day, parcels=parcels)


def month_end(*, only_business_days: bool = False) -> Due:
    """Due on the month's last day, or on its last business day."""
    return Due("last_day_of_month", only_business_days=only_business_days)


def days_later(days: int, *, only_business_days: bool = False, parcels: int | None = None) -> Due:
    """Due `days` calendar or business days after the issue date."""
    return Due("day_quantity", day_quantity=days, only_business_days=only_business_days, parcels=parcels)


def day_of_later_month(day: int, months: int, *, parcels: int | None = None) -> Due:
    """Due on day number `day` of the month `months` after the issue date's."""
    return Due("fixed_day_and_month_quantity", day_number=day, month_quantity=months, parcels=parcels)


@dataclass(frozen=True, slots=True)
class Line:
    """A service on a rule: the catalogue's id, how many units, at what price each (BRL)."""

    service_item_id: int
    units: Decimal
    unit_value: Decimal


def line(service_item_id: int, units: str, unit_value: str) -> Line:
    """Return a service line from decimal strings."""
    return Line(service_item_id, Decimal(units), Decimal(unit_value))


@dataclass(frozen=True, slots=True)
class Update:
    """A readjustment by `index` on `first` and every `every` months after it.

    `due` is the next execution if the ones before it are already in the price.
    """

    index: PriceIndex
    first: date
    every: int = 12
    due: date | None = None
    service_item_id: int | None = None
    days_until_update: int = 7

    @property
    def execution_date(self) -> date:
        """The next execution that the vendor still owes."""
        return self.due or self.first


@dataclass(frozen=True, slots=True)
class Rule:
    """One recurring sale. `price` is an amount in BRL or service lines; dates are inclusive."""

    title: str
    init: date
    every: Periodicity
    price: Decimal | tuple[Line, ...]
    due: Due
    end: date | None = None
    updates: tuple[Update, ...] = ()
    previous_month: bool = False
    blocked: bool = False
    automatic: bool = False
    apply_negative_updates: bool = True
    notify_customer: bool = False
    payment_method: Literal["billet", "payment_gateway", "transfer"] = "billet"
    description: str | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A customer's contract with its rules, as the sales person knows it."""

    customer: str
    title: str
    rules: tuple[Rule, ...]
    cancelled_on: date | None = None
    person: bool = False
    id: int | None = None
    customer_id: int | None = None


def brl(amount: str) -> Decimal:
    """Return an amount in BRL from a decimal string."""
    return Decimal(amount)
