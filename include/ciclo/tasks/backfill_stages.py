"""The tasks of `bill_range`: plan, ask a person where the plan is large, and carry out the plan and nothing else.

The one rule: a task that bills has the plan's id, and the ledger says what that plan may bill. Whether a person was
asked is decided by the ledger's plan too, never by which tasks were skipped.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypedDict

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, RetryAction, RetryRule, get_current_context

from ciclo.domain.money import brl, parse_money
from ciclo.jobs.backfill import (
    BackfillPolicy,
    Ceilings,
    PlanChangedError,
    PlanDraft,
    PlanNotApprovedError,
    apply_plan,
    approved_amounts,
    draft_plan,
    keep_plan,
    why_ask,
)
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.summary import require_billing, summarize_window
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from ciclo.tasks.alerts import telling_what_stopped
from ciclo.tasks.price_stages import options_of, propose_or_apply_shard, show_previews
from ciclo.tasks.retries import BILLING_RETRIES, RETRYING, BillingRetries
from ciclo.tasks.runs import Context, open_job, owner_of, scope_of, today
from ciclo.tasks.settings import settings
from ciclo.tasks.stages import RUN_MONTH, expand_shard, prepare_issue, record_expanded

log = logging.getLogger("ciclo")

PLAN_TASK = "plan"
APPROVAL_TASK = "approve"
NO_PLAN = 0

PLANNED: dict[str, Any] = RETRYING | {
    "retry_policy": BillingRetries(
        rules=[
            RetryRule(
                exception=error,
                action=RetryAction.FAIL,
                reason="A person decides about the plan: the same plan would be refused again.",
            )
            for error in (PlanNotApprovedError, PlanChangedError)
        ]
        + BILLING_RETRIES.rules
    )
}
"""Arguments of the tasks that carry a plan out: a plan that is refused is not tried again by itself."""


class PlanToApprove(TypedDict):
    """What travels between the tasks: which plan, and what a person is shown."""

    plan_id: int
    plan_hash: str
    invoices: int
    total: str
    ask: bool
    body: str


def backfill_params() -> dict[str, Param]:
    """Return the params that `bill_range` takes besides those of every billing Dag."""
    return {
        "policy": Param(
            BackfillPolicy.EACH.value,
            enum=[policy.value for policy in BackfillPolicy],
            title="Policy",
            description="each: every missed period. current_only: the newest of each rule, older ones are given up. "
            "dry_run: a plan with amounts.",
        ),
        "max_invoices": Param(
            settings().max_invoices,
            type=["null", "integer"],
            minimum=0,
            title="Invoices",
            description="A plan of more invoices waits for a person's approval. Empty: any number.",
        ),
        "max_total": Param(
            settings().max_total,
            type=["null", "string", "integer"],
            pattern=r"^\d{1,12}(\.\d{1,2})?$",
            title="Total in BRL",
            description="A plan of more money waits for a person's approval, as 250000.00. Empty: any amount.",
        ),
    }


def policy_of(context: Context) -> BackfillPolicy:
    """Return the run's policy; the param `dry_run` comes before it."""
    params = context["params"]
    return BackfillPolicy.DRY_RUN if params["dry_run"] else BackfillPolicy(params["policy"])


def is_dry_run(context: Context) -> bool:
    """Whether the run only says what it would do."""
    return policy_of(context) is BackfillPolicy.DRY_RUN


def ceilings_of(context: Context) -> Ceilings:
    """Return above which number and amount a person is asked."""
    params = context["params"]
    total = params["max_total"]
    return Ceilings(params["max_invoices"], parse_money(total, "max_total") if total not in (None, "") else None)


# -- before the plan ---------------------------------------------------------------------------------------------------


def expand_range(shard: int) -> dict[str, int]:
    """Plan the periods of one shard of contracts; in a dry run the plan's own task does it, and leaves no trace."""
    return {} if is_dry_run(get_current_context()) else expand_shard(shard, RUN_MONTH, backdated=Backdated.PLAN)


def update_prices_of_range(shard: int) -> dict[str, int]:
    """Apply the price updates of one shard up to the range's end; in a dry run only show what they would do."""
    context = get_current_context()
    if not is_dry_run(context):
        return propose_or_apply_shard(shard, RUN_MONTH)
    with open_job(context, discard=True) as job:
        show_previews(job, scope_of(context, RUN_MONTH, shard), options_of(context))
    return {}


def prepare_range() -> dict[str, int]:
    """Remember the months as expanded, settle what is in doubt, adopt what is at the vendor already; return counts."""
    if is_dry_run(get_current_context()):
        return IssueOutcome().counts()
    record_expanded(RUN_MONTH)
    return prepare_issue(RUN_MONTH)


# -- the plan ----------------------------------------------------------------------------------------------------------


def plan_range() -> PlanToApprove:
    """Keep what would be billed, with amounts and a hash; a dry run says it and keeps nothing."""
    context = get_current_context()
    scope, policy, ceilings = scope_of(context, RUN_MONTH), policy_of(context), ceilings_of(context)
    if policy is BackfillPolicy.DRY_RUN:
        with open_job(context, discard=True) as job:
            draft = _dry_draft(job, scope, BackfillPolicy(context["params"]["policy"]))
            log.info("dry run, nothing is sent:\n%s", "\n".join(draft.lines()))
            return _to_approve(draft, NO_PLAN, "")
    with open_job(context) as job:
        draft = draft_plan(job, scope, policy)
        plan = keep_plan(job, draft, ceilings)
        why = why_ask(job, draft, ceilings)
    log.info("plan %d, %s:\n%s", plan.id, plan.plan_hash, "\n".join(draft.lines()))
    ask = why if plan.needs_approval and plan.approved_by is None else None
    return _to_approve(draft, plan.id, ask or "")


def _dry_draft(job: JobContext, scope: Scope, policy: BackfillPolicy) -> PlanDraft:
    read_contract_list(job)
    expand_rules(job, scope, seen_on=today(), backdated=Backdated.PLAN)
    return draft_plan(job, scope, BackfillPolicy.EACH if policy is BackfillPolicy.DRY_RUN else policy)


def _to_approve(draft: PlanDraft, plan_id: int, why: str) -> PlanToApprove:
    return PlanToApprove(
        plan_id=plan_id,
        plan_hash=draft.plan_hash,
        invoices=len(draft.billed),
        total=str(draft.total),
        ask=bool(why),
        body=_body(draft, plan_id, why) if why else "",
    )


def _body(draft: PlanDraft, plan_id: int, why: str) -> str:
    """Write what a person approves, as Markdown: numbers and ids, nothing that a customer could have written."""
    window = draft.scope.window
    rows = [f"| {month} | {number} | {brl(amount)} |" for month, number, amount in draft.months()]
    table = "\n".join(["| Issued in | Invoices | Total |", "|---|---:|---:|", *rows])
    left_out = f"\n\n{len(draft.left_out)} older periods are given up for good." if draft.left_out else ""
    return (
        f"**{len(draft.billed)} invoices, {brl(draft.total)}**, {window.start:%d/%m/%Y} to {window.last_day:%d/%m/%Y}, "
        f"policy `{draft.policy.value}`: {why}.{left_out}\n\n{table}\n\n"
        f"Plan {plan_id}, hash `{draft.plan_hash[:16]}`. The log of `{PLAN_TASK}` lists the invoices."
    )


class PlanApproval(ApprovalOperator):
    """Asks a person about a plan that is above the ceilings; passes at once where it is not.

    Rejecting it skips what follows: nothing is sent. The ledger's plan is checked again by whoever applies it.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(
            task_id=APPROVAL_TASK,
            subject="A backfill waits for approval",
            body="{{ ti.xcom_pull(task_ids='" + PLAN_TASK + "')['body'] }}",
            **given,
        )

    def execute(self, context: Any) -> Any:
        """Ask, if the plan needs it."""
        plan: PlanToApprove = context["ti"].xcom_pull(task_ids=PLAN_TASK)
        if not plan["ask"]:
            self.log.info("The plan is within the ceilings or approved already: nobody is asked.")
            return None
        return super().execute(context)


# -- after the plan ----------------------------------------------------------------------------------------------------


def apply_range(plan: PlanToApprove) -> int:
    """Record the approval, check the hash against the prices of now, give up what is left out; return the plan's id."""
    context = get_current_context()
    if is_dry_run(context):
        return NO_PLAN
    person = approver(context["ti"].xcom_pull(task_ids=APPROVAL_TASK))
    with open_job(context) as job:
        apply_plan(job, plan["plan_id"], plan["plan_hash"], scope=scope_of(context, RUN_MONTH), approved_by=person)
    return plan["plan_id"]


def approver(answer: Mapping[str, Any] | None) -> str | None:
    """Return who approved, from the answer of `PlanApproval`; None where nobody was asked, or not approved."""
    if not answer or answer.get("chosen_options") != [ApprovalOperator.APPROVE]:
        return None
    user = answer.get("responded_by_user")
    name = user.get("name") or user.get("id") if isinstance(user, Mapping) else getattr(user, "name", None)
    return str(name or "unknown")


def issue_plan_shard(shard: int, plan_id: int) -> dict[str, int]:
    """Create the invoices of one shard that the plan bills; return counts by outcome."""
    context = get_current_context()
    if is_dry_run(context):
        return IssueOutcome().counts()
    with open_job(context) as job:
        scope = _planned(scope_of(context, RUN_MONTH, shard), plan_id)
        outcome = issue_due_periods(job, scope, _options(job, plan_id), owner=owner_of(context))
    log.info("issued: %s", outcome.counts())
    return outcome.counts()


def finish_range(plan_id: int) -> dict[str, Any]:
    """Settle the plan, issue what came back of it, report how the range stands; fail if something is in doubt."""
    context = get_current_context()
    if is_dry_run(context):
        return {}
    scope = scope_of(context, RUN_MONTH)
    with open_job(context) as job, telling_what_stopped(job, context):
        finish_issuing(job, _planned(scope, plan_id), _options(job, plan_id), owner=owner_of(context))
        standing = summarize_window(job, scope)
    window = scope.window
    log.info("periods of %s to %s:\n%s", window.start, window.last_day, "\n".join(standing.lines()))
    require_billing(standing)
    return {**standing.counts(), "billed": str(standing.billed)}


def _planned(scope: Scope, plan_id: int) -> Scope:
    return Scope(scope.window, scope.contract_ids, scope.shard, scope.shards, plan_id)


def _options(job: JobContext, plan_id: int) -> IssueOptions:
    approved: Mapping[int, Decimal | None] = approved_amounts(job, plan_id)
    return replace(settings().issue_options, approved=approved)
