"""A sandbox for tests: started in a thread, driven over HTTP.

Tests know the sandbox by its URL and its control plane alone, as a user does.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from urllib.parse import urlencode

from ciclo_sandbox import parsing
from ciclo_sandbox.account import DEFAULT_TOKEN
from ciclo_sandbox.server import SandboxServer

Json = dict[str, Any]


class ControlError(Exception):
    """The control plane refused."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class SandboxControl:
    """A running sandbox: its URL, its token, and its control plane."""

    def __init__(self, url: str, token: str = DEFAULT_TOKEN) -> None:
        self.url = url
        self.token = token

    def put_state(self, state: Mapping[str, Any]) -> None:
        """Replace everything in the sandbox."""
        self._call("PUT", "/_sandbox/state", state)
        self.token = state.get("token") or self.token

    def state(self) -> Json:
        """Return everything in the sandbox, in the shape of the state file."""
        found: Json = self._call("GET", "/_sandbox/state")
        return found

    def clock(self) -> date:
        """Return the sandbox's date."""
        return date.fromisoformat(self._call("GET", "/_sandbox/clock")["today"])

    def set_clock(self, today: date, time: str | None = None) -> None:
        """Move the sandbox's date and let happen what comes due; `time` (HH:MM) is the wall's if none is given."""
        self._call("PUT", "/_sandbox/clock", {"today": today.isoformat(), "time": time})

    def faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Set the faults in force."""
        self._call("PUT", "/_sandbox/faults", [dict(fault) for fault in faults])

    def clear_faults(self) -> None:
        """Let requests go right again."""
        self._call("DELETE", "/_sandbox/faults")

    def requests(self, **filters: str | int) -> list[Json]:
        """Return what was asked; filters: `method`, `path` (regular expression), `status`, `since` (a number)."""
        found: list[Json] = self._call("GET", f"/_sandbox/requests?{urlencode(filters)}")
        return found

    def request_count(self) -> Json:
        """Return `{"total", "by_method_and_status"}`."""
        found: Json = self._call("GET", "/_sandbox/requests/count")
        return found

    def clear_requests(self) -> None:
        """Forget what was asked."""
        self._call("DELETE", "/_sandbox/requests")

    def receive(self, receivable_id: int, **receipt: str) -> Json:
        """Receive a receivable; `on` (a date) and `value` are optional. Return its invoice."""
        return self._act(f"receivables/{receivable_id}/receive", receipt or None)

    def undo_receival(self, receivable_id: int) -> Json:
        """Take a receipt back. Return its invoice."""
        return self._act(f"receivables/{receivable_id}/undo_receival")

    def emit(self, invoice_id: int, on: date | str | None = None) -> Json:
        """Mark an invoice as billed, today unless `on` (a date, or one as the API answers it) says otherwise."""
        return self._act(f"invoices/{invoice_id}/emit", {"on": parsing.iso(parsing.day(str(on)))} if on else None)

    def edit(self, invoice_id: int, **changes: Any) -> Json:
        """Change an invoice as a person does on the vendor's screens. Return it."""
        return self._act(f"invoices/{invoice_id}/edit", changes)

    def deactivate(self, contract_id: int) -> None:
        """Make a contract inactive."""
        self._call("POST", f"/_sandbox/contracts/{contract_id}/deactivate")

    def activate(self, contract_id: int) -> None:
        """Make a contract active again."""
        self._call("POST", f"/_sandbox/contracts/{contract_id}/activate")

    def cancel(self, invoice_id: int) -> Json:
        """Cancel an invoice. Return it."""
        return self._act(f"invoices/{invoice_id}/cancel")

    def undo_cancellation(self, invoice_id: int) -> Json:
        """Bring a cancelled invoice back. Return it."""
        return self._act(f"invoices/{invoice_id}/undo_cancellation")

    def webhook(self, **target: Any) -> None:
        """Send webhooks to `url`, signed with `secret`."""
        self._call("PUT", "/_sandbox/webhook", target)

    def deliveries(self) -> list[Json]:
        """Return the webhooks that were delivered, failed or lost."""
        found: list[Json] = self._call("GET", "/_sandbox/webhooks")
        return found

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the vendor's API below `/api/v1/` with the token; return status and JSON (None when empty)."""
        headers = {"Authorization": f"Token token={self.token}"}
        return self._send(method, f"/api/v1/{path}", body, headers)

    def _act(self, path: str, body: Any = None) -> Json:
        found: Json = self._call("POST", f"/_sandbox/{path}", body)["invoice"]
        return found

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        status, found = self._send(method, path, body, {})
        if status >= 400:
            raise ControlError(status, json.dumps(found, ensure_ascii=False))
        return found

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own loopback URL
            self.url + path, data, {"Content-Type": "application/json", **headers}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - same
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())


class RunningSandbox(SandboxControl):
    """A sandbox in a thread of this process, whose clock is moved without a request."""

    def __init__(self, server: SandboxServer) -> None:
        super().__init__(server.url)
        self.move = server.move


def _decoded(body: bytes) -> Any:
    return json.loads(body) if body else None


@contextmanager
def running_sandbox(
    state: Mapping[str, Any] | None = None,
    *,
    today: date | None = None,
    database: str | None = None,
    port: int = 0,
) -> Iterator[RunningSandbox]:
    """Run a sandbox in a thread of this process on a free port, in a few hundredths of a second.

    As on the command line, `today` wins over the state's.
    """
    server = SandboxServer(port=port, today=today, database=database)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="sandbox", daemon=True)
    thread.start()
    try:
        if not ready.wait(timeout=10):
            message = "the sandbox did not start"
            raise RuntimeError(message)
        control = RunningSandbox(server)
        if state is not None:
            control.put_state(state if today is None else {**state, "today": today.isoformat()})
        yield control
    finally:
        server.stop()
        thread.join(timeout=10)
