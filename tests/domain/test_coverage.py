"""The periods of a rule tile time; where terms change, what would be paid twice or not at all has a name."""

from datetime import date
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import add_months
from ciclo.domain.coverage import Coverage, coverage, gaps, is_paid_whole, months_of, pays_again
from ciclo.domain.recurrence import PERIODICITIES, AccrualMonth, DateRange, PeriodUnit, Recurrence, issue_dates

SAME, PREVIOUS, NEXT = AccrualMonth
DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def monthly(day, months=1, accrual=SAME):
    issued = date.fromisoformat(day)
    return coverage(Recurrence(issued, PeriodUnit.MONTHLY, months), accrual, issued)


def weekly(day):
    issued = date.fromisoformat(day)
    return coverage(Recurrence(issued, PeriodUnit.WEEKLY), SAME, issued)


@st.composite
def coverages(draw):
    unit = draw(st.sampled_from(PeriodUnit))
    months = draw(st.sampled_from(PERIODICITIES)) if unit is PeriodUnit.MONTHLY else None
    issued = draw(DAYS)
    return coverage(Recurrence(issued, unit, months), draw(st.sampled_from(AccrualMonth)), issued)


def test_a_period_pays_for_its_months_and_as_many_competence_months():
    quarter = monthly("2025-01-15", 3, PREVIOUS)
    assert quarter == Coverage(
        DateRange(date(2025, 1, 1), date(2025, 4, 1)), DateRange(date(2024, 12, 1), date(2025, 3, 1))
    )
    assert quarter.months == ("2024-12", "2025-01", "2025-02")


def test_a_week_pays_for_seven_days():
    week = weekly("2025-06-30")
    assert (week.issued, week.competence) == (DateRange(date(2025, 6, 30), date(2025, 7, 7)), None)
    assert week.months == ("2025-06", "2025-07")


@pytest.mark.parametrize(
    ("billed", "called_for", "again"),
    [
        (monthly("2025-06-10"), monthly("2025-06-20"), True),  # the day moved after it was billed
        (monthly("2025-06-10"), monthly("2025-07-20"), False),
        (monthly("2025-01-15", 3), monthly("2025-02-15", 3), True),  # a quarter moved by a month
        (monthly("2025-01-15", 3), monthly("2025-04-15", 3), False),
        (monthly("2025-01-10", 12), monthly("2025-12-10"), True),  # a paid year made monthly
        (monthly("2025-01-10", 12), monthly("2026-01-10"), False),
        (monthly("2025-02-10"), monthly("2025-03-10", accrual=PREVIOUS), True),  # February's competence twice
        (monthly("2025-02-10"), monthly("2025-04-10", accrual=PREVIOUS), False),
        (monthly("2025-02-10", accrual=NEXT), monthly("2025-03-10"), True),
        (weekly("2025-06-16"), weekly("2025-06-18"), True),  # five days of the same week
        (weekly("2025-06-16"), weekly("2025-06-20"), False),  # three days
        (weekly("2025-05-29"), monthly("2025-06-10"), True),  # four days of June
        (weekly("2025-05-26"), monthly("2025-06-10"), False),
    ],
)
def test_a_period_that_would_pay_again_is_told(billed, called_for, again):
    assert pays_again(billed, called_for) is again


@pytest.mark.parametrize(
    ("given_up", "others", "whole"),
    [
        (monthly("2025-06-10"), [monthly("2025-06-20")], True),
        (monthly("2025-06-10"), [], False),
        (monthly("2025-06-10"), [monthly("2025-07-01")], False),
        (monthly("2025-06-10"), [monthly("2025-06-20", accrual=PREVIOUS)], False),  # June's competence is nobody's
        (
            monthly("2025-06-10"),
            [monthly("2025-06-20", accrual=PREVIOUS), monthly("2025-07-20", accrual=PREVIOUS)],
            True,
        ),
        (monthly("2025-06-10", 3), [monthly("2025-06-20"), monthly("2025-08-20")], False),
        (monthly("2025-06-10", 3), [monthly(f"2025-0{month}-20") for month in (8, 6, 7)], True),
        (monthly("2025-06-10"), [monthly("2025-04-10", 3)], True),
        (weekly("2025-06-02"), [weekly("2025-06-05")], True),  # Monday to Thursday: three days
        (weekly("2025-06-02"), [weekly("2025-06-06")], False),
        (weekly("2025-06-02"), [monthly("2025-06-20")], True),
        (monthly("2025-06-10"), [weekly(f"2025-06-{day:02}") for day in (2, 9, 16, 23)], True),
        (monthly("2025-06-10"), [weekly(f"2025-06-{day:02}") for day in (9, 16, 23)], False),
    ],
)
def test_what_is_given_up_is_paid_whole_or_not(given_up, others, whole):
    assert is_paid_whole(given_up, others) is whole


def test_what_falls_between_is_a_gap():
    june = DateRange(date(2025, 6, 1), date(2025, 7, 1))
    february = DateRange(date(2025, 2, 1), date(2025, 3, 1))
    assert list(gaps([monthly("2025-05-10"), monthly("2025-07-10")])) == [june]
    assert list(gaps([monthly("2025-02-10", accrual=PREVIOUS), monthly("2025-03-10")])) == [february]
    assert list(gaps([monthly("2025-05-10"), monthly("2025-05-20"), monthly("2025-06-10")])) == []


def test_a_week_is_moved_by_three_days_without_a_gap():
    assert list(gaps([weekly("2025-06-16"), weekly("2025-06-26")])) == []
    assert list(gaps([weekly("2025-06-16"), weekly("2025-06-27")])) == [DateRange(date(2025, 6, 23), date(2025, 6, 27))]


@given(
    init=DAYS,
    unit=st.sampled_from(PeriodUnit),
    months=st.sampled_from(PERIODICITIES),
    accrual=st.sampled_from(list(AccrualMonth)),
)
def test_the_periods_of_unchanged_terms_tile_time(init, unit, months, accrual):
    rule = Recurrence(init, unit, months if unit is PeriodUnit.MONTHLY else None)
    tiles = [coverage(rule, accrual, day) for day in issue_dates(rule, DateRange(init, add_months(init, 36)))]
    assert not any(pays_again(one, other) for one, other in combinations(tiles, 2))
    assert list(gaps(tiles)) == []


@given(one=coverages(), other=coverages())
def test_paying_again_is_mutual(one, other):
    assert pays_again(one, other) == pays_again(other, one)
    assert pays_again(one, one)


@given(
    first=DAYS, lengths=st.lists(st.tuples(st.sampled_from(PERIODICITIES), st.integers(0, 4)), min_size=2, max_size=8)
)
def test_every_month_is_covered_or_in_a_gap(first, lengths):
    tiles, start = [], first
    for length, skipped in lengths:
        tiles.append(coverage(Recurrence(start, PeriodUnit.MONTHLY, length), SAME, start))
        start = add_months(start.replace(day=1), length + skipped)
    covered = [month for tile in tiles for month in months_of(tile.issued)]
    missing = [month for gap in gaps(tiles) for month in months_of(gap)]
    span = list(months_of(DateRange(tiles[0].issued.start, tiles[-1].issued.end)))
    assert sorted([*covered, *missing]) == span
