"""Faults: requests that go wrong on purpose, and how each kind goes wrong on the wire.

"Before" means that nothing was changed, "after" that the change is committed and only its answer is lost. A fault's
choices come from its own seed and the order of the requests that match it, from nothing else.
"""

import asyncio
import random
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Literal, Protocol
from urllib.parse import parse_qsl, urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator
from starlette.types import Receive, Scope, Send

from ciclo_sandbox.account import Clock, moment
from ciclo_sandbox.answers import Answer, Json
from ciclo_sandbox.parsing import Words

TRANSPORT: Final = "ciclo.transport"
"""Where the server leaves a request's transport in its scope."""
Kind = Literal[
    "error_before", "error_after", "timeout_before", "timeout_after", "reset_before", "reset_after", "rate_limit",
    "slow", "malformed", "late_commit", "truncated_page", "stale_search", "empty_list", "html_page", "odd_record",
    "shifted_page",
]  # fmt: skip
_HELD_SECONDS: Final = 30.0
_SHORT_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 60.0
_NO_ANSWER: Final = 0
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
_SPOILT: Final = b'{"invoice": {"id": 1, <html><body>Bad Gateway</body></html>'
_MAINTENANCE: Final = (
    b"<!DOCTYPE html><html><head><title>Manuten&ccedil;&atilde;o</title></head><body><h1>Estamos em "
    b"manuten&ccedil;&atilde;o</h1><p>Voltamos em alguns minutos.</p></body></html>"
)
_SEARCHES: Final = re.compile(r"/(search|late)(\.json)?/?$")


class Fault(BaseModel):
    """One fault: which requests it strikes, how, and how often."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="What happens; docs/sandbox.md has the table.")
    method: Words | None = Field(default=None, description="HTTP method; null: any.")
    path: Words = Field(default=".*", description="Regular expression, searched in the path without its query.")
    probability: float = Field(default=1.0, ge=0, le=1, description="Chance that a matching request is struck.")
    count: int | None = Field(default=None, ge=0, description="Strikes before it is spent; null: never.")
    seed: int = Field(default=1, description="Seed of the chances.")
    seconds: float | None = Field(default=None, ge=0, le=10**9, description="Duration, Retry-After, or age.")
    status: int = Field(default=500, ge=400, le=599, description="Status of error_before and error_after.")
    _random: random.Random = PrivateAttr()

    @field_validator("path")
    @classmethod
    def _compiles(cls, path: str) -> str:
        try:
            re.compile(path)
        except re.error as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from error
        return path

    def model_post_init(self, _context: Any) -> None:
        """Start the fault's own chances."""
        self._random = random.Random(self.seed)  # noqa: S311 - reproducible, not secret

    def strikes(self, method: str, path: str) -> bool:
        """Tell whether this request is struck, and count it."""
        matches = (self.method is None or self.method.upper() == method) and re.search(self.path, path) is not None
        if self.count == 0 or not matches or self._random.random() >= self.probability:
            return False
        if self.count is not None:
            self.count -= 1
        return True

    def lasts(self, default: float) -> float:
        """Return the fault's seconds, or those of its kind."""
        return default if self.seconds is None else self.seconds

    def choose(self, among: int) -> int:
        """Return a number below `among`."""
        return self._random.randrange(among)


class Faults:
    """The faults in force: the first that strikes decides; a stale search goes with any other."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def striking(self, method: str, path: str) -> list[Fault]:
        """Return what strikes this request: at most one stale search and one fault of another kind, in that order."""
        stale = self._first(method, path, stale=True) if method == "GET" and _SEARCHES.search(path) else None
        return [fault for fault in (stale, self._first(method, path, stale=False)) if fault]

    def _first(self, method: str, path: str, *, stale: bool) -> Fault | None:
        of_kind = (fault for fault in self.active if (fault.kind == "stale_search") is stale)
        return next((fault for fault in of_kind if fault.strikes(method, path)), None)


class Server(Protocol):
    """What a fault needs of the sandbox."""

    def answer(self, scope: Scope, body: bytes) -> Answer:
        """Answer a request and commit what it changed."""

    def answer_later(self, scope: Scope, body: bytes, seconds: float) -> None:
        """Do what a request asks, later."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request whose body was read, and the way back."""

    scope: Scope
    receive: Receive
    send: Send
    body: bytes

    async def answered(self, answer: Answer, *headers: tuple[bytes, bytes], half: bool = False) -> int:
        """Send an answer, which says how long it is, or only its first half; return its status."""
        length = (b"content-length", str(len(answer.body)).encode())
        sent = [*headers] if answer.status == 204 else [length, *headers]
        if answer.body:
            sent.append((b"content-type", answer.content_type))
        await self.send({"type": "http.response.start", "status": answer.status, "headers": sent})
        body = answer.body[: len(answer.body) // 2] if half else answer.body
        await self.send({"type": "http.response.body", "body": body, "more_body": half})
        if half:
            await self.dropped(abruptly=False)
        return answer.status

    async def held(self, seconds: float) -> None:
        """Keep the client waiting, until it gives up or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    pass

    async def dropped(self, *, abruptly: bool) -> int:
        """Close the connection: with a TCP reset, or after what was already written."""
        transport: asyncio.Transport = self.scope[TRANSPORT]
        if abruptly and not transport.is_closing():
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            transport.abort()
        else:
            transport.close()
        # The server learns of it in the loop's next round, and must not try to answer before that.
        while (await self.receive())["type"] != "http.disconnect":
            pass
        return _NO_ANSWER


async def respond(server: Server, clock: Clock, exchange: Exchange, faults: list[Fault]) -> int:
    """Answer a request with what strikes it; return the status, 0 for a connection closed without an answer."""
    for fault in faults:
        if fault.kind == "stale_search":
            server = _StaleSearches(server, clock, fault.lasts(_STALE_SECONDS))
        else:
            return await _FAILURES[fault.kind](server, exchange, fault)
    return await exchange.answered(server.answer(exchange.scope, exchange.body))


class _StaleSearches:
    """A server whose searches do not know yet what was made in the last seconds."""

    def __init__(self, server: Server, clock: Clock, seconds: float) -> None:
        self._server = server
        self._since = clock.now() - timedelta(seconds=seconds)
        self._all_old = clock.stamped_at is not None and clock.stamped_at <= self._since
        self.answer_later = server.answer_later

    def answer(self, scope: Scope, body: bytes) -> Answer:
        """Answer a search without what is too young, in pages of what is left."""
        answer = self._server.answer(scope, body)
        found = None if self._all_old else _found(answer)
        if found is None:
            return answer
        document, root = found
        if "total_pages" not in document:
            document[root] = self._known(document[root])
            return replace(answer, body=orjson.dumps(document))
        everything = []
        for page in range(1, document["total_pages"] + 1):
            whole = _found(self._server.answer(_page(scope, page, document["per_page"]), body))
            everything += self._known(whole[0][root]) if whole else []
        per_page, first = document["per_page"], (document["page"] - 1) * document["per_page"]
        document |= {"total_pages": -(-len(everything) // per_page), root: everything[first : first + per_page]}
        return replace(answer, body=orjson.dumps(document))

    def _known(self, records: list[Any]) -> list[Any]:
        made = [moment(record.get("created_at")) if isinstance(record, dict) else None for record in records]
        return [record for record, at in zip(records, made, strict=True) if at is None or at <= self._since]


def _found(answer: Answer) -> tuple[Json, str] | None:
    """Return the document of a list's answer and the name of its list, or nothing."""
    if answer.status != 200 or not answer.content_type.startswith(b"application/json"):
        return None
    document = orjson.loads(answer.body)
    root = next((key for key, value in document.items() if isinstance(value, list)), None)
    return None if root is None else (document, root)


def _page(scope: Scope, page: int, per_page: int) -> Scope:
    """Return a search's request for another page."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    asked = urlencode(query | {"page": str(page), "per_page": str(per_page)})
    return {**scope, "query_string": asked.encode()}


async def _error_before(_server: Server, exchange: Exchange, fault: Fault) -> int:
    return await exchange.answered(Answer(fault.status))


async def _error_after(server: Server, exchange: Exchange, fault: Fault) -> int:
    server.answer(exchange.scope, exchange.body)
    return await exchange.answered(Answer(fault.status))


async def _timeout_before(_server: Server, exchange: Exchange, fault: Fault) -> int:
    await exchange.held(fault.lasts(_HELD_SECONDS))
    return await exchange.dropped(abruptly=False)


async def _timeout_after(server: Server, exchange: Exchange, fault: Fault) -> int:
    server.answer(exchange.scope, exchange.body)
    await exchange.held(fault.lasts(_HELD_SECONDS))
    return await exchange.dropped(abruptly=False)


async def _reset_before(_server: Server, exchange: Exchange, _fault: Fault) -> int:
    return await exchange.dropped(abruptly=True)


async def _reset_after(server: Server, exchange: Exchange, _fault: Fault) -> int:
    server.answer(exchange.scope, exchange.body)
    return await exchange.dropped(abruptly=True)


async def _rate_limit(_server: Server, exchange: Exchange, fault: Fault) -> int:
    retry_after = max(1, round(fault.lasts(_SHORT_SECONDS)))
    return await exchange.answered(Answer(429), (b"retry-after", str(retry_after).encode()))


async def _slow(server: Server, exchange: Exchange, fault: Fault) -> int:
    await asyncio.sleep(fault.lasts(_SHORT_SECONDS))
    return await exchange.answered(server.answer(exchange.scope, exchange.body))


async def _malformed(server: Server, exchange: Exchange, _fault: Fault) -> int:
    status = server.answer(exchange.scope, exchange.body).status
    return await exchange.answered(Answer(200 if status == 204 else status, _SPOILT))  # 204 has no body to spoil


async def _late_commit(server: Server, exchange: Exchange, fault: Fault) -> int:
    server.answer_later(exchange.scope, exchange.body, fault.lasts(_SHORT_SECONDS))
    return await exchange.answered(Answer(504))


async def _truncated_page(server: Server, exchange: Exchange, _fault: Fault) -> int:
    answer = server.answer(exchange.scope, exchange.body)
    return await exchange.answered(answer, half=len(answer.body) > 1)


async def _html_page(_server: Server, exchange: Exchange, _fault: Fault) -> int:
    return await exchange.answered(Answer(200, _MAINTENANCE, b"text/html; charset=utf-8"))


async def _empty_list(server: Server, exchange: Exchange, _fault: Fault) -> int:
    answer = server.answer(exchange.scope, exchange.body)
    if found := _found(answer):
        document, root = found
        document |= {root: []} | ({"total_pages": 0} if "total_pages" in document else {})
        answer = replace(answer, body=orjson.dumps(document))
    return await exchange.answered(answer)


async def _odd_record(server: Server, exchange: Exchange, fault: Fault) -> int:
    """Spoil one record of a list (or the one that is answered) as later versions might: nulls and unknown values."""
    answer = server.answer(exchange.scope, exchange.body)
    found = _found(answer)
    if found and found[0][found[1]]:
        document, root = found
        spoilt = fault.choose(len(document[root]))
        document[root][spoilt] = _odd(document[root][spoilt])
        answer = replace(answer, body=orjson.dumps(document))
    elif found is None and answer.status in (200, 201) and answer.content_type.startswith(b"application/json"):
        document = {root: _odd(record) for root, record in orjson.loads(answer.body).items()}
        answer = replace(answer, body=orjson.dumps(document))
    return await exchange.answered(answer)


def _odd(record: Any) -> Any:
    """Return a record with a state nobody knows, null where a value is expected, and a field that is new."""
    if not isinstance(record, dict):
        return record
    odd = record | {field: value for field, value in _ODD.items() if field in record}
    if isinstance(record.get("additional_information"), dict):
        odd["additional_information"] = record["additional_information"] | {"period_unit": "daily"}
    if isinstance(record.get("receivables"), list):
        odd["receivables"] = [line | {"due_date": None, "state": "in_protest"} for line in record["receivables"]]
    return odd | {"odd_field": {"since": "2027"}}


_ODD: Final = {
    "state": "under_review", "gross_value": None, "value": None, "due_date": None, "payment_information": None,
    "customer_type": "Government", "kind": None, "services": None, "subject": None,
}  # fmt: skip


async def _shifted_page(server: Server, exchange: Exchange, _fault: Fault) -> int:
    """Answer a page as if a record had come in before it: the page before ends with its first, its last is left out."""
    answer = server.answer(exchange.scope, exchange.body)
    found = _found(answer)
    if found and found[0].get("page", 1) > 1:
        document, root = found
        per_page, page = document["per_page"], document["page"]
        before = _found(server.answer(_page(exchange.scope, page - 1, per_page), exchange.body))
        last_one = before[0][root][per_page - 1 :] if before else []
        document[root] = [*last_one, *document[root]][:per_page]
        answer = replace(answer, body=orjson.dumps(document))
    return await exchange.answered(answer)


_FAILURES: Final[Mapping[Kind, Callable[[Server, Exchange, Fault], Awaitable[int]]]] = {
    "error_before": _error_before,
    "error_after": _error_after,
    "timeout_before": _timeout_before,
    "timeout_after": _timeout_after,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "rate_limit": _rate_limit,
    "slow": _slow,
    "malformed": _malformed,
    "late_commit": _late_commit,
    "truncated_page": _truncated_page,
    "html_page": _html_page,
    "empty_list": _empty_list,
    "odd_record": _odd_record,
    "shifted_page": _shifted_page,
}
