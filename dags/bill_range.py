"""A backfill by hand: every stage of billing for a range of dates, in one run."""

import pendulum
from airflow.sdk import dag

from ciclo.locale import N_, _
from ciclo.tasks.backfill import PlanApproval, apply, finish, issue, plan, prepare, update_prices
from ciclo.tasks.contracts import expand, read_contracts
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import backfill_params, window_params

DOCS = N_("""
### Bill a range of dates

Runs every stage for `from_date` … `to_date`, both included: contracts and rules, periods, price updates, invoices, each
at the price in force on its issue date. What is billed already stays as it is.

**Policy**: `each` bills every missed period. `current_only` bills the newest due period of each rule in the range and
gives the older ones up **for good**; days to come it bills as `each` does. `dry_run` shows the plan with amounts in the
log of `plan`; nothing is sent or planned.

**Ceilings**: a plan above `max_invoices` or `max_total` waits at `approve` for a person (Browse, Required Actions).
What was approved is what is billed, at its amounts. Rejecting skips the rest; the periods stay planned.
""")


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    params=window_params() | backfill_params(),
    tags=["ciclo", "billing", "backfill"],
    doc_md=_(DOCS),
    **alerts(),
)
def bill_range() -> None:
    """Read contracts, expand, update prices, prepare, plan, ask, apply, issue, finish."""
    planned, approved = plan(), PlanApproval()
    applied = apply(planned)
    shards = read_contracts()
    expand.expand(shard=shards) >> update_prices.expand(shard=shards) >> prepare() >> planned
    planned >> approved >> applied
    issue.partial(plan_id=applied).expand(shard=shards) >> finish(applied)


bill_range()
