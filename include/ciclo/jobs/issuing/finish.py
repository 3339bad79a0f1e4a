"""The end of an issuing run: settle what got no answer, issue what came back from it, and say how the window stands.

A run ends green only if nothing of its window is in doubt and, where something was due, something was billed.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ciclo.domain.money import brl
from ciclo.domain.states import PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.issue import IssueOptions, IssueOutcome, issue_due_periods
from ciclo.jobs.issuing.settle import settle, still_open
from ciclo.ledger.repositories import Scope, StateCount

REASONS_SHOWN = 50


class StillInDoubtError(Exception):
    """Something of the window has no known outcome yet: try again when the grace period is over."""

    def __init__(self, in_doubt: int, submitting: int, ready_at: datetime | None) -> None:
        self.ready_at = ready_at
        when = f"; it can be settled from {ready_at:%Y-%m-%d %H:%M:%S} UTC on" if ready_at else ""
        super().__init__(f"{in_doubt} periods are in doubt and {submitting} are being submitted{when}")


class NothingBilledError(Exception):
    """Periods were due and none of them became an invoice: a green run would hide it."""

    def __init__(self, parked: int, waiting: int, first_reason: str | None) -> None:
        because = f"; the first reason: {first_reason}" if first_reason else ""
        super().__init__(f"nothing was billed: {parked} periods are parked and {waiting} wait{because}")


@dataclass(frozen=True, slots=True)
class WindowStanding:
    """How the periods of a window stand."""

    totals: dict[PeriodState, StateCount]
    parked: list[str]
    """Reasons, the oldest first."""
    oldest_doubt: datetime | None = None
    """Since when the oldest of those in doubt is."""

    def counts(self) -> dict[str, int]:
        """Return how many periods are in each state."""
        return {state.value: total.periods for state, total in self.totals.items()}

    @property
    def billed(self) -> Decimal:
        """BRL of what is issued."""
        return self.totals[PeriodState.ISSUED].amount

    def lines(self) -> list[str]:
        """Return the standing as lines for a log."""
        table = [
            f"  {state.value:<11}{total.periods:>8} {brl(total.amount):>20}"
            for state, total in self.totals.items()
            if total.periods
        ]
        reasons = [f"  parked: {reason}" for reason in self.parked[:REASONS_SHOWN]]
        more = len(self.parked) - REASONS_SHOWN
        return [*table, *reasons, *([f"  … and {more} more"] if more > 0 else [])]


def finish_issuing(ctx: JobContext, scope: Scope, options: IssueOptions, *, owner: str) -> IssueOutcome:
    """Settle the window, issue what was planned again, and refuse to end while something is in doubt.

    Raises:
        StillInDoubtError: a grace period or a lease is not over; a retry later goes on.
    """
    outcome = settle(ctx, scope, options)
    failpoint("finish.settled")
    outcome.add(issue_due_periods(ctx, scope, options, owner=owner))
    unknown = still_open(ctx, scope)
    if unknown:
        raise StillInDoubtError(unknown.in_doubt, unknown.submitting, unknown.ready_at)
    return outcome


def standing_of(ctx: JobContext, scope: Scope) -> WindowStanding:
    """Return how the window stands in the ledger."""
    parked = ctx.periods.in_state(PeriodState.PARKED, scope=scope)
    doubtful = ctx.periods.in_state(PeriodState.IN_DOUBT, scope=scope)
    return WindowStanding(
        ctx.periods.totals(scope),
        [period.reason or "no reason given" for period in parked],
        min((period.changed_at for period in doubtful), default=None),
    )


def require_billing(standing: WindowStanding) -> None:
    """Refuse a window in which something was due and nothing was billed.

    Raises:
        NothingBilledError: naming the first reason.
    """
    parked = standing.totals[PeriodState.PARKED].periods
    waiting = standing.totals[PeriodState.WAITING].periods
    if not standing.totals[PeriodState.ISSUED].periods and (parked or waiting):
        raise NothingBilledError(parked, waiting, standing.parked[0] if standing.parked else None)
