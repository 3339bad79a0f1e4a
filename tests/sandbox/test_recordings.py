"""Every recorded exchange, replayed: a small state, the request as recorded, the answer compared.

Ids that were in the state or the request must come back; ids of new objects, timestamps, tokens and URLs need only be
there. Fields that the vendor added, dropped or rewrote over the years are listed in `year_differences.py`; nothing
else may differ.
"""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ciclo_sandbox.testing import SandboxControl
from sandbox.recorded_states import state_before, today_of
from sandbox.year_differences import ADDED, DROPPED, REWRITTEN

RECORDINGS = Path(__file__).parents[3] / "shared" / "api" / "recordings"
LEFT_OUT: dict[str, str] = {}

SINGULAR = {
    "invoices": "invoice", "invoice_rules": "rule", "invoice_rule": "rule", "contracts": "contract",
    "service_items": "service_item", "email_templates": "email_template",
}  # fmt: skip
NEW_EVERY_TIME = re.compile(r"(^|_)(created_at|updated_at|token|url)$")


def exchanges() -> Iterator[tuple[str, int, dict[str, Any], dict[str, Any]]]:
    for path in sorted(RECORDINGS.rglob("*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        for number, exchange in enumerate(recording["exchanges"]):
            yield recording["name"], number, recording, exchange


CASES = [case for case in exchanges() if case[0] not in LEFT_OUT]
PASSED: set[str] = set()


@pytest.mark.skipif(not CASES, reason=f"no recordings at {RECORDINGS}")
@pytest.mark.parametrize(
    ("name", "recording", "exchange"),
    [pytest.param(name, recording, exchange, id=f"{name}#{number}") for name, number, recording, exchange in CASES],
)
def test_a_recorded_request_gets_the_recorded_answer(sandbox: SandboxControl, name, recording, exchange):
    state = state_before(name, exchange)
    sandbox.set_clock(date.fromisoformat(today_of(recording["recorded_at"])))
    sandbox.put_state(state)
    request = exchange["request"]
    sandbox.token = "wrong" if exchange["response"]["status"] == 401 else sandbox.token  # no recording shows one

    status, body = sandbox.call(request["method"], request["path"].removeprefix("/api/v1/"), request["body"])

    known = set(ids(state)) | set(ids(request["body"])) | {int(n) for n in re.findall(r"\d+", request["path"])}
    year = int(recording["recorded_at"].split()[3])
    assert status == exchange["response"]["status"]
    assert list(differences(exchange["response"]["body"], body, "", year, known)) == []
    PASSED.add(f"{name}#{request['path']}")


@pytest.mark.skipif(not CASES, reason=f"no recordings at {RECORDINGS}")
def test_nothing_is_left_out_without_a_reason(capsys):
    with capsys.disabled():
        print(f"\nexchanges passed of tried: {len(PASSED)} of {len(CASES)}; left out: {len(LEFT_OUT)}")  # noqa: T201
    assert all(LEFT_OUT.values())


def ids(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        yield from (number for field, number in value.items() if field == "id" and isinstance(number, int))
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from ids(each)


def differences(recorded: Any, ours: Any, place: str, year: int, known: set[int]) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(ours, dict):
        yield from of_objects(recorded, ours, place, year, known)
    elif isinstance(recorded, list) and isinstance(ours, list):
        if len(recorded) != len(ours):
            yield f"{place}: {len(recorded)} entries recorded, {len(ours)} answered"
        for one, other in zip(recorded, ours, strict=False):
            yield from differences(one, other, place, year, known)
    elif recorded != ours and not is_as_good(recorded, ours, place, year, known):
        yield f"{place}: {recorded!r} recorded, {ours!r} answered"


def of_objects(recorded: dict[str, Any], ours: dict[str, Any], place: str, year: int, known: set[int]) -> Iterator[str]:
    where = place.rsplit(".", 1)[-1]
    where = SINGULAR.get(where, where)
    for field in recorded.keys() - ours.keys():
        if year not in DROPPED.get(f"{where}.{field}", ((), ""))[0]:
            yield f"{where}.{field}: recorded, not answered"
    for field in ours.keys() - recorded.keys():
        if year not in ADDED.get(f"{where}.{field}", ((), ""))[0]:
            yield f"{where}.{field}: answered, not recorded"
    for field in recorded.keys() & ours.keys():
        yield from differences(recorded[field], ours[field], f"{where}.{field}" if where else field, year, known)


def is_as_good(recorded: Any, ours: Any, place: str, year: int, known: set[int]) -> bool:
    field = place.rsplit(".", 1)[-1]
    years, forms, _ = REWRITTEN.get(place, ((), {}, ""))
    if year in years and forms.get(recorded) == ours:
        return True
    if NEW_EVERY_TIME.search(field):
        return isinstance(recorded, str) and isinstance(ours, str)
    is_id = field in ("id", "invoice_id", "invoice_rule_id", "account_id")
    return is_id and isinstance(ours, int) and recorded not in known
