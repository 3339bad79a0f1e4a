from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import add_months, is_business_day, month_end, month_number
from ciclo.domain.due_dates import Charge, ChargeType, charge_type_of, due_dates, percentages, receivables
from ciclo.domain.errors import InvalidRule

FIXED, LAST = ChargeType.FIXED_DAY, ChargeType.LAST_DAY_OF_MONTH
DAYS_LATER, MONTHS_LATER = ChargeType.DAY_QUANTITY, ChargeType.FIXED_DAY_AND_MONTH_QUANTITY
ISSUE_DATES = st.dates(date(2000, 1, 1), date(2040, 12, 31))


@st.composite
def charges(draw):
    return Charge(
        draw(st.sampled_from(ChargeType)),
        day_number=draw(st.integers(1, 31)),
        day_quantity=draw(st.integers(0, 90)),
        month_quantity=draw(st.integers(0, 12)),
        only_business_days=draw(st.sampled_from([None, False, True])),
        parcel_number=draw(st.none() | st.integers(1, 24)),
    )


def due(charge, issued):
    return [day.isoformat() for day in due_dates(charge, date.fromisoformat(issued))]


@pytest.mark.parametrize(
    ("day", "issued", "expected"),
    [
        (15, "2020-02-01", "2020-02-15"),
        (15, "2020-02-15", "2020-03-15"),
        (15, "2020-02-16", "2020-03-15"),
        (1, "2020-02-01", "2020-03-01"),
        (31, "2020-01-31", "2020-02-29"),
        (31, "2019-02-28", "2019-03-31"),
        (30, "2020-01-30", "2020-02-29"),
        (30, "2025-02-10", "2025-02-28"),
        (1, "2017-12-10", "2018-01-01"),
        (23, "2016-09-02", "2016-09-23"),
    ],
)
def test_a_fixed_day_is_the_first_strictly_after_the_issue_date(day, issued, expected):
    assert due(Charge(FIXED, day_number=day), issued) == [expected]


@pytest.mark.parametrize(
    ("issued", "business", "expected"),
    [
        ("2025-02-10", False, "2025-02-28"),
        ("2020-02-29", False, "2020-03-31"),
        ("2025-12-31", False, "2026-01-31"),
        ("2025-08-01", True, "2025-08-29"),
        ("2025-08-28", True, "2025-08-29"),
        ("2025-08-29", True, "2025-09-30"),  # never due on or before its own issue date
        ("2025-08-30", True, "2025-09-30"),
        ("2025-08-30", False, "2025-08-31"),
    ],
)
def test_a_last_day_of_month_is_strictly_after_the_issue_date(issued, business, expected):
    assert due(Charge(LAST, only_business_days=business), issued) == [expected]


@pytest.mark.parametrize(
    ("quantity", "business", "issued", "expected"),
    [
        (3, False, "2016-09-02", "2016-09-05"),
        (30, False, "2025-01-31", "2025-03-02"),
        (0, False, "2025-08-30", "2025-08-30"),
        (3, True, "2016-09-02", "2016-09-08"),  # over a weekend and Independence Day
        (1, True, "2025-08-30", "2025-09-01"),
        (0, True, "2025-08-30", "2025-09-01"),  # nothing is due on a Saturday
        (0, True, "2025-08-29", "2025-08-29"),
        (5, None, "2025-08-29", "2025-09-03"),
    ],
)
def test_days_later_are_calendar_days_or_business_days(quantity, business, issued, expected):
    assert due(Charge(DAYS_LATER, day_quantity=quantity, only_business_days=business), issued) == [expected]


@pytest.mark.parametrize(
    ("day", "months", "issued", "expected"),
    [
        (12, 3, "2018-12-19", "2019-03-12"),
        (31, 1, "2025-01-10", "2025-02-28"),
        (15, 3, "2024-03-15", "2024-06-15"),
        (25, 0, "2025-01-10", "2025-01-25"),
        (5, 12, "2025-12-31", "2026-12-05"),
    ],
)
def test_a_fixed_day_some_months_later(day, months, issued, expected):
    assert due(Charge(MONTHS_LATER, day_number=day, month_quantity=months), issued) == [expected]


@pytest.mark.parametrize(
    ("charge", "issued", "expected"),
    [
        (
            Charge(FIXED, day_number=31, parcel_number=4),
            "2020-12-31",
            ["2021-01-31", "2021-02-28", "2021-03-31", "2021-04-30"],
        ),
        (Charge(FIXED, day_number=31, parcel_number=2), "2021-02-10", ["2021-02-28", "2021-03-31"]),
        (Charge(FIXED, day_number=1, parcel_number=2), "2018-12-21", ["2019-01-01", "2019-02-01"]),
        (Charge(LAST, parcel_number=2), "2025-01-10", ["2025-01-31", "2025-02-28"]),
        (Charge(LAST, parcel_number=2), "2025-04-10", ["2025-04-30", "2025-05-31"]),
        (Charge(LAST, parcel_number=3), "2025-02-10", ["2025-02-28", "2025-03-31", "2025-04-30"]),
        (
            Charge(MONTHS_LATER, day_number=30, month_quantity=1, parcel_number=3),
            "2025-01-15",
            ["2025-02-28", "2025-03-30", "2025-04-30"],
        ),
        (
            Charge(DAYS_LATER, day_quantity=30, parcel_number=3),
            "2025-01-01",
            ["2025-01-31", "2025-02-28", "2025-03-31"],
        ),
        (
            Charge(MONTHS_LATER, day_number=12, month_quantity=3, parcel_number=4),
            "2018-12-19",
            ["2019-03-12", "2019-04-12", "2019-05-12", "2019-06-12"],
        ),
    ],
)
def test_parcels_are_a_month_apart_and_each_keeps_the_rule(charge, issued, expected):
    assert due(charge, issued) == expected


@pytest.mark.parametrize(
    ("charge", "issued", "expected"),
    [
        (  # the 1st is New Year's Day: the flag does not belong to a fixed day
            Charge(FIXED, day_number=1, only_business_days=True, parcel_number=3),
            "2018-12-21",
            ["2019-01-01", "2019-02-01", "2019-03-01"],
        ),
        (
            Charge(LAST, only_business_days=True, parcel_number=3),
            "2025-07-15",
            ["2025-07-31", "2025-08-29", "2025-09-30"],
        ),
        (
            Charge(DAYS_LATER, day_quantity=1, only_business_days=True, parcel_number=2),
            "2025-07-01",
            ["2025-07-02", "2025-08-04"],
        ),
        (  # three business days after the 18th of each month: over Carnival, over a weekend, over Tiradentes
            Charge(DAYS_LATER, day_quantity=3, only_business_days=True, parcel_number=3),
            "2023-02-18",
            ["2023-02-24", "2023-03-22", "2023-04-24"],
        ),
        (Charge(MONTHS_LATER, day_number=30, month_quantity=1, only_business_days=True), "2025-07-15", ["2025-08-30"]),
    ],
)
def test_only_business_days_counts_for_quantities_of_days_and_month_ends_alone(charge, issued, expected):
    assert due(charge, issued) == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((None, None, None), LAST),
        ((23, None, None), FIXED),
        ((None, 3, None), DAYS_LATER),
        ((None, 0, None), DAYS_LATER),
        ((12, None, 3), MONTHS_LATER),
    ],
)
def test_the_charge_type_follows_from_which_numbers_are_set(numbers, expected):
    assert charge_type_of(*numbers) is expected


@pytest.mark.parametrize("numbers", [(1, 2, None), (None, None, 3), (None, 2, 3), (1, 2, 3)])
def test_numbers_of_no_charge_type_are_refused(numbers):
    with pytest.raises(InvalidRule, match="no charge type has day_number"):
        charge_type_of(*numbers)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"charge_type": FIXED}, "day_number: must be a whole number from 1 to 31, not None"),
        ({"charge_type": FIXED, "day_number": 32}, "day_number: must be a whole number from 1 to 31, not 32"),
        ({"charge_type": FIXED, "day_number": "5"}, "day_number: must be a whole number from 1 to 31, not '5'"),
        ({"charge_type": FIXED, "day_number": 0}, "day_number: must be a whole number from 1 to 31, not 0"),
        ({"charge_type": DAYS_LATER}, "day_quantity: must be a whole number from 0 to 36525, not None"),
        (
            {"charge_type": DAYS_LATER, "day_quantity": -1},
            "day_quantity: must be a whole number from 0 to 36525, not -1",
        ),
        (
            {"charge_type": MONTHS_LATER, "day_number": 5},
            "month_quantity: must be a whole number from 0 to 1200, not None",
        ),
        ({"charge_type": LAST, "parcel_number": 0}, "parcel_number: must be a whole number from 1 to 1000, not 0"),
    ],
)
def test_terms_that_cannot_be_billed_by_are_refused(fields, message):
    with pytest.raises(InvalidRule) as caught:
        Charge(**fields)
    assert str(caught.value) == f"receivables_additional_information.{message}"


@pytest.mark.parametrize(
    ("parcels", "expected"),
    [
        (1, ["100.0000"]),
        (2, ["50.0000", "50.0000"]),
        (3, ["33.3333", "33.3333", "33.3334"]),
        (6, ["16.6667"] * 5 + ["16.6665"]),
        (7, ["14.2857"] * 6 + ["14.2858"]),
    ],
)
def test_equal_percentages_leave_the_rest_to_the_last(parcels, expected):
    assert [str(share) for share in percentages(parcels)] == expected


def test_an_invoice_is_split_into_its_receivables():
    charge = Charge(FIXED, day_number=1, parcel_number=3)
    parts = receivables(charge, date(2018, 12, 21), Decimal("100.00"))
    assert [(part.due_date.isoformat(), str(part.percentage), str(part.gross_value)) for part in parts] == [
        ("2019-01-01", "33.3333", "33.33"),
        ("2019-02-01", "33.3333", "33.33"),
        ("2019-03-01", "33.3334", "33.34"),
    ]


def test_a_companys_own_holidays_move_due_dates():
    charge = Charge(DAYS_LATER, day_quantity=10, only_business_days=True)
    issued = date(2026, 12, 10)
    assert due_dates(charge, issued) == (date(2026, 12, 24),)
    assert due_dates(charge, issued, frozenset({date(2026, 12, 24)})) == (date(2026, 12, 28),)


@given(charge=charges(), issued=ISSUE_DATES)
def test_parcels_on_a_day_of_the_month_keep_it_where_there_is_one(charge, issued):
    if charge.charge_type in {FIXED, MONTHS_LATER}:
        assert all(day.day == min(charge.day_number, month_end(day).day) for day in due_dates(charge, issued))
    if charge.charge_type is LAST and not charge.only_business_days:
        assert all(day == month_end(day) for day in due_dates(charge, issued))


@given(parcels=st.integers(1, 1000))
def test_percentages_total_exactly_100_with_4_decimals(parcels):
    shares = percentages(parcels)
    assert sum(shares) == 100
    assert len(shares) == parcels
    assert all(share >= 0 and share.as_tuple().exponent == -4 for share in shares)


@given(charge=charges(), issued=ISSUE_DATES, gross=st.decimals(min_value=0, max_value=10**9, places=2))
def test_receivables_total_the_invoice_and_rise_by_a_month(charge, issued, gross):
    parts = receivables(charge, issued, gross)
    assert len(parts) == charge.parcels
    assert sum(part.gross_value for part in parts) == gross
    assert sum(part.percentage for part in parts) == 100
    assert all(later.due_date > earlier.due_date for earlier, later in pairwise(parts))


@given(charge=charges(), issued=ISSUE_DATES)
def test_no_due_date_falls_on_a_closed_day_when_only_business_days_count(charge, issued):
    if charge.only_business_days and charge.charge_type in {DAYS_LATER, LAST}:
        assert all(map(is_business_day, due_dates(charge, issued)))


@given(charge=charges(), issued=ISSUE_DATES)
def test_a_day_of_the_month_is_always_strictly_after_the_issue_date(charge, issued):
    if charge.charge_type in {FIXED, LAST}:
        assert due_dates(charge, issued)[0] > issued


@given(issued=ISSUE_DATES, day=st.integers(1, 31))
def test_a_fixed_day_is_at_most_a_month_end_away(issued, day):
    [first] = due_dates(Charge(FIXED, day_number=day), issued)
    assert month_number(first) - month_number(issued) in {0, 1}
    assert first.day == min(day, month_end(first).day)
    assert first <= month_end(add_months(issued, 1))


@pytest.mark.parametrize("parcels", [0, 1001])
def test_a_number_of_parcels_out_of_bounds_has_no_percentages(parcels):
    with pytest.raises(InvalidRule, match="parcel_number: must be a whole number from 1 to 1000"):
        percentages(parcels)
