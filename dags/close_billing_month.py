"""The proof that a month was billed: every period once, at its price, and nothing else."""

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params
from ciclo.tasks.proving import close, read_rules

DOCS = """
### Close a billing month

Compares what the rules call for with the invoices at the vendor, both ways: missing = 0, duplicate = 0, amount differs
= 0. The run **fails** unless the month closes; its log and error name what is missing. Cure it and run it again, as
often as it takes. The attempt, its report and its files (CSV and a page to print, under `CICLO_REPORTS_DIR`) are kept.

**Month**: the one before the run's day, or every month that `from_date` … `to_date` touch.
**Contracts**: with `contract_ids` it is a look, not a closing. So it is with `dry_run`.
**Afterwards**: what changes in a closed month is a finding of `reconcile_receivables`.
What closes, what does not and who decides: `docs/closing.md`.
"""


@dag(
    schedule=CronTriggerTimetable("0 9 2 * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "closing"],
    doc_md=DOCS,
    **alerts(),
)
def close_billing_month() -> None:
    """Read the rules, prove each month."""
    read_rules() >> close()


close_billing_month()
