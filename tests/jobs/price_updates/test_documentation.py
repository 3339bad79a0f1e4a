"""The worked examples of docs/price-updates.md are what the code computes."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ciclo.domain.money import brl
from ciclo.domain.price_index import PriceIndex, WindowPolicy, accumulate, law_warning, price_index, window
from ciclo.domain.pricing import new_unit_value
from ciclo.sgs.series import shipped_series
from ciclo.tasks.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "price-updates.md").read_text(encoding="utf-8")
EXAMPLES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| (igpm|ipca|igpdi|inpc|ipcfipe) \|", line)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda row: " ".join([*row[:4], row[6]]))
def test_a_worked_example_is_what_the_code_computes(example):
    name, execution, months, policy, shown, accumulated, price, new_price = example
    index = price_index(name)

    used = window(index, date.fromisoformat(execution), int(months), WindowPolicy(policy))
    result = accumulate(index, shipped_series()[index], used)

    assert f"{used[0]:%Y-%m} to {used[-1]:%Y-%m}" == shown
    assert result.percent == Decimal(accumulated)
    assert new_unit_value(Decimal(price), result.factor) == Decimal(new_price)


def test_there_are_examples():
    assert len(EXAMPLES) == 12


@pytest.mark.parametrize("index", PriceIndex)
def test_the_publication_calendar_is_the_codes(index):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {index.label} |"))
    _, publisher, series, _, counts_from = (cell.strip() for cell in row.strip("|").split("|"))
    first_out = next(day for day in range(1, 32) if window(index, date(2025, 7, day), 1)[0] == date(2025, 6, 1))
    assert (publisher, series, counts_from) == (index.publisher, str(index.sgs_code), f"day {first_out}")


def test_the_law_is_named_as_the_warning_names_it():
    assert "Law 10.192/2001, art. 2, § 1" in PAGE
    assert "Law 10.192/2001, art. 2, § 1" in str(law_warning(6))


def test_ten_rounded_units_are_worth_what_the_page_says():
    assert brl(10 * Decimal("21.39")) in PAGE


@pytest.mark.parametrize(
    "name", ["sgs_url", "window_policy", "continuity", "max_wait_days", "approve_price_updates", "letters", "notify"]
)
def test_a_setting_is_documented_with_its_default(name):
    default = Settings.model_fields[name].default
    shown = {True: "`true`", False: "`false`", "": "empty"}.get(default, f"`{default}`")
    expected = str(default) if isinstance(default, int) and not isinstance(default, bool) else shown
    assert f"| `CICLO_{name.upper()}` | {expected} |" in PAGE
