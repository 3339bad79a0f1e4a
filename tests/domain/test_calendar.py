import json
from datetime import date, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import (
    add_business_days,
    add_days,
    add_months,
    bank_holidays,
    day_in_month,
    easter_sunday,
    first_of_month,
    is_business_day,
    last_business_day_of_month,
    month_end,
    month_number,
    next_business_day,
    previous_business_day,
    read_holidays,
)
from ciclo.domain.errors import DateOutOfRange, InvalidHolidays

DAYS = st.dates(date(1950, 1, 1), date(2150, 12, 31))


def test_the_holidays_are_anbimas_published_list(shared):
    published = {
        date.fromisoformat(day) for day in json.loads((shared / "data/calendar/anbima_holidays.json").read_text())
    }
    computed = {day for year in range(2000, 2031) for day in bank_holidays(year)}
    assert computed == published


@pytest.mark.parametrize("year", range(2000, 2031))
def test_the_holidays_are_those_of_an_independent_calendar(year):
    assert bank_holidays(year) == set(holidays.financial_holidays("BVMF", years=year))


@pytest.mark.parametrize(
    ("day", "closed"),
    [
        (date(2025, 3, 3), True),  # Carnival Monday
        (date(2025, 3, 5), False),  # Ash Wednesday
        (date(2025, 6, 19), True),  # Corpus Christi
        (date(2023, 11, 20), False),  # before Law 14.759/2023
        (date(2024, 11, 20), True),
        (date(2025, 12, 31), False),  # banks settle
        (date(2040, 3, 30), True),  # Good Friday, beyond the published list
        (date(2025, 8, 30), True),  # Saturday
    ],
)
def test_banks_are_closed_on_holidays_and_weekends(day, closed):
    assert is_business_day(day) is not closed


@pytest.mark.parametrize(
    ("year", "easter"),
    [(1961, (4, 2)), (2000, (4, 23)), (2008, (3, 23)), (2025, (4, 20)), (2038, (4, 25)), (2285, (3, 22))],
)
def test_easter_falls_where_the_almanac_says(year, easter):
    assert easter_sunday(year) == date(year, *easter)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2025, 4, 17), 1, date(2025, 4, 22)),  # over Good Friday, Easter and Tiradentes
        (date(2025, 8, 30), 1, date(2025, 9, 1)),  # from a Saturday, Monday is the first
        (date(2025, 8, 30), 0, date(2025, 8, 30)),
        (date(2025, 4, 22), -1, date(2025, 4, 17)),
        (date(2025, 12, 30), 2, date(2026, 1, 2)),
    ],
)
def test_business_days_are_counted_strictly_after_a_day(day, count, expected):
    assert add_business_days(day, count) == expected


@pytest.mark.parametrize(
    ("day", "last"),
    [
        (date(2025, 8, 1), date(2025, 8, 29)),
        (date(2025, 2, 10), date(2025, 2, 28)),
        (date(2019, 3, 31), date(2019, 3, 29)),
        (date(2025, 12, 1), date(2025, 12, 31)),
    ],
)
def test_the_last_business_day_of_a_month(day, last):
    assert last_business_day_of_month(day) == last


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2025, 1, 31), 2, date(2025, 3, 31)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2025, 1, 31), -2, date(2024, 11, 30)),
        (date(2025, 12, 15), 1, date(2026, 1, 15)),
    ],
)
def test_months_are_added_from_the_anchor_and_clamped(anchor, months, expected):
    assert add_months(anchor, months) == expected


def test_the_end_of_time_is_a_clear_error():
    with pytest.raises(DateOutOfRange, match="month 1 of year 10000 lies outside the years 1 to 9999"):
        add_months(date(9999, 12, 1), 1)
    with pytest.raises(DateOutOfRange, match="1 days after 9999-12-31 lies outside"):
        add_days(date.max, 1)


@given(day=DAYS)
def test_a_month_begins_and_ends_around_its_days(day):
    assert first_of_month(day).day == 1
    assert (month_end(day) + timedelta(days=1)).day == 1
    assert first_of_month(day) <= day <= month_end(day)
    assert day_in_month(month_number(day), day.day) == day


@given(anchor=DAYS, months=st.integers(-600, 600))
def test_clamping_keeps_the_month_and_never_passes_the_anchors_day(anchor, months):
    moved = add_months(anchor, months)
    assert month_number(moved) == month_number(anchor) + months
    assert moved.day == anchor.day or moved == month_end(moved)


@given(day=DAYS, count=st.integers(1, 60))
def test_counting_business_days_back_returns_to_the_start(day, count):
    later = add_business_days(day, count)
    assert is_business_day(later)
    assert add_business_days(later, -count) == previous_business_day(day)


@given(day=DAYS)
def test_the_nearest_business_days_enclose_a_day(day):
    assert previous_business_day(day) <= day <= next_business_day(day)
    assert (previous_business_day(day) == day == next_business_day(day)) is is_business_day(day)


def test_a_companys_own_holidays_are_no_business_days():
    own = read_holidays(["# the city's day", "25/01/2027", "2026-12-24  # closed by agreement", ""])
    assert own == {date(2027, 1, 25), date(2026, 12, 24)}
    assert next_business_day(date(2026, 12, 24), own) == date(2026, 12, 28)  # the 25th is everybody's, then a weekend
    assert previous_business_day(date(2026, 12, 25), own) == date(2026, 12, 23)
    assert add_business_days(date(2026, 12, 23), 1, own) == date(2026, 12, 28)
    assert last_business_day_of_month(date(2026, 12, 1), {date(2026, 12, 31)}) == date(2026, 12, 30)


@pytest.mark.parametrize("line", ["24/13/2025", "Natal", "2025-12-24;2025-12-31"])
def test_a_holiday_that_is_no_date_is_refused_by_its_line(line):
    with pytest.raises(InvalidHolidays, match="line 2 of the holidays"):
        read_holidays(["2025-12-24", line])
