"""Contracts and rules as they are today, and what is new in the open months."""

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from ciclo.locale import N_, _
from ciclo.tasks.contracts import look_for_drift, read_contracts, report_synced, sync
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params

DOCS = N_("""
### Sync contracts

Reads every contract and its invoice rules, those not read for longest first and all within `CICLO_READ_WITHIN_DAYS`,
and plans what is new in the open months: a rule that was created, renewed or moved after `expand_invoice_rules` ran.
Periods that no rule expects any more are cancelled; issued ones are never touched. What nobody bills between two rules,
what lies before a rule was first seen and what cannot be read become findings.

**What to look at**: the log of `report` for the counts, those of `sync` for rules that need a person, that of
`look_for_drift` for fields and values of the vendor's API that were never seen before.
""")


@dag(
    schedule=CronTriggerTimetable("30 4 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "contracts"],
    doc_md=_(DOCS),
    **alerts(),
)
def sync_contracts() -> None:
    """Read contracts, read each shard's rules and plan what is new, report, look for what the vendor has changed."""
    report_synced(sync.expand(shard=read_contracts())) >> look_for_drift()


sync_contracts()
