"""The command line: `ciclo …`. Every command parses its input, calls one function and prints; it holds no rules."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="ciclo",
    help="Recurring billing on Apache Airflow: every period invoiced exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8400,
    state: Annotated[Path | None, typer.Option(help="State file (JSON) to start from.")] = None,
    token: Annotated[str | None, typer.Option(help="API token; overrides the state file's.")] = None,
    today: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The sandbox's date.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL; default: in memory.")] = None,
) -> None:
    """Serve the vendor's API and the central bank's SGS API on loopback, for demos and tests."""
    from ciclo.sandbox import serve  # noqa: PLC0415 - a command loads only what it needs

    serve(port=port, state=state, token=token, today=today.date() if today else None, database=database)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors go to stderr in one line, exit code 0, 1 (failed) or 2 (wrong use)."""
    app(args=list(argv) if argv is not None else None)


if __name__ == "__main__":
    main(sys.argv[1:])
