"""Every scenario: ours, and those of the shared folder where it is there.

Those of the shared folder are held to account by the judge that comes with them, ours by the few lines here.
"""

import json
from decimal import Decimal
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"

OURS = sorted((Path(__file__).parent / "scenarios").glob("*.json"))
SHARED_ONES = sorted((SHARED / "scenarios").glob("*.json"))

WAITING: dict[str, str] = {}
"""Scenarios of the shared folder that do not pass yet, each with what it waits for."""


def billed(output, first, last):
    """Contract, planned date and value of the living invoices planned within some days."""
    living = [each for each in output["invoices"] if each["state"] != "cancelled"]
    planned = [each for each in living if first <= (each["planned_date"] or "") <= last]
    return sorted((each["contract_id"], each["planned_date"], Decimal(each["gross_value"])) for each in planned)


def about(output, wanted):
    """What people were shown about a contract, or a rule of it."""
    names = wanted.keys() & {"contract_id", "rule_id"}
    return [row for row in output["attention"] if all(row[name] == wanted[name] for name in names)]


def says(row, word):
    """Whether a message names a day, month or amount; days as the machine writes them or as Brazil does."""
    forms = {word, "/".join(reversed(word.split("-")))}
    return any(form in f"{row['message']} {row['issue_date']}" for form in forms)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_scenario_ends_as_it_should(rehearse, path):
    expect = json.loads(path.read_text(encoding="utf-8"))["expect"]
    code, output, err = rehearse(path)
    assert code == 0, err
    assert expect.keys() <= {"window", "billed", "closed", "shown", "quiet"}
    window = expect.get("window", ("0001-01-01", "9999-12-31"))
    assert billed(output, *window) == sorted((number, day, Decimal(value)) for number, day, value in expect["billed"])
    assert {*expect.get("closed", ())} <= {month["month"] for month in output["months"] if month["closed_on"]}
    assert [row for each in expect.get("quiet", ()) for row in about(output, each)] == []
    for each in expect.get("shown", ()):
        in_time = [row for row in about(output, each) if row["shown_on"] <= each["by"]]
        assert any(all(says(row, word) for word in each.get("says", ())) for row in in_time), (each, in_time)


@pytest.mark.skipif(not SHARED_ONES, reason=f"no scenarios at {SHARED}")
@pytest.mark.parametrize("path", SHARED_ONES, ids=lambda path: path.stem)
def test_shared_scenario_ends_as_it_should(rehearse, unmet, path, request):
    if path.stem in WAITING:
        request.applymarker(pytest.mark.xfail(reason=WAITING[path.stem], strict=True))
    code, output, err = rehearse(path)
    assert code == 0, err
    assert unmet(output, json.loads(path.read_text(encoding="utf-8"))["expect"]) == []
