"""When an invoice is due: due dates counted from the issue date, and its split into receivables.

The one rule: the first due date follows from the charge type, the others are whole months after it, each clamped from
the first's own day. `docs/dates-and-due-dates.md` holds every combination with examples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from ciclo.domain.calendar import (
    MONTHS,
    add_business_days,
    add_days,
    last_business_day_of_month,
    month_number,
    next_business_day,
)
from ciclo.domain.errors import InvalidRule
from ciclo.domain.money import HUNDRED, rounded_parts, split_money

PERCENTAGE_UNIT = Decimal("0.0001")
MOST_PARCELS = 1000
MOST_DAYS = 36_525
MOST_MONTHS = 1200
_FIELD = "receivables_additional_information"


class ChargeType(StrEnum):
    """How a due date is counted from the issue date (`charge_type`)."""

    FIXED_DAY = "fixed_day"
    LAST_DAY_OF_MONTH = "last_day_of_month"
    DAY_QUANTITY = "day_quantity"
    FIXED_DAY_AND_MONTH_QUANTITY = "fixed_day_and_month_quantity"


@dataclass(frozen=True, slots=True)
class Charge:
    """A rule's terms of payment (`charge_type` and `receivables_additional_information`).

    Attributes:
        charge_type: how the first due date is counted.
        day_number: day of the month, 1-31, for the two fixed-day types.
        day_quantity: days after the issue date, 0 or more, for `day_quantity`.
        month_quantity: months after the issue date's month, 0 or more, for `fixed_day_and_month_quantity`.
        only_business_days: no due date falls on a day on which banks are closed.
        parcel_number: number of receivables, one month apart; None is one.

    Raises:
        InvalidRule: a number the charge type needs is missing or outside its bounds.
    """

    charge_type: ChargeType
    day_number: int | None = None
    day_quantity: int | None = None
    month_quantity: int | None = None
    only_business_days: bool | None = False
    parcel_number: int | None = None

    def __post_init__(self) -> None:
        for field, lowest, highest in _NEEDS[self.charge_type]:
            _check(field, getattr(self, field), lowest, highest)
        if self.parcel_number is not None:
            _check("parcel_number", self.parcel_number, 1, MOST_PARCELS)

    @property
    def parcels(self) -> int:
        """Number of receivables."""
        return self.parcel_number or 1


@dataclass(frozen=True, slots=True)
class Receivable:
    """One due date's share of an invoice: `percentage` of it (4 decimals) and that share in money (cents)."""

    due_date: date
    percentage: Decimal
    gross_value: Decimal


_DAY = ("day_number", 1, 31)
_NEEDS: Mapping[ChargeType, tuple[tuple[str, int, int], ...]] = MappingProxyType(
    {
        ChargeType.FIXED_DAY: (_DAY,),
        ChargeType.LAST_DAY_OF_MONTH: (),
        ChargeType.DAY_QUANTITY: (("day_quantity", 0, MOST_DAYS),),
        ChargeType.FIXED_DAY_AND_MONTH_QUANTITY: (_DAY, ("month_quantity", 0, MOST_MONTHS)),
    }
)


def charge_type_of(day_number: int | None, day_quantity: int | None, month_quantity: int | None) -> ChargeType:
    """Charge type that an API answer implies by which of its numbers are set (it does not repeat `charge_type`).

    None of them set is `last_day_of_month` (recorded: rule 185006).

    Raises:
        InvalidRule: the numbers belong to no charge type, such as a day and a quantity of days at once.
    """
    given = (day_number is not None, day_quantity is not None, month_quantity is not None)
    try:
        return _IMPLIED[given]
    except KeyError:
        numbers = f"day_number {day_number}, day_quantity {day_quantity}, month_quantity {month_quantity}"
        raise InvalidRule(_FIELD, f"no charge type has {numbers}") from None


_IMPLIED: Mapping[tuple[bool, bool, bool], ChargeType] = MappingProxyType(
    {
        (False, False, False): ChargeType.LAST_DAY_OF_MONTH,
        (True, False, False): ChargeType.FIXED_DAY,
        (False, True, False): ChargeType.DAY_QUANTITY,
        (True, False, True): ChargeType.FIXED_DAY_AND_MONTH_QUANTITY,
    }
)


def due_dates(charge: Charge, issue_date: date) -> tuple[date, ...]:
    """Due dates of an invoice, one a parcel, in order.

    Raises:
        DateOutOfRange: a due date lies outside the years 1 to 9999.
    """
    first = _FIRST_DUE_DATE[charge.charge_type](charge, issue_date)
    if charge.parcel_number is None and not charge.only_business_days:
        return (first,)
    return _parcels(charge, first)


def percentages(parcels: int) -> tuple[Decimal, ...]:
    """Equal percentages with 4 decimals that total exactly 100; the last takes the rest (thirds: 33.3333, 33.3334).

    Raises:
        InvalidRule: not between 1 and `MOST_PARCELS`.
    """
    _check("parcel_number", parcels, 1, MOST_PARCELS)
    return _percentages(parcels)


def receivables(charge: Charge, issue_date: date, gross_value: Decimal) -> tuple[Receivable, ...]:
    """Due dates of an invoice with their percentages and their parts in money, which total `gross_value` exactly."""
    shares = percentages(charge.parcels)
    parts = split_money(gross_value, shares)
    return tuple(map(Receivable, due_dates(charge, issue_date), shares, parts))


def _fixed_day(charge: Charge, issue_date: date) -> date:
    number, day = month_number(issue_date), charge.day_number or 0
    due = MONTHS[number][day]
    return due if due > issue_date else MONTHS[number + 1][day]


def _last_day_of_month(charge: Charge, issue_date: date) -> date:
    number = month_number(issue_date)
    end = MONTHS[number][31]
    payable = last_business_day_of_month(end) if charge.only_business_days else end
    return end if payable > issue_date else MONTHS[number + 1][31]


def _day_quantity(charge: Charge, issue_date: date) -> date:
    count = charge.day_quantity or 0
    return add_business_days(issue_date, count) if charge.only_business_days else add_days(issue_date, count)


def _fixed_day_and_month_quantity(charge: Charge, issue_date: date) -> date:
    return MONTHS[month_number(issue_date) + (charge.month_quantity or 0)][charge.day_number or 0]


_FIRST_DUE_DATE: Mapping[ChargeType, Callable[[Charge, date], date]] = {
    ChargeType.FIXED_DAY: _fixed_day,
    ChargeType.LAST_DAY_OF_MONTH: _last_day_of_month,
    ChargeType.DAY_QUANTITY: _day_quantity,
    ChargeType.FIXED_DAY_AND_MONTH_QUANTITY: _fixed_day_and_month_quantity,
}


def _parcels(charge: Charge, first: date) -> tuple[date, ...]:
    number, day = month_number(first), first.day
    dates = (MONTHS[number + months][day] for months in range(charge.parcels))
    if not charge.only_business_days:
        return tuple(dates)
    by_month_end = charge.charge_type is ChargeType.LAST_DAY_OF_MONTH
    return tuple(map(last_business_day_of_month if by_month_end else next_business_day, dates))


@cache
def _percentages(parcels: int) -> tuple[Decimal, ...]:
    return rounded_parts(HUNDRED.quantize(PERCENTAGE_UNIT), [HUNDRED / parcels] * parcels, PERCENTAGE_UNIT)


def _check(field: str, value: object, lowest: int, highest: int) -> None:
    if not isinstance(value, int) or not lowest <= value <= highest:
        raise InvalidRule(f"{_FIELD}.{field}", f"must be a whole number from {lowest} to {highest}, not {value!r}")
