from datetime import date, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import add_months, month_end
from ciclo.domain.due_dates import Charge, ChargeType, due_dates
from ciclo.domain.errors import DateOutOfRange, InvalidRule, WindowUpsideDown
from ciclo.domain.recurrence import (
    PERIODICITIES,
    AccrualMonth,
    DateRange,
    PeriodUnit,
    Recurrence,
    accrual_month,
    expand,
    issue_dates,
    nth_issue_date,
    period_numbers,
    periods,
)

DAYS = st.dates(date(2000, 1, 1), date(2040, 12, 31))
WINDOWS = st.tuples(DAYS, DAYS).map(lambda days: DateRange(min(days), max(days)))


@st.composite
def recurrences(draw):
    unit = draw(st.sampled_from(PeriodUnit))
    months = draw(st.sampled_from(PERIODICITIES)) if unit is PeriodUnit.MONTHLY else None
    return Recurrence(draw(DAYS), unit, months, draw(st.none() | DAYS))


def monthly(init_date, months=1, end_date=None):
    return Recurrence(init_date, PeriodUnit.MONTHLY, months, end_date)


def dates(*texts):
    return [date.fromisoformat(text) for text in texts]


@pytest.mark.parametrize(
    ("recurrence", "first", "last", "expected"),
    [
        (
            monthly(date(2020, 1, 31)),
            "2020-01-01",
            "2020-04-30",
            ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"],
        ),
        (monthly(date(2019, 1, 31)), "2019-02-01", "2019-03-31", ["2019-02-28", "2019-03-31"]),
        (
            monthly(date(2024, 2, 29), 12),
            "2024-01-01",
            "2028-12-31",
            ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        (
            monthly(date(2025, 11, 30), 3),
            "2025-01-01",
            "2026-12-31",
            ["2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30", "2026-11-30"],
        ),
        (monthly(date(2025, 1, 15), 2), "2025-02-01", "2025-06-30", ["2025-03-15", "2025-05-15"]),
        (monthly(date(2025, 1, 15), 6), "2025-01-16", "2025-07-14", []),
        (
            monthly(date(2025, 1, 15), 1, date(2025, 3, 15)),
            "2025-01-01",
            "2025-12-31",
            ["2025-01-15", "2025-02-15", "2025-03-15"],
        ),
        (monthly(date(2025, 1, 15), 1, date(2025, 3, 14)), "2025-01-01", "2025-12-31", ["2025-01-15", "2025-02-15"]),
        (monthly(date(2025, 1, 15), 1, date(2025, 1, 14)), "2025-01-01", "2025-12-31", []),
        (
            Recurrence(date(2024, 2, 26), PeriodUnit.WEEKLY),
            "2024-02-27",
            "2024-03-18",
            ["2024-03-04", "2024-03-11", "2024-03-18"],
        ),
        (
            Recurrence(date(2024, 2, 26), PeriodUnit.WEEKLY, 6, date(2024, 3, 4)),
            "2020-01-01",
            "2024-12-31",
            ["2024-02-26", "2024-03-04"],
        ),
    ],
)
def test_a_rule_issues_on_its_own_dates(recurrence, first, last, expected):
    window = DateRange.days(date.fromisoformat(first), date.fromisoformat(last))
    assert list(issue_dates(recurrence, window)) == dates(*expected)


def test_a_rule_issued_on_the_31st_recovers_after_february():
    rule = monthly(date(2025, 1, 31))
    assert [nth_issue_date(rule, number) for number in range(3)] == dates("2025-01-31", "2025-02-28", "2025-03-31")


@pytest.mark.parametrize("months", [None, 0, 4, 5, 7, 13, -1])
def test_a_periodicity_that_the_api_does_not_know_is_refused(months):
    with pytest.raises(InvalidRule) as caught:
        monthly(date(2025, 1, 1), months)
    assert str(caught.value) == (
        f"additional_information.month_quantity: a monthly rule's period lasts 1, 2, 3, 6, 12 months, not {months}"
    )


def test_an_invalid_rule_names_contract_rule_and_field():
    error = InvalidRule("additional_information.month_quantity", "must not be 5").at(contract=8818, rule=168132)
    assert str(error) == "contract 8818, rule 168132, additional_information.month_quantity: must not be 5"
    assert (error.contract, error.rule) == (8818, 168132)


@pytest.mark.parametrize("build", [DateRange, DateRange.days])
def test_a_window_upside_down_is_refused(build):
    with pytest.raises(WindowUpsideDown) as caught:
        build(date(2025, 6, 30), date(2025, 6, 1))
    assert str(caught.value) == "the window is upside down: it starts on 2025-06-30 and ends on 2025-06-01"


def test_a_window_of_days_includes_both_and_is_half_open_inside():
    window = DateRange.days(date(2025, 6, 1), date(2025, 6, 30))
    assert window == DateRange.month_of(date(2025, 6, 17)) == DateRange(date(2025, 6, 1), date(2025, 7, 1))
    assert window.last_day == date(2025, 6, 30)
    assert date(2025, 6, 30) in window
    assert date(2025, 7, 1) not in window


def test_windows_that_do_not_meet_intersect_in_nothing():
    june, august = DateRange.month_of(date(2025, 6, 1)), DateRange.month_of(date(2025, 8, 1))
    assert not june.intersection(august)
    assert not august.intersection(june)
    assert june.intersection(june) == june


def test_the_span_of_two_windows_holds_what_lies_between_them():
    june, august = DateRange.month_of(date(2025, 6, 1)), DateRange.month_of(date(2025, 8, 1))
    assert june.span(august) == august.span(june) == DateRange(date(2025, 6, 1), date(2025, 9, 1))
    assert june.span(june) == june


@pytest.mark.parametrize(
    ("issued", "convention", "expected"),
    [
        (date(2017, 4, 10), AccrualMonth.SAME_MONTH, date(2017, 4, 1)),
        (date(2017, 4, 1), AccrualMonth.PREVIOUS_MONTH, date(2017, 3, 1)),
        (date(2025, 1, 31), AccrualMonth.PREVIOUS_MONTH, date(2024, 12, 1)),
        (date(2025, 1, 31), AccrualMonth.NEXT_MONTH, date(2025, 2, 1)),
        (date(2024, 12, 1), AccrualMonth.NEXT_MONTH, date(2025, 1, 1)),
    ],
)
def test_an_invoice_belongs_to_its_month_or_the_one_before(issued, convention, expected):
    assert accrual_month(issued, convention) == expected


def test_a_window_to_the_end_of_time_is_a_clear_error():
    with pytest.raises(DateOutOfRange):
        DateRange.days(date(2025, 1, 1), date.max)


def test_a_rule_without_end_can_be_read_lazily_over_millennia():
    rule = monthly(date(2025, 1, 31))
    far = DateRange(date(2024, 1, 1), date(9999, 12, 31))
    assert list(islice(issue_dates(rule, far), 2)) == dates("2025-01-31", "2025-02-28")
    assert len(period_numbers(rule, far)) == 7975 * 12 - 1


@given(recurrence=recurrences(), window=WINDOWS)
def test_the_periods_are_those_that_walking_day_by_day_would_find(recurrence, window):
    walked = []
    number = 0
    while (issued := nth_issue_date(recurrence, number)) < window.end and issued <= (recurrence.end_date or date.max):
        if issued in window:
            walked.append(issued)
        number += 1
    assert list(issue_dates(recurrence, window)) == walked


@given(recurrence=recurrences(), window=WINDOWS, cut=DAYS)
def test_windows_concatenate(recurrence, window, cut):
    middle = min(max(cut, window.start), window.end)
    halves = DateRange(window.start, middle), DateRange(middle, window.end)
    joined = [issued for half in halves for issued in issue_dates(recurrence, half)]
    assert joined == list(issue_dates(recurrence, window))


@given(recurrence=recurrences(), window=WINDOWS)
def test_the_kth_period_does_not_depend_on_the_window(recurrence, window):
    for period in periods(recurrence, AccrualMonth.SAME_MONTH, window):
        day = DateRange.days(period.issue_date, period.issue_date)
        assert nth_issue_date(recurrence, period.number) == period.issue_date
        assert list(period_numbers(recurrence, day)) == [period.number]


@given(init_date=DAYS, months=st.sampled_from(PERIODICITIES), number=st.integers(0, 600))
def test_clamping_never_drifts(init_date, months, number):
    issued = nth_issue_date(monthly(init_date, months), number)
    assert issued == add_months(init_date, number * months)
    assert issued.day == min(init_date.day, month_end(issued).day)


@given(recurrence=recurrences(), window=WINDOWS)
def test_issue_dates_are_strictly_rising_and_inside_the_rules_life(recurrence, window):
    found = list(issue_dates(recurrence, window))
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(found))
    assert all(recurrence.init_date <= issued <= (recurrence.end_date or date.max) for issued in found)


def test_a_period_comes_with_its_accrual_month_and_due_dates():
    year = DateRange.days(date(2017, 1, 1), date(2017, 12, 31))
    charge = Charge(ChargeType.FIXED_DAY, day_number=1)
    expanded = list(expand(monthly(date(2017, 4, 10)), charge, AccrualMonth.SAME_MONTH, year))
    assert expanded[0] == (date(2017, 4, 10), date(2017, 4, 1), (date(2017, 5, 1),))
    assert expanded[-1] == (date(2017, 12, 10), date(2017, 12, 1), (date(2018, 1, 1),))
    assert len(expanded) == 9


@given(
    init_date=st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    unit=st.sampled_from(PeriodUnit),
    months=st.sampled_from(PERIODICITIES),
    accrual=st.sampled_from(AccrualMonth),
    charge_type=st.sampled_from(ChargeType),
)
def test_expanding_agrees_with_asking_for_each_part(init_date, unit, months, accrual, charge_type):
    recurrence = Recurrence(init_date, unit, months)
    charge = Charge(charge_type, day_number=31, day_quantity=45, month_quantity=2, parcel_number=3)
    window = DateRange(date(2019, 12, 31), date(2022, 3, 1))
    expected = [
        (issued, accrual_month(issued, accrual), due_dates(charge, issued))
        for issued in issue_dates(recurrence, window)
    ]
    assert list(expand(recurrence, charge, accrual, window)) == expected
