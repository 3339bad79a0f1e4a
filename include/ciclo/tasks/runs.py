"""From Airflow's context to a job's: the window of a run, who acts, and the means it works with.

A scheduled or back-filled run takes its day or month from the logical date in São Paulo; a manual run may have none in
Airflow 3: then it is the day on which the run was started.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from ciclo.domain.calendar import add_days
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.ledger.database import ledger_session
from ciclo.ledger.repositories import Actor, Scope
from ciclo.provider.hook import BillimaticHook
from ciclo.tasks.settings import settings

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
"""The time zone of billing."""

Context = Mapping[str, Any]


def today() -> date:
    """Return the current day in São Paulo."""
    return datetime.now(SAO_PAULO).date()


def run_day(context: Context) -> date:
    """Return the day in São Paulo that a run is about."""
    run = context["dag_run"]
    instant: datetime = run.logical_date or run.run_after or run.start_date
    return instant.astimezone(SAO_PAULO).date()


@dataclass(frozen=True, slots=True)
class DefaultWindow:
    """What a run without dates is about: its `day` or its `month`, perhaps with some days before it."""

    unit: Literal["day", "month"]
    catch_up: bool = False

    def of(self, day: date) -> DateRange:
        """Return the window of a run on `day`."""
        if self.unit == "month":
            return DateRange.month_of(day)
        return DateRange.days(add_days(day, -settings().catch_up_days) if self.catch_up else day, day)


def window_of(context: Context, default: DefaultWindow) -> DateRange:
    """Return a run's window of issue dates: its params where they are given, else the default of its day.

    Raises:
        WindowUpsideDown: `to_date` is before `from_date`.
    """
    params = context["params"]
    own = default.of(run_day(context))
    first = date.fromisoformat(params["from_date"]) if params.get("from_date") else own.start
    last = date.fromisoformat(params["to_date"]) if params.get("to_date") else own.last_day
    return DateRange.days(first, last)


def scope_of(context: Context, default: DefaultWindow, shard: int | None = None) -> Scope:
    """Return what a task is about; without `shard` the whole run."""
    window = window_of(context, default)
    contracts = tuple(context["params"].get("contract_ids") or ())
    if shard is None:
        return Scope(window, contracts)
    return Scope(window, contracts, shard, settings().shards)


def actor_of(context: Context) -> Actor:
    """Return who acts, for the audit trail."""
    task = context["ti"]
    return Actor(task.dag_id, task.run_id, task.task_id, task.map_index)


def owner_of(context: Context) -> str:
    """Return a name for claims that no other try of any task uses."""
    task = context["ti"]
    return f"{task.dag_id}/{task.run_id}/{task.task_id}/{task.map_index}/try {task.try_number}/{uuid4().hex[:8]}"


@contextmanager
def open_job(context: Context, *, discard: bool = False) -> Iterator[JobContext]:
    """Open the connection and the ledger of a task; with `discard` the ledger stays as it was."""
    gc.freeze()  # what is imported by now lives as long as the task: searching it for garbage costs a tenth of its time
    hook = BillimaticHook(billimatic_conn_id=context["params"]["billimatic_conn_id"])
    with hook.get_conn() as api, ledger_session(discard=discard) as session:
        yield JobContext(api, session, actor_of(context), lambda: datetime.now(UTC))
