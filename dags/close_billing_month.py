"""The proof that a month was billed: every period once, at its price, and nothing else."""

import pendulum
from airflow.sdk import MultipleCronTriggerTimetable, dag

from ciclo.locale import N_, _
from ciclo.tasks.closing import close, read_rules
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import window_params

DOCS = N_("""
### Close a billing month

Compares what the rules call for with the invoices at the vendor, both ways: nothing missing, nothing twice, and every
difference gone or signed by a person. The run **fails** unless the month closes; its log and error name what is missing
and how it is cured. Cure it and run it again, as often as it takes. The attempt, its report and its files (CSV and a
page to print, under `CICLO_REPORTS_DIR`) are kept.

**Every day** at 09:30 the running month is proved by the day's readings as far as it is over; that fails for nothing,
its log and the console say what is missing. A month whose closing day fell into an outage is closed by that run.
**Month**: the one before the run's day, or every month that `from_date` … `to_date` touch.
**Contracts**: with `contract_ids` it is a look, not a closing. So it is with `dry_run`.
**Afterwards**: what changes in a closed month is a finding of `reconcile_receivables`.
What closes, what does not and who decides: `docs/closing.md`.
""")


@dag(
    schedule=MultipleCronTriggerTimetable("0 9 2 * *", "30 9 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    tags=["ciclo", "closing"],
    doc_md=_(DOCS),
    **alerts(),
)
def close_billing_month() -> None:
    """Read the rules, prove each month."""
    read_rules() >> close()


close_billing_month()
