"""One HTTP exchange with the API: budget, sending, decoding, trying again.

The one rule: `_send` decides whether a failure is safe to repeat, `_repeating` only obeys. A read is safe. A write is
safe if it certainly did not reach the application: no connection was made, or it answered 429 (DESIGN 4.4). Anything
else about a write is an `OutcomeUnknownError` at once. That includes a pooled connection the server closes without an
answer: it may have read the request first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ciclo.billimatic.budget import CallBudget
from ciclo.billimatic.errors import ApiError, NotSentError, OutcomeUnknownError, TransientApiError
from ciclo.billimatic.retries import RetryRules, repeating, seconds_of
from ciclo.billimatic.transport import json_bodies
from ciclo.billimatic.transport.address import checked_base_url, checked_rate, checked_timeout, checked_token
from ciclo.billimatic.transport.answers import Reply, error_for
from ciclo.billimatic.transport.limit import ConcurrencyLimit, Slot

_PREFIX = "/api/v1/"
_LONGEST_CONNECT = 10.0
# Raised before a byte of the request was sent: httpx found no free connection, or could not make one.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


Observer = Callable[[str, int | None, float], None]
"""Told of every request: its method, the answer's status (None without one), the seconds it took."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Mapping[str, str] | None = None
    content: bytes | None = None
    latest: float | None = None

    def coordinates(self) -> dict[str, Any]:
        return {"method": self.method, "path": _PREFIX + self.path}


class Exchange:
    """Sends requests for `BillimaticClient` from any thread and returns replies that are successes."""

    def __init__(  # noqa: PLR0913 - keyword-only, one a setting
        self,
        *,
        base_url: str,
        token: str,
        timeout: float,
        requests_per_second: float | None,
        max_connections: int,
        transport: httpx.BaseTransport | None,
        retries: RetryRules,
        allow_http: bool,
        observer: Observer | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url, allow_http=allow_http)
        self._root = self.base_url + _PREFIX
        self._token = checked_token(token)
        self._timeout = _timeout(checked_timeout(timeout))
        self._rules = retries
        self._budget = CallBudget.per_second(
            checked_rate(requests_per_second), clock=retries.clock, sleep=retries.sleep
        )
        self._limit = ConcurrencyLimit(max_connections)
        self._headers = httpx.Headers(_headers(self._token, self.base_url)).raw
        self._extensions = {"timeout": self._timeout.as_dict()}
        # Not `httpx.Client`: what it adds (cookies, redirects, which could carry the token to another host) is not
        # wanted here, and costs a quarter of the time of a request.
        self._transport = transport or _transport(self.base_url, max_connections)
        self._repeating = repeating(retries)
        self._observer = observer

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    @property
    def longest_request(self) -> float:
        """Seconds after which one request has been given up: waiting for a connection, connecting, sending, reading."""
        parts = self._timeout.as_dict().values()
        return sum(seconds or 0.0 for seconds in parts)

    @property
    def longest_call(self) -> float:
        """Seconds a call takes at most with all its attempts and pauses, the waiting for its turn aside."""
        return self._rules.attempts * self.longest_request + self._rules.longest_pauses()

    def read(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """GET a path below `/api/v1`, as often as the rules allow.

        Raises:
            ApiError: What the last answer stands for.
        """
        return self._repeating(self._send, _Request("GET", path, params))

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
        return self._repeating(self._send, _Request(method, path, content=content, latest=latest))

    def _send(self, request: _Request) -> Reply:
        with self._limit.slot() as slot:
            self._budget.take()
            if request.latest is not None and self._rules.clock() >= request.latest:
                raise NotSentError("not sent, its time was over", **request.coordinates())
            started, status = perf_counter(), None
            try:
                response, content = self._answered(request)
                status = response.status_code
            except httpx.HTTPError as error:
                raise _failure_of(error, request) from error
            finally:
                self._observe(slot, request, status, perf_counter() - started)
        return self._successful(request, response, content)

    def _observe(self, slot: Slot, request: _Request, status: int | None, seconds: float) -> None:
        trouble = status is None or status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500
        self._limit.learn(slot, request.method, seconds, trouble=trouble)
        if self._observer is not None:
            self._observer(request.method, status, seconds)

    def _answered(self, request: _Request) -> tuple[httpx.Response, bytes]:
        """Send a request and return its answer and content, with the connection given back to the pool.

        Request and answer are put together here, not by httpx: what it would find out is known, and finding it out
        takes a tenth of a request's time.
        """
        sent = httpx.Request(
            request.method,
            self._root + request.path,
            params=request.params,
            headers=self._headers_of(request),
            stream=httpx.ByteStream(request.content or b""),
            extensions=self._extensions,
        )
        response = self._transport.handle_request(sent)
        stream = cast("httpx.SyncByteStream", response.stream)
        try:
            content = response.read() if "content-encoding" in response.headers else b"".join(stream)
        finally:
            stream.close()
        if response.status_code >= 400:  # its text ends up in messages
            content = content.replace(self._token.encode(), b"***")
        return response, content

    def _headers_of(self, request: _Request) -> list[tuple[bytes, bytes]]:
        if request.content is None and request.method in {"GET", "DELETE"}:
            return self._headers
        return [*self._headers, (b"Content-Length", b"%d" % len(request.content or b""))]

    def _successful(self, request: _Request, response: httpx.Response, content: bytes) -> Reply:
        reply = self._reply(request, response, content)
        error = error_for(reply)
        if error is not None:
            self._heed(error)
            raise error
        if reply.is_read and reply.body is None:  # of a write's answer, whoever needs its content says so
            raise reply.unreadable("the answer is not JSON")
        return reply

    def _reply(self, request: _Request, response: httpx.Response, content: bytes) -> Reply:
        return Reply(
            **request.coordinates(),
            status=response.status_code,
            body=_decoded(content),
            request_id=self._without_token(response.headers.get("x-request-id", "")) or None,
            retry_after=seconds_of(response.headers.get("retry-after"), self._rules.now),
        )

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "***")

    def _heed(self, error: ApiError) -> None:
        """Hold back the other threads as well when the server asks for a pause."""
        if isinstance(error, TransientApiError) and error.retry_after and self._rules.allow(error):
            self._budget.close_for(error.retry_after)


def _decoded(content: bytes) -> Any:
    try:
        return json_bodies.read(content) if content else None
    except ValueError:
        return None


def _failure_of(error: httpx.HTTPError, request: _Request) -> ApiError:
    """Say what a request without an answer stands for; httpx's message names no header."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if request.method == "GET" or isinstance(error, _NEVER_SENT):
        return TransientApiError(reason, **request.coordinates())
    return OutcomeUnknownError(f"no answer, it may have been carried out; {reason}", **request.coordinates())


def _transport(base_url: str, max_connections: int) -> httpx.HTTPTransport:
    """Return a pool of connections to one host, through the proxy that the environment names for it, if any."""
    address = urlsplit(base_url)
    proxy = None if proxy_bypass(address.hostname or "") else getproxies().get(address.scheme)
    limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
    return httpx.HTTPTransport(limits=limits, proxy=proxy)


def _headers(token: str, base_url: str) -> dict[str, str]:
    return {
        "Host": httpx.URL(base_url).netloc.decode(),
        "Authorization": f"Token token={token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "ciclo",
    }


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(connect=min(seconds, _LONGEST_CONNECT), read=seconds, write=seconds, pool=seconds)
