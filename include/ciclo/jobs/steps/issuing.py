"""Steps that create the invoices of what is due, each period exactly once; of a day, and of a range under a plan."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict

from ciclo.domain.money import brl, parse_money
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.adjustments import (
    CorrectionsInDoubtError,
    adopt_adjusted,
    asked_for_quantities,
    bill_complements,
    correct_invoices,
)
from ciclo.jobs.backfill import (
    BackfillPolicy,
    Ceilings,
    PlanDraft,
    apply_plan,
    approved_amounts,
    draft_plan,
    keep_plan,
    why_ask,
)
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext, is_armed, responsible_from
from ciclo.jobs.issuing.adopt import DECIDED_BY_A_PERSON, adopt_existing
from ciclo.jobs.issuing.ahead import follow_ahead, scopes_ahead
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.look import worth_sharing
from ciclo.jobs.issuing.settle import require_billing, settle, summarize_window
from ciclo.jobs.periods.expand import (
    expand_rules,
    read_due,
    record_expansion,
    require_expansion,
)
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.rules.read import read_contract_list, require_known
from ciclo.jobs.runs import Counts, Notice, Run
from ciclo.ledger.repositories import Scope
from ciclo.locale import ngettext

log = logging.getLogger("ciclo")


def prepare_invoices(job: JobContext, run: Run) -> Counts:
    """Settle what earlier runs left without an answer; return counts. What is at the vendor each shard adopts itself.

    Refuses a day whose month was never expanded: an empty ledger proves nothing. The contracts that have something due
    are read first, so that what is issued comes from the reading of the same run. What quantities are missing for the
    days to come is asked for. What was left planned before the window is looked for: nothing is created for it, but an
    invoice that the vendor has of it is taken over.
    """
    require_expansion(job, run.window.last_day)
    _ask_for_quantities(job, run)
    if run.sends(job):
        complements = bill_complements(job, run.scope, run.settings.issue_options)
        log.info("differences billed by themselves: %s", complements.counts())
    left = _left_planned(job, run) if run.sends(job) else None
    if not run.dry_run:
        due, late = job.periods.open_contracts(run.scope), job.periods.planned(left) if left is not None else []
        readings = read_due(job, sorted({*due, *(each.contract_id for each in late)}), today=run.today)
        log.info("read %d contracts with something due, %d cannot be read", len(readings.read), len(readings.unread))
    require_known(job, run.contract_ids)
    counts = _settle(job, run)
    if left is not None:
        adopted = adopt_existing(job, left, run.settings.issue_options, owner=run.owner)
        log.info("left planned before %s: %s", run.window.start, adopted.counts())
    return counts


def _left_planned(job: JobContext, run: Run) -> Scope | None:
    """Return the days for which Ciclo is responsible that lie before a run's; None where a person gave the dates."""
    since = responsible_from(job)
    if run.dated or since is None or since >= run.window.start:
        return None
    return replace(run.scope, window=DateRange(since, run.window.start))


def _ask_for_quantities(job: JobContext, run: Run) -> None:
    with asked_for_quantities(job, run.scope, today=run.today) as missing:
        if missing:
            count = len(missing)
            subject = ngettext(
                "Ciclo: {count} invoice waits for quantities", "Ciclo: {count} invoices wait for quantities", count
            )
            run.tell(Notice(subject=subject.format(count=count), lines=tuple(each.line() for each in missing)))


def _settle(job: JobContext, run: Run) -> Counts:
    if not run.sends(job):
        draft = draft_plan(job, run.scope, BackfillPolicy.EACH)
        why = "dry run" if run.dry_run else "not armed (bill_range with a person's approval arms it)"
        log.info("%s, nothing is sent:\n%s", why, "\n".join(draft.lines()))
        return IssueOutcome().counts()
    outcome = settle(job, run.scope, run.settings.issue_options)
    log.info("settled: %s", outcome.counts())
    return outcome.counts()


def issue(job: JobContext, run: Run) -> Counts:
    """Create the invoices of a shard that are due in the window; return counts by outcome."""
    scope = worth_sharing(job, run.scope)
    if scope is None or not is_armed(job):
        return IssueOutcome().counts()
    options = run.settings.issue_options
    outcome = adopt_adjusted(job, scope, options, owner=run.owner)
    outcome.add(issue_due_periods(job, scope, options, owner=run.owner))
    for further in _further(job, run, scope):
        outcome.add(issue_due_periods(job, further, options, owner=run.owner))
    log.info("issued: %s", outcome.counts())
    _correct(job, scope, options)
    log.info("made ahead: %s", follow_ahead(job, scope, options).counts())
    return outcome.counts()


def _further(job: JobContext, run: Run, scope: Scope) -> list[Scope]:
    """Return what single rules have due further ahead than the run's days, and what a person decided about before them.

    A person's dates are what they are.
    """
    return [] if run.dated else [*scopes_ahead(job, scope, day=run.day), *scopes_decided(job, scope)]


def _correct(job: JobContext, scope: Scope, options: IssueOptions) -> datetime | None:
    """Bring invoices that are there to their adjustments; return when what is in doubt of them can be settled."""
    corrected = correct_invoices(job, scope, options)
    log.info("corrected: %s", corrected.counts())
    return corrected.ready_at


def _require_corrected(job: JobContext, scope: Scope, options: IssueOptions) -> None:
    ready_at = _correct(job, scope, options)
    if ready_at is not None:
        raise CorrectionsInDoubtError(ready_at)


def finish_invoices(job: JobContext, run: Run) -> dict[str, Any]:
    """Settle the window, issue what came back, and report how it stands; fail if something is in doubt."""
    if run.sends(job):
        options = run.settings.issue_options
        finish_issuing(job, run.scope, options, owner=run.owner)
        for further in _further(job, run, run.scope):
            finish_issuing(job, further, options, owner=run.owner)
        _require_corrected(job, run.scope, options)
    return _report_window(job, run)


def _report_window(job: JobContext, run: Run) -> dict[str, Any]:
    summary, window = summarize_window(job, run.scope), run.window
    log.info("periods of %s to %s:\n%s", window.start, window.last_day, "\n".join(summary.lines()))
    if run.sends(job):
        require_billing(summary)
    return {**summary.counts(), "billed": str(summary.billed)}


class PlanToApprove(TypedDict):
    """What travels between the tasks of `bill_range`: which plan, and what a person is shown."""

    plan_id: int
    plan_hash: str
    invoices: int
    total: str
    ask: bool
    body: str


NO_PLAN = 0


def prepare_range(job: JobContext, run: Run) -> Counts:
    """Remember the months as expanded, settle what is in doubt, adopt what is at the vendor already; return counts."""
    record_expansion(job, run.scope)
    if not is_armed(job):
        return IssueOutcome().counts()  # nothing is sent, stamps neither, before a person has approved a plan
    options = run.settings.issue_options
    outcome = settle(job, run.scope, options)
    outcome.add(adopt_existing(job, run.scope, options, owner=run.owner))
    log.info("prepared: %s", outcome.counts())
    return outcome.counts()


def plan_range(job: JobContext, run: Run) -> PlanToApprove:
    """Keep what would be billed, with amounts and a hash; a dry run says it and keeps nothing."""
    policy = BackfillPolicy(run.params.get("policy", BackfillPolicy.EACH))
    total = run.params.get("max_total", run.settings.max_total)
    ceilings = Ceilings(
        run.params.get("max_invoices", run.settings.max_invoices),
        parse_money(total, "max_total") if total not in (None, "") else None,
    )
    if run.dry_run:
        read_contract_list(job)
        expand_rules(job, run.scope, seen_on=run.today, backdated=Backdated.PLAN)
        draft = draft_plan(job, run.scope, BackfillPolicy.EACH if policy is BackfillPolicy.DRY_RUN else policy)
        log.info("dry run, nothing is sent:\n%s", "\n".join(draft.lines()))
        return _to_approve(draft, NO_PLAN, "")
    draft = draft_plan(job, run.scope, policy)
    lead_days = run.settings.lead_days
    plan = keep_plan(job, draft, ceilings, lead_days=lead_days)
    log.info("plan %d, %s:\n%s", plan.id, plan.plan_hash, "\n".join(draft.lines()))
    why = why_ask(job, draft, ceilings, lead_days=lead_days)
    ask = why if plan.needs_approval and plan.approved_by is None else None
    return _to_approve(draft, plan.id, ask or "")


def _to_approve(draft: PlanDraft, plan_id: int, why: str) -> PlanToApprove:
    return PlanToApprove(
        plan_id=plan_id,
        plan_hash=draft.plan_hash,
        invoices=len(draft.billed),
        total=str(draft.total),
        ask=bool(why),
        body=_plan_text(draft, plan_id, why) if why else "",
    )


def _plan_text(draft: PlanDraft, plan_id: int, why: str) -> str:
    """Write what a person approves, as Markdown: numbers and ids, nothing that a customer could have written."""
    window = draft.scope.window
    rows = [f"| {month} | {number} | {brl(amount)} |" for month, number, amount in draft.months()]
    table = "\n".join(["| Issued in | Invoices | Total |", "|---|---:|---:|", *rows])
    left_out = f"\n\n{len(draft.left_out)} older periods are given up for good." if draft.left_out else ""
    return (
        f"**{len(draft.billed)} invoices, {brl(draft.total)}**, {window.start:%d/%m/%Y} to {window.last_day:%d/%m/%Y}, "
        f"policy `{draft.policy.value}`: {why}.{left_out}\n\n{table}\n\n"
        f"Plan {plan_id}, hash `{draft.plan_hash[:16]}`. The log of `plan` lists the invoices."
    )


def answer_plan(_job: JobContext, _run: Run, approved: bool, person: str) -> str | None:  # noqa: FBT001 - see Approval
    """Return who approved the plan; `apply_range` records it with the plan that was shown."""
    return person if approved else None


def apply_range(job: JobContext, run: Run) -> int:
    """Record the approval, check the hash against the prices of now, give up what is left out; return the plan's id."""
    plan, person = run.given["plan"], run.given["approve"]
    apply_plan(job, plan["plan_id"], plan["plan_hash"], scope=run.scope, approved_by=person)
    return int(plan["plan_id"])


def issue_plan(job: JobContext, run: Run) -> Counts:
    """Create the invoices of one shard that the plan bills; return counts by outcome."""
    of_plan, options = _of_plan(job, run)
    scope = worth_sharing(job, of_plan)
    if scope is None:
        return IssueOutcome().counts()
    outcome = issue_due_periods(job, scope, options, owner=run.owner)
    log.info("issued: %s", outcome.counts())
    _correct(job, replace(scope, plan_id=None), options)
    return outcome.counts()


def finish_range(job: JobContext, run: Run) -> dict[str, Any]:
    """Settle the plan, issue what came back of it, report how the range stands; fail if something is in doubt."""
    scope, options = _of_plan(job, run)
    finish_issuing(job, scope, options, owner=run.owner)
    _require_corrected(job, run.scope, options)
    return _report_window(job, run)


def _of_plan(job: JobContext, run: Run) -> tuple[Scope, IssueOptions]:
    """Return what of the run's scope its plan bills, and at which amounts."""
    plan_id: int = run.given["apply"]
    approved: Mapping[int, Decimal | None] = approved_amounts(job, plan_id)
    scope = replace(run.scope, plan_id=plan_id)
    return scope, replace(run.settings.issue_options, approved=approved)


def scopes_decided(ctx: JobContext, scope: Scope) -> list[Scope]:
    """Return what is planned by a person's word before a scope's first day, as scopes of their own. Commits.

    What was merely left planned longer than `catch_up_days` and is not at the vendor is overdue and waits for
    `bill_range`. What a person released, planned again, said to bill again or freed of an invoice that is not its own
    is billed by the next run, however old it is.
    """
    found = []
    for each in ctx.periods.decided_before(scope, DECIDED_BY_A_PERSON):
        day = DateRange.days(each.issue_date, each.issue_date)
        found.append(Scope(day, (each.contract_id,), scope.shard, scope.shards, rule_ids=(each.rule_id,)))
    ctx.session.commit()
    return found
