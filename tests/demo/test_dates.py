"""The demonstration on other days: beyond the last shipped index value the stand-in carries the series on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORY = """
from datetime import date
from decimal import Decimal
from ciclo.domain.price_index import PriceIndex
from ciclo.sgs.client import SgsClient
from ciclo_sandbox.testing import running_sandbox
from demo.company import TODAY, YEAR_END, YEAR_START
from demo.history import account
from demo.proof import PriceOracle, Told, expected_periods, prove

held = account()
oracle = PriceOracle(held.before)
expected = expected_periods(held.state, YEAR_START, YEAR_END)
assert len(expected) > 600
assert all(oracle.gross_value(each.rule_id, each.issue_date) > 0 for each in expected)
there = frozenset(invoice["id"] for invoice in held.state["invoices"])
assert not prove(held.state, held.before, YEAR_START, YEAR_END, Told(before_ciclo=there)).mispriced
with running_sandbox(held.state, today=TODAY) as vendor, SgsClient(base_url=vendor.url) as sgs:
    for index in PriceIndex:
        served = {value.month: value.value for value in sgs.values(index, YEAR_START, TODAY)}
        factor = Decimal(1)
        for month in sorted(served)[-6:]:
            factor *= 1 + served[month] / 100
        assert factor == oracle.factor(index.value, 6, TODAY), index
print(YEAR_END)
"""


@pytest.mark.parametrize(
    ("today", "year_end"), [("2026-12-01", "2026-11-30"), ("2027-03-10", "2027-02-28"), ("2028-06-01", "2028-05-31")]
)
def test_the_company_s_year_has_its_prices_on_any_day(today, year_end):
    environment = {**os.environ, "CICLO_DEMO_TODAY": today}
    told = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (told.returncode, told.stdout.strip()) == (0, year_end), told.stderr
