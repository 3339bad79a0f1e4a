"""The demonstration, as a newcomer runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.company import TODAY, YEAR_END

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
PARKED, MEASURED, BILLED_AGAIN = 5, 18, 1
"""Periods that the vendor refuses or lost, that wait for quantities, and of which an invoice is cancelled."""


@pytest.fixture(scope="module")
def demo():
    command = [sys.executable, "-m", "demo", "--no-keep"]
    of_today = {**os.environ, "CICLO_DEMO_TODAY": f"{TODAY}"}  # whatever the day is by the time that it starts
    return subprocess.run(command, cwd=ROOT, env=of_today, capture_output=True, text=True, timeout=1700, check=False)


def figures(demo, name):
    """The numbers that stand after a name in the demonstration's summaries, in the order of its steps."""
    found = re.findall(rf"^  {name} +(\d+)", demo.stdout, flags=re.MULTILINE)
    assert found, f"no line {name!r} in:\n{demo.stdout}"
    return [int(number) for number in found]


def test_a_year_is_billed_and_proved(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert figures(demo, "Expected")[0] > 600
    for nothing in ("Missing", "Duplicates", "Parked", "Waiting", "Not called for", "Not adding up", "Wrong price"):
        assert figures(demo, nothing) == [0], nothing


def test_a_person_approves_settles_what_was_shown_and_the_last_pass_creates_nothing(demo):
    stopped, left = figures(demo, "Stopped")

    assert demo.stdout.count("a person has read it and answers 'Approve'") == 1
    assert (stopped, left) == (PARKED + MEASURED, 0)
    rest, again = figures(demo, "Created")
    assert (rest, again) == (stopped + figures(demo, "Held back")[0] + BILLED_AGAIN, 0)


def test_what_differs_in_the_year_is_billed_to_the_cent_and_what_was_cancelled_is_billed_again(demo):
    assert figures(demo, "Differing")[0] >= MEASURED
    assert figures(demo, "Paused") == [2]
    assert figures(demo, "Billed again") == [BILLED_AGAIN]
    assert re.search(r"rules 70020, 70025 wait for quantities; paused: contract 3028", demo.stdout)
    assert (
        len(re.findall(r"part month of rule \d+, [\d-]+, as proposed: It will be billed for 20 of", demo.stdout)) == 2
    )


def test_the_figures_of_the_proof_are_there_for_machines(demo):
    told = json.loads((ROOT / ".demo" / "proof.json").read_text(encoding="utf-8"))

    assert told["holds"]
    assert (told["missing"], told["duplicates"], told["mispriced"]) == (0, 0, 0)
    assert told["invoices"] == told["expected"] == figures(demo, "Expected")[0]


def test_what_is_parked_is_explained(demo):
    assert (
        demo.stdout.count("description: não pode ficar em branco (4 periods of 1 rule)")
        + demo.stdout.count("description: não pode ficar em branco")
        >= 4
    )
    assert "the vendor had generated its invoice and somebody removed it" in demo.stdout


def test_readjusted_rules_are_shown_with_their_index_and_prices(demo):
    assert figures(demo, "Price updates")[0] > 30
    assert re.search(r"rule 70004: BRL 742\.80 -> [\d.]+, 315\.00 -> [\d.]+\n", demo.stdout)
    assert "Law 10.192/2001" in demo.stdout


def test_who_made_the_invoices_is_told_and_adds_up(demo):
    made = [figures(demo, name)[0] for name in ("The vendor made", "Ciclo made", "People made")]

    assert sum(made) == figures(demo, "Expected")[0]
    assert min(made) > 0


def test_what_people_did_at_the_vendor_is_shown_and_nothing_else(demo):
    assert figures(demo, "Changed by hand")[0] == demo.stdout.count(": value\n") + demo.stdout.count(
        ": date\n"
    ) + demo.stdout.count(": split\n")
    assert figures(demo, "Not shown") == figures(demo, "Shown wrongly") == [0]
    assert "1, just what Ciclo has shown" in demo.stdout


def test_receivables_are_reconciled_by_age(demo):
    for name in ("Received", "Not due yet", "Late", "Not issued"):
        assert re.search(rf"^  {name} +BRL [\d,]+\.\d\d \(\d+ receivables?\)", demo.stdout, flags=re.MULTILINE), name


def test_twelve_months_are_closed_and_their_reports_are_there(demo):
    assert figures(demo, "Closed") == [12]
    assert len(re.findall(r"^    20\d\d-\d\d  .*: closed", demo.stdout, flags=re.MULTILINE)) == 12

    newest = f"{YEAR_END:%Y-%m}"
    reports = [
        Path(line.strip()) for line in demo.stdout.splitlines() if line.endswith((f"{newest}.csv", f"{newest}.html"))
    ]
    assert [path.suffix for path in reports] == [".csv", ".html"]
    assert all(path.stat().st_size > 0 for path in reports)
    assert len(list(reports[0].parent.glob("ciclo-20??-??.csv"))) == 12
