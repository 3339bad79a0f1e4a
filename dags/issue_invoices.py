"""Create the invoices whose issue date has come, each period exactly once."""

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task

from ciclo.tasks.alerts import alerts
from ciclo.tasks.params import window_params
from ciclo.tasks.retries import RETRYING
from ciclo.tasks.stages import (
    INVOICES,
    RUN_DAY,
    SHARD_NAME,
    finish_issue,
    issue_shard,
    prepare_issue,
    require_expanded,
    shards,
)

DOCS = """
### Issue invoices

Creates the invoices of the planned periods whose issue date has come: today's, and what earlier days left `planned`,
back to `CICLO_CATCH_UP_DAYS`. Older ones need `bill_range`.

1. `prepare`: refuses a day whose month `expand_invoice_rules` never expanded; settles what earlier runs left without an
   answer; adopts invoices that are at the vendor already.
2. `issue`: claims periods, commits, creates their invoices, records them. A lost answer leaves a period *in doubt*.
3. `finish`: settles this run's doubts, once their grace period is over, and reports. Red while anything is in doubt,
   and red if something was due and nothing was billed.

Clearing, retrying and running twice at once are harmless. **Parked** periods are listed with their reasons in the log
of `finish`: they wait for a person.
"""


@dag(
    schedule=CronTriggerTimetable("0 6 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "billing"],
    doc_md=DOCS,
    **alerts(),
)
def issue_invoices() -> None:
    """Prepare, issue each shard, finish."""

    @task(**RETRYING)
    def prepare() -> dict[str, int]:
        """Settle what is in doubt and adopt what is at the vendor already; return counts."""
        require_expanded(RUN_DAY)
        return prepare_issue(RUN_DAY)

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def issue(shard: int) -> dict[str, int]:
        """Create the invoices of one shard that are due in the window; return counts by outcome."""
        return issue_shard(shard, RUN_DAY)

    @task(outlets=[INVOICES], **RETRYING)
    def finish() -> dict[str, str | int]:
        """Settle, issue what came back, report how the window stands."""
        return finish_issue(RUN_DAY)

    prepare() >> issue.expand(shard=shards()) >> finish()


issue_invoices()
