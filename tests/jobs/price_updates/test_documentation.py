"""The worked examples of docs/price-updates.md are what the code computes."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ciclo.domain.continuity import OFFERED_FIRST, Basis, Break, PriceStory, Use, continuation
from ciclo.domain.contract_terms import ContractTerm, TermKind, readjust
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


# -- continuity and terms of contracts ---------------------------------------------------------------------------------

IGPM, IPCA, INPC = PriceIndex.IGPM, PriceIndex.IPCA, PriceIndex.INPC
PUBLISHED, PREVIOUS = WindowPolicy.PUBLISHED, WindowPolicy.PREVIOUS_MONTH
LONG_AGO = date(2023, 1, 1)


def readjusted(index, day, price=Decimal("1000.00"), months=12, policy=PUBLISHED):
    return new_unit_value(price, accumulate(index, shipped_series()[index], window(index, day, months, policy)).factor)


def used(index, day, policy=PUBLISHED):
    return Use(day, window(index, day, 1, policy)[-1], index, policy)


YEAR_BEFORE = readjusted(IPCA, date(2024, 6, 10))
REASONS = {
    Break.MONTH_USED_TWICE: (
        (IGPM, date(2026, 6, 10), 24, PUBLISHED),
        readjusted(IGPM, date(2025, 6, 10)),
        PriceStory(LONG_AGO, used(IGPM, date(2025, 6, 10))),
    ),
    Break.MONTH_SKIPPED: (
        (IPCA, date(2025, 6, 15), 12, PUBLISHED),
        YEAR_BEFORE,
        PriceStory(LONG_AGO, used(IPCA, date(2024, 6, 10))),
    ),
    Break.POLICY_CHANGED: (
        (IPCA, date(2025, 6, 10), 12, PREVIOUS),
        YEAR_BEFORE,
        PriceStory(LONG_AGO, used(IPCA, date(2024, 6, 10))),
    ),
    Break.INDEX_CHANGED: (
        (INPC, date(2025, 6, 15), 12, PUBLISHED),
        readjusted(IGPM, date(2024, 6, 15)),
        PriceStory(LONG_AGO, used(IGPM, date(2024, 6, 15))),
    ),
    Break.PRICE_CHANGED_BY_HAND: (
        (IGPM, date(2025, 6, 10), 12, PUBLISHED),
        Decimal("1070.26"),
        PriceStory(LONG_AGO, None, date(2025, 5, 20)),
    ),
    Break.YOUNGER_THAN_WINDOW: (
        (IGPM, date(2025, 6, 10), 12, PUBLISHED),
        Decimal("500.00"),
        PriceStory(date(2025, 5, 20)),
    ),
}
"""The worked example of each reason: index, day, months and policy of the execution; the price before; its story."""


def plain(amount):
    return brl(amount).removeprefix("R$ ")


@pytest.mark.parametrize("reason", Break)
def test_the_worked_example_of_a_reason_is_what_the_code_computes(reason):
    (index, day, months, policy), old, story = REASONS[reason]
    by_letter = window(index, day, months, policy)
    onward = continuation(index, by_letter, policy, day, story)
    assert onward.breaks == (reason,)

    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{reason}` |"))
    assert f"{day:%d/%m/%Y}" in row
    shown = [cell.strip() for cell in row.strip("|").split("|")][3:]
    figures = {Basis.LETTER: (index, by_letter), Basis.CONTINUITY: (onward.index, onward.months)}
    for cell, (basis, (by, counted)) in zip(shown, figures.items(), strict=True):
        new = plain(new_unit_value(old, accumulate(by, shipped_series()[by], counted).factor))
        bold = f"**{new}**" if OFFERED_FIRST[reason] is basis else new
        assert cell == f"{counted[0]:%Y-%m} to {counted[-1]:%Y-%m}: {plain(old)} → {bold}"


TERMS = {
    TermKind.SUBSTITUTE: {"index": IPCA, "day": date(2025, 1, 1)},
    TermKind.FIXED: {"percent": Decimal(6)},
    TermKind.LOWER_OF: {"index": IPCA},
    TermKind.HIGHER_OF: {"index": IPCA},
    TermKind.SHARE: {"percent": Decimal(80)},
    TermKind.FLOOR: {"percent": Decimal(8)},
    TermKind.CAP: {"percent": Decimal(5)},
    TermKind.NOT_BEFORE: {"day": date(2026, 1, 1)},
}


@pytest.mark.parametrize("kind", TermKind)
def test_the_worked_example_of_a_term_is_what_the_code_computes(kind):
    day, given = date(2025, 6, 10), TERMS[kind]
    term = ContractTerm(kind=kind, effective_from=date(2025, 1, 1), author="ana", **given)
    months = window(IGPM, day, 12)
    found = readjust(IGPM, lambda index: shipped_series()[index], months, [term], execution_date=day)

    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |"))
    [*_, shown] = (cell.strip() for cell in row.strip("|").split("|"))
    told = [f"{given['percent']} %"] if "percent" in given else []
    told += [given["index"].label] if "index" in given else []
    assert shown.endswith(f": {plain(new_unit_value(Decimal(1000), found.factor))}")
    assert all(each in shown for each in told)


def test_the_example_of_a_late_update_is_three_times_the_difference():
    each = readjusted(IGPM, date(2025, 6, 10)) - Decimal(1000)
    assert f"{brl(each)} = {brl(3 * each)}" in PAGE
