"""The front door: token, log, and the way to the operation; faults on the way.

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

from ciclo_sandbox import attachments, sgs
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Answer, ParameterRefusal, Refusal, Request
from ciclo_sandbox.failures import FAILURES, Exchange
from ciclo_sandbox.faults import Faults
from ciclo_sandbox.operations import Operation
from ciclo_sandbox.request_log import RequestLog
from ciclo_sandbox.router import PREFIX, Router
from ciclo_sandbox.webhooks import Webhooks

NOT_JSON: Final = "O corpo da requisição não é um JSON válido."
_NOT_THE_VENDORS: Final = ("/_sandbox", "/api/docs", "/api/openapi.json")

Headers = dict[bytes, bytes]


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
        if path.startswith(_NOT_THE_VENDORS) and self.control is not None and _is_local(scope):
            await self.control(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = Exchange(scope, receive, send, await _body(receive))
        fault = self.faults.striking(scope["method"], path) if self.faults.active else None
        if fault is None:
            status = await exchange.answered(self.answer(scope, exchange.body))
        else:
            status = await FAILURES[fault.kind](self, exchange, fault)
        query = scope["query_string"].decode("latin-1")
        elapsed = round((time.perf_counter() - started) * 1000, 3)
        today = self.account.clock.today.isoformat()
        self.requests.note(scope["method"], path, query, status, today, elapsed, fault.kind if fault else None)

    def answer_later(self, scope: Scope, body: bytes, seconds: float) -> None:
        """Do what a request asks for `seconds` from now; nobody gets the answer."""

        async def commit() -> None:
            await asyncio.sleep(seconds)
            self.answer(scope, body)

        task = asyncio.create_task(commit())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

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
            if path.startswith(PREFIX) and not self._is_let_in(headers):
                return Answer(401)
            return self._operate(scope["method"], path, query, body, headers)
        except Refusal as refusal:
            return refusal.answer

    def _operate(self, method: str, path: str, query: dict[str, str], body: bytes, headers: Headers) -> Answer:
        found = self._router.find(method, path) if path.startswith(PREFIX) else None
        if found is None:
            return Answer(404)
        operation, ids = found
        content = _json(body) if operation.writes else None
        host = headers.get(b"host", b"127.0.0.1").decode("latin-1")
        return self._run(operation, Request(ids, query, content, f"http://{host}"))

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

    def _is_let_in(self, headers: Headers) -> bool:
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


def _is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine: in a container network the control plane is nobody else's."""
    client = scope.get("client")
    return client is None or client[0] == "127.0.0.1"
