"""Tasks of `bill_range`: plan, ask a person where the plan is large, and carry out the plan and nothing else.

A task that bills has the plan's id, and the ledger says what that plan may bill. Whether a person was asked is decided
by the ledger's plan too, never by which tasks were skipped.
"""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import get_current_context, task

from ciclo.jobs.runs import Counts
from ciclo.jobs.steps.issuing import PlanToApprove
from ciclo.locale import _
from ciclo.tasks.assets import INVOICES
from ciclo.tasks.notify import telling_what_stopped
from ciclo.tasks.run import RETRYING, SHARD_NAME, person_of, run_step

PLAN, APPROVE = "plan", "approve"


@task(map_index_template=SHARD_NAME, **RETRYING)
def update_prices(shard: list[int]) -> Counts | None:
    """Apply the price updates of one shard with an execution date up to the range's end; return counts."""
    counts: Counts | None = run_step(shard=shard, around=(telling_what_stopped,))
    return counts


@task(**RETRYING)
def prepare() -> Counts | None:
    """Settle what is in doubt and adopt what is at the vendor already; return counts."""
    counts: Counts | None = run_step()
    return counts


@task(task_id=PLAN, **RETRYING)
def plan() -> PlanToApprove:
    """Keep what would be billed, with amounts and a hash."""
    planned: PlanToApprove = run_step()
    return planned


class PlanApproval(ApprovalOperator):
    """Asks a person about a plan that is above the ceilings; passes at once where it is not.

    Rejecting it skips what follows: nothing is sent. The ledger's plan is checked again by whoever applies it.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(
            task_id=APPROVE,
            subject=_("A backfill waits for approval"),
            body="{{ ti.xcom_pull(task_ids='" + PLAN + "')['body'] }}",
            **given,
        )

    def execute(self, context: Any) -> Any:
        """Ask, if the plan needs it."""
        plan: PlanToApprove = context["ti"].xcom_pull(task_ids=PLAN)
        if not plan["ask"]:
            self.log.info("The plan is within the ceilings or approved already: nobody is asked.")
            return None
        return super().execute(context)


@task(**RETRYING)
def apply(plan: PlanToApprove) -> int | None:
    """Check the plan again, record its approval, give up what it leaves out; return its id."""
    person = approver(get_current_context()["ti"].xcom_pull(task_ids=APPROVE))
    plan_id: int | None = run_step(plan=plan, approve=person)
    return plan_id


@task(map_index_template=SHARD_NAME, **RETRYING)
def issue(shard: list[int], plan_id: int | None) -> Counts | None:
    """Create the invoices of one shard of the plan; return counts by outcome."""
    counts: Counts | None = run_step(shard=shard, apply=plan_id)
    return counts


@task(outlets=[INVOICES], **RETRYING)
def finish(plan_id: int | None) -> dict[str, Any] | None:
    """Settle, issue what came back, report how the range stands."""
    counts: dict[str, Any] | None = run_step(apply=plan_id, around=(telling_what_stopped,))
    return counts


def approver(answer: Mapping[str, Any] | None) -> str | None:
    """Return who approved, from the answer of `PlanApproval`; None where nobody was asked, or not approved."""
    if not answer or answer.get("chosen_options") != [ApprovalOperator.APPROVE]:
        return None
    return person_of(answer)
