"""The demonstration, as a newcomer runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo():
    command = [sys.executable, "-m", "demo", "--no-keep"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


def figures(demo, name):
    """The numbers that stand after a name in the demonstration's summaries, in the order of its steps."""
    found = re.findall(rf"^  {name} +(\d+)", demo.stdout, flags=re.MULTILINE)
    assert found, f"no line {name!r} in:\n{demo.stdout}"
    return [int(number) for number in found]


def test_a_year_is_billed_and_proved(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert figures(demo, "Expected") == [619]
    for nothing in ("Missing", "Duplicates", "Parked", "Waiting", "Not called for", "Not adding up", "Wrong price"):
        assert figures(demo, nothing) == [0], nothing


def test_the_second_pass_creates_nothing_and_the_third_what_was_released(demo):
    stopped, left = figures(demo, "Stopped")

    assert figures(demo, "Created") == [0, stopped]
    assert left == 0


def test_what_is_parked_is_explained(demo):
    assert figures(demo, "Stopped")[0] == demo.stdout.count("    parked: ") == 4


def test_readjusted_rules_are_shown_with_their_index_and_prices(demo):
    assert figures(demo, "Price updates") == [34]
    assert "    2025-06-01  IGP-M     +7.03 %  rule 70004: BRL 742.80 -> 794.99, 315.00 -> 337.13\n" in demo.stdout
    assert "held: IGP-M fell, rule 70016 is not lowered (2023-07-01)" in demo.stdout
    assert "Law 10.192/2001" in demo.stdout


def test_every_invoice_is_at_the_price_of_its_issue_date(demo):
    assert "619 of 619 invoices are at the price in force on their issue date" in demo.stdout


def test_receivables_are_reconciled_by_age(demo):
    for name in ("Received", "Not due yet", "Late", "Not issued"):
        assert re.search(rf"^  {name} +BRL [\d,]+\.\d\d \(\d+ receivables?\)", demo.stdout, flags=re.MULTILINE), name


def test_twelve_months_are_closed_and_their_reports_are_there(demo):
    assert figures(demo, "Closed") == [12]
    assert len(re.findall(r"^    2025-\d\d  .*: closed$", demo.stdout, flags=re.MULTILINE)) == 12

    reports = [
        Path(line.strip()) for line in demo.stdout.splitlines() if line.endswith(("2025-12.csv", "2025-12.html"))
    ]
    assert [path.suffix for path in reports] == [".csv", ".html"]
    assert all(path.stat().st_size > 0 for path in reports)
    assert len(list(reports[0].parent.glob("ciclo-2025-*.csv"))) == 12
