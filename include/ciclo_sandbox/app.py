"""The front door: token, log, faults on the way, and the vendor's API, SGS and attachments behind it.

Every request is answered in the vendor's manner. One event loop runs everything, and an endpoint never waits, so
requests are served one at a time and need no lock. OpenAPI describes the vendor's API on a page that works without
the internet.
"""

import asyncio
import datetime as dt
import hmac
import json
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from html import escape
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ciclo_sandbox import catalogue, contracts, customers, invoices, machinery, receivables, rules, sgs
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import JSON, Answer, Json, ParameterRefusal, Refusal, of_2018
from ciclo_sandbox.api import PREFIX
from ciclo_sandbox.faults import Exchange, Faults, respond
from ciclo_sandbox.webhooks import Webhooks

NOT_JSON: Final = "O corpo da requisição não é um JSON válido."
# Searches before what is shown by id: their fixed words are not ids. What is asked most comes first.
_ROUTERS: Final = (
    invoices.searches, invoices.router, rules.router, receivables.router, contracts.router, catalogue.router,
    customers.router, contracts.subscriptions, invoices.files,
)  # fmt: skip


@cache  # a hundred routes take longer to describe than a state to load
def vendor_api() -> FastAPI:
    """Return the vendor's API: a request's state holds its account, every endpoint is a coroutine that never waits."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for router in _ROUTERS:
        app.include_router(router)
    app.get("/health_check", response_model=Health)(check_health)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _unknown)
    return app


class Health(BaseModel):
    """Whether the vendor is there."""

    status: str = Field(description="ok.")


async def check_health() -> Response:
    """Say that the vendor is there; no token is asked for."""
    return Response(b'{"status":"ok"}', media_type=JSON)


async def _refused(_request: Request, refusal: Any) -> Response:
    return _sent(refusal.answer)


async def _unreadable(_request: Request, error: Any) -> Response:
    # A path's id that is no id names nothing; all that is left is a body that is no JSON.
    in_path = any(problem["loc"][0] == "path" for problem in error.errors())
    return _sent(Answer(404) if in_path else ParameterRefusal(NOT_JSON).answer)


async def _unknown(_request: Request, error: Any) -> Response:
    return _sent(ParameterRefusal(NOT_JSON).answer if error.status_code == 400 else Answer(404))


def _sent(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=JSON if answer.body else None)


@cache
def openapi() -> Json:
    """Return the OpenAPI 3.1 description of the vendor's API."""
    described = get_openapi(
        title="Billimatic API, as the Ciclo sandbox answers it",
        version="v1",
        description="A model of the vendor's API made from its documents and recordings of its answers.",
        routes=vendor_api().routes,
    )
    for operation in (each for path in described["paths"].values() for each in path.values()):
        validation = operation["responses"].get("422", {}).get("content", {})
        if "HTTPValidationError" in str(validation):
            del operation["responses"]["422"]
    for framework in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(framework, None)
    described["security"] = [{"token": []}]
    described["components"]["securitySchemes"] = {
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token token=<TOKEN>`",
        }
    }
    return described


def add_documentation(app: FastAPI) -> None:
    """Serve `/api/openapi.json` and `/api/docs`."""

    @app.get("/api/openapi.json")
    async def schema() -> Response:
        return Response(orjson.dumps(openapi()), media_type="application/json")

    @app.get("/api/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page())


@cache
def page() -> str:
    """Return the description as one HTML page that needs nothing else: operations, then models."""
    described = openapi()
    operations = "".join(
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['description'])}"
        f"</summary><ul>{''.join(_parameter(each) for each in operation.get('parameters', []))}</ul>"
        f"<p>{_links(operation.get('requestBody', {}))} → {_links(operation['responses'])}</p></details>"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    )
    models = "".join(
        f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p><table>'
        + "".join(
            f"<tr><td><code>{escape(field)}</code></td>"
            f"<td>{escape(each.get('description', ''))} {_links(each)}</td></tr>"
            for field, each in schema.get("properties", {}).items()
        )
        + "</table>"
        for name, schema in described["components"]["schemas"].items()
    )
    return _PAGE.format(title=escape(described["info"]["title"]), operations=operations, models=models)


def _parameter(parameter: Json) -> str:
    return f"<li><code>{escape(parameter['name'])}</code> {escape(parameter.get('description', ''))}</li>"


def _links(schema: Json) -> str:
    """Return links to the models that a schema mentions."""
    found = orjson.dumps(schema).decode().split('"#/components/schemas/')[1:]
    return " ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in (rest.split('"')[0] for rest in found))


_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark }} body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem }} details {{ border-bottom: 1px solid #8884; padding: .4rem 0 }} summary {{ cursor: pointer }}
td {{ padding: .1rem 1rem .1rem 0; vertical-align: top }} code {{ font-size: .95em }}
</style></head><body><h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>
<h2>Operations</h2>{operations}<h2>Models</h2>{models}</body></html>
"""


PERSON: Final = b"x-sandbox-person"
"""Header of a request by somebody else than the client under test: no fault strikes it, nobody notes it."""
_NOT_THE_VENDORS: Final = ("/_sandbox", "/api/docs", "/api/openapi.json")

Headers = dict[bytes, bytes]

CAPACITY: Final = 100_000


class Entry(NamedTuple):
    """One request; `status` 0 means that the connection was closed without an answer."""

    number: int
    method: str
    path: str
    query: str
    status: int
    at_clock: str
    duration_ms: float
    fault: str | None


class RequestLog:
    """The last requests, and how many there were of each method and status."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)
        self._counts: Counter[str] = Counter()
        self._total = 0

    def note(self, method: str, path: str, query: str, status: int, at_clock: str, duration_ms: float,
             fault: str | None) -> None:  # fmt: skip
        """Note a request that was answered, or left without answer."""
        self._total += 1
        self._counts[f"{method} {status}"] += 1
        self._entries.append(Entry(self._total, method, path, query, status, at_clock, duration_ms, fault))

    def entries(
        self, *, method: str | None = None, path: str | None = None, status: int | None = None, since: int = 0
    ) -> Iterator[Json]:
        """Yield the entries after number `since` that match, oldest first."""
        pattern = re.compile(path) if path else None
        for entry in self._entries:
            if entry.number <= since or (status is not None and entry.status != status):
                continue
            if method is not None and entry.method != method.upper():
                continue
            if pattern is None or pattern.search(entry.path):
                yield entry._asdict()

    def counts(self) -> Json:
        """Return how many requests there were, in all and by method and status."""
        return {"total": self._total, "by_method_and_status": dict(sorted(self._counts.items()))}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._counts.clear()
        self._total = 0


class Sandbox:
    """The vendor's API, SGS and attachments as an ASGI application."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.faults = Faults()
        self.requests = RequestLog()
        self.webhooks = Webhooks()
        self.control: ASGIApp | None = None
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
        by_a_person = any(name == PERSON for name, _ in scope["headers"])
        faults = [] if by_a_person else self.faults.striking(scope["method"], path)
        clock = self.account.clock
        status = await respond(self, clock, exchange, faults)
        if scope["method"] != "GET":
            clock.tick()
        if by_a_person:
            return
        query = scope["query_string"].decode("latin-1")
        elapsed = round((time.perf_counter() - started) * 1000, 3)
        today, struck = clock.today.isoformat(), faults[-1].kind if faults else None
        self.requests.note(scope["method"], path, query, status, today, elapsed, struck)

    def answer_later(self, scope: Scope, body: bytes, seconds: float) -> None:
        """Do what a request asks for `seconds` from now; nobody gets the answer."""

        async def commit() -> None:
            await asyncio.sleep(seconds)
            self.answer(scope, body)

        task = asyncio.create_task(commit())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def forget(self) -> None:
        """Do nothing more of what was asked of the account before its state was replaced, and tell nothing of it."""
        for task in self._late:
            task.cancel()
        self.webhooks.forget()

    def answer(self, scope: Scope, body: bytes) -> Answer:
        """Answer a request; whatever was changed is committed when this returns."""
        path: str = scope["path"]
        headers = dict(scope["headers"])
        if path.startswith(sgs.PREFIX):
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            return sgs.answer(self.account, path, query)
        if path.startswith(PREFIX) and not self._is_let_in(headers):
            return Answer(401)
        content = body.strip()
        asked = {**_as_json(scope, headers), "state": {"account": self.account}}
        answer = _run(vendor_api(), asked, b"{}" if content in (b"", b"null") else content)
        self.tell()
        if self.account.behaviour.shape == 2018 and path.startswith(PREFIX) and answer.status < 300 and answer.body:
            base_url = f"http://{headers.get(b'host', b'127.0.0.1').decode('latin-1')}"
            answer = replace(answer, body=of_2018(path, answer.body, base_url))
        return answer

    def operate(self, method: str, path: str, body: Json) -> Answer:
        """Answer a request of a person at the vendor's own screens."""
        token = f"Token token={self.account.token}".encode()
        headers = [(b"authorization", token), (b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
        return self.answer(scope, json.dumps(body).encode())  # which writes any number, and half a character, too

    def move(self, today: date, at: dt.time | None) -> None:
        """Set the date and the time of day: what has come due by then happens, and is told."""
        with self.account.transaction():
            machinery.move(self.account, today, at)
        self.tell()
        self.webhooks.advance(self.account.clock.now())

    def tell(self) -> None:
        """Hand the events of what was committed to the webhooks."""
        if self.account.events:
            now = self.account.clock.now()
            self.webhooks.tell(self.account.behaviour, self.account.settle_events(), now)

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


def _as_json(scope: Scope, headers: Headers) -> Scope:
    """Return a request whose body is JSON, whatever its header says, at a path without an ending."""
    kept = [(name, value) for name, value in headers.items() if name not in (b"content-type", b"content-length")]
    path = scope["path"].rstrip("/").removesuffix(".json") or "/"
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": scope["method"],
        "path": path,
        "root_path": "",
        "query_string": scope["query_string"],
        "headers": [*kept, (b"content-type", b"application/json")],
        "server": scope.get("server"),
    }


def _run(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    """Return what an application answers whose endpoints never wait, so that no event loop is needed."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    running = app(scope, receive, send)
    try:
        running.__await__().send(None)
    except StopIteration:
        headers = dict(sent[0]["headers"])
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], content, headers.get(b"content-type", b""))
    message = "an endpoint of the sandbox waited"
    raise RuntimeError(message)


def _is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine: in a container network the control plane is nobody else's."""
    client = scope.get("client")
    return (client is None or client[0] == "127.0.0.1") and _is_meant(scope)


def _is_meant(scope: Scope) -> bool:
    """Whether a request names this machine itself: not one that a web page makes here, under a name of its own."""
    given = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = given.get(b"host", "localhost"), given.get(b"origin")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    of_its_own = origin is None or origin.partition("://")[2] == host
    return name.lower() in {"localhost", "127.0.0.1", "[::1]"} and of_its_own
