"""A person's approval of price updates, in the Airflow UI: the proposals as a table, approve or reject.

The one rule: the answer is about the proposals that were shown. Their ids and hash come from the task that wrote them;
the ledger refuses the approval if one of them is another by then.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator

from ciclo.jobs.price_updates import Batch, answer_batch, batch_table
from ciclo.tasks.price_stages import options_of
from ciclo.tasks.runs import open_job

APPROVE, REJECT = "Approve", "Reject"
SUBJECT = "Price updates to approve"


class PriceUpdateApproval(HITLOperator):
    """Asks a person about a batch of proposals; passes at once where there is none or no approval is required.

    Args:
        batch: `{"execution_ids", "hash"}` of the proposals, mostly another task's result.
    """

    template_fields: Sequence[str] = (*HITLOperator.template_fields, "batch")

    def __init__(self, *, batch: Any, **given: Any) -> None:
        super().__init__(subject=SUBJECT, options=[APPROVE, REJECT], **given)
        self.batch = batch

    def execute(self, context: Any) -> Any:
        """Show the proposals and wait for the answer."""
        batch = _read(self.batch)
        if not batch or not options_of(context).require_approval:
            return {"approved": 0, "rejected": 0, "refused": 0}
        with open_job(context) as job:
            self.body = batch_table(job, batch)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Record the answer in the ledger; return what it did, by number."""
        answer = super().execute_complete(context, event)
        approved = answer["chosen_options"] == [APPROVE]
        with open_job(context) as job:
            verdict = answer_batch(
                job, _read(self.batch), approved=approved, person=_person(answer), at=datetime.now(UTC)
            )
        self.log.info("%s", verdict)
        return {"approved": verdict.approved, "rejected": verdict.rejected, "refused": verdict.refused}


def _read(batch: Mapping[str, Any] | None) -> Batch:
    given = batch or {}
    return Batch(tuple(given.get("execution_ids") or ()), given.get("hash") or "")


def _person(answer: Mapping[str, Any]) -> str:
    user = answer.get("responded_by_user")
    name = user.get("name") or user.get("id") if isinstance(user, Mapping) else getattr(user, "name", None)
    return str(name or "unknown")
