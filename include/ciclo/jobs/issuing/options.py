"""How a run issues, and what came of it: the values that issuing, settling and finishing share."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ciclo.jobs.claims import ClaimOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOptions(ClaimOptions):
    """How a run issues."""

    concurrency: int = 8
    """POSTs under way at once, at most."""
    batch: int = 200
    """Periods claimed at once."""
    approved: Mapping[int, Decimal | None] | None = None
    """Amounts by period of an approved plan, in BRL: a period at another amount is parked, not billed."""


@dataclass(slots=True)
class IssueOutcome:
    """What became of the periods of a run, by number."""

    created: int = 0
    adopted: int = 0
    parked: int = 0
    in_doubt: int = 0
    waiting: int = 0
    replanned: int = 0

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {name: getattr(self, name) for name in self.__slots__}

    def add(self, other: "IssueOutcome") -> None:
        """Add another outcome to this one."""
        for name, number in other.counts().items():
            setattr(self, name, getattr(self, name) + number)
