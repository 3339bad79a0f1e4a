"""Tasks that hold what was billed against what the vendor has: reconciliation, ageing, closing a month."""

from airflow.sdk import task

from ciclo.tasks.assets import CLOSED_MONTHS, RECEIVABLES
from ciclo.tasks.run import RETRYING, run_step

Counts = dict[str, int]


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


@task(**RETRYING)
def read_rules() -> None:
    """Read contracts and rules as they are now."""
    run_step()


@task(outlets=[CLOSED_MONTHS], **RETRYING)
def close() -> dict[str, str]:
    """Reconcile, prove and report each month; fail unless all of them close."""
    verdicts: dict[str, str] = run_step()
    return verdicts
