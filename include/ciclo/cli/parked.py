"""`ciclo parked …`: what stopped for a person, and what the person decides. Mounted by `ciclo.cli`.

A decision needs a note and is kept with the name of whoever is signed in to this machine.
"""

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

parked = typer.Typer(help="Periods that stopped for a person: list, release, cancel.", no_args_is_help=True)

PeriodNumber = Annotated[int, typer.Argument(metavar="PERIOD", help="Number of the period, as `list` shows it.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the audit trail with your name.")]


@parked.command("list")
def list_parked(
    organization: Annotated[int | None, typer.Option("--organization", help="Only this organization.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List parked periods: number, age, amount at risk, contract, rule, issue date, reason; the oldest first."""
    from ciclo.domain.money import brl  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.queries.attention import at_risk, parked_periods  # noqa: PLC0415

    now = datetime.now(UTC)
    with ledger_session() as session:
        periods = parked_periods(session, organization)
    if as_json:
        typer.echo(json.dumps([period.document(now) for period in periods], indent=2, ensure_ascii=False))
        return
    for period in periods:
        typer.echo(period.line(now))
    typer.echo(f"{len(periods)} parked, {brl(at_risk(periods))} at risk")


@parked.command()
def release(period: PeriodNumber, note: Note) -> None:
    """Let a parked period be billed after all: the next run that covers its issue date takes it."""
    from ciclo.ledger.actions import release_period  # noqa: PLC0415 - a command loads only what it needs

    _decide(release_period, period, note)


@parked.command()
def cancel(period: PeriodNumber, note: Note) -> None:
    """Give a parked period up: it will never be invoiced."""
    from ciclo.ledger.actions import cancel_period  # noqa: PLC0415 - a command loads only what it needs

    _decide(cancel_period, period, note)


def _decide(action: object, period_id: int, note: str) -> None:
    from ciclo.ledger.actions import decide  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415

    with ledger_session() as session:
        outcome = decide(session, action, period_id, person=getpass.getuser(), note=note, at=datetime.now(UTC))  # type: ignore[arg-type]
    typer.echo(outcome.message)
