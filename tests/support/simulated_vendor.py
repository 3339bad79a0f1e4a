"""The vendor without a network: the sandbox's own operations, answered in this thread, going wrong when it is told to.

Time is the simulation's: a time-out takes no time, a late commit happens when the simulated clock gets there. So the
same decisions always give the same history, and a thousand requests take a second.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import httpx

from ciclo.billimatic import BillimaticClient
from ciclo.http.retries import RetryRules
from ciclo_sandbox import machinery
from ciclo_sandbox.account import Account
from ciclo_sandbox.app import Sandbox
from ciclo_sandbox.state import dump_state, load_state, parse_state
from ciclo_sandbox.storage import close_database, open_database
from company import ORGANIZATION, TODAY, TOKEN

KINDS = (
    "error_before",
    "error_after",
    "timeout_before",
    "timeout_after",
    "reset_before",
    "reset_after",
    "refused",
    "rate_limit",
    "slow",
    "malformed",
    "late_commit",
    "truncated_page",
)
"""Every kind of fault that the sandbox knows, and a connection that is refused."""

_REFUSALS = {"late_commit": 504, "rate_limit": 429, "error_before": 502}
_LOST = {
    "timeout": httpx.ReadTimeout,
    "reset": httpx.ReadError,
    "refused": httpx.ConnectError,
    "truncated_page": httpx.RemoteProtocolError,
}


class SimulatedClock:
    """A clock that never stands still: each look at it is a millisecond later than the one before."""

    def __init__(self, now: datetime = datetime(2026, 1, 10, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def seconds(self) -> float:
        return self().timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class _Late:
    due: datetime
    request: httpx.Request


@dataclass
class SimulatedVendor(httpx.BaseTransport):
    """The vendor as an httpx transport. `going_wrong` decides about each request: a kind of fault, or None."""

    clock: SimulatedClock
    state: dict[str, Any]
    going_wrong: Callable[[httpx.Request], str | None] = lambda _request: None
    late_seconds: float = 60.0
    today: date = TODAY
    struck: list[str] = field(default_factory=list)
    """The faults that happened, in order."""

    def __post_init__(self) -> None:
        self._database = open_database(None)
        self.account = Account(self._database, today=self.today)
        self._sandbox = Sandbox(self.account)
        self._late: list[_Late] = []
        self._one_at_a_time = threading.Lock()  # as the sandbox's event loop does
        with self.account.transaction():
            load_state(self.account, parse_state(json.dumps(self.state).encode(), source="simulation"))

    def close(self) -> None:
        """Keep the account: a client that ends closes its transport, the vendor stays."""

    def shut_down(self) -> None:
        self._sandbox.webhooks.close()
        close_database(self._database)

    def client(self, *, requests_per_second: float | None = None) -> BillimaticClient:
        rules = RetryRules(clock=self.clock.seconds, now=self.clock, sleep=self.clock.sleep, jitter=lambda: 0.5)
        return BillimaticClient(
            base_url="http://127.0.0.1:1",
            token=TOKEN,
            organization_id=ORGANIZATION,
            timeout=30,
            requests_per_second=requests_per_second,
            transport=self,
            retries=rules,
        )

    def resources(self, kind: str) -> list[dict[str, Any]]:
        documents = self.account.rules if kind == "invoice_rules" else getattr(self.account, kind)
        return [json.loads(each) for each in documents.written()]

    def move(self, day: date, at: time | None = None) -> None:
        """Move the vendor's own clock: its machinery and its people do what has come due."""
        with self.account.transaction():
            machinery.move(self.account, day, at)

    def dump(self) -> bytes:
        """Return everything at the vendor as a state file."""
        return b"".join(dump_state(self.account))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Do something at the vendor as a person would, in its own pages."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token token={TOKEN}"}
        answer = self._answer(httpx.Request(method, f"http://vendor/api/v1/{path}", headers=headers, content=content))
        assert answer.status_code < 300, (answer.status_code, answer.content)
        return json.loads(answer.content or b"null")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._one_at_a_time:
            return self._handle(request)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.commit_what_is_late()
        kind = self.going_wrong(request)
        if kind is not None:
            self.struck.append(kind)
            return self._fail(request, kind)
        return self._answer(request)

    def commit_what_is_late(self) -> None:
        due = [late for late in self._late if late.due <= self.clock.now]
        self._late = [late for late in self._late if late not in due]
        for late in due:
            self._answer(late.request)

    def _fail(self, request: httpx.Request, kind: str) -> httpx.Response:
        if kind in ("timeout_before", "reset_before", "refused"):
            self._lose(kind)
        if kind == "late_commit":
            self._late.append(_Late(self.clock.now + timedelta(seconds=self.late_seconds), request))
        if kind in _REFUSALS:
            return httpx.Response(_REFUSALS[kind], headers={"retry-after": "1"})
        if kind == "slow":
            self.clock.sleep(25)
        return self._spoiled(self._answer(request), kind)

    def _spoiled(self, answer: httpx.Response, kind: str) -> httpx.Response:
        """Carried out; what comes back of it is another matter."""
        if kind in ("timeout_after", "reset_after", "truncated_page"):
            self._lose(kind)
        if kind == "error_after":
            return httpx.Response(500)
        if kind == "malformed":
            return httpx.Response(answer.status_code, content=b'{"invoice": {"id": 1, <html>')
        return answer

    def _lose(self, kind: str) -> None:
        if kind.startswith("timeout"):
            self.clock.sleep(30)
        raise _LOST[kind.removesuffix("_before").removesuffix("_after")](kind)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        scope = {
            "method": request.method,
            "path": request.url.path,
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        answer = self._sandbox.answer(scope, request.read())
        return httpx.Response(answer.status, content=answer.body)
