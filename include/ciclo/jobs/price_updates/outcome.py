"""How price updates are run, what became of them, and how those that are not settled stand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from ciclo.domain.continuity import Continuity
from ciclo.domain.price_index import WindowPolicy, index_label
from ciclo.domain.states import IN_FLIGHT, ExecutionState
from ciclo.domain.wording import said
from ciclo.jobs.context import ClaimOptions, JobContext
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.rules.store import Problem
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import PriceUpdateExecution

MAX_WAIT_DAYS = 10
REASONS_SHOWN = 50
_S = ExecutionState
NEEDS_A_LOOK = (_S.PLANNED, _S.WAITING, _S.PROPOSED, _S.IN_DOUBT, _S.PARKED)
"""A planned one among them is due and could not begin: its contract cannot be read, say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOptions(ClaimOptions):
    """How a run applies price updates."""

    policy: WindowPolicy = WindowPolicy.PUBLISHED
    """Which months an update counts back from."""
    continuity: Continuity = Continuity.ASK
    """What becomes of an update that does not follow from the one before."""
    max_wait_days: int = MAX_WAIT_DAYS
    """Days after which an update that waits for a late index value is parked."""
    require_approval: bool = False
    """Whether a person has to approve each proposal before it is applied."""


@dataclass(slots=True)
class UpdateOutcome:
    """What became of the updates of a run, by number, and what a person should know."""

    applied: int = 0
    adopted: int = 0
    proposed: int = 0
    waiting: int = 0
    parked: int = 0
    in_doubt: int = 0
    replanned: int = 0
    cancelled: int = 0
    invoices: int = 0
    """Invoices that were there already and were brought to the new price."""
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {name: len(self.problems) if name == "problems" else getattr(self, name) for name in self.__slots__}

    def add(self, other: "UpdateOutcome") -> None:
        """Add another outcome to this one."""
        self.problems += other.problems
        for name, number in other.counts().items():
            if name != "problems":
                setattr(self, name, getattr(self, name) + number)


@dataclass(frozen=True, slots=True)
class UpdatesOpen:
    """What a later run has to settle."""

    executions: int
    ready_at: datetime | None
    """When the last grace period or lease of them is over."""

    def __bool__(self) -> bool:
        return bool(self.executions)


class UpdatesInDoubtError(StillInDoubtError):
    """A price update has no known outcome yet: try again when the grace period is over."""

    def __init__(self, executions: int, ready_at: datetime | None) -> None:
        self.ready_at = ready_at
        when = f"; they can be settled from {ready_at:%Y-%m-%d %H:%M:%S} UTC on" if ready_at else ""
        Exception.__init__(self, f"{executions} price updates are on their way or in doubt{when}")


@dataclass(frozen=True, slots=True)
class UnsettledUpdates:
    """Updates that a person should know of."""

    rows: Sequence[PriceUpdateExecution]

    def counts(self) -> dict[str, int]:
        """Return how many are in each state."""
        return {state.value: sum(row.state == state for row in self.rows) for state in NEEDS_A_LOOK}

    def lines(self) -> list[str]:
        """Return them as lines for a log."""
        shown = [
            f"  {row.state:<9} {row.execution_date}  contract {row.contract_id}  rule {row.rule_id}"
            f"  {index_label(row.price_index)}: {said(row.reason, 'no reason given')}"
            for row in self.rows[:REASONS_SHOWN]
        ]
        more = len(self.rows) - REASONS_SHOWN
        return [*shown, *([f"  … and {more} more"] if more > 0 else [])]


def updates_open(ctx: JobContext, scope: Scope) -> UpdatesOpen:
    """Return what of the scope is on its way or in doubt, and when it can be settled."""
    rows = ctx.executions.in_state(*IN_FLIGHT, scope=scope)
    ends = [end for row in rows if (end := row.doubt_until or row.lease_until) is not None]
    return UpdatesOpen(len(rows), max(ends, default=None))


def unsettled_updates(ctx: JobContext, scope: Scope, *, on: date) -> UnsettledUpdates:
    """Return the scope's updates with an execution date up to `on` that are not settled."""
    rows = ctx.executions.in_state(*NEEDS_A_LOOK, scope=scope)
    return UnsettledUpdates([row for row in rows if row.execution_date <= on])
