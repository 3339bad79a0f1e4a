"""Create the invoices whose issue date has come, each period exactly once."""

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from ciclo.locale import N_, _
from ciclo.tasks.issuing import finish, issue, prepare
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params

DOCS = N_("""
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
""")


@dag(
    schedule=CronTriggerTimetable("0 6 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "billing"],
    doc_md=_(DOCS),
    **alerts(),
)
def issue_invoices() -> None:
    """Prepare, issue each shard, finish."""
    issue.expand(shard=prepare()) >> finish()


issue_invoices()
