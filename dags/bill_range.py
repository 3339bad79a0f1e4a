"""A backfill by hand: every stage of billing for a range of dates, in one run."""

import pendulum
from airflow.sdk import dag, task

from ciclo.tasks import backfill_stages as backfill
from ciclo.tasks.alerts import alerts
from ciclo.tasks.params import window_params
from ciclo.tasks.retries import RETRYING
from ciclo.tasks.stages import INVOICES, SHARD_NAME, read_contracts, shards

DOCS = """
### Bill a range of dates

Runs every stage for `from_date` … `to_date`, both included: contracts and rules, periods, price updates, invoices, each
at the price in force on its issue date. What is billed already stays as it is.

**Policy**: `each` bills every missed period. `current_only` bills the newest period of each rule in the range and gives
the older ones up **for good**. `dry_run` shows the plan with amounts in the log of `plan`; nothing is sent or planned.

**Ceilings**: a plan above `max_invoices` or `max_total` waits at `approve` for a person (Browse, Required Actions).
What was approved is what is billed, at its amounts. Rejecting skips the rest; the periods stay planned.
"""


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    params=window_params() | backfill.backfill_params(),
    tags=["ciclo", "billing", "backfill"],
    doc_md=DOCS,
    **alerts(),
)
def bill_range() -> None:
    """Read contracts, expand, update prices, prepare, plan, ask, apply, issue, finish."""

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def expand(shard: int) -> dict[str, int]:
        """Read the rules of one shard of contracts and plan their periods; return counts."""
        return backfill.expand_range(shard)

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def update_prices(shard: int) -> dict[str, int]:
        """Apply the price updates of one shard with an execution date up to the range's end; return counts."""
        return backfill.update_prices_of_range(shard)

    @task(**RETRYING)
    def prepare() -> dict[str, int]:
        """Settle what is in doubt and adopt what is at the vendor already; return counts."""
        return backfill.prepare_range()

    @task(task_id=backfill.PLAN_TASK, **RETRYING)
    def plan() -> backfill.PlanToApprove:
        """Keep what would be billed, with amounts and a hash."""
        return backfill.plan_range()

    @task(**backfill.PLANNED)
    def apply(plan: backfill.PlanToApprove) -> int:
        """Check the plan again, record its approval, give up what it leaves out; return its id."""
        return backfill.apply_range(plan)

    @task(map_index_template=SHARD_NAME, **RETRYING)
    def issue(shard: int, plan_id: int) -> dict[str, int]:
        """Create the invoices of one shard of the plan; return counts by outcome."""
        return backfill.issue_plan_shard(shard, plan_id)

    @task(outlets=[INVOICES], **RETRYING)
    def finish(plan_id: int) -> dict[str, str | int]:
        """Settle, issue what came back, report how the range stands."""
        return backfill.finish_range(plan_id)

    planned, approved = plan(), backfill.PlanApproval()
    applied = apply(planned)
    read_contracts() >> expand.expand(shard=shards()) >> update_prices.expand(shard=shards()) >> prepare() >> planned
    planned >> approved >> applied
    issue.partial(plan_id=applied).expand(shard=shards()) >> finish(applied)


bill_range()
