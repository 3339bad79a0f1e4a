"""Tasks that read contracts and rules, plan periods from them, and create rules."""

from airflow.sdk import task

from ciclo.jobs.runs import Counts
from ciclo.tasks.assets import CONTRACTS, PERIODS
from ciclo.tasks.run import RETRYING, SHARD_NAME, Shards, run_step, shards


@task(**RETRYING)
def read_contracts() -> Shards:
    """Bring the organization's contracts into the ledger; return the shards over which the run spreads them."""
    run_step()
    return shards()


@task(map_index_template=SHARD_NAME, **RETRYING)
def expand(shard: list[int]) -> Counts | None:
    """Read the rules of one shard of contracts and plan their periods in the run's window; return counts."""
    counts: Counts | None = run_step(shard=shard)
    return counts


@task(map_index_template=SHARD_NAME, **RETRYING)
def sync(shard: list[int]) -> Counts | None:
    """Read one shard of contracts, those not read for longest first, and plan what is new in the open months."""
    counts: Counts | None = run_step(shard=shard)
    return counts


@task(task_id="report", outlets=[CONTRACTS, PERIODS], **RETRYING)
def report_synced(synced: list[Counts]) -> Counts | None:
    """Record the open months as expanded and add up what the shards did."""
    counts: Counts | None = run_step(sync=list(synced))
    return counts


@task(**RETRYING)
def look_for_drift() -> Counts | None:
    """Compare the vendor's answers with what is known of them; return how much was never seen before."""
    counts: Counts | None = run_step()
    return counts


@task(outlets=[PERIODS], **RETRYING)
def report(expanded: list[Counts]) -> Counts | None:
    """Record the month as expanded and add up what the shards did."""
    counts: Counts | None = run_step(expand=list(expanded))
    return counts


@task(outlets=[CONTRACTS], **RETRYING)
def create() -> int:
    """Create the rule of the form, unless the contract has it; return its id."""
    return int(run_step())


@task(outlets=[PERIODS], **RETRYING)
def read_and_expand(rule_id: int) -> Counts:
    """Read the new rule's contract and plan the rule's periods of the open month; return counts."""
    counts: Counts = run_step(create=rule_id)
    return counts
