"""How a run issues, and what came of it: the values that issuing, settling and finishing share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from ciclo.api import BillimaticClient


class LeaseTooShortError(Exception):
    """A claim would end before a single request could: nothing could ever be sent."""

    def __init__(self, lease: timedelta, longest_request: float) -> None:
        super().__init__(
            f"a claim's lease of {lease.total_seconds():.0f} seconds must be longer than the API's longest request of "
            f"{longest_request:.0f}; raise CICLO_LEASE_SECONDS or lower the connection's timeout"
        )


@dataclass(frozen=True, slots=True)
class IssueOptions:
    """How a run issues."""

    concurrency: int = 8
    """POSTs under way at once, at most."""
    batch: int = 200
    """Periods claimed at once."""
    lease: timedelta = timedelta(minutes=10)
    """How long a claim holds; no POST begins that could outlast it."""
    grace: timedelta = timedelta(minutes=5)
    """How long after a lost answer the vendor may still carry the request out: longer than its longest request."""
    approved: Mapping[int, Decimal | None] | None = None
    """Amounts by period of an approved plan, in BRL: a period at another amount is parked, not billed."""

    def require_lease(self, api: BillimaticClient) -> None:
        """Refuse a lease in which nothing can be sent.

        Raises:
            LeaseTooShortError: naming both durations and the settings behind them.
        """
        if self.lease.total_seconds() <= api.longest_request:
            raise LeaseTooShortError(self.lease, api.longest_request)


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
