"""The suite: servers up, one benchmark after the other, one table, one JSON file.

The one rule: a benchmark that fails ends the run; a figure that is not reached does not, it is shown as such.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench import airflow, expand, growth, issue, ledger, price, reconcile, size
from bench.figures import Figure
from bench.plan import Plan
from bench.report import machine, table, write_json
from bench.servers import running_postgres, running_sandbox

BENCHMARKS: Mapping[str, Callable[[Plan], list[Figure]]] = MappingProxyType(
    {
        "expand": expand.measure,
        "ledger": ledger.measure,
        "issue": issue.measure,
        "reconcile": reconcile.measure,
        "price": price.measure,
        "growth": growth.measure,
        "size": size.measure,
        "airflow": airflow.measure,
    }
)
"""Measures by name; `airflow` holds the naive peer and the Dag's overhead."""


def run(
    *,
    only: Sequence[str] = (),
    runs: int = 3,
    scale: float = 1.0,
    json_path: Path | None = None,
    say: Callable[[str], object] = print,
) -> list[Figure]:
    """Run the benchmarks and return their figures.

    Args:
        only: names of `BENCHMARKS`; empty means all of them.
        runs: how often each figure is measured.
        scale: 1 measures at the sizes of the documentation, less is quicker.
        json_path: where to write every single run.
        say: takes the lines of progress and of the table.

    Raises:
        KeyError: there is no benchmark of a name in `only`.
    """
    chosen = {name: BENCHMARKS[name] for name in only or BENCHMARKS}
    logging.getLogger("httpx").setLevel(logging.WARNING)
    figures: list[Figure] = []
    with running_sandbox() as sandbox, running_postgres() as postgres:
        plan = Plan(sandbox, postgres, runs, scale)
        for name, measure in chosen.items():
            say(f"{name} …")
            figures += measure(plan)
    for line in ["", *table(figures), "", ", ".join(f"{key} {value}" for key, value in machine().items())]:
        say(line)
    if json_path is not None:
        write_json(json_path, figures)
    return figures
