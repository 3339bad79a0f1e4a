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
    command = [sys.executable, "-m", "ciclo.cli", "demo", "--no-keep"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


def figure(demo, name):
    """The number that stands after a name in the demonstration's summary; the last one counts."""
    found = re.findall(rf"^  {name} +(\d+)", demo.stdout, flags=re.MULTILINE)
    assert found, f"no line {name!r} in:\n{demo.stdout}"
    return int(found[-1])


def test_a_year_is_billed_and_proved(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert figure(demo, "Expected") > 500
    assert figure(demo, "Missing") == 0
    assert figure(demo, "Duplicates") == 0


def test_the_second_pass_creates_nothing(demo):
    assert figure(demo, "Created") == 0


def test_what_is_parked_is_explained(demo):
    assert figure(demo, "Parked") == demo.stdout.count("    parked: ")
