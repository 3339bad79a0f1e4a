"""Tasks that read what a month is proved by, prove and close it."""

from airflow.sdk import task

from ciclo.tasks.assets import CLOSED_MONTHS
from ciclo.tasks.run import RETRYING, run_step


@task(**RETRYING)
def read_rules() -> None:
    """Read contracts and rules as they are now."""
    run_step()


@task(outlets=[CLOSED_MONTHS], **RETRYING)
def close() -> dict[str, str]:
    """Reconcile, prove and report each month; fail unless all of them close."""
    verdicts: dict[str, str] = run_step()
    return verdicts
