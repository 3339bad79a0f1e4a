"""How price updates are run, and what became of them."""

from dataclasses import dataclass, field

from ciclo.domain.price_index import WindowPolicy
from ciclo.jobs.claims import ClaimOptions
from ciclo.jobs.rules.sync import Problem

MAX_WAIT_DAYS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOptions(ClaimOptions):
    """How a run applies price updates."""

    policy: WindowPolicy = WindowPolicy.PUBLISHED
    """Which months an update counts back from."""
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
