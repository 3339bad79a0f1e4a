"""The front door: token, faults, log, and the way to the operation.

The rule: every request is answered in the vendor's manner. One event loop runs everything, and a handler never waits,
so requests are served one at a time and need no lock.
"""

import asyncio
import hmac
import time
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from ciclo.sandbox import attachments, sgs
from ciclo.sandbox.account import Account
from ciclo.sandbox.answers import Answer, ParameterRefusal, Refusal, Request
from ciclo.sandbox.delivery import deliver, drop
from ciclo.sandbox.faults import Fault, Faults
from ciclo.sandbox.operations import Operation
from ciclo.sandbox.request_log import RequestLog
from ciclo.sandbox.router import PREFIX, Router
from ciclo.sandbox.webhooks import Webhooks

NOT_JSON: Final = "O corpo da requisição não é um JSON válido."
_HOLD_SECONDS: Final = 30.0


class Sandbox:
    """The vendor's API, SGS and attachments as an ASGI application."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.faults = Faults()
        self.requests = RequestLog()
        self.webhooks = Webhooks()
        self.control: ASGIApp | None = None
        self._router = Router()
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path.startswith(("/_sandbox", "/api/docs", "/api/openapi.json")) and self.control is not None:
            await self.control(scope, receive, send)
            return
        started = time.perf_counter()
        body = await _body(receive)
        fault = self.faults.striking(scope["method"], path) if self.faults.active else None
        status = await self._serve(scope, body, fault, send)
        query = scope["query_string"].decode("latin-1")
        elapsed = round((time.perf_counter() - started) * 1000, 3)
        today = self.account.clock.today.isoformat()
        self.requests.note(scope["method"], path, query, status, today, elapsed, fault.kind if fault else None)

    async def _serve(self, scope: Scope, body: bytes, fault: Fault | None, send: Send) -> int:
        if fault is not None:
            return await self._serve_badly(scope, body, fault, send)
        answer = self.answer(scope, body)
        await deliver(send, answer)
        return answer.status

    async def _serve_badly(self, scope: Scope, body: bytes, fault: Fault, send: Send) -> int:
        kind = fault.kind
        if kind in ("error_before", "rate_limit", "late_commit"):
            return await self._refuse(scope, body, fault, send)
        if kind == "slow":
            await asyncio.sleep(fault.seconds if fault.seconds is not None else 1.0)
        answer = None if kind in ("timeout_before", "reset_before") else self.answer(scope, body)
        if kind.startswith("timeout"):
            await asyncio.sleep(_HOLD_SECONDS if fault.seconds is None else fault.seconds)
        if answer is None or kind in ("timeout_after", "reset_after"):
            await drop(scope, abruptly=kind.startswith("reset"))
            return 0
        if kind == "error_after":
            answer = Answer(fault.status)
        elif kind == "malformed":
            answer = Answer(answer.status, b'{"invoice": {"id": 1, <html><body>Bad Gateway</body></html>')
        await deliver(send, answer, cut=scope if kind == "truncated_page" else None)
        return answer.status

    async def _refuse(self, scope: Scope, body: bytes, fault: Fault, send: Send) -> int:
        seconds = 1.0 if fault.seconds is None else fault.seconds
        if fault.kind == "late_commit":
            task = asyncio.create_task(self._commit_later(scope, body, seconds))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            await deliver(send, Answer(504))
            return 504
        if fault.kind == "rate_limit":
            await deliver(send, Answer(429), (b"retry-after", str(max(1, round(seconds))).encode()))
            return 429
        await deliver(send, Answer(fault.status))
        return fault.status

    async def _commit_later(self, scope: Scope, body: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.answer(scope, body)

    def answer(self, scope: Scope, body: bytes) -> Answer:
        """Answer a request; whatever was changed is committed when this returns."""
        path: str = scope["path"]
        headers = dict(scope["headers"])
        try:
            if path.startswith(attachments.PREFIX):
                return attachments.serve_attachment(self.account, path)
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            if path.startswith(sgs.PREFIX):
                return sgs.answer(self.account, path, query)
            if not path.startswith(PREFIX):
                return Answer(404)
            if not self._is_let_in(headers):
                return Answer(401)
            found = self._router.find(scope["method"], path)
            if found is None:
                return Answer(404)
            operation, ids = found
            content = _json(body) if operation.writes else None
            host = headers.get(b"host", b"127.0.0.1").decode("latin-1")
            return self._run(operation, Request(ids, query, content, f"http://{host}"))
        except Refusal as refusal:
            return refusal.answer

    def _run(self, operation: Operation, request: Request) -> Answer:
        if not operation.writes:
            return operation.handler(self.account, request)
        with self.account.transaction():
            answer = operation.handler(self.account, request)
        self.tell()
        return answer

    def tell(self) -> None:
        """Hand the events of what was committed to the webhooks."""
        if self.account.events:
            self.webhooks.tell(self.account.behaviour, self.account.settle_events())

    def _is_let_in(self, headers: dict[bytes, bytes]) -> bool:
        scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"token":
            return False
        given = rest.strip().removeprefix(b"token=").strip().strip(b'"')
        return hmac.compare_digest(given, self.account.token.encode())


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _json(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParameterRefusal(NOT_JSON) from error
