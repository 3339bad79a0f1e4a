"""A figure: what Ciclo does and what a baseline does, measured in turn in one run, and what it has to reach.

The one rule: nothing is compared with a number from another day or another machine. A figure is the median of several
runs, shown with its smallest and its largest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. Without `baseline`, what counts is `ours` itself.

    Attributes:
        benchmark: which of the suite's benchmarks it belongs to.
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
        return {
            "benchmark": self.benchmark,
            "title": self.title,
            "unit": self.unit,
            "ours": list(self.ours),
            "baseline_title": self.baseline_title,
            "baseline": list(self.baseline),
            "ratios": self.ratios,
            "result": self.result,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "met": self.met,
        }


@dataclass(slots=True)
class InTurn:
    """Two ways of doing the same work, measured one after the other, so that a slow moment hits both."""

    ours: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)

    @classmethod
    def measure(cls, runs: int, ours: Callable[[], float], baseline: Callable[[], float]) -> "InTurn":
        """Call both `runs` times in turn; each returns its figure."""
        pair = cls()
        for _ in range(runs):
            pair.baseline.append(baseline())
            pair.ours.append(ours())
        return pair
