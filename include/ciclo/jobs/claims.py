"""What every run that sends changes is given: how long its claims hold, and how long a lost answer may still count."""

from dataclasses import dataclass
from datetime import timedelta

from ciclo.billimatic import BillimaticClient


class LeaseTooShortError(Exception):
    """A claim would end before a single request could: nothing could ever be sent."""

    def __init__(self, lease: timedelta, longest_request: float) -> None:
        super().__init__(
            f"a claim's lease of {lease.total_seconds():.0f} seconds must be longer than the API's longest request of "
            f"{longest_request:.0f}; raise CICLO_LEASE_SECONDS or lower the connection's timeout"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimOptions:
    """How a run claims what it sends."""

    lease: timedelta = timedelta(minutes=10)
    """How long a claim holds; no request begins that could outlast it."""
    grace: timedelta = timedelta(minutes=5)
    """How long after a lost answer the vendor may still carry the request out: longer than its longest request."""

    def require_lease(self, api: BillimaticClient) -> None:
        """Refuse a lease in which nothing can be sent.

        Raises:
            LeaseTooShortError: naming both durations and the settings behind them.
        """
        if self.lease.total_seconds() <= api.longest_request:
            raise LeaseTooShortError(self.lease, api.longest_request)
