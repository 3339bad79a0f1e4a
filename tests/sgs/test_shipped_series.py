import json
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from ciclo.domain.errors import MissingIndexValue, UnknownPriceIndex, WindowUpsideDown
from ciclo.domain.price_index import PriceIndex
from ciclo.sgs.series import index_report, months_between, shipped_series, shipped_values

SHARED = Path(__file__).resolve().parents[3] / "shared"


def test_five_series_ship_without_a_gap_from_1995_on():
    series = shipped_series()
    assert set(series) == set(PriceIndex)
    for values in series.values():
        assert next(iter(values)) == date(1995, 1, 1)
        assert tuple(values) == months_between(date(1995, 1, 1), list(values)[-1])
        assert list(values)[-1] >= date(2026, 8, 1)


def test_every_value_says_where_it_was_taken_from():
    entries = list(shipped_values())
    assert {entry.source for entry in entries} == {f"BCB SGS {index.sgs_code}" for index in PriceIndex}
    assert all(earlier.month < later.month for earlier, later in pairwise(entries) if earlier.index == later.index)


def test_shipped_series_cannot_be_changed():
    with pytest.raises(TypeError):
        shipped_series()["igpm"][date(2025, 1, 1)] = Decimal(0)


@pytest.mark.parametrize("index", list(PriceIndex))
def test_shipped_values_are_the_gathered_ones(index):
    gathered = SHARED / f"data/indices/{index}.json"
    if not gathered.is_file():
        pytest.skip(f"the gathered figures are not there: {gathered}")
    published = {
        datetime.strptime(row["data"], "%d/%m/%Y").date(): Decimal(row["valor"])  # noqa: DTZ007 - a date, no time of day
        for row in json.loads(gathered.read_text())
    }
    assert shipped_series()[index] == published


def test_an_index_report_is_exact_and_spelled_out():
    assert index_report("igpm", date(1995, 1, 1), date(1995, 2, 28)) == {
        "index": "igpm",
        "from": "1995-01",
        "to": "1995-02",
        "months": [{"month": "1995-01", "value": "0.92"}, {"month": "1995-02", "value": "1.39"}],
        "factor": "1.02322788",
        "percent": "2.322788",
    }


def test_an_index_report_agrees_with_the_central_bank():
    report = index_report("igpm", date(2018, 9, 1), date(2019, 8, 1))
    assert len(report["months"]) == 12
    assert report["percent"].startswith("4.96363")


def test_an_index_report_may_use_newer_values():
    report = index_report("ipca", date(2031, 1, 1), date(2031, 1, 1), {date(2031, 1, 1): Decimal("0.40")})
    assert (report["factor"], report["percent"]) == ("1.0040", "0.40")


@pytest.mark.parametrize(
    ("index", "first", "last", "error", "message"),
    [
        ("selic", (2024, 1), (2024, 2), UnknownPriceIndex, "price index 'selic' is unknown"),
        ("igpm", (2024, 2), (2024, 1), WindowUpsideDown, "starts on 2024-02-01 and ends on 2024-01-01"),
        ("igpm", (1994, 12), (1995, 1), MissingIndexValue, "price index igpm has no value for 1994-12"),
        ("ipca", (2026, 9), (2026, 10), MissingIndexValue, "price index ipca has no value for 2026-10"),
    ],
)
def test_an_index_report_that_cannot_be_made_says_why(index, first, last, error, message):
    with pytest.raises(error, match=message):
        index_report(index, date(*first, 1), date(*last, 1))
