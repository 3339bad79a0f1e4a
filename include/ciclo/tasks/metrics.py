"""How billing stands, as Airflow metrics: gauges that an alert can watch, read at the end of a run for its window."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from airflow.sdk.observability import stats

from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.settle import WindowSummary, summarize_window
from ciclo.jobs.runs import Run

PERIODS = "ciclo.periods"
"""Gauge of the window's periods, tagged with `state`."""
BILLED = "ciclo.billed_brl"
"""Gauge of the BRL that the window's issued periods amount to."""
OLDEST_DOUBT = "ciclo.oldest_doubt_seconds"
"""Gauge of how long the oldest period in doubt has been so; 0 where none is."""


@contextmanager
def reporting_window(job: JobContext, run: Run) -> Iterator[None]:
    """Report how the run's window stands after a step, however it ended."""
    try:
        yield
    finally:
        job.session.rollback()
        report_window(summarize_window(job, run.scope), job.clock())


def report_window(summary: WindowSummary, now: datetime) -> None:
    """Tell Airflow's metrics how a window stands."""
    for state, total in summary.totals.items():
        stats.gauge(PERIODS, total.periods, tags={"state": PeriodState(state).value})
    stats.gauge(BILLED, float(summary.billed))  # a gauge is a float; money itself never is
    since = summary.oldest_doubt
    stats.gauge(OLDEST_DOUBT, (now - since).total_seconds() if since else 0)
