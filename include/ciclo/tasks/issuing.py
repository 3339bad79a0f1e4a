"""Tasks that create the invoices of what is due, each period exactly once."""

from typing import Any

from airflow.sdk import task

from ciclo.jobs.runs import Counts
from ciclo.tasks.assets import INVOICES
from ciclo.tasks.notify import reporting_window, telling_what_stopped
from ciclo.tasks.run import RETRYING, SHARD_NAME, Shards, run_step, shards


@task(**RETRYING)
def prepare() -> Shards:
    """Settle what is in doubt, read what is due; return the shards over which the run spreads it."""
    run_step()
    return shards()


@task(map_index_template=SHARD_NAME, **RETRYING)
def issue(shard: list[int]) -> Counts | None:
    """Create the invoices of one shard that are due in the window; return counts by outcome."""
    counts: Counts | None = run_step(shard=shard)
    return counts


@task(outlets=[INVOICES], **RETRYING)
def finish() -> dict[str, Any] | None:
    """Settle, issue what came back, report how the window stands."""
    counts: dict[str, Any] | None = run_step(around=(reporting_window, telling_what_stopped))
    return counts
