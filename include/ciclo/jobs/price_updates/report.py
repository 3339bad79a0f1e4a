"""How price updates stand: for the log of a run, and for its end, which is red while anything is in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ciclo.domain.price_index import price_index
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.ledger.repositories import ExecutionState, Scope
from ciclo.ledger.tables import PriceUpdateExecution

REASONS_SHOWN = 50
NEEDS_A_LOOK = (ExecutionState.WAITING, ExecutionState.PROPOSED, ExecutionState.IN_DOUBT, ExecutionState.PARKED)


class UpdatesInDoubtError(StillInDoubtError):
    """A price update has no known outcome yet: try again when the grace period is over."""

    def __init__(self, executions: int, ready_at: datetime | None) -> None:
        self.ready_at = ready_at
        when = f"; they can be settled from {ready_at:%Y-%m-%d %H:%M:%S} UTC on" if ready_at else ""
        Exception.__init__(self, f"{executions} price updates are on their way or in doubt{when}")


@dataclass(frozen=True, slots=True)
class UpdateStanding:
    """Updates that a person should know of."""

    rows: Sequence[PriceUpdateExecution]

    def counts(self) -> dict[str, int]:
        """Return how many are in each state."""
        return {state.value: sum(row.state == state for row in self.rows) for state in NEEDS_A_LOOK}

    def lines(self) -> list[str]:
        """Return them as lines for a log."""
        shown = [_line(row) for row in self.rows[:REASONS_SHOWN]]
        more = len(self.rows) - REASONS_SHOWN
        return [*shown, *([f"  … and {more} more"] if more > 0 else [])]


def standing_of_updates(ctx: JobContext, scope: Scope, *, on: date) -> UpdateStanding:
    """Return the scope's updates with an execution date up to `on` that are not settled."""
    rows = ctx.executions.in_state(*NEEDS_A_LOOK, scope=scope)
    return UpdateStanding([row for row in rows if row.execution_date <= on])


def _line(row: PriceUpdateExecution) -> str:
    return (
        f"  {row.state:<9} {row.execution_date}  contract {row.contract_id}  rule {row.rule_id}"
        f"  {price_index(row.price_index).label}: {row.reason or 'no reason given'}"
    )
