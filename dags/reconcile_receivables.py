"""What was billed against what the vendor has and what was received."""

import pendulum
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from ciclo.locale import N_, _
from ciclo.tasks.assets import WEBHOOKS
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params
from ciclo.tasks.reconciliation import age, instruct, reconcile

DOCS = N_("""
### Reconcile receivables

Reads the invoices that may have changed, a hundred a request, and follows them in the ledger: states, amounts, due
dates, receipts, cancellations, errors of the finance system. Every disagreement is a **finding** with a name, a
sentence and an amount; it closes by itself when its cause is gone.

Before that it tells the vendor, once, what people asked for in the console or by `ciclo instruct`: receipts recorded or
undone, boletos, approvals.

**When**: daily at 08:00 everything; within a minute of a webhook just the invoices that it named. A webhook that was
lost is found by the daily run.
**Window**: `from_date` … `to_date` read exactly those issue dates instead.
**What to look at**: the log of `reconcile` for new findings, that of `age` for what is owed and since when.
Kinds of findings and their cures: `docs/reconciliation.md`.
""")


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 8 * * *", timezone="America/Sao_Paulo"), assets=[WEBHOOKS]
    ),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "receivables"],
    doc_md=_(DOCS),
    **alerts(),
)
def reconcile_receivables() -> None:
    """Carry out what people asked for, reconcile, then say what is owed."""
    instruct() >> reconcile() >> age()


reconcile_receivables()
