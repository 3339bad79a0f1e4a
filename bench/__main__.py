"""`python -m bench [NAME …]` measures Ciclo against baselines in the same run (docs/benchmarks.md)."""

from pathlib import Path
from typing import Annotated

import typer

from bench import BENCHMARKS, run


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


typer.run(bench)
