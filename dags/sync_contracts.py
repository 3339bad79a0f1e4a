"""Contracts and rules as they are today, and what is new in the open months."""

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from ciclo.tasks.contracts import expand, read_contracts, report
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params
from ciclo.tasks.run import shards

DOCS = """
### Sync contracts

Reads every contract and its invoice rules, daily, and plans what is new in the open month: a rule that was created,
renewed or moved after `expand_invoice_rules` ran. Periods that no rule expects any more are cancelled; issued ones are
never touched.

**Window**: the month of the run's day in São Paulo, or `from_date` … `to_date`.
**What to look at**: the log of `report` for the counts, those of `expand` for rules that need a person.
"""


@dag(
    schedule=CronTriggerTimetable("30 4 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "contracts"],
    doc_md=DOCS,
    **alerts(),
)
def sync_contracts() -> None:
    """Read contracts, read each shard's rules and plan what is new, report."""
    expanded = expand.expand(shard=shards())
    read_contracts() >> expanded
    report(expanded)


sync_contracts()
