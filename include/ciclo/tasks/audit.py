"""The task that audits an account."""

from airflow.sdk import task

from ciclo.jobs.runs import Counts
from ciclo.tasks.run import RETRYING, run_step


@task(**RETRYING)
def audit() -> Counts:
    """Hold the account against its own rules without a write; return how much of each kind was found."""
    counts: Counts = run_step()
    return counts
