"""Days and months: month arithmetic with clamping, and the business days of Brazil's banks (ANBIMA's calendar).

Months are counted by their number, `year * 12 + month - 1`, so that months add like integers. A day past the month's
end is its last day, always clamped from the day that was asked for, so that nothing drifts.

A company may keep holidays of its own beside the banks' (its city's, the 24th of December): whoever asks about business
days gives them along.
"""

from calendar import monthrange
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from ciclo.domain.errors import DateOutOfRange, InvalidHolidays
from ciclo.locale import N_, Text

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
"""The time zone of billing."""

SATURDAY = 5
_DAY = timedelta(days=1)

_FIXED_HOLIDAYS = ((1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25))
"""Month and day of New Year, Tiradentes, Labour Day, Independence, Aparecida, All Souls, Republic and Christmas."""

_MOVABLE_HOLIDAYS = (-48, -47, -2, 60)
"""Days after Easter Sunday of Carnival Monday and Tuesday, Good Friday and Corpus Christi (banks close on each)."""

_BLACK_AWARENESS_DAY = (11, 20)
_BLACK_AWARENESS_DAY_SINCE = 2024  # Law 14.759 of 2023-12-21 made it a national holiday


NO_HOLIDAYS: frozenset[date] = frozenset()
"""A company without holidays of its own."""


def month_number(day: date) -> int:
    """Number of the day's month: `year * 12 + month - 1`."""
    return day.year * 12 + day.month - 1


@lru_cache(maxsize=8192)  # a portfolio asks for the same few thousand days over and over
def day_in_month(number: int, day: int) -> date:
    """Day `day` (1 to 31) of the month with that number, or the month's last day if it has no such day.

    Raises:
        DateOutOfRange: the month lies outside the years 1 to 9999.
    """
    year, month0 = divmod(number, 12)
    if not date.min.year <= year <= date.max.year:
        raise DateOutOfRange(Text(N_("month {month} of year {year}"), month=month0 + 1, year=year))
    return date(year, month0 + 1, min(day, monthrange(year, month0 + 1)[1]))


def first_of_month(day: date) -> date:
    """First day of the day's month."""
    return day.replace(day=1)


def month_end(day: date) -> date:
    """Last day of the day's month."""
    return day_in_month(month_number(day), 31)


def add_months(anchor: date, months: int) -> date:
    """Return the anchor's day `months` months later (or earlier), clamped to that month's end.

    Always count from the anchor: `add_months(add_months(d, 1), 1)` drifts, `add_months(d, 2)` does not.

    Raises:
        DateOutOfRange: the month lies outside the years 1 to 9999.
    """
    return day_in_month(month_number(anchor) + months, anchor.day)


YEARS = range(1900, 9001)
"""Of dates that people may mean: whatever is counted from one stays within the calendar."""


def add_days(day: date, days: int) -> date:
    """Return the day that many calendar days later (or earlier).

    Raises:
        DateOutOfRange: it lies outside the years 1 to 9999.
    """
    try:
        return day + timedelta(days=days)
    except OverflowError as error:
        raise DateOutOfRange(Text(N_("{days} days after {day}"), days=days, day=day.isoformat())) from error


def is_business_day(day: date, own_holidays: Collection[date] = NO_HOLIDAYS) -> bool:
    """Whether it is Monday to Friday, no holiday of ANBIMA's calendar and none of the company's own."""
    return day.weekday() < SATURDAY and day not in bank_holidays(day.year) and day not in own_holidays


def next_business_day(day: date, own_holidays: Collection[date] = NO_HOLIDAYS) -> date:
    """Return the day itself if it is a business day, else the first one after it."""
    while not is_business_day(day, own_holidays):
        day = add_days(day, 1)
    return day


def previous_business_day(day: date, own_holidays: Collection[date] = NO_HOLIDAYS) -> date:
    """Return the day itself if it is a business day, else the last one before it."""
    while not is_business_day(day, own_holidays):
        day = add_days(day, -1)
    return day


def add_business_days(day: date, count: int, own_holidays: Collection[date] = NO_HOLIDAYS) -> date:
    """Return the `count`-th business day strictly after `day`, strictly before it if negative; `day` itself for 0."""
    step = 1 if count > 0 else -1
    for _ in range(abs(count)):
        day = add_days(day, step)
        while not is_business_day(day, own_holidays):
            day = add_days(day, step)
    return day


def last_business_day_of_month(day: date, own_holidays: Collection[date] = NO_HOLIDAYS) -> date:
    """Last business day of the day's month."""
    return previous_business_day(month_end(day), own_holidays)


def read_holidays(lines: Iterable[str]) -> frozenset[date]:
    """Read a company's own holidays: one day a line, `2025-12-24` or `24/12/2025`; what follows a `#` is a comment.

    Raises:
        InvalidHolidays: a line is no date; it is named by its number.
    """
    found = set()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.add(date.fromisoformat("-".join(reversed(text.split("/"))) if "/" in text else text))
        except ValueError:
            raise InvalidHolidays(number, text) from None
    return frozenset(found)


def holidays_in(file: Path | None) -> frozenset[date]:
    """Read a company's own holidays from its file, as `read_holidays` does; none without one.

    Raises:
        InvalidHolidays: a line is no date.
        OSError: the file cannot be read.
    """
    return NO_HOLIDAYS if file is None else read_holidays(file.read_text(encoding="utf-8").splitlines())


@cache
def bank_holidays(year: int) -> frozenset[date]:
    """Bank holidays of a year by rule; equal to ANBIMA's published list for 2000-2030, and computed beyond it.

    20 November counts from 2024 on, as in the list ANBIMA published after Law 14.759/2023. State and city holidays
    and 31 December (banks open to settle) are not among them.
    """
    fixed = {date(year, month, day) for month, day in _FIXED_HOLIDAYS}
    movable = {easter_sunday(year) + offset * _DAY for offset in _MOVABLE_HOLIDAYS}
    recent = {date(year, *_BLACK_AWARENESS_DAY)} if year >= _BLACK_AWARENESS_DAY_SINCE else set()
    return frozenset(fixed | movable | recent)


def easter_sunday(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm, Meeus, Astronomical Algorithms, chapter 8)."""
    century, year_of_century = divmod(year, 100)
    golden = year % 19
    moon_correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - moon_correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (year_of_century // 4) - epact - year_of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day0 = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day0 + 1)
