"""One HTTP exchange with the API: budget, sending, decoding, trying again.

`_send` decides whether a failure is safe to repeat, `repeating` only obeys. A read is safe. A write is safe if it
certainly did not reach the application: no connection was made, or it answered 429. Anything else about a
write is an `OutcomeUnknownError` at once. That includes a pooled connection the server closes without an answer: it
may have read the request first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from time import perf_counter
from typing import Any

import httpx

from ciclo.billimatic.errors import NotSentError, OutcomeUnknownError
from ciclo.billimatic.transport.answers import Reply, error_for
from ciclo.http import json_bodies
from ciclo.http.address import checked_base_url, checked_rate, checked_timeout, checked_token
from ciclo.http.errors import ApiError, TransientApiError
from ciclo.http.retries import CallBudget, RetryRules, repeating, seconds_of

PREFIX = "/api/v1/"
_LONGEST_CONNECT = 10.0
# Raised before a byte of the request was sent: httpx found no free connection, or could not make one.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

Observer = Callable[[str, int | None, float], None]
"""Told of every request: its method, the answer's status (None without one), the seconds it took."""
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
        max_connections: int,
        transport: httpx.BaseTransport | None,
        retries: RetryRules,
        allow_http: bool,
        observer: Observer | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url, allow_http=allow_http)
        self._token = checked_token(token)
        seconds = checked_timeout(timeout)
        self._timeout = httpx.Timeout(connect=min(seconds, _LONGEST_CONNECT), read=seconds, write=seconds, pool=seconds)
        self._rules = retries
        self._budget = CallBudget.per_second(
            checked_rate(requests_per_second), clock=retries.clock, sleep=retries.sleep
        )
        self._turns = BoundedSemaphore(max_connections)
        # follows no redirect, which could carry the token to another host
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={
                "Authorization": f"Token token={token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": "ciclo",
            },
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            transport=transport,
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
            self._budget.take()
            if request.latest is not None and self._rules.clock() >= request.latest:
                raise NotSentError("not sent, its time was over", **request.coordinates())
            started, status = perf_counter(), None
            try:
                response = self._http.request(
                    request.method, request.path, params=request.params, content=request.content
                )
                status = response.status_code
            except httpx.HTTPError as error:
                raise _failure_of(error, request) from error
            finally:
                if self._observer is not None:
                    self._observer(request.method, status, perf_counter() - started)
        reply = self._reply(request, response)
        failure = error_for(reply)
        if failure is not None:
            if isinstance(failure, TransientApiError) and failure.retry_after and self._rules.allow(failure):
                self._budget.close_for(failure.retry_after)  # the other threads wait as well
            raise failure
        if reply.is_read and reply.body is None:  # of a write's answer, whoever needs its content says so
            raise reply.unreadable("the answer is not JSON")
        return reply

    def _reply(self, request: _Request, response: httpx.Response) -> Reply:
        content = response.content
        if response.status_code >= 400:  # its text ends up in messages
            content = content.replace(self._token.encode(), b"***")
        try:
            body = json_bodies.read(content) if content else None
        except ValueError:
            body = content.decode(errors="replace") if request.plain_text else None
        return Reply(
            **request.coordinates(),
            status=response.status_code,
            body=body,
            request_id=response.headers.get("x-request-id", "").replace(self._token, "***") or None,
            retry_after=seconds_of(response.headers.get("retry-after"), self._rules.now),
        )


def _failure_of(error: httpx.HTTPError, request: _Request) -> ApiError:
    """Say what a request without an answer stands for; httpx's message names no header."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if request.method == "GET" or isinstance(error, _NEVER_SENT):
        return TransientApiError(reason, **request.coordinates())
    return OutcomeUnknownError(f"no answer, it may have been carried out; {reason}", **request.coordinates())
