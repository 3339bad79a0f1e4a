from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.due_dates import percentages
from ciclo.domain.errors import InvalidAmount, InvalidPercentages
from ciclo.domain.money import (
    brl,
    cents,
    multiply_to_cents,
    number,
    parse_decimal,
    parse_money,
    parse_typed,
    service_value,
    split_money,
)

MONEY = st.decimals(min_value=Decimal("-1e9"), max_value=Decimal("1e9"), places=2)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("14.375", "14.38"),
        ("14.3749999999999999999999999999999999", "14.37"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("2.665", "2.67"),
        ("1e20", "100000000000000000000.00"),
        ("123456789012345678901234567890.125", "123456789012345678901234567890.13"),
    ],
)
def test_money_is_rounded_half_up_to_cents(amount, expected):
    assert str(cents(Decimal(amount))) == str(Decimal(expected))


def test_money_never_rounds_to_a_negative_zero():
    assert str(cents(Decimal("-0.004"))) == "0.00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("700.0", "700.0"), ("14.38", "14.38"), (" 5 ", "5"), ("-0.06", "-0.06"), (3, "3"), (Decimal("1.5"), "1.5")],
)
def test_an_exact_number_is_read_unrounded(value, expected):
    assert parse_decimal(value) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (14.38, "unit_value: 14.38 is a float, not an exact decimal number"),
        (True, "unit_value: True is a bool, not an exact decimal number"),
        (Decimal("NaN"), "unit_value: Decimal('NaN') is not a finite number"),
        (Decimal("Infinity"), "unit_value: Decimal('Infinity') is not a finite number"),
        ("NaN", "unit_value: 'NaN' is not a decimal number"),
        ("Infinity", "unit_value: 'Infinity' is not a decimal number"),
        ("1e5", "unit_value: '1e5' is not a decimal number"),
        ("1_000", "unit_value: '1_000' is not a decimal number"),
        ("1.234,56", "unit_value: '1.234,56' is not a decimal number"),
        ("١٢", "unit_value: '١٢' is not a decimal number"),
        ("--", "unit_value: '--' is not a decimal number"),
        ("", "unit_value: '' is not a decimal number"),
        (None, "unit_value: None is not a decimal number"),
        (10**18, "unit_value: 1000000000000000000 is too large"),
    ],
)
def test_what_is_not_an_exact_number_is_refused(value, message):
    with pytest.raises(InvalidAmount) as caught:
        parse_decimal(value, "unit_value")
    assert str(caught.value) == message


def test_parsed_money_is_in_cents():
    assert str(parse_money("14.375")) == "14.38"


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("1234.56", "R$ 1.234,56"),
        ("1234567.8", "R$ 1.234.567,80"),
        ("0", "R$ 0,00"),
        ("-0.5", "-R$ 0,50"),
        ("0.0375", "R$ 0,0375"),
        ("1234.00500", "R$ 1.234,005"),
        ("-0.001", "-R$ 0,001"),
    ],
)
def test_money_is_written_the_brazilian_way(amount, expected):
    assert brl(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("1234.5678", None, "1.234,5678"),
        ("2.0000005", 6, "2,000001"),  # a half is rounded up, not to the even digit
        ("-2.0000005", 6, "-2,000001"),
        ("7.02618345407180768871765195758203983666087833600", 2, "7,03"),
        ("1." + "0" * 40 + "1", None, "1," + "0" * 40 + "1"),
    ],
)
def test_a_number_is_written_the_brazilian_way_whole_or_rounded_half_up(value, places, expected):
    assert number(Decimal(value), places) == expected


@pytest.mark.parametrize(("units", "unit_value", "value"), [("2.5", "5.75", "14.38"), ("1", "50", "50.00")])
def test_a_service_is_worth_its_units_times_its_unit_value(units, unit_value, value):
    assert str(service_value(Decimal(units), Decimal(unit_value))) == value


def test_a_product_is_rounded_once_however_long_its_factors():
    just_under_half_a_cent = Decimal("0.004" + "9" * 80)
    assert multiply_to_cents(Decimal("1.0"), just_under_half_a_cent) == Decimal("0.00")


@pytest.mark.parametrize(
    ("total", "shares", "parts"),
    [
        ("100.00", ("33.3333", "33.3333", "33.3334"), ("33.33", "33.33", "33.34")),
        ("0.05", ("50", "50"), ("0.03", "0.02")),
        ("0.02", ("25", "25", "25", "25"), ("0.01", "0.01", "0.00", "0.00")),
        ("-0.05", ("50", "50"), ("-0.03", "-0.02")),
        ("189.90", ("100",), ("189.90",)),
        ("100.00", ("0", "100"), ("0.00", "100.00")),
    ],
)
def test_a_value_is_split_by_percentages(total, shares, parts):
    assert split_money(Decimal(total), [Decimal(share) for share in shares]) == tuple(map(Decimal, parts))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (("50", "49.9999"), "percentages: they total 99.9999, not 100"),
        (("150", "-50"), "percentages: -50 is negative"),
        ((), "percentages: they total 0, not 100"),
    ],
)
def test_percentages_that_do_not_split_a_whole_are_refused(shares, message):
    with pytest.raises(InvalidPercentages) as caught:
        split_money(Decimal("100.00"), [Decimal(share) for share in shares])
    assert str(caught.value) == message


@given(total=MONEY, parcels=st.integers(1, 400))
def test_parts_always_total_the_whole_and_none_changes_sign(total, parcels):
    parts = split_money(total, percentages(parcels))
    assert sum(parts) == total
    assert all(part * total >= 0 for part in parts)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_value_of_a_service_that_no_ledger_holds_is_refused(sign):
    with pytest.raises(InvalidAmount, match="too large"):
        service_value(Decimal("9e9"), sign * Decimal("9e9"))
    assert service_value(Decimal("9e6"), sign * Decimal("9e5")) == sign * Decimal("8100000000000.00")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1.234,50", "1234.50"),
        ("-1.234.567,8", "-1234567.8"),
        (" 1234,5 ", "1234.5"),
        ("1234.50", "1234.50"),
        ("1500", "1500"),
        ("0.500", "0.500"),
        ("1,500", "1.500"),
        ("1.2345", "1.2345"),
    ],
)
def test_a_number_is_read_as_people_type_it(typed, meant):
    assert parse_typed(typed) == Decimal(meant)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("1.500", "amount: '1.500' may be meant in two ways: write 1500 or 1,5"),
        ("-12.000", "amount: '-12.000' may be meant in two ways: write -12000 or -12"),
        ("1,234.50", "amount: '1,234.50' is not a decimal number"),
        ("1.23,4", "amount: '1.23,4' is not a decimal number"),
        ("1.234.567", "amount: '1.234.567' is not a decimal number"),
    ],
)
def test_a_number_that_may_be_a_thousand_times_as_much_is_refused(typed, message):
    with pytest.raises(InvalidAmount) as caught:
        parse_typed(typed)
    assert str(caught.value) == message
