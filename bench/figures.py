"""A figure of the table: medians of runs, beside a baseline that is measured in turn with it, never on another day."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.servers import Sandbox


@dataclass(frozen=True, slots=True)
class Bench:
    """What a benchmark has to work with.

    Attributes:
        sandbox: the vendor's API, in a process of its own.
        postgres: URL of a PostgreSQL server.
        runs: how often each figure is measured.
        scale: 1 is the size that the documentation's table was measured at; a test takes a hundredth.
        full: whether it may take hours: sizes up to a million.
    """

    sandbox: Sandbox
    postgres: str
    runs: int
    scale: float = 1.0
    full: bool = False

    def size(self, count: int, full: int | None = None) -> int:
        """Return a size at the run's scale, at least 20; `full` instead of `count` in a run that may take hours."""
        return max(20, int((full if full is not None and self.full else count) * self.scale))

    def in_turn(self, ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[list[float], list[float]]:
        """Measure two ways of doing the same work one after the other, so that a slow moment hits both."""
        mine, theirs = [], []
        for _ in range(self.runs):
            theirs.append(baseline())
            mine.append(ours())
        return mine, theirs


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. Without `baseline`, what counts is `ours` itself.

    Attributes:
        benchmark: which of the benchmarks it belongs to.
        title: what was measured.
        unit: of `ours` and `baseline`.
        ours: one value a run.
        baseline_title: what it is compared with.
        baseline: one value a run.
        at_least: lower bound of the median ratio, or of the median value without baseline.
        at_most: upper bound of the same.
    """

    benchmark: str
    title: str
    unit: str
    ours: Sequence[float]
    baseline_title: str = ""
    baseline: Sequence[float] = ()
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratios(self) -> list[float]:
        """Ours by the baseline's, run by run; empty without a baseline."""
        return [mine / theirs for mine, theirs in zip(self.ours, self.baseline, strict=True)] if self.baseline else []

    @property
    def result(self) -> float:
        """What the bounds are about: the median ratio, or the median value."""
        return median(self.ratios or self.ours)

    @property
    def met(self) -> bool:
        """Whether the result is within its bounds."""
        return (self.at_least is None or self.result >= self.at_least) and (
            self.at_most is None or self.result <= self.at_most
        )

    def document(self) -> dict[str, Any]:
        """Return the figure as JSON values."""
        return asdict(self) | {"ratios": self.ratios, "result": self.result, "met": self.met}
