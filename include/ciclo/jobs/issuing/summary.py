"""How a window stands once it was issued: states, amounts, what is parked and why."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ciclo.domain.money import brl
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import Scope, StateCount

REASONS_SHOWN = 50


class NothingBilledError(Exception):
    """Periods were due and none of them became an invoice: a green run would hide it."""

    def __init__(self, parked: int, waiting: int, first_reason: str | None) -> None:
        because = f"; the first reason: {first_reason}" if first_reason else ""
        super().__init__(f"nothing was billed: {parked} periods are parked and {waiting} wait{because}")


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """The periods of a window by state."""

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
        """Return the summary as lines for a log."""
        table = [
            f"  {state.value:<11}{total.periods:>8} {brl(total.amount):>20}"
            for state, total in self.totals.items()
            if total.periods
        ]
        reasons = [f"  parked: {reason}" for reason in self.parked[:REASONS_SHOWN]]
        more = len(self.parked) - REASONS_SHOWN
        return [*table, *reasons, *([f"  … and {more} more"] if more > 0 else [])]


def summarize_window(ctx: JobContext, scope: Scope) -> WindowSummary:
    """Return how the window stands in the ledger."""
    parked = ctx.periods.in_state(PeriodState.PARKED, scope=scope)
    doubtful = ctx.periods.in_state(PeriodState.IN_DOUBT, scope=scope)
    return WindowSummary(
        ctx.periods.totals(scope),
        [said(period.reason, "no reason given") for period in parked],
        min((period.changed_at for period in doubtful), default=None),
    )


def require_billing(summary: WindowSummary) -> None:
    """Refuse a window in which something was due and nothing was billed.

    Raises:
        NothingBilledError: naming the first reason.
    """
    parked = summary.totals[PeriodState.PARKED].periods
    waiting = summary.totals[PeriodState.WAITING].periods
    if not summary.totals[PeriodState.ISSUED].periods and (parked or waiting):
        raise NothingBilledError(parked, waiting, summary.parked[0] if summary.parked else None)
