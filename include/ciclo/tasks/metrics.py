"""How billing stands, as Airflow metrics: gauges that an alert can watch.

The one rule: they are read from the ledger at the end of a run, for the run's own window.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from airflow.sdk.observability import stats

from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.issuing.summary import WindowSummary, summarize_window
from ciclo.ledger.repositories import Scope

PERIODS = "ciclo.periods"
"""Gauge of the window's periods, tagged with `state`."""
BILLED = "ciclo.billed_brl"
"""Gauge of the BRL that the window's issued periods amount to."""
OLDEST_DOUBT = "ciclo.oldest_doubt_seconds"
"""Gauge of how long the oldest period in doubt has been so; 0 where none is."""


@contextmanager
def reporting_doubts(job: JobContext, scope: Scope) -> Iterator[None]:
    """Report how the window stands where what is done inside leaves doubts."""
    try:
        yield
    except StillInDoubtError:
        report_standing(summarize_window(job, scope), job.clock())
        raise


def report_standing(standing: WindowSummary, now: datetime) -> None:
    """Tell Airflow's metrics how a window stands."""
    for state, total in standing.totals.items():
        stats.gauge(PERIODS, total.periods, tags={"state": PeriodState(state).value})
    stats.gauge(BILLED, float(standing.billed))  # a gauge is a float; money itself never is
    since = standing.oldest_doubt
    stats.gauge(OLDEST_DOUBT, (now - since).total_seconds() if since else 0)
