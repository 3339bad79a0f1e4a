"""What a run of the suite has to work with: its servers, how often it repeats, how large it measures."""

from dataclasses import dataclass

from bench.servers import Sandbox


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of the suite.

    Attributes:
        sandbox: the vendor's API, in a process of its own.
        postgres: URL of a PostgreSQL server.
        runs: how often each figure is measured.
        scale: 1 is the size that the documentation's table was measured at; a test takes a hundredth.
    """

    sandbox: Sandbox
    postgres: str
    runs: int
    scale: float = 1.0

    def size(self, count: int) -> int:
        """Return a size at the run's scale, at least 20."""
        return max(20, int(count * self.scale))
