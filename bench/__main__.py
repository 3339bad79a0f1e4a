"""`python -m bench [NAME …]`: the command, its table, and the JSON file with every single run."""

import json
import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Annotated

import typer

from bench import adjustments, airflow, audit, domain, ledger, vendor
from bench.figures import Bench, Figure
from bench.servers import running_postgres, running_sandbox

BENCHMARKS: Mapping[str, Callable[[Bench], list[Figure]]] = MappingProxyType(
    {
        "expand": domain.measure_expansion,
        "price": domain.measure_price_updates,
        "ledger": ledger.measure_writing,
        "size": ledger.measure_size,
        "issue": vendor.measure_issuing,
        "requests": vendor.measure_requests,
        "reconcile": vendor.measure_reconciliation,
        "growth": vendor.measure_growth,
        "audit": audit.measure_audit,
        "import": adjustments.measure_import,
        "airflow": airflow.measure,
    }
)
HEADER = ("benchmark", "measured", "Ciclo", "baseline", "result", "spread", "needed", "")


def run(
    *,
    only: Sequence[str] = (),
    runs: int = 3,
    scale: float = 1.0,
    json_path: Path | None = None,
    say: Callable[[str], object] = print,
) -> list[Figure]:
    """Run some of `BENCHMARKS`, or all, print their table and return their figures.

    A benchmark that fails ends the run; a figure that is not reached does not, the table shows it.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    figures: list[Figure] = []
    with running_sandbox() as sandbox, running_postgres() as postgres:
        for name in only or BENCHMARKS:
            say(f"{name} …")
            figures += BENCHMARKS[name](Bench(sandbox, postgres, runs, scale))
    for line in ["", *table(figures), "", ", ".join(f"{key} {value}" for key, value in machine().items())]:
        say(line)
    if json_path is not None:
        document = {"machine": machine(), "figures": [figure.document() for figure in figures]}
        json_path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return figures


def table(figures: Sequence[Figure]) -> list[str]:
    """Return the figures as lines of a Markdown table."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    padded = ([f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["| " + " | ".join(cells) + " |" for cells in padded]


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
    runs: Annotated[int, typer.Option(min=1, help="How often each figure is measured.")] = 3,
    scale: Annotated[float, typer.Option(min=0.001, help="1 is the documentation's size, less is quicker.")] = 1.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every single run to this file.")] = None,
) -> None:
    """Measure Ciclo against baselines in the same run and print one table (docs/benchmarks.md)."""
    if unknown := set(only or ()) - BENCHMARKS.keys():
        raise typer.BadParameter(
            f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    run(only=only or (), runs=runs, scale=scale, json_path=json_file, say=typer.echo)


if __name__ == "__main__":
    typer.run(bench)
