"""Requests to the API as Airflow metrics; they go wherever Airflow's own go (StatsD, OpenTelemetry).

Method and status are the only tags; a path or an id never is one.
"""

from datetime import timedelta

from airflow.sdk.observability import stats

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
