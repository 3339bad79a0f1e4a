"""Benchmarks of Ciclo, each against a baseline that is measured in the same run.

The one rule: a figure is a ratio, and both sides of it do the same work on the same machine in the same minutes.
`docs/benchmarks.md` says what each means, and how it came out.
"""

from bench.suite import BENCHMARKS, run

__all__ = ["BENCHMARKS", "run"]
