"""Every scenario: ours, and those of the shared folder where it is there."""

import json
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"

OURS = sorted((Path(__file__).parent / "scenarios").glob("*.json"))
SHARED_ONES = sorted((SHARED / "scenarios").glob("*.json"))

WAITING: dict[str, str] = {}
"""Scenarios of the shared folder that do not pass yet, each with what it waits for."""


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_scenario_ends_as_it_should(rehearse, unmet, path):
    code, output, err = rehearse(path)
    assert code == 0, err
    assert unmet(output, json.loads(path.read_text(encoding="utf-8"))["expect"]) == []


@pytest.mark.skipif(not SHARED_ONES, reason=f"no scenarios at {SHARED}")
@pytest.mark.parametrize("path", SHARED_ONES, ids=lambda path: path.stem)
def test_shared_scenario_ends_as_it_should(rehearse, unmet, path, request):
    if path.stem in WAITING:
        request.applymarker(pytest.mark.xfail(reason=WAITING[path.stem], strict=True))
    code, output, err = rehearse(path)
    assert code == 0, err
    assert unmet(output, json.loads(path.read_text(encoding="utf-8"))["expect"]) == []
