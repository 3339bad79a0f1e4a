"""One execution in one run: the case, and every way in which it can stop short of being applied.

The one rule: a case that stops says why, in the execution's reason and in the run's summary. Each change is committed
at once; the functions return whether the rule's next execution may begin.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ciclo.domain.calendar import add_days
from ciclo.domain.errors import MissingIndexValue
from ciclo.domain.price_index import available_from, price_index
from ciclo.domain.pricing import next_execution
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.options import UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.proposal import IndexBook, Proposal
from ciclo.jobs.price_updates.standing import Due, Standing
from ciclo.jobs.rules.schedules import domain_update
from ciclo.jobs.rules.sync import Problem
from ciclo.ledger.repositories import ExecutionState
from ciclo.ledger.tables import PriceUpdateExecution


@dataclass(slots=True)
class Run:
    """What one run works with."""

    ctx: JobContext
    options: UpdateOptions
    owner: str
    today: date
    proposing: bool
    book: IndexBook
    unread: frozenset[int]
    """Rules whose present terms the run could not read."""
    outcome: UpdateOutcome

    def note(self, standing: Standing, messages: Iterable[str]) -> None:
        """Tell a person something about a rule."""
        rule = standing.rule
        self.outcome.problems += [Problem(rule.contract_id, rule.rule_id, message) for message in messages]


@dataclass(frozen=True, slots=True)
class Case:
    """One execution that is due, with its rule."""

    standing: Standing
    due: Due
    execution: PriceUpdateExecution

    @property
    def name(self) -> str:
        """Say which execution it is."""
        return f"{self.standing.place}, update of {self.due.execution_date}"


def wait(run: Run, case: Case, missing: MissingIndexValue) -> bool:
    """Let an execution wait for an index value, and park it when it has waited too long."""
    execution = case.execution
    index = price_index(case.due.scheduled.price_index)
    out_from = available_from(index, missing.month)
    since = execution.waiting_since or max(run.today, out_from)
    until = add_days(since, run.options.max_wait_days)
    value = f"the value of {index.label} for {missing.month:%m/%Y}"
    if run.today >= until:
        reason = f"{case.name}: {value} should be out since {out_from} and is not; waited since {since}"
        return park(run, case, reason)
    if run.today < out_from:
        reason = f"{value} is not out before {out_from}"
    else:
        reason = f"{value} should be out since {out_from} and is not; parked on {until} if it stays so"
    if execution.state != ExecutionState.WAITING:
        back_to_planned(run, case)
        change(run, case, ExecutionState.WAITING, reason, waiting_since=since)
    else:
        say(run, case, reason)
    run.outcome.waiting += 1
    return False


def park(run: Run, case: Case, reason: str) -> bool:
    """Stop an execution for a person."""
    change(run, case, ExecutionState.PARKED, reason, waiting_since=None)
    run.outcome.parked += 1
    run.note(case.standing, [reason])
    return False


def doubt(run: Run, case: Case, reason: str, grace: timedelta) -> bool:
    """Leave an execution unanswered: its absence at the vendor proves nothing before the grace period is over."""
    until = run.ctx.clock() + grace
    change(run, case, ExecutionState.IN_DOUBT, reason, doubt_until=until)
    run.outcome.in_doubt += 1
    return False


def cancel(run: Run, case: Case, reason: str) -> bool:
    """Give an execution and all after it up: there is nothing to readjust any more."""
    if change(run, case, ExecutionState.CANCELLED, reason):
        run.outcome.cancelled += 1
    return move_on(run, case, None)


def pass_over(run: Run, case: Case) -> bool:
    """Go on to the execution after one that is settled already."""
    following = next_execution(domain_update(case.due.scheduled), case.due.execution_date)
    return move_on(run, case, following)


def move_on(run: Run, case: Case, to: date | None) -> bool:
    """Let the update's next execution be another day."""
    update_id = case.due.scheduled.scheduled_update_id
    run.ctx.scheduled_updates.move(update_id, expected=case.due.execution_date, to=to)
    run.ctx.session.commit()
    return True


def stay(run: Run, case: Case, reason: str) -> bool:
    """Leave an execution as it is for a later run, and say why."""
    say(run, case, reason)
    run.note(case.standing, [f"{case.name}: {reason}"])
    return False


def say(run: Run, case: Case, reason: str) -> None:
    """Put a reason beside an execution's state."""
    case.execution.reason = reason
    run.ctx.session.commit()


def back_to_planned(run: Run, case: Case, *, keep: ExecutionState | None = None) -> bool:
    """Put an execution that waited or was proposed back to `planned`; False if somebody else changed it."""
    if case.execution.state in (ExecutionState.PLANNED, keep):
        return True
    return change(run, case, ExecutionState.PLANNED, "goes on", waiting_since=None)


def change(run: Run, case: Case, target: ExecutionState, reason: str, **values: Any) -> bool:
    """Change an execution's state; False if somebody else did meanwhile."""
    changed = run.ctx.executions.change(case.execution, target, reason=reason, at=run.ctx.clock(), **values)
    run.ctx.session.commit()
    return changed


def proposal_columns(proposal: Proposal) -> dict[str, Any]:
    """Return the columns of an execution that a proposal fills, its evidence aside."""
    return {
        "price_index": proposal.index.value,
        "policy": proposal.policy.value,
        "factor": proposal.factor,
        "proposal_hash": proposal.hash,
        "waiting_since": None,
    }
