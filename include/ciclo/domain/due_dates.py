"""When an invoice is due: due dates counted from the issue date, and its split into receivables.

Receivable k keeps the rule of the first, k months later: a month's end stays a month's end, day 31 stays day 31 where
there is one, business days are counted anew. `docs/dates-and-due-dates.md` holds every combination with examples.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from ciclo.domain.calendar import (
    NO_HOLIDAYS,
    add_business_days,
    add_days,
    add_months,
    day_in_month,
    last_business_day_of_month,
    month_end,
    month_number,
    next_business_day,
)
from ciclo.domain.errors import InvalidRule
from ciclo.domain.money import HUNDRED, rounded_parts, split_money
from ciclo.locale import N_, Text

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
        only_business_days: `day_quantity` counts business days, `last_day_of_month` is the month's last one; a fixed
            day is not touched by it.
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
        raise InvalidRule(_FIELD, Text(N_("no charge type has {numbers}"), numbers=numbers)) from None


_IMPLIED: Mapping[tuple[bool, bool, bool], ChargeType] = MappingProxyType(
    {
        (False, False, False): ChargeType.LAST_DAY_OF_MONTH,
        (True, False, False): ChargeType.FIXED_DAY,
        (False, True, False): ChargeType.DAY_QUANTITY,
        (True, False, True): ChargeType.FIXED_DAY_AND_MONTH_QUANTITY,
    }
)


def due_dates(charge: Charge, issue_date: date, own_holidays: Collection[date] = NO_HOLIDAYS) -> tuple[date, ...]:
    """Due dates of an invoice, one a parcel, in order.

    Args:
        charge: how they are counted.
        issue_date: what they are counted from.
        own_holidays: the company's own, beside the banks'.

    Raises:
        DateOutOfRange: a due date lies outside the years 1 to 9999.
    """
    parcels, business = range(charge.parcels), bool(charge.only_business_days)
    match charge.charge_type:
        case ChargeType.FIXED_DAY:
            number = month_number(issue_date)
            number += day_in_month(number, charge.day_number or 0) <= issue_date
            days = [day_in_month(number + k, charge.day_number or 0) for k in parcels]
        case ChargeType.FIXED_DAY_AND_MONTH_QUANTITY:
            number = month_number(issue_date) + (charge.month_quantity or 0)
            days = [day_in_month(number + k, charge.day_number or 0) for k in parcels]
        case ChargeType.LAST_DAY_OF_MONTH:
            end = month_end(issue_date)
            payable = last_business_day_of_month(end, own_holidays) if business else end
            first = month_number(issue_date) + (payable <= issue_date)
            days = [day_in_month(first + k, 31) for k in parcels]
            return tuple(last_business_day_of_month(day, own_holidays) if business else day for day in days)
        case ChargeType.DAY_QUANTITY if business:
            counted = [add_months(issue_date, k) for k in parcels]
            later_days = (add_business_days(day, charge.day_quantity or 0, own_holidays) for day in counted)
            days = [next_business_day(day, own_holidays) for day in later_days]  # 0 days after a closed one
        case ChargeType.DAY_QUANTITY:
            later = add_days(issue_date, charge.day_quantity or 0)
            days = [add_months(later, k) for k in parcels]
    return tuple(days)


def percentages(parcels: int) -> tuple[Decimal, ...]:
    """Equal percentages with 4 decimals that total exactly 100; the last takes the rest (thirds: 33.3333, 33.3334).

    Raises:
        InvalidRule: not between 1 and `MOST_PARCELS`.
    """
    _check("parcel_number", parcels, 1, MOST_PARCELS)
    return _percentages(parcels)


def receivables(
    charge: Charge, issue_date: date, gross_value: Decimal, own_holidays: Collection[date] = NO_HOLIDAYS
) -> tuple[Receivable, ...]:
    """Due dates of an invoice with their percentages and their parts in money, which total `gross_value` exactly."""
    shares = percentages(charge.parcels)
    parts = split_money(gross_value, shares)
    return tuple(map(Receivable, due_dates(charge, issue_date, own_holidays), shares, parts))


@cache
def _percentages(parcels: int) -> tuple[Decimal, ...]:
    return rounded_parts(HUNDRED.quantize(PERCENTAGE_UNIT), [HUNDRED / parcels] * parcels, PERCENTAGE_UNIT)


def _check(field: str, value: object, lowest: int, highest: int) -> None:
    if not isinstance(value, int) or not lowest <= value <= highest:
        raise InvalidRule(
            f"{_FIELD}.{field}",
            Text(
                N_("must be a whole number from {lowest} to {highest}, not {value}"),
                lowest=lowest,
                highest=highest,
                value=repr(value),
            ),
        )
