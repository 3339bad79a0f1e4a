"""One HTTP exchange with the API: budget, sending, decoding, trying again; then a model, or what to do next.

`_send` decides whether a failure is safe to repeat, `repeating` only obeys. A read is safe. A write is safe if it
certainly did not reach the application: no connection was made, or it answered 429. Anything else about a write is an
`OutcomeUnknownError` at once. That includes a pooled connection the server closes without an answer: it may have read
the request first.

What cannot be understood is never passed over. On a read it is an `UnreadableAnswerError`; on a write, which may have
happened all the same, an `OutcomeUnknownError`; one record of a list is an `OddRecord` beside the others.

An exchange that only reads refuses everything but GET where httpx sends it, below whatever a caller may do.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from threading import BoundedSemaphore
from time import perf_counter
from typing import Any

import httpx

from ciclo.billimatic.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    ReadOnlyError,
    RejectedError,
)
from ciclo.billimatic.models.reading import Listing, Model, OddRecord, Record, read_record, unwrapped
from ciclo.http import json_bodies
from ciclo.http.errors import ApiError, TransientApiError, UnreadableAnswerError
from ciclo.http.network import checked_base_url, checked_rate, checked_timeout, checked_token, proxy_for, trusted_by
from ciclo.http.retries import Budget, CallBudget, RetryRules, repeating, seconds_of
from ciclo.locale import N_, Text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from a request: its coordinates, status and decoded body (None if empty or not JSON).

    `is_foreign` if it has a body that is not JSON: it is then not the API's own, but of something in between.
    """

    method: str
    path: str
    status: int
    body: Any = None
    request_id: str | None = None
    retry_after: float | None = None
    is_foreign: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the request could not have changed anything."""
        return self.method == "GET"

    def coordinates(self) -> dict[str, Any]:
        """The keyword arguments that every `ApiError` takes."""
        return {"method": self.method, "path": self.path, "status": self.status, "request_id": self.request_id}

    def unreadable(self, reason: str | Text) -> ApiError:
        """Build the error for an answer that is not what the API promises."""
        kind = UnreadableAnswerError if self.is_read else OutcomeUnknownError
        return kind(reason, **self.coordinates())


def error_for(reply: Reply) -> ApiError | None:
    """Return the error that the status of an answer stands for, or None for success."""
    if reply.is_foreign and 400 <= reply.status < 500 and reply.status not in _WITHOUT_WORDS:
        return reply.unreadable(Text(N_("the answer is not the API's own: a proxy or a maintenance page, perhaps")))
    if reply.status in _FAILURES:
        return _FAILURES[reply.status](reply)
    if 200 <= reply.status < 300:
        return None
    if reply.status >= 500:
        return _server_failed(reply)
    return _rejected(reply) if reply.status >= 400 else reply.unreadable(Text(N_("the answer is not one of the API's")))


def read_one(model: type[Model], reply: Reply) -> Model:
    """Read the one resource an answer holds under its name.

    Raises:
        UnreadableAnswerError: The answer to a read holds no such resource, one without a needed field, or another one
            than was asked for.
        OutcomeUnknownError: The same, in the answer to a write.
    """
    if not isinstance(reply.body, Mapping) or model.resource not in reply.body:
        raise reply.unreadable(Text(N_("the answer holds no {what}"), what=model.resource))
    found = read_record(model, reply.body[model.resource])
    if isinstance(found, OddRecord):
        raise reply.unreadable(str(found))
    _require_asked_for([found], reply)
    return found


def read_several(
    model: type[Model], reply: Reply, *, only_counted: Callable[[Any], int | None] = lambda _item: None
) -> Listing[Model]:
    """Read the list of resources an answer holds under their plural name; an odd one spoils no other.

    One that comes twice, and not alike, is odd: nothing says which of the two is true.

    Args:
        model: what they are.
        reply: the answer.
        only_counted: returns the id of a record, as it came, that the caller needs to know no more of.

    Raises:
        UnreadableAnswerError: The answer holds no such list, or something of another contract than was asked for.
    """
    items = reply.body.get(model.plural) if isinstance(reply.body, Mapping) else None
    if not isinstance(items, list):
        raise reply.unreadable(Text(N_("the answer holds no list of {what}"), what=model.plural))
    records: dict[int, list[Model]] = {}
    odd: list[OddRecord] = []
    counted: list[int] = []
    for item in items:
        number = only_counted(unwrapped(model, item))
        if number is not None:
            counted.append(number)
            continue
        found = read_record(model, item)
        if isinstance(found, OddRecord):
            log.warning("%s %s: %s", reply.method, reply.path, found)
            odd.append(found)
        else:
            records.setdefault(found.id, []).append(found)
    _require_asked_for((each for some in records.values() for each in some), reply)
    for number, some in records.items():
        if any(each.payload != some[0].payload for each in some[1:]):
            odd += [OddRecord.ambiguous(each) for each in some]
            log.warning("%s %s: %s", reply.method, reply.path, odd[-1])
            records[number] = []
    read = (each for some in records.values() for each in some)
    return Listing(tuple(read), tuple(odd), reply.path, tuple(counted))


_IN_CONTRACT = re.compile(r"/contracts/(\d+)/")
_ITSELF = re.compile(r"/(\d+)(?:/(?:approve|block|receive|undo_receipt))?$")


def _require_asked_for(records: Iterable[Record], reply: Reply) -> None:
    """Refuse the answer to somebody else's question, which a proxy may have mixed up with ours."""
    itself, contract = _ITSELF.search(reply.path), _IN_CONTRACT.search(reply.path)
    number, contract_id = int(itself[1]) if itself else None, int(contract[1]) if contract else None
    for record in records:
        of = getattr(record, "contract_id", None)
        if number not in (None, record.id) or (of is not None and contract_id not in (None, of)):
            text = N_("the answer is about something else: {what} {id}")
            raise reply.unreadable(Text(text, what=record.resource, id=record.id))


def complaints(body: Any) -> dict[str, str]:
    """Read the three shapes of an error body as message by field path; one about the whole request is `base`.

    The shapes: `{"errors": {path: message}}`, `{"errors": {field: [message, …]}}`, `{"errors": message}`.
    """
    errors = body.get("errors") if isinstance(body, Mapping) else None
    if errors is None:
        return {}
    return _flattened(errors, "")


def _flattened(errors: Any, path: str) -> dict[str, str]:
    if isinstance(errors, Mapping):
        found: dict[str, str] = {}
        for key, value in errors.items():
            found |= _flattened(value, f"{path}.{key}" if path else str(key))
        return found
    message = "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors)
    return {path or "base": message}


def _reason(reply: Reply, otherwise: Text) -> str | Text:
    fields = complaints(reply.body)
    texts = [text if path == "base" else f"{path}: {text}" for path, text in fields.items()]
    return "; ".join(texts) or otherwise


def _bad_request(reply: Reply) -> ApiError:
    return BadRequestError(_reason(reply, Text(N_("a parameter is missing or wrong"))), **reply.coordinates())


def _unauthenticated(reply: Reply) -> ApiError:
    return AuthenticationError(Text(N_("the API refused the token")), **reply.coordinates())


def _not_found(reply: Reply) -> ApiError:
    if reply.body is not None:
        return reply.unreadable(Text(N_("the answer is a 404 with a body, which the API's own has not")))
    return NotFoundError(Text(N_("not found in this account")), **reply.coordinates())


def _rejected(reply: Reply) -> ApiError:
    reason = _reason(reply, Text(N_("refused without a reason")))
    return RejectedError(reason, **reply.coordinates(), fields=complaints(reply.body))


def _throttled(reply: Reply) -> ApiError:
    return TransientApiError(Text(N_("too many requests")), **reply.coordinates(), retry_after=reply.retry_after)


def _server_failed(reply: Reply) -> ApiError:
    if reply.is_read:
        return TransientApiError(Text(N_("the server failed")), **reply.coordinates(), retry_after=reply.retry_after)
    reason = Text(N_("the server failed; it may have acted before"))
    return OutcomeUnknownError(reason, **reply.coordinates(), retry_after=reply.retry_after)


_WITHOUT_WORDS = {401, 408, 429}
"""Refusals that mean the same whoever answers; every other is believed only where it is the API that speaks."""
_FAILURES = {
    400: _bad_request,
    401: _unauthenticated,
    403: _unauthenticated,
    404: _not_found,
    408: _server_failed,  # given up on by a server or proxy, perhaps after passing the request on
    410: _not_found,
    422: _rejected,
    429: _throttled,
}


PREFIX = "/api/v1/"
_LONGEST_CONNECT = 10.0
_LEAST_CONNECTIONS = 20
_SECONDS_UNDER_WAY = 1.5
"""A server that answers as slowly as this is still asked as often as the budget allows."""
# Raised before a byte of the request was sent: httpx found no free connection, or could not make one.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_TOO_SLOW = "the answer did not end in time"

Observer = Callable[[str, str, int | None, float], None]
"""Told of every request: its method and path, the answer's status (None without one), the seconds it took."""
Query = Mapping[str, str | list[str]]
"""Parameters of a search; a list is sent as one parameter a value."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Query | None = None
    content: bytes | None = None
    latest: float | None = None
    plain_text: bool = False

    def coordinates(self) -> dict[str, Any]:
        return {"method": self.method, "path": self.path}


class Exchange:
    """Sends requests for `BillimaticClient` from any thread and returns replies that are successes."""

    def __init__(  # noqa: PLR0913 - keyword-only, one a setting
        self,
        *,
        base_url: str,
        token: str,
        timeout: float,
        requests_per_second: float | None,
        max_connections: int | None,
        transport: httpx.BaseTransport | None,
        retries: RetryRules,
        allow_http: bool,
        observer: Observer | None = None,
        read_only: bool = False,
        ca_file: str | None = None,
        share_budget: Callable[[CallBudget, float], Budget] | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url, allow_http=allow_http)
        self._token = checked_token(token)
        seconds = checked_timeout(timeout)
        self._timeout = httpx.Timeout(connect=min(seconds, _LONGEST_CONNECT), read=seconds, write=seconds, pool=seconds)
        self._rules = retries
        rate = checked_rate(requests_per_second)
        alone = CallBudget.per_second(rate, clock=retries.clock, sleep=retries.sleep)
        self._budget: Budget = share_budget(alone, rate) if share_budget is not None and rate else alone
        self.max_connections = max_connections or max(_LEAST_CONNECTIONS, ceil(_SECONDS_UNDER_WAY * (rate or 0)))
        self._turns = BoundedSemaphore(self.max_connections)
        # follows no redirect, which could carry the token to another host
        self._http = httpx.Client(
            headers={
                "Authorization": f"Token token={token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": "ciclo",
            },
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=self.max_connections, max_keepalive_connections=self.max_connections),
            transport=transport,
            proxy=proxy_for(self.base_url) if transport is None else None,
            verify=trusted_by(self.base_url, ca_file),
            trust_env=False,  # all of it was read by these two
            event_hooks={"request": [_refuse_writes]} if read_only else None,
        )
        self._repeating = repeating(retries)
        self._observer = observer

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    @property
    def longest_request(self) -> float:
        """Seconds after which one request has been given up: waiting for a connection, connecting, sending, reading."""
        return sum(seconds or 0.0 for seconds in self._timeout.as_dict().values())

    @property
    def longest_call(self) -> float:
        """Seconds a call takes at most with all its attempts and pauses, the waiting for its turn aside."""
        return self._rules.attempts * self.longest_request + self._rules.longest_pauses()

    def read(self, path: str, params: Query | None = None) -> Reply:
        """GET a path below `/api/v1`, as often as the rules allow.

        Raises:
            ApiError: What the last answer stands for.
        """
        return self._repeating(self._send, _Request("GET", PREFIX + path, params))

    def read_text(self, path: str) -> Reply:
        """GET a path from the root, whose answer may be text; `body` is then the text."""
        return self._repeating(self._send, _Request("GET", path, plain_text=True))

    def write(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, within: float | None = None
    ) -> Reply:
        """Send a change, again only if it certainly did not reach the application.

        Args:
            method: POST, PUT, PATCH or DELETE.
            path: Below `/api/v1`.
            body: Plain values.
            within: Seconds from now after which no attempt may begin, however long it had to wait for its turn.

        Raises:
            OutcomeUnknownError: It may have happened.
            NotSentError: The time was over before it could be sent.
            ApiError: It did not happen; the class says why.
        """
        content = None if body is None else json_bodies.written(body)
        latest = None if within is None else self._rules.clock() + within
        return self._repeating(self._send, _Request(method, PREFIX + path, content=content, latest=latest))

    def _send(self, request: _Request) -> Reply:
        with self._turns:
            self._budget.take(writes=request.method != "GET")
            if request.latest is not None and self._rules.clock() >= request.latest:
                raise NotSentError(Text(N_("not sent, its time was over")), **request.coordinates())
            started, status = perf_counter(), None
            try:
                reply = self._answer(request)
                status = reply.status
            except httpx.HTTPError as error:
                raise _failure_of(error, request) from error
            finally:
                if self._observer is not None:
                    self._observer(request.method, request.path, status, perf_counter() - started)
        failure = error_for(reply)
        if failure is not None:
            if isinstance(failure, AuthenticationError) and reply.status == HTTPStatus.FORBIDDEN:
                failure = self._forbidden(request, reply) or failure
            if isinstance(failure, TransientApiError) and failure.retry_after and self._rules.allow(failure):
                self._budget.close_for(failure.retry_after)  # the other threads wait as well
            raise failure
        if reply.is_foreign or (reply.is_read and reply.body is None):  # a write's may be empty
            raise reply.unreadable(Text(N_("the answer is not JSON")))
        return reply

    def _answer(self, request: _Request) -> Reply:
        """Send a request and read its answer, for as long as one may take: byte by byte it could come for ever."""
        ends = self._rules.clock() + self.longest_request
        url = f"{self.base_url}{request.path}"
        sent = self._http.stream(request.method, url, params=request.params, content=request.content)
        with sent as response:
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if self._rules.clock() > ends:
                    raise httpx.ReadTimeout(_TOO_SLOW, request=response.request)
        return self._reply(request, response, bytes(content))

    def _forbidden(self, request: _Request, reply: Reply) -> ApiError | None:
        """Return the error for what is refused alone, with a token that is accepted; None where the token is refused.

        No answer of the API's is documented to be a 403: something before it may mind a text, or an address.
        """
        anything = _Request("GET", f"{PREFIX}service_items")
        if request.path == anything.path:
            return None
        try:
            self._send(anything)
        except ApiError:
            return None
        reason = Text(N_("the token is accepted, but not for this"))
        return reply.unreadable(reason) if reply.is_read else RejectedError(reason, **reply.coordinates())

    def _reply(self, request: _Request, response: httpx.Response, content: bytes) -> Reply:
        if response.status_code >= 400:  # its text ends up in messages
            content = content.replace(self._token.encode(), b"***")
        foreign = False
        try:
            body = json_bodies.read(content, response.charset_encoding) if content.strip() else None
        except ValueError:
            body = content.decode(errors="replace") if request.plain_text else None
            foreign = body is None
        return Reply(
            **request.coordinates(),
            status=response.status_code,
            body=body,
            request_id=response.headers.get("x-request-id", "").replace(self._token, "***") or None,
            retry_after=seconds_of(response.headers.get("retry-after"), self._rules.now),
            is_foreign=foreign,
        )


def _refuse_writes(request: httpx.Request) -> None:
    """Let nothing but a read leave; httpx asks before it opens or takes a connection."""
    if request.method != "GET":
        reason = Text(N_("this client only reads: nothing was sent"))
        raise ReadOnlyError(reason, method=request.method, path=request.url.path)


def _failure_of(error: httpx.HTTPError, request: _Request) -> ApiError:
    """Say what a request without an answer stands for; httpx's message names no header."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if request.method == "GET" or isinstance(error, _NEVER_SENT):
        return TransientApiError(reason, **request.coordinates())
    return OutcomeUnknownError(
        Text(N_("no answer, it may have been carried out; {error}"), error=reason), **request.coordinates()
    )
