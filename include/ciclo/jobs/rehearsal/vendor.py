"""The vendor in a rehearsal: its stand-in over HTTP on loopback, its clock, and the people who use it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any

import httpx

from ciclo.domain.calendar import SAO_PAULO
from ciclo.jobs.rehearsal import ScenarioError
from ciclo.jobs.rehearsal.scenario import Request

PLACEHOLDER = re.compile(r"\{invoice:(\d+):(\d{4}-\d{2}-\d{2})\}")
TOKEN = "sandbox-token"  # noqa: S105 - the stand-in's own default
SOMEBODY_ELSE = "X-Sandbox-Person"
"""Header of a request that no fault of the stand-in strikes and its log leaves out."""
SHORTEST = 0.05
"""Seconds that a fault holds or delays an answer: what it means does not depend on how long it takes."""
_HELD = ("timeout_before", "timeout_after", "slow", "late_commit")

Json = dict[str, Any]


class Vendor:
    """The stand-in, as everybody but Ciclo uses it. Their requests are neither struck by faults nor counted."""

    def __init__(self, url: str, token: str, move: Callable[[date, time], None]) -> None:
        self.url = url
        self.token = token
        self._move = move
        """Moves the stand-in's clock, several times a day: not a request each."""
        self._http = httpx.Client(base_url=url, timeout=60)
        self._counted = 0
        """Number of the last request that was counted."""
        self._counts: dict[str, int] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def set_clock(self, instant: datetime) -> None:
        """Move the stand-in's clock; what has come due by then happens."""
        local = instant.astimezone(SAO_PAULO)
        self._move(local.date(), local.time().replace(microsecond=0))

    def state(self) -> Json:
        """Return everything at the vendor, in the shape of a state file."""
        found: Json = self._control("GET", "/_sandbox/state")
        return found

    def request(self, request: Request) -> None:
        """Let somebody use the vendor's API.

        Raises:
            ScenarioError: the vendor refuses it, or it names an invoice that is not there.
        """
        headers = {"Authorization": f"Token token={self.token}", SOMEBODY_ELSE: "1"}
        answer = self._http.request(request.method, self._path(request.path), json=request.body, headers=headers)
        _require_taken(answer)

    def control(self, request: Request) -> None:
        """Let somebody use the vendor's screens, or break something.

        Raises:
            ScenarioError: the stand-in refuses it, or it names an invoice that is not there.
        """
        body = request.body
        if request.path == "/_sandbox/faults" and body is not None:
            # what they wait in real time is shortened: the rehearsal's own waiting takes none
            body = [
                {**fault, "seconds": SHORTEST} if isinstance(fault, dict) and fault.get("kind") in _HELD else fault
                for fault in (body if isinstance(body, list) else [body])
            ]
        self._control(request.method, self._path(request.path), body)

    def requests(self) -> dict[str, int]:
        """Return how many requests Ciclo made of the vendor's API, by method."""
        self._count()
        return {method: self._counts.get(method, 0) for method in ("GET", "POST", "PUT", "PATCH")}

    def _count(self) -> None:
        entries = self._control("GET", f"/_sandbox/requests?since={self._counted}")
        for entry in entries:
            if entry["path"].startswith("/api/"):
                self._counts[entry["method"]] = self._counts.get(entry["method"], 0) + 1
        self._counted = max((entry["number"] for entry in entries), default=self._counted)

    def _path(self, path: str) -> str:
        return PLACEHOLDER.sub(lambda found: str(self._invoice(int(found[1]), date.fromisoformat(found[2]))), path)

    def _invoice(self, contract_id: int, day: date) -> int:
        """Return the living invoice with the lowest id that a contract has on a planned date."""
        ids = [
            invoice["id"]
            for invoice in self.state()["invoices"]
            if invoice["contract_id"] == contract_id
            and planned_date(invoice) == day
            and invoice["state"] != "cancelled"
        ]
        if not ids:
            raise ScenarioError(f"contract {contract_id} has no living invoice planned for {day}")
        return int(min(ids))

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body) if body is not None else self._http.request(method, path)
        _require_taken(answer)
        return answer.json() if answer.content else None


def planned_date(invoice: Mapping[str, Any]) -> date | None:
    """Return the day for which an invoice was planned, which billing it late does not move."""
    return day_of(invoice.get("estimated_issue_date") or invoice.get("issue_date"))


def day_of(written: str | None) -> date | None:
    """Read a date in either of the forms in which the vendor writes one."""
    if not written:
        return None
    day, _, _ = written.partition(" ")
    return date.fromisoformat("-".join(reversed(day.split("/"))) if "/" in day else day[:10])


@contextmanager
def open_vendor(state: Mapping[str, Any], today: date) -> Iterator[Vendor]:
    """Start the stand-in with a state in a thread of this process, on a free port of the loopback interface.

    Raises:
        ScenarioError: the stand-in does not take the state.
    """
    from ciclo_sandbox.behaviour import Behaviour  # noqa: PLC0415 - only a rehearsal needs the stand-in
    from ciclo_sandbox.testing import ControlError, running_sandbox  # noqa: PLC0415

    behaviour = {name: value for name, value in state.get("behaviour", {}).items() if name in Behaviour.model_fields}
    try:
        with running_sandbox({**state, "behaviour": behaviour}, today=today) as box:
            vendor = Vendor(box.url, box.token, box.move)
            try:
                yield vendor
            finally:
                vendor.close()
    except ControlError as error:
        raise ScenarioError(f"the stand-in does not take the state: {error}") from error


def _require_taken(answer: httpx.Response) -> None:
    if answer.is_error:
        said = " ".join(answer.text.split())[:300]
        raise ScenarioError(f"the stand-in answered {answer.status_code}: {said or 'nothing more'}")
