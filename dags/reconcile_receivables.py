"""What was billed against what the vendor has and what was received."""

import pendulum
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from ciclo.tasks.alerts import alerts
from ciclo.tasks.params import window_params
from ciclo.tasks.reconcile_stages import RECEIVABLES, reconcile_run, report_ageing
from ciclo.tasks.retries import RETRYING
from ciclo.tasks.webhook_trigger import WEBHOOKS

DOCS = """
### Reconcile receivables

Reads the invoices that may have changed, a hundred a request, and follows them in the ledger: states, amounts, due
dates, receipts, cancellations, errors of the finance system. Every disagreement is a **finding** with a name, a
sentence and an amount; it closes by itself when its cause is gone.

**When**: daily at 08:00 everything; within a minute of a webhook just the invoices that it named. A webhook that was
lost is found by the daily run.
**Window**: `from_date` … `to_date` read exactly those issue dates instead.
**What to look at**: the log of `reconcile` for new findings, that of `age` for what is owed and since when.
Kinds of findings and their cures: `docs/reconciliation.md`.
"""


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 8 * * *", timezone="America/Sao_Paulo"), assets=[WEBHOOKS]
    ),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "receivables"],
    doc_md=DOCS,
    **alerts(),
)
def reconcile_receivables() -> None:
    """Reconcile, then say what is owed."""

    @task(outlets=[RECEIVABLES], **RETRYING)
    def reconcile() -> dict[str, int]:
        """Follow the vendor in the ledger and settle the findings; return counts."""
        return reconcile_run()

    @task(**RETRYING)
    def age() -> dict[str, str]:
        """Say what is owed and since when; return the amounts by age."""
        return report_ageing()

    reconcile() >> age()


reconcile_receivables()
