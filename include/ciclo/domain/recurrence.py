"""When a rule issues: its periods with accrual month and due dates, and windows of dates.

Issue date k is `init_date` plus k steps, counted from `init_date` and clamped to the month's end, so that a period is
known by its number alone and the periods of a window cost nothing for the years before it.

Windows are half-open, `[start, end)`: windows that touch neither share nor lose a day. People and the API speak of
inclusive days; `DateRange.days` is the only door between the two.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Self

from ciclo.domain.calendar import NO_HOLIDAYS, add_days, add_months, day_in_month, first_of_month, month_number
from ciclo.domain.due_dates import Charge, due_dates
from ciclo.domain.errors import InvalidRule, WindowUpsideDown
from ciclo.locale import N_, Text

DAYS_OF_A_WEEK = 7
MONTHS_A_YEAR, WEEKS_A_YEAR = 12, 52
PERIODICITIES = (1, 2, 3, 6, 12)
"""Lengths of a monthly rule's period in months that the vendor's API accepts."""


class PeriodUnit(StrEnum):
    """What a rule's period is counted in (`additional_information.period_unit`)."""

    MONTHLY = "monthly"
    WEEKLY = "weekly"


class AccrualMonth(StrEnum):
    """Which month an invoice belongs to in the books (`additional_information.accrual_month_quantity`)."""

    SAME_MONTH = "same_month"
    PREVIOUS_MONTH = "previous_month"
    NEXT_MONTH = "next_month"


@dataclass(frozen=True, slots=True)
class DateRange:
    """A half-open window of dates, `[start, end)`; `start == end` is empty.

    Raises:
        WindowUpsideDown: `end` is before `start`.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise WindowUpsideDown(self.start, self.end)

    @classmethod
    def days(cls, first: date, last: date) -> Self:
        """Window of the days `first` to `last`, both included.

        Raises:
            WindowUpsideDown: `last` is before `first`.
        """
        if last < first:
            raise WindowUpsideDown(first, last)
        return cls(first, add_days(last, 1))

    @classmethod
    def month_of(cls, day: date) -> Self:
        """Window of the day's whole month."""
        start = first_of_month(day)
        return cls(start, add_months(start, 1))

    @property
    def last_day(self) -> date:
        """The last day included, for people and for the API's inclusive filters (of no use if empty)."""
        return add_days(self.end, -1)

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __bool__(self) -> bool:
        return self.start < self.end

    def span(self, other: Self) -> Self:
        """Return the days from the first of both windows to the last, with what lies between them."""
        return type(self)(min(self.start, other.start), max(self.end, other.end))

    def intersection(self, other: Self) -> Self:
        """Return the days in both windows; empty if they do not meet."""
        start = max(self.start, other.start)
        return type(self)(start, max(start, min(self.end, other.end)))


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When a rule issues, in the API's terms (`additional_information`).

    Attributes:
        init_date: issue date of the first period.
        period_unit: monthly or weekly.
        month_quantity: length of a monthly period in months, one of `PERIODICITIES`; ignored for weekly, as by the API.
        end_date: last day on which an invoice may be issued; None repeats for ever.

    Raises:
        InvalidRule: a monthly rule's `month_quantity` is not one of `PERIODICITIES`.
    """

    init_date: date
    period_unit: PeriodUnit = PeriodUnit.MONTHLY
    month_quantity: int | None = None
    end_date: date | None = None

    def __post_init__(self) -> None:
        if self.period_unit is PeriodUnit.MONTHLY and self.month_quantity not in PERIODICITIES:
            reason = Text(
                N_("a monthly rule's period lasts {allowed} months, not {months}"),
                allowed=", ".join(map(str, PERIODICITIES)),
                months=repr(self.month_quantity),
            )
            raise InvalidRule("additional_information.month_quantity", reason)

    @property
    def periods_a_year(self) -> int:
        """How many periods it has in a year: every length in months goes into twelve."""
        if self.period_unit is PeriodUnit.WEEKLY:
            return WEEKS_A_YEAR
        return MONTHS_A_YEAR // (self.month_quantity or 1)


@dataclass(frozen=True, slots=True)
class Period:
    """One issue of a rule: `number` counts from 0 at `init_date`."""

    number: int
    issue_date: date
    accrual_month: date


def nth_issue_date(recurrence: Recurrence, number: int) -> date:
    """Issue date of period `number` (0 is `init_date`), whatever `end_date` says.

    Raises:
        DateOutOfRange: it lies outside the years 1 to 9999.
    """
    if recurrence.period_unit is PeriodUnit.WEEKLY:
        return add_days(recurrence.init_date, number * DAYS_OF_A_WEEK)
    return add_months(recurrence.init_date, number * (recurrence.month_quantity or 1))


def period_numbers(recurrence: Recurrence, window: DateRange) -> range:
    """Numbers of the periods whose issue date lies in `window` and not after `end_date`."""
    end_date = recurrence.end_date
    stop = window.end if end_date is None or end_date >= window.end else add_days(end_date, 1)
    init_date = recurrence.init_date
    if recurrence.period_unit is PeriodUnit.WEEKLY:
        return range(_weeks_until(init_date, window.start), _weeks_until(init_date, stop))
    months = recurrence.month_quantity or 1  # `Recurrence` has refused None
    return range(step_on_or_after(init_date, months, window.start), step_on_or_after(init_date, months, stop))


def issue_dates(recurrence: Recurrence, window: DateRange) -> Iterator[date]:
    """Issue dates inside the half-open `window`, in order; the cost does not depend on how far back the rule began."""
    return (nth_issue_date(recurrence, number) for number in period_numbers(recurrence, window))


@lru_cache(maxsize=8192)  # as `day_in_month`
def accrual_month(issue_date: date, convention: AccrualMonth) -> date:
    """First day of the month an invoice belongs to: the issue date's, the one before or the one after it."""
    match convention:
        case AccrualMonth.SAME_MONTH:
            return first_of_month(issue_date)
        case AccrualMonth.PREVIOUS_MONTH:
            return day_in_month(month_number(issue_date) - 1, 1)
        case AccrualMonth.NEXT_MONTH:
            return day_in_month(month_number(issue_date) + 1, 1)


def periods(recurrence: Recurrence, accrual: AccrualMonth, window: DateRange) -> Iterator[Period]:
    """Periods of a rule inside the half-open `window`, in order of issue date."""
    for number in period_numbers(recurrence, window):
        issued = nth_issue_date(recurrence, number)
        yield Period(number, issued, accrual_month(issued, accrual))


ExpandedPeriod = tuple[date, date, tuple[date, ...]]
"""Issue date, accrual month (first day), due dates."""


def expand(
    recurrence: Recurrence,
    charge: Charge,
    accrual: AccrualMonth,
    window: DateRange,
    own_holidays: Collection[date] = NO_HOLIDAYS,
) -> Iterator[ExpandedPeriod]:
    """Periods of a rule inside the half-open `window`, in order: (issue date, accrual month, due dates).

    Raises:
        DateOutOfRange: a due date lies outside the years 1 to 9999.
    """
    for issued in issue_dates(recurrence, window):
        yield issued, accrual_month(issued, accrual), due_dates(charge, issued, own_holidays)


def step_on_or_after(anchor: date, months: int, day: date) -> int:
    """Smallest k >= 0 for which `add_months(anchor, k * months)` is not before `day`."""
    if day <= anchor:
        return 0
    number = month_number(day)
    gap = number - month_number(anchor)
    steps = -(-gap // months)
    falls_before = steps * months == gap and day_in_month(number, anchor.day) < day
    return steps + falls_before


def _weeks_until(init_date: date, day: date) -> int:
    """Smallest k >= 0 for which `init_date` plus k weeks is not before `day`."""
    return max(0, -((init_date - day).days // DAYS_OF_A_WEEK))
