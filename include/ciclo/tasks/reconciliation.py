"""Tasks that hold what was billed against what was received: reconciliation and ageing."""

from airflow.sdk import task

from ciclo.jobs.runs import Counts
from ciclo.tasks.assets import RECEIVABLES
from ciclo.tasks.run import RETRYING, run_step


@task(**RETRYING)
def instruct() -> Counts:
    """Carry out what people asked for about single invoices and receivables, each once; return counts."""
    counts: Counts = run_step()
    return counts


@task(outlets=[RECEIVABLES], **RETRYING)
def reconcile() -> Counts:
    """Follow the vendor in the ledger and settle the findings; return counts."""
    counts: Counts = run_step()
    return counts


@task(**RETRYING)
def age() -> dict[str, str]:
    """Say what is owed and since when; return the amounts by age."""
    owed: dict[str, str] = run_step()
    return owed
