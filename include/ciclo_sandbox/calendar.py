"""The vendor's calendar: months that clamp to their end, business days, and due dates by a rule.

Written anew, not taken from Ciclo's domain, so that a mistake of one is not repeated by the other. The days between
which dates are counted are Brazil's: `national` holidays, and with them the days on which banks alone are closed.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

DAY: Final = timedelta(days=1)
_LAST_MONTH: Final = 9999 * 12 + 11
_FIXED: Final = ((1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25))
_BLACK_AWARENESS: Final = (11, 20)
_SINCE_2024: Final = 2024  # Law 14.759/2023
_GOOD_FRIDAY: Final = -2
_BANKS_CLOSE: Final = (-48, -47, 60)  # Carnival's Monday and Tuesday, Corpus Christi: no national holidays


def add_months(anchor: date, months: int) -> date:
    """Return the anchor's day so many months later, or the last of a month that has no such day."""
    return day_of_month(anchor, months, anchor.day)


def day_of_month(anchor: date, months: int, number: int) -> date:
    """Return day `number` of the month that lies `months` after the anchor's, or that month's last day.

    Before the year 1 and after 9999 there is no month: the first and the last one stand for them.
    """
    year, month = divmod(min(max(anchor.year * 12 + anchor.month - 1 + months, 12), _LAST_MONTH), 12)
    return date(year, month + 1, min(number, monthrange(year, month + 1)[1]))


def months_between(first: date, last: date) -> int:
    """Return how many months the last day's month lies after the first's."""
    return (last.year - first.year) * 12 + last.month - first.month


def is_business_day(day: date, *, national: bool = False) -> bool:
    """Tell whether it is Monday to Friday and no holiday: of the banks, or of the nation only."""
    closed = _national_holidays(day.year) if national else _bank_holidays(day.year)
    return day.weekday() < 5 and day not in closed


def next_business_day(day: date, *, national: bool = False) -> date:
    """Return the day itself, or the first business day after it."""
    while not is_business_day(day, national=national):
        day += DAY
    return day


def add_business_days(day: date, count: int) -> date:
    """Return the `count`-th of the banks' business days after a day; the day itself for 0."""
    for _ in range(count):
        day = next_business_day(day + DAY)
    return day


def due_dates(terms: Mapping[str, Any], charge_type: str | None, issue_date: date) -> list[date]:
    """Return an invoice's due dates by its rule's `receivables_additional_information`, one for each parcel.

    A rule's answer has no `charge_type`: without one it follows from which numbers are set.
    """
    parcels = min(terms.get("parcel_number") or 1, 1000)
    return [_DUE[charge_type or implied_charge_type(terms)](terms, issue_date, parcel) for parcel in range(parcels)]


def implied_charge_type(terms: Mapping[str, Any]) -> str:
    """Return the charge type that follows from which numbers of a rule's terms are set."""
    if terms.get("day_quantity") is not None:
        return "day_quantity"
    if terms.get("day_number") is None:
        return "last_day_of_month"
    return "fixed_day" if terms.get("month_quantity") is None else "fixed_day_and_month_quantity"


def _fixed_day(terms: Mapping[str, Any], issue_date: date, parcel: int) -> date:
    number = terms["day_number"] or 1
    later = 0 if day_of_month(issue_date, 0, number) > issue_date else 1
    return day_of_month(issue_date, later + parcel, number)


def _last_day_of_month(terms: Mapping[str, Any], issue_date: date, parcel: int) -> date:
    later = 0 if _end_of_month(terms, issue_date, 0) > issue_date else 1
    return _end_of_month(terms, issue_date, later + parcel)


def _end_of_month(terms: Mapping[str, Any], issue_date: date, months: int) -> date:
    end = day_of_month(issue_date, months, 31)
    while terms.get("only_business_days") and not is_business_day(end):
        end -= DAY
    return end


def _day_quantity(terms: Mapping[str, Any], issue_date: date, parcel: int) -> date:
    days = min(terms["day_quantity"] or 0, 3650)
    if not terms.get("only_business_days"):
        return add_months(issue_date + timedelta(days=days), parcel)
    return next_business_day(add_business_days(add_months(issue_date, parcel), days))


def _fixed_day_and_month_quantity(terms: Mapping[str, Any], issue_date: date, parcel: int) -> date:
    return day_of_month(issue_date, min(terms["month_quantity"] or 0, 1200) + parcel, terms["day_number"] or 1)


_DUE: Final[Mapping[str, Callable[[Mapping[str, Any], date, int], date]]] = {
    "fixed_day": _fixed_day,
    "last_day_of_month": _last_day_of_month,
    "day_quantity": _day_quantity,
    "fixed_day_and_month_quantity": _fixed_day_and_month_quantity,
}


@cache
def _national_holidays(year: int) -> frozenset[date]:
    days = {date(year, month, day) for month, day in _FIXED} | {_easter(year) + _GOOD_FRIDAY * DAY}
    return frozenset(days | ({date(year, *_BLACK_AWARENESS)} if year >= _SINCE_2024 else set()))


@cache
def _bank_holidays(year: int) -> frozenset[date]:
    return _national_holidays(year) | {_easter(year) + offset * DAY for offset in _BANKS_CLOSE}


def _easter(year: int) -> date:
    """Return Easter Sunday by Gauss's formula with Lichtenberg's correction."""
    century = year // 100
    moon = 15 + (3 * century + 3) // 4 - (8 * century + 13) // 25
    seed = (19 * (year % 19) + moon) % 30
    limit = 21 + seed - (seed + year % 19 // 11) // 29
    sunday = 7 - (year + year // 4 + 2 - (3 * century + 3) // 4) % 7
    return date(year, 3, 1) + (limit + 7 - (limit - sunday) % 7 - 1) * DAY
