"""`ciclo db …`: the ledger's database. Mounted by `ciclo.cli`.

An address may hold a password, so none is ever printed, and each can come by the environment.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

ledger = typer.Typer(help="The ledger's database.", no_args_is_help=True)

COPY_URL = "CICLO_LEDGER_COPY_URL"
"""Where a copy goes, when the command line does not say."""


@ledger.command()
def upgrade() -> None:
    """Create the ledger's tables or bring them to this version (CICLO_LEDGER_URL)."""
    from ciclo.ledger.database import open_engine  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import upgrade as migrate  # noqa: PLC0415

    engine = open_engine()
    typer.echo(f"The ledger ({engine.dialect.name}) is at migration {migrate(engine)}.")


@ledger.command()
def copy(
    source: Annotated[
        str | None,
        typer.Option("--from", envvar="CICLO_LEDGER_URL", help="SQLAlchemy URL of the ledger to copy."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", envvar=COPY_URL, help="SQLAlchemy URL of a ledger that was only migrated."),
    ] = None,
) -> None:
    """Copy a ledger into another database, of whatever kind, and prove that both are the same.

    Everybody on the machine can read a command line: give a URL with a password by its variable, or leave the password
    to a file of PostgreSQL's (PGPASSFILE). Pause the Dags first. The target is an empty ledger of the same version.
    """
    from ciclo.ledger.database import ledger_url  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.maintenance import copy_ledger  # noqa: PLC0415

    if not target:
        raise typer.BadParameter(f"say where the copy goes: --to, or {COPY_URL}")
    copied = copy_ledger(source or ledger_url(), target, at=datetime.now(UTC))
    for table, rows in copied.items():
        typer.echo(f"{rows:>12,}  {table}")
    typer.echo(f"{sum(copied.values()):>12,}  rows, read again on both sides: the copy is the same")


@ledger.command()
def backup(path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; it overwrites nothing.")]) -> None:
    """Back a SQLite ledger up while it is in use (CICLO_LEDGER_URL); PostgreSQL has pg_dump: docs/operations.md."""
    from ciclo.ledger.database import ledger_url  # noqa: PLC0415
    from ciclo.ledger.maintenance import back_up  # noqa: PLC0415 - a command loads only what it needs

    size = back_up(ledger_url(), path)
    typer.echo(f"The ledger is backed up in {path}: {size:,} bytes, checked, readable by you alone.")
