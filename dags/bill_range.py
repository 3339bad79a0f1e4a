"""A backfill by hand: every stage of billing for a range of dates, in one run."""

import pendulum
from airflow.sdk import dag, task

from ciclo.orchestration.params import window_params
from ciclo.orchestration.price_stages import propose_or_apply_shard
from ciclo.orchestration.retries import RETRYING
from ciclo.orchestration.stages import (
    INVOICES,
    RUN_MONTH,
    SHARD_NAME,
    expand_shard,
    finish_issue,
    issue_shard,
    prepare_issue,
    read_contracts,
    shards,
)

DOCS = """
### Bill a range of dates

Runs every stage for `from_date` … `to_date`, both included: contracts and rules, periods, price updates, invoices. Use
it for months that were missed and for the first billing of a company. What is billed already stays as it is, so a
second run creates nothing.

Each period is billed at the price in force on its issue date. With `dry_run` the plan is shown in the log of `prepare`
and nothing is sent.
"""


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    params=window_params(),
    tags=["ciclo", "billing", "backfill"],
    doc_md=DOCS,
)
def bill_range() -> None:
    """Read contracts, expand, update prices, prepare, issue, finish."""

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def expand(shard: int) -> dict[str, int]:
        """Read the rules of one shard of contracts and plan their periods; return counts."""
        return expand_shard(shard, RUN_MONTH)

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def update_prices(shard: int) -> dict[str, int]:
        """Apply the price updates of one shard with an execution date up to the range's end; return counts."""
        return propose_or_apply_shard(shard, RUN_MONTH)

    @task(**RETRYING)
    def prepare() -> dict[str, int]:
        """Settle what is in doubt and adopt what is at the vendor already; return counts."""
        return prepare_issue(RUN_MONTH)

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def issue(shard: int) -> dict[str, int]:
        """Create the invoices of one shard; return counts by outcome."""
        return issue_shard(shard, RUN_MONTH)

    @task(outlets=[INVOICES], **RETRYING)
    def finish() -> dict[str, str | int]:
        """Settle, issue what came back, report how the range stands."""
        return finish_issue(RUN_MONTH)

    planned = read_contracts() >> expand.expand(shard=shards()) >> update_prices.expand(shard=shards())
    planned >> prepare() >> issue.expand(shard=shards()) >> finish()


bill_range()
