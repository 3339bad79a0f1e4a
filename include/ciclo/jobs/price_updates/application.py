"""Applying price updates: the due executions of each rule, in order of execution date.

The one rule: an execution begins only when all before it, of the same rule, are settled. Each starts from the price
that the one before left; one that cannot be settled now holds the rule's later executions and periods back.
"""

from datetime import date

from ciclo.domain.errors import DomainError, MissingIndexValue
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.completion import UNDER_WAY, periods_from
from ciclo.jobs.price_updates.options import UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.proposal import IndexBook, Proposal, propose
from ciclo.jobs.price_updates.sending import adopt, apply_proposal
from ciclo.jobs.price_updates.standing import standing_of
from ciclo.jobs.price_updates.vendor import Adoption, Doubt, vendor_signs
from ciclo.jobs.price_updates.waiting import hold_periods, release_periods
from ciclo.jobs.price_updates.work import (
    Case,
    Run,
    back_to_planned,
    cancel,
    change,
    park,
    pass_over,
    proposal_columns,
    stay,
    wait,
)
from ciclo.jobs.rules.sync import sync_rules
from ciclo.ledger.repositories import ExecutionState, Scope


def apply_price_updates(
    ctx: JobContext, scope: Scope, options: UpdateOptions, *, today: date, owner: str, proposing: bool = False
) -> UpdateOutcome:
    """Apply the scope's updates whose execution date has come, each rule's in order. Commits at every step.

    Args:
        ctx: the run.
        scope: contracts and shard; executions up to the window's last day, and never later than `today`.
        options: policy, waiting, approval, lease and grace.
        today: the day in São Paulo on which the API is asked.
        owner: a name that no other process uses, for the claims.
        proposing: adopt, let wait and park as usual, but write proposals instead of applying.

    Raises:
        AuthenticationError: the token is not accepted.
        TransientApiError: the API cannot be reached; what was applied so far is recorded.
        LeaseTooShortError: the options and the connection do not fit together.
    """
    options.require_lease(ctx.api)
    outcome = UpdateOutcome(cancelled=retire_updates(ctx, scope))
    last = min(scope.window.last_day, today)
    due = ctx.scheduled_updates.due(last, scope)
    contracts = tuple(sorted({update.contract_id for update in due}))
    unread = _read_rules(ctx, contracts, today, outcome)
    run = Run(ctx, options, owner, today, proposing, IndexBook(ctx), unread, outcome)
    for rule_id in dict.fromkeys(update.rule_id for update in due):
        _work_off(run, rule_id, last)
    if contracts:
        release_periods(ctx, contracts)
    return outcome


def retire_updates(ctx: JobContext, scope: Scope) -> int:
    """Cancel executions of what is gone, inactive or scheduled anew; return how many. Commits."""
    now = ctx.clock()
    for update in ctx.scheduled_updates.without_rule(scope):
        ctx.scheduled_updates.move(update.scheduled_update_id, expected=update.next_execution_date, to=None)
    strays = ctx.executions.strays(scope)
    for execution in strays:
        reason = "the rule, its contract or the update has ended, or it executes on another day by now"
        ctx.executions.change(execution, ExecutionState.CANCELLED, reason=reason, at=now)
    ctx.session.commit()
    return len(strays)


def _read_rules(ctx: JobContext, contracts: tuple[int, ...], today: date, outcome: UpdateOutcome) -> frozenset[int]:
    """Read the contracts' rules from the vendor; return those that could not be read."""
    if not contracts:
        return frozenset()
    ctx.session.commit()
    started = ctx.clock()
    synced = sync_rules(ctx, contracts, seen_on=today)
    outcome.problems += synced.problems
    ctx.session.expire_all()
    rules = ctx.catalogue.rules_of(contracts)
    return frozenset(rule.rule_id for rule in rules if rule.seen_at < started and rule.gone_at is None)


def _work_off(run: Run, rule_id: int, last: date) -> None:
    """Advance a rule's executions in order, until one cannot be settled now or none is due any more."""
    ctx = run.ctx
    while (standing := standing_of(ctx, rule_id)) is not None:
        due = standing.head()
        if due is None or due.execution_date > last:
            return
        policy = run.options.policy.value
        execution = ctx.executions.ensure(due.scheduled, due.execution_date, policy=policy, at=ctx.clock())
        ctx.session.commit()
        if not _advance(run, Case(standing, due, execution)):
            hold_periods(ctx, standing, due, execution)
            return


def _advance(run: Run, case: Case) -> bool:
    """Take one execution as far as it goes now; return whether the next one may begin."""
    state = ExecutionState(case.execution.state)
    ending = case.standing.ending(case.due.execution_date)
    match state:
        case ExecutionState.SUBMITTING | ExecutionState.IN_DOUBT:
            run.outcome.in_doubt += 1
            return False
        case ExecutionState.APPLIED | ExecutionState.ADOPTED | ExecutionState.CANCELLED:
            return pass_over(run, case)
        case _ if ending is not None:
            return cancel(run, case, ending)
        case ExecutionState.PARKED:
            run.outcome.parked += 1
            return False
    return _decide(run, case)


def _decide(run: Run, case: Case) -> bool:
    hindrance = _hindrance(run, case)
    if hindrance is not None:
        return stay(run, case, hindrance)
    proposal, problem = _proposal(run, case)
    match vendor_signs(case.standing, case.due, proposal):
        case Doubt(reason):
            return park(run, case, reason)
        case Adoption() as adoption:
            return adopt(run, case, adoption, proposal, problem)
    if isinstance(problem, MissingIndexValue):
        return wait(run, case, problem)
    if proposal is None:
        return park(run, case, f"{case.name}: {problem}")
    return _carry_out(run, case, proposal)


def _proposal(run: Run, case: Case) -> tuple[Proposal | None, DomainError | None]:
    try:
        return propose(case.standing, case.due, run.book, run.options.policy), None
    except DomainError as error:
        return None, error


def _carry_out(run: Run, case: Case, proposal: Proposal) -> bool:
    if run.options.require_approval and not _is_approved(run, case, proposal):
        return False
    if not back_to_planned(run, case, keep=ExecutionState.PROPOSED):
        return True  # somebody else has it: look again
    return apply_proposal(run, case, proposal)


def _hindrance(run: Run, case: Case) -> str | None:
    """Say what keeps an execution from being decided now; an invoice has to be found before it can be changed."""
    if case.standing.rule.rule_id in run.unread:
        return "the rule cannot be read from the vendor now"
    periods = periods_from(run.ctx, case.standing.rule.rule_id, case.due.execution_date)
    sent = [period for period in periods if period.state in UNDER_WAY]
    return f"the period of {sent[0].issue_date} is {sent[0].state} and has to be settled first" if sent else None


def _is_approved(run: Run, case: Case, proposal: Proposal) -> bool:
    """Whether a person approved exactly this; while proposing, a proposal is written instead."""
    execution = case.execution
    same = execution.state == ExecutionState.PROPOSED and execution.proposal_hash == proposal.hash
    if same and execution.approved_at is not None and not run.proposing:
        return True
    if execution.state == ExecutionState.PROPOSED and not same:
        reason = "rule, prices or index values changed since it was proposed"
        if execution.approved_by:
            reason = f"the approval by {execution.approved_by} is refused: {reason}"
        withdrawn = {"approved_by": None, "approved_at": None, "proposal_hash": None}
        change(run, case, ExecutionState.PLANNED, reason, **withdrawn)
        run.note(case.standing, [f"{case.name}: {reason}"])
    if run.proposing and execution.state == ExecutionState.WAITING:
        back_to_planned(run, case)
    if run.proposing and execution.state == ExecutionState.PLANNED:
        values = proposal_columns(proposal) | {"evidence": proposal.evidence()}
        change(run, case, ExecutionState.PROPOSED, "waits for a person's approval", **values)
    run.outcome.proposed += execution.state == ExecutionState.PROPOSED
    return False
