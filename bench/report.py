"""What the suite prints and writes: one table for a person, the same figures as JSON for a machine."""

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Figure

HEADER = ("benchmark", "measured", "Ciclo", "baseline", "result", "spread", "needed", "")


def table(figures: Sequence[Figure]) -> list[str]:
    """Return the figures as lines of a Markdown table."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    padded = ([f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["| " + " | ".join(cells) + " |" for cells in padded]


def _row(figure: Figure) -> tuple[str, ...]:
    baseline = f"{figure.baseline_title}: {_number(median(figure.baseline))}" if figure.baseline else "-"
    values = figure.ratios or list(figure.ours)
    sign = "x" if figure.ratios else f" {figure.unit}"
    return (
        figure.benchmark,
        figure.title,
        f"{_number(median(figure.ours))} {figure.unit}",
        baseline,
        f"{_number(figure.result)}{sign}",
        f"{_number(min(values))}-{_number(max(values))}",
        _needed(figure),
        ("yes" if figure.met else "NO") if (figure.at_least, figure.at_most) != (None, None) else "",
    )


def _needed(figure: Figure) -> str:
    bounds = []
    if figure.at_least is not None:
        bounds.append(f"≥ {_number(figure.at_least)}")
    if figure.at_most is not None:
        bounds.append(f"≤ {_number(figure.at_most)}")
    return " and ".join(bounds)


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


def write_json(path: Path, figures: Sequence[Figure]) -> None:
    """Write the figures with every single run."""
    document: dict[str, Any] = {"machine": machine(), "figures": [figure.document() for figure in figures]}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
