"""The steps of the Dags: each puts jobs together for one task. `ciclo.jobs.stages` says in which order they run.

A step is tried again whole, so it may be run twice. It returns counts, ids and hashes, and logs what a person should
see; what needs one is in the ledger.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy.orm import Session

from ciclo.billimatic.models import RuleFromTemplate
from ciclo.domain.money import brl, parse_money
from ciclo.domain.price_index import PriceIndex
from ciclo.http.errors import ApiError
from ciclo.jobs.arming import is_armed
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
from ciclo.jobs.closing.close import (
    ClosingAttempt,
    close_month,
    months_of,
    prove_running_month,
    refresh_rules,
    require_closed,
)
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.drift import report_drift
from ciclo.jobs.indices import load_shipped, revised_uses, sync_index
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import require_billing, settle, summarize_window
from ciclo.jobs.periods.expand import (
    ExpandOutcome,
    expand_rules,
    read_due,
    record_expansion,
    record_sync,
    require_expansion,
    sync_contracts,
)
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.price_updates import (
    Batch,
    UpdateOptions,
    UpdateOutcome,
    UpdatesInDoubtError,
    UpdatesOpen,
    answer_batch,
    apply_price_updates,
    batch_of,
    missing_indices,
    previews,
    settle_updates,
    taken_reminders,
    unsettled_updates,
    updates_open,
)
from ciclo.jobs.reconciliation.ageing import ageing
from ciclo.jobs.reconciliation.reconcile import reconcile, reconcile_touched
from ciclo.jobs.rules.create import create_rule_from_template
from ciclo.jobs.rules.read import ANEW, CURRENT, read_contract_list
from ciclo.jobs.rules.store import Problem
from ciclo.jobs.runs import Notice, Run, Trigger
from ciclo.ledger.repositories import Scope

log = logging.getLogger("ciclo")

Counts = dict[str, int]

SHOWN = 100
"""Findings and problems that a log lists before it only counts them."""


# -- contracts and periods ---------------------------------------------------------------------------------------------


def read_contracts(job: JobContext, _run: Run) -> int:
    """Bring the organization's contracts into the ledger; return how many may be billed."""
    billable = read_contract_list(job)
    log.info("%d contracts may be billed", billable)
    return billable


def expand(job: JobContext, run: Run) -> Counts:
    """Read the rules of a shard of contracts and plan their periods in the run's window; return counts."""
    current = CURRENT if run.trigger is Trigger.SCHEDULE else ANEW
    outcome = expand_rules(job, run.scope, seen_on=run.today, not_older_than=current)
    return _report_expansion(outcome)


def expand_range(job: JobContext, run: Run) -> Counts:
    """Read the rules of a shard of contracts and plan their periods, those of days before a rule was seen, too."""
    outcome = expand_rules(job, run.scope, seen_on=run.today, backdated=Backdated.PLAN)
    return _report_expansion(outcome)


def sync(job: JobContext, run: Run) -> Counts:
    """Read a shard's contracts within the budget of a day and plan what is new for the open months; return counts."""
    shard, of = (run.shard.number, run.shard.of) if run.shard is not None else (0, 1)
    days = run.settings.read_within_days
    outcome = sync_contracts(job, today=run.today, read_within_days=days, shard=shard, shards=of)
    return _report_expansion(outcome)


def record_synced(job: JobContext, run: Run) -> Counts:
    """Remember the open months as expanded; return what the run's shards did, added up."""
    record_sync(job, run.today)
    return _added_up(run.given.get("sync"))


def look_for_drift(job: JobContext, _run: Run) -> Counts:
    """Compare the vendor's answers with what is known of them, and log what was never seen before; return counts."""
    return report_drift(job).counts()


def _report_expansion(outcome: ExpandOutcome) -> Counts:
    log.info("expanded: %s", outcome.counts())
    _warn(outcome.problems)
    return outcome.counts()


def record_expanded(job: JobContext, run: Run) -> Counts:
    """Remember which months the run has expanded; return what its shards did, added up."""
    record_expansion(job, run.scope)
    return _added_up(run.given.get("expand"))


def _added_up(shards: list[Counts] | None) -> Counts:
    return {name: sum(counts[name] for counts in shards) for name in shards[0]} if shards else {}


_TIMING = ("title", "init_date", "end_date", "period_unit", "month_quantity", "accrual_month_quantity")
_DUE_DATES = {
    "day_number": "day_number",
    "day_quantity": "day_quantity",
    "due_month_quantity": "month_quantity",
    "parcel_number": "parcel_number",
    "only_business_days": "only_business_days",
}
_OF_THE_RULE = (
    "invoice_template_id",
    "gross_value",
    "description",
    "nfe_body",
    "charge_type",
    "notify_customer",
    "apply_negative_updates",
    "services",
    "scheduled_updates",
    "payment_information",
)
RULE_PARAMS = ("contract_id", *_OF_THE_RULE, *_TIMING, *_DUE_DATES)
"""Names of the fields of a new rule's form."""


def create_rule(job: JobContext, run: Run) -> int:
    """Create the rule that the form asks for, unless the contract has it; return its id."""
    wanted = rule_request(run.params)
    created = create_rule_from_template(job, run.params["contract_id"], wanted)
    what = "was there already" if created.existed else "created"
    log.info("rule %d of contract %d %s", created.rule.id, created.rule.contract_id, what)
    return created.rule.id


def rule_request(params: Mapping[str, Any]) -> RuleFromTemplate:
    """Return the request that a form asks for: what was left empty is the template's, and is not sent.

    Raises:
        ValidationError: a field cannot be right; the message names its path.
    """
    filled = {name: value for name, value in params.items() if value not in (None, "", [], {})}
    rule: dict[str, Any] = {name: filled[name] for name in _OF_THE_RULE if name in filled}
    rule["additional_information"] = {name: filled[name] for name in _TIMING if name in filled}
    due = {name: filled[param] for param, name in _DUE_DATES.items() if param in filled}
    return RuleFromTemplate.model_validate(rule | ({"receivables_additional_information": due} if due else {}))


def read_and_expand(job: JobContext, run: Run) -> Counts:
    """Read the contract of the new rule and plan the rule's periods of the open month; return counts."""
    read_contract_list(job)
    outcome = expand_rules(job, Scope(run.window, (run.params["contract_id"],)), seen_on=run.today)
    return _report_expansion(outcome)


# -- issuing -----------------------------------------------------------------------------------------------------------


def prepare_invoices(job: JobContext, run: Run) -> Counts:
    """Settle what earlier runs left without an answer; return counts. What is at the vendor each shard adopts itself.

    Refuses a day whose month was never expanded: an empty ledger proves nothing. The contracts that have something due
    are read first, so that what is issued comes from the reading of the same run.
    """
    require_expansion(job, run.window.last_day)
    if not run.dry_run:
        readings = read_due(job, job.periods.open_contracts(run.scope), today=run.today)
        log.info("read %d contracts with something due, %d cannot be read", len(readings.read), len(readings.unread))
    return _settle(job, run)


def _settle(job: JobContext, run: Run) -> Counts:
    if run.dry_run or not is_armed(job):
        draft = draft_plan(job, run.scope, BackfillPolicy.EACH)
        why = "dry run" if run.dry_run else "not armed (bill_range with a person's approval arms it)"
        log.info("%s, nothing is sent:\n%s", why, "\n".join(draft.lines()))
        return IssueOutcome().counts()
    outcome = settle(job, run.scope, run.settings.issue_options)
    log.info("settled: %s", outcome.counts())
    return outcome.counts()


def issue(job: JobContext, run: Run) -> Counts:
    """Create the invoices of a shard that are due in the window; return counts by outcome."""
    if not is_armed(job):
        return IssueOutcome().counts()
    outcome = issue_due_periods(job, run.scope, run.settings.issue_options, owner=run.owner)
    log.info("issued: %s", outcome.counts())
    return outcome.counts()


def finish_invoices(job: JobContext, run: Run) -> dict[str, Any]:
    """Settle the window, issue what came back, and report how it stands; fail if something is in doubt."""
    if not run.dry_run and is_armed(job):
        finish_issuing(job, run.scope, run.settings.issue_options, owner=run.owner)
    return _report_window(job, run)


def _report_window(job: JobContext, run: Run) -> dict[str, Any]:
    summary, window = summarize_window(job, run.scope), run.window
    log.info("periods of %s to %s:\n%s", window.start, window.last_day, "\n".join(summary.lines()))
    if not run.dry_run and is_armed(job):
        require_billing(summary)
    return {**summary.counts(), "billed": str(summary.billed)}


# -- a range of dates --------------------------------------------------------------------------------------------------


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
    policy, ceilings = BackfillPolicy(run.params.get("policy", BackfillPolicy.EACH)), _ceilings(run)
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


def _ceilings(run: Run) -> Ceilings:
    invoices = run.params.get("max_invoices", run.settings.max_invoices)
    total = run.params.get("max_total", run.settings.max_total)
    return Ceilings(invoices, parse_money(total, "max_total") if total not in (None, "") else None)


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
    scope, options = _of_plan(job, run)
    outcome = issue_due_periods(job, scope, options, owner=run.owner)
    log.info("issued: %s", outcome.counts())
    return outcome.counts()


def finish_range(job: JobContext, run: Run) -> dict[str, Any]:
    """Settle the plan, issue what came back of it, report how the range stands; fail if something is in doubt."""
    scope, options = _of_plan(job, run)
    finish_issuing(job, scope, options, owner=run.owner)
    return _report_window(job, run)


def _of_plan(job: JobContext, run: Run) -> tuple[Scope, IssueOptions]:
    """Return what of the run's scope its plan bills, and at which amounts."""
    plan_id: int = run.given["apply"]
    approved: Mapping[int, Decimal | None] = approved_amounts(job, plan_id)
    scope = replace(run.scope, plan_id=plan_id)
    return scope, replace(run.settings.issue_options, approved=approved)


# -- price indices -----------------------------------------------------------------------------------------------------


def load_shipped_indices(session: Session, run: Run) -> int:
    """Bring the shipped values that the ledger has not into it; return how many. Needs no network."""
    return load_shipped(session, at=run.now())


def sync_price_index(index: PriceIndex, session: Session, run: Run) -> Counts:
    """Bring one index's newer values and revisions from SGS into the ledger; tell of revisions; return counts."""
    with run.open_sgs() as sgs:
        outcome = sync_index(session, sgs, index, through=run.today, at=run.now())
    uses = revised_uses(session, index)
    log.info("%s: %s; newest month %s", index.value, outcome.counts(), outcome.newest)
    for month in outcome.gaps:
        log.warning("%s: SGS has no value for %s, though it has later ones", index.value, f"{month:%Y-%m}")
    for use in uses:
        log.warning("%s", use.line())
    if outcome.revised:
        lines = [*(revision.line() for revision in outcome.revised), *(use.line() for use in uses)]
        run.tell(Notice(subject=f"Ciclo: {index.label} was revised", lines=tuple(lines)))
    return outcome.counts()


# -- price updates -----------------------------------------------------------------------------------------------------


def prepare_updates(job: JobContext, run: Run) -> dict[str, Any]:
    """Refresh contracts and index values; where approval is required, write the proposals and return their batch."""
    nobody: dict[str, Any] = {"execution_ids": [], "hash": ""}
    options = _update_options(run)
    if run.dry_run or not is_armed(job):
        _show_previews(job, run, options)
        return nobody
    read_contract_list(job, not_older_than=CURRENT)
    _fetch_missing_values(job, run, options)
    if not options.require_approval:
        return nobody
    settle_updates(job, run.scope, options)
    outcome = apply_price_updates(job, run.scope, options, today=run.today, owner=run.owner, proposing=True)
    batch = batch_of(job, run.scope)
    _report_updates("proposed", outcome)
    return {"execution_ids": list(batch.execution_ids), "hash": batch.hash}


def remind_of_updates(job: JobContext, run: Run) -> int:
    """Send the reminders whose day has come, each once; return how many."""
    with taken_reminders(job, run.scope, _update_options(run), today=run.today) as reminders:
        if reminders:
            run.tell(Notice(subject=f"Ciclo: {len(reminders)} price updates to come", reminders=tuple(reminders)))
    return len(reminders)


def answer_updates(job: JobContext, run: Run, approved: bool, person: str) -> Counts:  # noqa: FBT001 - see Approval
    """Record a person's answer about the proposals that were shown; return what it did, by number."""
    shown = run.given["prepare"] or {}
    batch = Batch(tuple(shown.get("execution_ids") or ()), shown.get("hash") or "")
    verdict = answer_batch(job, batch, approved=approved, person=person, at=job.clock())
    log.info("%s", verdict)
    return {"approved": verdict.approved, "rejected": verdict.rejected, "refused": verdict.refused}


def apply_updates(job: JobContext, run: Run) -> Counts:
    """Settle and apply the updates of a shard of contracts that are due by the window's end; return counts."""
    if not is_armed(job):
        return UpdateOutcome().counts()
    outcome = _settle_and_apply(job, run, _update_options(run))
    _report_updates("applied", outcome)
    return outcome.counts()


def finish_updates(job: JobContext, run: Run) -> Counts:
    """Settle this run's doubts, apply what came back, report; fail while an update is in doubt."""
    if not run.dry_run and is_armed(job):
        _report_updates("finished", _settle_and_apply(job, run, _update_options(run)))
    unknown = updates_open(job, run.scope)
    summary = unsettled_updates(job, run.scope, on=run.window.last_day)
    log.info("updates that are not settled:\n%s", "\n".join(summary.lines()) or "  none")
    if not run.dry_run:
        _require_settled(unknown)
    return summary.counts()


def update_prices_of_range(job: JobContext, run: Run) -> Counts:
    """Do in a backfill what `apply_price_updates` does: an update that needs approval is proposed and waits."""
    options = _update_options(run)
    if run.dry_run or not is_armed(job):
        _show_previews(job, run, options)
        return UpdateOutcome().counts()
    _fetch_missing_values(job, run, options)
    outcome = _settle_and_apply(job, run, options, proposing=options.require_approval)
    _report_updates("applied", outcome)
    _require_settled(updates_open(job, run.scope))
    return outcome.counts()


def _update_options(run: Run) -> UpdateOptions:
    return run.settings.update_options(require_approval=run.params.get("require_approval"))


def _settle_and_apply(job: JobContext, run: Run, options: UpdateOptions, *, proposing: bool = False) -> UpdateOutcome:
    outcome = settle_updates(job, run.scope, options)
    more = apply_price_updates(job, run.scope, options, today=run.today, owner=run.owner, proposing=proposing)
    outcome.add(more)
    return outcome


def _fetch_missing_values(job: JobContext, run: Run, options: UpdateOptions) -> None:
    """Ask SGS for what due updates need and the ledger lacks; without SGS, what the ledger has has to serve."""
    load_shipped(job.session, at=job.clock())
    wanted = missing_indices(job, run.scope, options, today=run.today)
    if not wanted:
        return
    with run.open_sgs() as sgs:
        for index in sorted(wanted):
            try:
                sync_index(job.session, sgs, index, through=run.today, at=job.clock())
            except ApiError as error:
                log.warning("%s cannot be had from SGS now, updates that need it wait: %s", index.label, error)


def _show_previews(job: JobContext, run: Run, options: UpdateOptions) -> None:
    found = previews(job, run.scope, options, on=min(run.window.last_day, run.today))
    subject = "dry run, nothing is sent:" if found else "dry run, nothing is sent: no price update is due"
    run.tell(Notice(subject=subject, reminders=tuple(found)))


def _require_settled(unknown: UpdatesOpen) -> None:
    if unknown:
        raise UpdatesInDoubtError(unknown.executions, unknown.ready_at)


def _report_updates(what: str, outcome: UpdateOutcome) -> None:
    log.info("%s: %s", what, outcome.counts())
    _warn(outcome.problems)


# -- what was billed and received --------------------------------------------------------------------------------------


def reconcile_receivables(job: JobContext, run: Run) -> Counts:
    """Reconcile what webhooks named, the run's dates where a person gave them, or all that may have changed."""
    days = run.settings.recheck_days
    if run.trigger is Trigger.ASSET:
        outcome = reconcile_touched(job, today=run.today, recheck_days=days)
    else:
        window = run.window if run.dated else None
        outcome = reconcile(job, today=run.today, recheck_days=days, window=window, contract_ids=run.contract_ids)
    log.info("reconciled: %s", outcome.counts())
    for finding in outcome.opened[:SHOWN]:
        log.warning("%s: %s", finding.kind.value.replace("_", " "), finding.sentence)
    if len(outcome.opened) > SHOWN:
        log.warning("… and %d more findings; the console lists them", len(outcome.opened) - SHOWN)
    return outcome.counts()


def age_receivables(job: JobContext, run: Run) -> dict[str, str]:
    """Say what is owed and since when; return the amounts by age."""
    aged = ageing(job, run.today)
    log.info("owed on %s:\n%s", aged.today, "\n".join(aged.lines()))
    return {bucket.value: str(owed.amount) for bucket, owed in aged.total.buckets.items()}


# -- closing -----------------------------------------------------------------------------------------------------------


def read_rules(job: JobContext, run: Run) -> None:
    """Read contracts and rules as they are now; the running month is proved by what was read today."""
    if _is_running(run):
        return
    refresh_rules(job, run.window, seen_on=run.today, contract_ids=run.contract_ids)


def close_months(job: JobContext, run: Run) -> dict[str, str]:
    """Try to close each month of the run; return by month how it ended. Fails unless all are closed.

    Of the running month it says how far it is complete, and fails for nothing.
    """
    if _is_running(run):
        report = prove_running_month(job, today=run.day)
        lines = "".join(f"\n  {line}" for line in report.lines())
        log.log(logging.WARNING if lines else logging.INFO, "%s so far: %s%s", f"{report.month:%m/%Y}",
                "complete" if not lines else "not complete", lines)  # fmt: skip
        return {f"{report.month:%Y-%m}": "complete" if not lines else "not complete"}
    attempts = []
    for month in _months(run):
        reports = None if run.dry_run else run.reports
        attempts.append(close_month(job, month, today=run.today, reports=reports, contract_ids=run.contract_ids))
        _report_attempt(attempts[-1])
    require_closed(attempts)
    return {f"{attempt.report.month:%Y-%m}": attempt.report.verdict() for attempt in attempts}


def _is_running(run: Run) -> bool:
    """Whether a run is about the month of the day before its own, which nobody closes yet."""
    return run.trigger is Trigger.SCHEDULE and not run.dated and run.window.end == run.day


def _months(run: Run) -> Iterable[date]:
    return months_of(run.window)


def _report_attempt(attempt: ClosingAttempt) -> None:
    report = attempt.report
    lines = "".join(f"\n  {line}" for line in report.lines())
    level = logging.INFO if attempt.closed else logging.WARNING
    log.log(level, "%s: %s%s", f"{report.month:%m/%Y}", report.verdict(), lines)
    for path in attempt.files or ():
        log.info("report: %s", path)


def _warn(problems: Iterable[Problem]) -> None:
    for problem in problems:
        log.warning("needs a person: %s", problem.message)
