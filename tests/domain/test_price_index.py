import json
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import add_months
from ciclo.domain.errors import InvalidRule, MissingIndexValue, UnknownPriceIndex
from ciclo.domain.price_index import (
    PriceIndex,
    WindowPolicy,
    accumulate,
    available_from,
    law_warning,
    price_index,
    window,
)
from ciclo.sgs.series import months_between, shipped_series

TOLERANCE = {PriceIndex.IGPDI: Decimal("0.04")}
PUBLISHED, PREVIOUS = WindowPolicy.PUBLISHED, WindowPolicy.PREVIOUS_MONTH
EXECUTIONS = st.dates(date(2000, 1, 1), date(2040, 12, 31))


def month(text):
    return date.fromisoformat(f"{text}-01")


def twelve_months_to(text):
    return months_between(add_months(month(text), -11), month(text))


def two_decimals(percent):
    return percent.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("index", "code", "label"),
    [
        ("igpm", 189, "IGP-M"),
        ("ipca", 433, "IPCA"),
        ("igpdi", 190, "IGP-DI"),
        ("inpc", 188, "INPC"),
        ("ipcfipe", 193, "IPC-Fipe"),
    ],
)
def test_an_index_knows_its_series_and_its_name(index, code, label):
    assert (price_index(index).sgs_code, price_index(index).label) == (code, label)


def test_an_unknown_index_is_refused_with_those_that_are_known():
    with pytest.raises(UnknownPriceIndex) as caught:
        price_index("selic")
    assert str(caught.value) == "price index 'selic' is unknown; known are igpm, ipca, igpdi, inpc, ipcfipe"


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("igpm", "2019-12-01"),
        ("ipcfipe", "2019-12-08"),
        ("igpdi", "2019-12-09"),
        ("ipca", "2019-12-13"),
        ("inpc", "2019-12-13"),
    ],
)
def test_novembers_value_is_out_on_a_fixed_day_of_december(index, expected):
    assert available_from(PriceIndex(index), date(2019, 11, 1)) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("index", "execution", "policy", "last"),
    [
        ("igpm", "2025-06-01", PUBLISHED, "2025-05"),
        ("igpm", "2025-06-30", PUBLISHED, "2025-05"),
        ("ipcfipe", "2025-06-07", PUBLISHED, "2025-04"),
        ("ipcfipe", "2025-06-08", PUBLISHED, "2025-05"),
        ("igpdi", "2025-06-08", PUBLISHED, "2025-04"),
        ("igpdi", "2025-06-09", PUBLISHED, "2025-05"),
        ("ipca", "2025-01-12", PUBLISHED, "2024-11"),
        ("ipca", "2025-01-13", PUBLISHED, "2024-12"),
        ("inpc", "2025-06-12", PUBLISHED, "2025-04"),
        ("inpc", "2025-06-13", PUBLISHED, "2025-05"),
        ("ipca", "2025-06-01", PREVIOUS, "2025-05"),
        ("igpdi", "2025-01-31", PREVIOUS, "2024-12"),
    ],
)
def test_the_window_ends_with_the_last_month_the_policy_allows(index, execution, policy, last):
    months = window(PriceIndex(index), date.fromisoformat(execution), 12, policy)
    assert months == twelve_months_to(last)


def test_a_window_has_at_least_one_month():
    with pytest.raises(InvalidRule, match=r"scheduled_updates\.month_quantity: must be 1 or more, not 0"):
        window(PriceIndex.IPCA, date(2025, 6, 1), 0)


@given(index=st.sampled_from(PriceIndex), execution=EXECUTIONS, months=st.integers(1, 60))
def test_a_published_window_is_always_out_and_the_month_after_it_is_not(index, execution, months):
    used = window(index, execution, months)
    assert len(used) == months
    assert used == months_between(used[0], used[-1])
    assert available_from(index, used[-1]) <= execution < available_from(index, add_months(used[-1], 1))


def test_the_calculadora_do_cidadao_is_met():
    months = months_between(month("2018-09"), month("2019-08"))
    result = accumulate(PriceIndex.IGPM, shipped_series()["igpm"], months)
    # The calculator shows the factor with 7 decimals (1,0496363), and its percentage is that factor's.
    assert result.factor.quantize(Decimal("0.0000001"), ROUND_HALF_UP) == 1 + Decimal("4.963630") / 100


def test_a_factor_is_exact():
    values = {month("2025-01"): Decimal("0.52"), month("2025-02"): Decimal("-0.34"), month("2025-03"): Decimal("1.06")}
    result = accumulate(PriceIndex.IGPM, values, tuple(values))
    assert result.factor == Decimal("1.0052") * Decimal("0.9966") * Decimal("1.0106")
    assert str(result.factor) == "1.012401212592"
    assert str(result.percent) == "1.2401212592"
    assert [entry.value for entry in result.months] == list(values.values())


def test_thirty_years_are_compounded_without_losing_a_digit():
    values = shipped_series()["igpm"]
    months = months_between(month("1995-01"), month("2024-12"))
    in_ten_thousandths = prod(10_000 + int(values[used] * 100) for used in months)
    digits = f"{accumulate(PriceIndex.IGPM, values, months).factor:f}".replace(".", "")
    assert digits == str(in_ten_thousandths)


@pytest.mark.parametrize(("first", "last"), [("2017-06", "2018-02"), ("2023-04", "2024-05")])
def test_the_floor_holds_the_accumulated_fall_through_igpms_negative_stretches(first, last):
    values = shipped_series()["igpm"]
    for end in months_between(month(first), month(last)):
        fallen = accumulate(PriceIndex.IGPM, values, twelve_months_to(f"{end:%Y-%m}"))
        held = accumulate(PriceIndex.IGPM, values, twelve_months_to(f"{end:%Y-%m}"), apply_negative_updates=False)
        assert fallen.factor < 1
        assert (held.factor, held.percent, held.floored) == (1, 0, True)
        assert held.compounded == fallen.factor


@pytest.mark.parametrize("end", ["2017-05", "2018-03", "2023-03", "2024-06"])
def test_the_negative_stretches_end_where_they_should(end):
    assert accumulate(PriceIndex.IGPM, shipped_series()["igpm"], twelve_months_to(end)).factor > 1


def test_a_rising_chain_keeps_its_negative_months_under_the_floor():
    months = months_between(month("2024-01"), month("2024-12"))
    values = shipped_series()["igpm"]
    assert any(values[used] < 0 for used in months)
    held = accumulate(PriceIndex.IGPM, values, months, apply_negative_updates=False)
    assert held == accumulate(PriceIndex.IGPM, values, months)
    assert not held.floored


def test_a_missing_month_in_the_middle_names_index_and_month():
    values = dict(shipped_series()["ipca"])
    del values[month("2024-07")]
    with pytest.raises(MissingIndexValue) as caught:
        accumulate(PriceIndex.IPCA, values, twelve_months_to("2024-12"))
    assert str(caught.value) == "price index ipca has no value for 2024-07"


@pytest.mark.parametrize("months", [12, 20, 24])
def test_a_yearly_or_longer_readjustment_is_lawful(months):
    assert law_warning(months) is None


@pytest.mark.parametrize(("months", "text"), [(6, "6 months"), (1, "month")])
def test_a_shorter_periodicity_than_a_year_is_warned_about(months, text):
    assert str(law_warning(months)) == (
        f"readjustment every {text}: Law 10.192/2001, art. 2, § 1 voids a periodicity of less than one year"
    )


def test_the_published_12_month_figures_are_met(shared):
    figures = json.loads((shared / "data/indices/published_12m.json").read_text())
    for figure in figures:
        index = PriceIndex(figure["index"])
        percent = two_decimals(accumulate(index, shipped_series()[index], twelve_months_to(figure["month"])).percent)
        assert percent == Decimal(figure["compounded_from_monthly"]), figure
        assert abs(percent - Decimal(figure["value"])) <= TOLERANCE.get(index, Decimal("0.02")), figure
    print(f"{len(figures)} published 12-month figures met")  # noqa: T201 - the count is part of the proof


@pytest.mark.parametrize(
    ("index", "end", "published"),
    [
        ("igpm", "2021-05", "37.04"),
        ("igpm", "2023-12", "-3.18"),
        ("igpdi", "2024-12", "6.86"),
        ("ipca", "2022-12", "5.79"),
        ("inpc", "2024-12", "4.77"),
        ("ipcfipe", "2023-12", "3.15"),
    ],
)
def test_well_known_12_month_figures_are_met_within_the_publishers_rounding(index, end, published):
    result = accumulate(PriceIndex(index), shipped_series()[index], twelve_months_to(end))
    assert abs(two_decimals(result.percent) - Decimal(published)) <= Decimal("0.02")
