"""`python -m bench [NAME …]`: the command, its table, and the JSON file with every single run."""

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Annotated

import typer

from bench import adjustments, airflow, audit, budget, domain, growth, ledger, vendor
from bench.figures import Bench, Figure
from bench.servers import running_postgres, running_sandbox

BENCHMARKS: Mapping[str, Callable[[Bench], Iterable[Figure]]] = MappingProxyType(
    {
        "expand": domain.measure_expansion,
        "price": domain.measure_price_updates,
        "ledger": ledger.measure_writing,
        "size": ledger.measure_size,
        "issue": vendor.measure_issuing,
        "requests": vendor.measure_requests,
        "budget": budget.measure_budget,
        "reconcile": vendor.measure_reconciliation,
        "growth": growth.measure_growth,
        "scale": growth.measure_scale,
        "audit": audit.measure_audit,
        "import": adjustments.measure_import,
        "airflow": airflow.measure,
    }
)
HEADER = ("benchmark", "measured", "Ciclo", "baseline", "result", "spread", "needed", "")
WIDTHS = (10, 58, 24, 38, 22, 13, 9, 3)
"""Of the columns; a longer cell pushes those after it."""


def run(
    *,
    only: Sequence[str] = (),
    runs: int = 1,
    scale: float = 1.0,
    full: bool = False,
    json_path: Path | None = None,
    say: Callable[[str], object] = print,
) -> list[Figure]:
    """Run some of `BENCHMARKS`, or all; say each row of their table as it is measured, and return the figures.

    The JSON file holds at any time what was measured by then. A benchmark that fails ends the run; a figure that is not
    reached does not, the table shows it.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    figures: list[Figure] = []
    seconds: dict[str, float] = {}
    say(", ".join(f"{key} {value}" for key, value in machine().items()))
    for cells in (HEADER, tuple("-" * width for width in WIDTHS)):
        say(_line(cells))
    with running_sandbox() as sandbox, running_postgres() as postgres:
        for name in only or BENCHMARKS:
            began = time.perf_counter()
            for figure in BENCHMARKS[name](Bench(sandbox, postgres, runs, scale, full)):
                figures.append(figure)
                seconds[name] = time.perf_counter() - began
                say(line_of(figure))
                if json_path is not None:
                    document = {
                        "machine": machine(),
                        "seconds": seconds,
                        "figures": [each.document() for each in figures],
                    }
                    json_path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    say("")
    say(f"{sum(seconds.values()):.0f} s: " + ", ".join(f"{name} {spent:.0f}" for name, spent in seconds.items()))
    return figures


def line_of(figure: Figure) -> str:
    """Return a figure as a line of the table."""
    return _line(_row(figure))


def _line(cells: Sequence[str]) -> str:
    """Return cells as a line of a Markdown table."""
    return "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + " |"


def _row(figure: Figure) -> tuple[str, ...]:
    values = figure.ratios or list(figure.ours)
    bounds = [("≥", figure.at_least), ("≤", figure.at_most)]
    needed = " and ".join(f"{sign} {_number(bound)}" for sign, bound in bounds if bound is not None)
    return (
        figure.benchmark,
        figure.title,
        f"{_number(median(figure.ours))} {figure.unit}",
        f"{figure.baseline_title}: {_number(median(figure.baseline))}" if figure.baseline else "-",
        f"{_number(figure.result)}{'x' if figure.ratios else f' {figure.unit}'}",
        f"{_number(min(values))}-{_number(max(values))}",
        needed,
        ("yes" if figure.met else "NO") if needed else "",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "ciclo": version("ciclo"),
        "airflow": version("apache-airflow"),
    }


def bench(
    only: Annotated[list[str] | None, typer.Argument(help="Names of benchmarks; default: all.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often each figure is measured.")] = 1,
    scale: Annotated[float, typer.Option(min=0.001, help="1 is the documentation's size, less is quicker.")] = 1.0,
    full: Annotated[bool, typer.Option("--full", help="Sizes up to a million rules; takes hours.")] = False,  # noqa: FBT002
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every single run to this file.")] = None,
) -> None:
    """Measure Ciclo against baselines in the same run and print one table (docs/benchmarks.md)."""
    if unknown := set(only or ()) - BENCHMARKS.keys():
        raise typer.BadParameter(
            f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    run(only=only or (), runs=runs, scale=scale, full=full, json_path=json_file, say=typer.echo)


if __name__ == "__main__":
    typer.run(bench)
