"""The price oracle recomputes prices from the index file; `ciclo.domain` computes them. They have to agree."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain import pricing
from ciclo.domain.price_index import PriceIndex, accumulate, window
from ciclo.domain.recurrence import DateRange
from ciclo.sgs.series import shipped_series
from demo.company import YEAR_END, YEAR_START, as_written, company
from demo.proof import PriceOracle, expected_periods

SEED_RULE = 6955
INDICES_END = date(2026, 7, 31)
"""To here every execution's window lies within the shipped values of each index."""


def update(index: str, first: str, *, every: int = 12, update_id: int = 1, item: int | None = None) -> dict[str, Any]:
    return {
        "id": update_id,
        "price_index": index,
        "init_date": first,
        "execution_date": first,
        "month_quantity": every,
        "service_item_id": item,
    }


def oracle_of(*updates: dict[str, Any], gross_value: str = "1000.00", falls: bool = True, **given: Any) -> PriceOracle:
    rule = {"id": 1, "gross_value": gross_value, "services": [], "apply_negative_updates": falls, **given}
    return PriceOracle({"invoice_rules": [{**rule, "scheduled_updates": list(updates)}]})


def price(oracle: PriceOracle, day: str) -> str:
    return f"{oracle.gross_value(1, date.fromisoformat(day)):.2f}"


def test_the_central_banks_own_example_comes_out():
    """Calculadora do Cidadão, IGP-M 09/2018 to 08/2019: 4.963630 %."""
    oracle = oracle_of(update("igpm", "2019-09-05"))

    assert round(oracle.factor("igpm", 12, date(2019, 9, 5)), 8) == Decimal("1.04963633")
    assert (price(oracle, "2019-09-04"), price(oracle, "2019-09-05")) == ("1000.00", "1049.64")


def test_the_seeds_rule_is_readjusted_by_two_indices_on_one_day():
    state = as_written()
    state["invoice_rules"] = [rule for rule in state["invoice_rules"] if rule["id"] == SEED_RULE]
    oracle = PriceOracle(state)

    # 12/2018 to 11/2019: IGP-DI 45.00 x 1.0535977…, IPC-Fipe 50.00 x 1.0350185…
    worth = [oracle.gross_value(SEED_RULE, date(2019, 12, day)) for day in (19, 20)]
    assert worth == [Decimal("95.00"), Decimal("47.41") + Decimal("51.75")]


@pytest.mark.parametrize(
    ("index", "first", "day_before"),
    [
        ("ipcfipe", "2025-03-08", "2025-03-07"),
        ("igpdi", "2025-03-09", "2025-03-08"),
        ("ipca", "2025-03-13", "2025-03-12"),
        ("inpc", "2025-03-13", "2025-03-12"),
    ],
)
def test_a_months_value_counts_from_the_day_on_which_it_is_out(index, first, day_before):
    oracle = oracle_of()
    february = oracle.factor(index, 1, date.fromisoformat(first))
    january = oracle.factor(index, 1, date.fromisoformat(day_before))

    series = shipped_series()[index]
    assert (february, january) == tuple(1 + series[date(2025, month, 1)] / 100 for month in (2, 1))


def test_a_fall_lowers_the_price_or_leaves_it_but_never_by_single_months():
    fell = update("igpm", "2024-04-01")  # 04/2023 to 03/2024: -4.26 %, with positive months among them

    assert price(oracle_of(fell), "2024-04-01") == "957.41"
    assert price(oracle_of(fell, falls=False), "2024-04-01") == "1000.00"


def test_an_update_on_the_31st_is_carried_out_at_the_end_of_a_shorter_month():
    oracle = oracle_of(update("ipca", "2025-01-31", every=1))

    assert price(oracle, "2025-02-27") == price(oracle, "2025-01-31")
    assert price(oracle, "2025-02-28") != price(oracle, "2025-02-27")


def test_prices_below_a_cent_stay_until_they_are_readjusted():
    line = {"id": 7, "service_item_id": 3, "units": "25350", "unit_value": "0.075"}

    assert price(oracle_of(services=[line]), "2025-06-01") == "1901.25"


@given(
    index=st.sampled_from(list(PriceIndex)),
    first=st.dates(date(2019, 1, 1), date(2025, 6, 30)),
    every=st.integers(1, 24),
    falls=st.booleans(),
    after=st.integers(0, 900),
)
def test_the_oracle_and_the_domain_agree_on_every_price(index, first, every, falls, after):
    issued = min(date.fromordinal(first.toordinal() + after), INDICES_END)
    oracle = oracle_of(update(index.value, first.isoformat(), every=every), falls=falls)
    terms = pricing.ScheduledUpdate(1, index, first, every)
    prices = [pricing.Price(pricing.WHOLE_RULE, date.min, Decimal("1000.00"))]
    for execution in pricing.executions([terms], DateRange.days(first, issued)):
        months = window(index, execution.execution_date, every)
        values = accumulate(index, shipped_series()[index.value], months, apply_negative_updates=falls)
        prices += [change.price for change in pricing.price_changes(execution, [], prices, values.factor)]

    assert oracle.gross_value(1, issued) == pricing.gross_value([], prices, issued)


def test_every_period_of_the_demo_year_has_a_price():
    state = company()
    oracle = PriceOracle(state)

    worth = [oracle.gross_value(p.rule_id, p.issue_date) for p in expected_periods(state, YEAR_START, YEAR_END)]
    assert len(worth) > 600
    assert all(worth)
    assert 1_500_000 < sum(worth) < 3_000_000
