"""One execution as a run works on it: the run, the case, and its moves from state to state. Each move commits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, auto
from typing import Any

from ciclo.domain.calendar import add_days
from ciclo.domain.errors import MissingIndexValue
from ciclo.domain.price_index import available_from, price_index
from ciclo.domain.states import ExecutionState, Fact, Reason, ReasonKind
from ciclo.domain.wording import said
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.outcome import UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.propose import IndexBook
from ciclo.jobs.price_updates.updated_rule import Due, UpdatedRule
from ciclo.jobs.rules.store import Problem
from ciclo.ledger.tables import PriceUpdateExecution


class Step(Enum):
    """How a rule's executions go on after one of them was looked at."""

    NEXT = auto()  # it is settled: the rule's next one may begin
    AGAIN = auto()  # somebody else changed it meanwhile: look at the rule anew
    STOP = auto()  # it cannot be settled now: it holds the rule's later executions and periods back


@dataclass(slots=True)
class Run:
    """What one run works with."""

    ctx: JobContext
    options: UpdateOptions
    owner: str
    today: date
    proposing: bool
    book: IndexBook
    unread: Mapping[int, str]
    """Rules whose present terms the run could not read, and why."""
    outcome: UpdateOutcome

    def note(self, case: "Case", messages: Iterable[str]) -> None:
        """Tell a person something about a rule."""
        contract_id, rule_id = case.rule.contract_id, case.rule.rule_id
        self.outcome.problems += [Problem(contract_id, rule_id, message) for message in messages]


@dataclass(frozen=True, slots=True)
class Case:
    """One execution that is due, with its rule."""

    rule: UpdatedRule
    due: Due
    execution: PriceUpdateExecution

    def reason(self, kind: ReasonKind, **facts: Fact) -> Reason:
        """Return a reason that names contract, rule and execution beside its own facts."""
        return self.rule.reason(kind, self.due, **facts)


def wait(run: Run, case: Case, missing: MissingIndexValue) -> Step:
    """Let an execution wait for an index value, and park it when it has waited too long since that should be out.

    It may be the value of another index than the update's: one that the contract's terms compare with or substitute.
    """
    execution = case.execution
    index = price_index(missing.index)
    out_from = available_from(index, missing.month)
    since = max(execution.waiting_since or run.today, out_from)
    until = add_days(since, run.options.max_wait_days)
    kind = ReasonKind.VALUE_NOT_OUT if run.today < out_from else ReasonKind.VALUE_LATE
    if run.today >= until:
        kind = ReasonKind.VALUE_MISSING
    days = {"out_from": out_from, "since": since, "until": until}
    reason = case.reason(
        kind,
        price_index=index.value,
        month=f"{missing.month:%Y-%m}",
        **{name: day.isoformat() for name, day in days.items()},
    )
    if kind is ReasonKind.VALUE_MISSING:
        return park(run, case, reason)
    if execution.state != ExecutionState.WAITING:
        back_to_planned(run, case)
        change(run, case, ExecutionState.WAITING, reason, waiting_since=since)
    else:
        say(run, case, reason)
    run.outcome.waiting += 1
    return Step.STOP


def park(run: Run, case: Case, reason: Reason, **values: Any) -> Step:
    """Stop an execution for a person."""
    change(run, case, ExecutionState.PARKED, reason, **({"waiting_since": None} | values))
    run.outcome.parked += 1
    run.note(case, [said(reason)])
    return Step.STOP


def doubt(run: Run, case: Case, reason: Reason, grace: timedelta) -> Step:
    """Leave an execution unanswered: its absence at the vendor proves nothing before the grace period is over."""
    change(run, case, ExecutionState.IN_DOUBT, reason, doubt_until=run.ctx.clock() + grace)
    run.outcome.in_doubt += 1
    return Step.STOP


def stay(run: Run, case: Case, reason: Reason) -> Step:
    """Leave an execution as it is for a later run."""
    say(run, case, reason)
    run.note(case, [said(reason)])
    return Step.STOP


def say(run: Run, case: Case, reason: Reason) -> None:
    """Write down why an execution stands as it does."""
    case.execution.reason = reason
    run.ctx.session.commit()


def move_on(run: Run, case: Case, to: date | None) -> Step:
    """Let the update's next execution be another day; None where there is nothing to readjust any more."""
    update_id = case.due.scheduled.scheduled_update_id
    run.ctx.scheduled_updates.move(update_id, expected=case.due.execution_date, to=to)
    run.ctx.session.commit()
    return Step.NEXT


def take_up_again(run: Run, case: Case) -> Step:
    """Plan an execution again that was called off: its rule is back. What was sent before is in doubt first."""
    sent = "sent" in (case.execution.evidence or {})
    target, doubt_until = (ExecutionState.IN_DOUBT, run.ctx.clock()) if sent else (ExecutionState.PLANNED, None)
    change(run, case, target, case.reason(ReasonKind.CALLED_FOR_AGAIN), doubt_until=doubt_until)
    return Step.AGAIN


def back_to_planned(run: Run, case: Case, *, keep: ExecutionState | None = None) -> bool:
    """Put an execution that waited or was proposed back to `planned`; False if somebody else changed it."""
    if case.execution.state in (ExecutionState.PLANNED, keep):
        return True
    return change(run, case, ExecutionState.PLANNED, Reason(ReasonKind.GOES_ON), waiting_since=None)


def change(run: Run, case: Case, target: ExecutionState, reason: Reason, **values: Any) -> bool:
    """Change an execution's state; False if somebody else did meanwhile."""
    changed = run.ctx.executions.change(case.execution, target, reason=reason, at=run.ctx.clock(), **values)
    run.ctx.session.commit()
    return changed
