"""Tasks of price indices and price updates, and a person's approval of updates, in the Airflow UI.

An answer is about the proposals that were shown: their ids and hash come from the task that wrote them, and the ledger
refuses the approval if one of them is another by then.
"""

from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import get_current_context, task

from ciclo.jobs.price_updates import Batch, batch_table
from ciclo.jobs.runs import Counts
from ciclo.locale import _
from ciclo.tasks.assets import PRICES
from ciclo.tasks.notify import telling_what_stopped
from ciclo.tasks.run import RETRYING, SHARD_NAME, Shards, open_job, person_of, run_of, run_step, shards, stage_of

APPROVE, REJECT = "Approve", "Reject"
BATCH = "batch"
"""Under what name `prepare` leaves the proposals: its own result is what the run is mapped over."""


@task(**RETRYING)
def load_shipped() -> int | None:
    """Bring shipped values that the ledger has not into it; return how many."""
    count: int | None = run_step()
    return count


@task(**RETRYING)
def sync() -> Counts | None:
    """Bring an index's newer values and revisions into the ledger; return counts."""
    counts: Counts | None = run_step()
    return counts


@task(**RETRYING)
def prepare() -> Shards:
    """Refresh contracts and index values, keep the proposals that a person has to approve; return the run's shards."""
    get_current_context()["ti"].xcom_push(BATCH, run_step())
    return shards()


@task(**RETRYING)
def remind() -> int | None:
    """Send the reminders whose day has come; return how many."""
    count: int | None = run_step()
    return count


class PriceUpdateApproval(HITLOperator):
    """Asks a person about a batch of proposals; passes at once where there is none.

    Args:
        batch: `{"execution_ids", "hash"}` of the proposals, as `prepare` left them.
    """

    template_fields: Sequence[str] = (*HITLOperator.template_fields, "batch")

    def __init__(self, *, batch: Any, **given: Any) -> None:
        super().__init__(subject=_("Price updates to approve"), options=[APPROVE, REJECT], **given)
        self.batch = batch

    def execute(self, context: Any) -> Any:
        """Show the proposals and wait for the answer."""
        shown = self.batch or {}
        if not stage_of(context).approval().wanted(shown):
            return {"approved": 0, "rejected": 0, "refused": 0}
        with open_job(context) as job:
            self.body = batch_table(job, Batch(tuple(shown["execution_ids"]), shown["hash"]))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Record the answer in the ledger; return what it did, by number."""
        answer = super().execute_complete(context, event)
        approval, run = stage_of(context).approval(), run_of(context, given={"prepare": self.batch})
        approved = answer["chosen_options"] == [APPROVE]
        with open_job(context) as job:
            return approval.answer(job, run, approved, person_of(answer))


@task(map_index_template=SHARD_NAME, **RETRYING)
def apply(shard: list[int]) -> Counts | None:
    """Settle and apply the updates of one shard; return counts by outcome."""
    counts: Counts | None = run_step(shard=shard)
    return counts


@task(**RETRYING)
def write() -> Counts | None:
    """Write to customers about readjustments, where letters are wanted; return counts."""
    counts: Counts | None = run_step()
    return counts


@task(outlets=[PRICES], **RETRYING)
def finish() -> Counts:
    """Settle this run's doubts, report what is not settled."""
    counts: Counts = run_step(around=(telling_what_stopped,))
    return counts
