"""Contracts and rules from the API, and the periods that they expect, into the ledger."""

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from ciclo.locale import N_, _
from ciclo.tasks.contracts import expand, read_contracts, report
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params

DOCS = N_("""
### Expand invoice rules

Reads every contract and its invoice rules from the Billimatic API and plans the **periods** of the run's month in the
ledger: one period a rule and issue date. Running it again adds nothing; periods that a rule no longer expects are
cancelled; issued ones are never touched.

**Window**: the month of the logical date in São Paulo, or `from_date` … `to_date`.
**What to look at**: the log of `report` for the counts, those of `expand` for rules that need a person.
**Next**: `issue_invoices` creates the invoices on their issue dates.
""")


@dag(
    schedule=CronTriggerTimetable("0 5 1 * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "billing"],
    doc_md=_(DOCS),
    **alerts(),
)
def expand_invoice_rules() -> None:
    """Read contracts, expand each shard's rules, report."""
    report(expand.expand(shard=read_contracts()))


expand_invoice_rules()
