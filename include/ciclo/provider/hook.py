"""The hook: an Airflow connection in, a `BillimaticClient` out, nothing else.

The token goes from the connection into the client and nowhere else; Airflow's secrets masker is told of it first.
Requests count as Airflow metrics, wherever Airflow's own go (StatsD, OpenTelemetry); method and status are the only
tags, a path or an id never is one. Where Airflow's tracing is on, each is a span below that of the task which asked
for the client; it has the path with `{id}` for each number, and nothing of a query, a header or a body.
"""

import logging
import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret
from airflow.sdk.observability import stats
from opentelemetry import context, trace

from ciclo.billimatic import ApiError, BillimaticClient, NotFoundError
from ciclo.billimatic.transport import Observer
from ciclo.http.network import NetworkSettingError
from ciclo.http.retries import Budget, CallBudget
from ciclo.provider.connection import ConnectionFieldError, settings_of

Share = Callable[[int, CallBudget, float], Budget]

LATENCY = "ciclo.api.request"
"""Timer of every request, tagged with `method` and `status` (`none` without an answer)."""
ERRORS = "ciclo.api.error"
"""Counter of requests that ended in a status of 400 and more, or without an answer."""


def measure_request(method: str, status: int | None, seconds: float) -> None:
    """Tell Airflow's metrics of one request."""
    tags = {"method": method, "status": "none" if status is None else str(status)}
    stats.timing(LATENCY, timedelta(seconds=seconds), tags=tags)
    if status is None or status >= 400:
        stats.incr(ERRORS, tags=tags)


_tracer = trace.get_tracer("ciclo.api")
_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)")


def observing_requests() -> Observer:
    """Return what tells Airflow's metrics of each request, and its traces, from whatever thread it is sent."""
    asking = context.get_current()  # threads that send requests have a context of their own
    recorded = trace.get_current_span(asking).is_recording()

    def observe(method: str, path: str, status: int | None, seconds: float) -> None:
        measure_request(method, status, seconds)
        if recorded:
            _trace_request(asking, method, _NUMBER.sub("{id}", path), status, seconds)

    return observe


def _trace_request(asking: context.Context, method: str, route: str, status: int | None, seconds: float) -> None:
    """Record a request that has ended; names are OpenTelemetry's for clients of HTTP."""
    ended = time.time_ns()
    span = _tracer.start_span(
        f"{method} {route}",
        context=asking,
        kind=trace.SpanKind.CLIENT,
        start_time=ended - int(seconds * 1e9),
        attributes={"http.request.method": method, "url.template": route},
    )
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if status is None or status >= 400:
        span.set_status(trace.StatusCode.ERROR, "no answer" if status is None else None)
    span.end(ended)


class BillimaticHook(BaseHook):
    """Makes a client of the Billimatic API from an Airflow connection.

    Args:
        billimatic_conn_id: Id of a connection of type `billimatic`; see `docs/connection.md` for its fields.
    """

    conn_name_attr = "billimatic_conn_id"
    default_conn_name = "billimatic_default"
    conn_type = "billimatic"
    hook_name = "Billimatic"

    def __init__(self, *, billimatic_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.billimatic_conn_id = billimatic_conn_id

    def get_conn(self, *, read_only: bool = False, share: Share | None = None) -> BillimaticClient:
        """Return a client of the connection's organization; use it as a context manager.

        Args:
            read_only: of a client that cannot write, whatever it is asked.
            share: Given the organization, the client's own budget of requests and its rate, returns one that other
                processes share; without it the budget is the client's alone.

        Raises:
            AirflowNotFoundException: There is no such connection.
            ConnectionFieldError: A field of the connection is missing or wrong; the message names both.
            NetworkSettingError: A variable for proxies or certificates cannot work; the message names it.
        """
        settings = settings_of(self._connection())
        mask_secret(settings.token)
        # httpx logs every request at INFO: thousands of lines per run, with customers' names from searches in the URLs
        logging.getLogger("httpx").setLevel(logging.WARNING)
        try:
            return BillimaticClient(
                base_url=settings.base_url,
                token=settings.token,
                organization_id=settings.organization_id,
                timeout=settings.timeout,
                requests_per_second=settings.requests_per_second,
                allow_http=settings.allow_http,
                observer=observing_requests(),
                read_only=read_only,
                ca_file=settings.ca_file,
                share_budget=None if share is None else partial(share, settings.organization_id),
            )
        except NetworkSettingError:
            raise
        except ValueError as error:
            parameter, _, problem = str(error).partition(" ")
            field = {"base_url": "host", "token": "password"}.get(parameter, parameter)
            raise ConnectionFieldError(self.billimatic_conn_id, field, problem) from None

    def test_connection(self) -> tuple[bool, str]:
        """Try the token and the organization; return whether they work, and a sentence for the UI's Test button."""
        try:
            with self.get_conn() as api:
                return _try_out(api)
        except (AirflowException, ConnectionFieldError, NetworkSettingError, ApiError) as error:
            return False, str(error)

    def _connection(self) -> Any:
        try:
            return self.get_connection(self.billimatic_conn_id)
        except AirflowNotFoundException:
            raise
        except (AirflowException, ValueError) as error:
            # Airflow repeats the whole URI, token included, in "Invalid connection string: …"
            problem = f"cannot be read ({type(error).__name__}): neither a connection URI nor JSON"
            raise ConnectionFieldError(self.billimatic_conn_id, "definition", problem) from None


def _try_out(api: BillimaticClient) -> tuple[bool, str]:
    if not api.authenticated():
        return False, "The API refused the token (401)."
    try:
        api.email_templates()
    except NotFoundError:
        return False, f"The token works, but there is no organization {api.organization_id} in its account."
    return True, f"Connected: the token works and organization {api.organization_id} is in its account."
