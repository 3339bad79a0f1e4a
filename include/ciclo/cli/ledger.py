"""Commands on the ledger: `ciclo db …` for its database, `ciclo parked …` for what stopped for a person.

An address may hold a password, so none is ever printed, and each can come by the environment. A decision needs a note
and is kept with the name of whoever is signed in to this machine.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ciclo.cli.actions import Note, act, whose
from ciclo.locale import _, ngettext

ledger = typer.Typer(help="The ledger's database.", no_args_is_help=True)

COPY_URL = "CICLO_LEDGER_COPY_URL"
"""Where a copy goes, when the command line does not say."""


@ledger.command()
def upgrade() -> None:
    """Create the ledger's tables or bring them to this version (CICLO_LEDGER_URL)."""
    from ciclo.ledger.database import open_engine  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import upgrade as migrate  # noqa: PLC0415

    engine = open_engine()
    text = _("The ledger ({kind}) is at migration {number}.")
    typer.echo(text.format(kind=engine.dialect.name, number=migrate(engine)))


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
    from ciclo.ledger.address import ledger_url  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.maintenance import copy_ledger  # noqa: PLC0415

    if not target:
        raise typer.BadParameter(_("say where the copy goes: --to, or {variable}").format(variable=COPY_URL))
    copied = copy_ledger(source or ledger_url(), target, at=datetime.now(UTC))
    for table, rows in copied.items():
        typer.echo(f"{rows:>12,}  {table}")
    same = _("rows, read again on both sides: the copy is the same")
    typer.echo(f"{sum(copied.values()):>12,}  {same}")


@ledger.command()
def backup(path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; it overwrites nothing.")]) -> None:
    """Back a SQLite ledger up while it is in use (CICLO_LEDGER_URL); PostgreSQL has pg_dump: docs/operations.md."""
    from ciclo.ledger.address import ledger_url  # noqa: PLC0415
    from ciclo.ledger.maintenance import back_up  # noqa: PLC0415 - a command loads only what it needs

    size = back_up(ledger_url(), path)
    text = _("The ledger is backed up in {path}: {size} bytes, checked, readable by you alone.")
    typer.echo(text.format(path=path, size=f"{size:,}"))


parked = typer.Typer(
    help="Periods that stopped for a person: list, release, cancel, bill again, say whose an invoice is.",
    no_args_is_help=True,
)

PeriodNumber = Annotated[int, typer.Argument(metavar="PERIOD", help="Number of the period, as `list` shows it.")]


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
        periods = parked_periods(session, whose(session, organization) if organization is not None else None)
    if as_json:
        typer.echo(json.dumps([period.document(now) for period in periods], indent=2, ensure_ascii=False))
        return
    for period in periods:
        typer.echo(period.line(now))
    text = ngettext("{count} parked, {amount} at risk", "{count} parked, {amount} at risk", len(periods))
    typer.echo(text.format(count=len(periods), amount=brl(at_risk(periods))))


@parked.command()
def release(period: PeriodNumber, note: Note) -> None:
    """Let a parked period be billed after all; an invoice that may be its own is asked about again."""
    from ciclo.ledger.actions import release_period  # noqa: PLC0415 - a command loads only what it needs

    _decide(release_period, period, note)


@parked.command()
def cancel(period: PeriodNumber, note: Note) -> None:
    """Give a parked period up: it will never be invoiced."""
    from ciclo.ledger.actions import cancel_period  # noqa: PLC0415 - a command loads only what it needs

    _decide(cancel_period, period, note)


@parked.command("plan-again")
def plan_cancelled_again(period: PeriodNumber, note: Note) -> None:
    """Take a cancellation back: the period is planned again."""
    from ciclo.ledger.actions import plan_again  # noqa: PLC0415 - a command loads only what it needs

    _decide(plan_again, period, note)


@parked.command("bill-again")
def bill_cancelled_again(period: PeriodNumber, note: Note) -> None:
    """Bill a period again whose invoice is cancelled or deleted at the vendor."""
    from ciclo.ledger.actions import bill_again  # noqa: PLC0415 - a command loads only what it needs

    _decide(bill_again, period, note)


@parked.command("its-own")
def take_over_invoice(
    period: PeriodNumber,
    note: Note,
    invoice: Annotated[
        int | None, typer.Option("--invoice", help="Which invoice, where the period was parked for several.")
    ] = None,
) -> None:
    """Say that an invoice a period was parked for is its own: the next run takes it over, and creates none."""
    from ciclo.ledger.actions import its_own  # noqa: PLC0415 - a command loads only what it needs

    _decide(its_own, period, note, invoice_id=invoice)


@parked.command("not-its-own")
def refuse_invoices(period: PeriodNumber, note: Note) -> None:
    """Say that no invoice a period was parked for is its own: the next run bills it beside them."""
    from ciclo.ledger.actions import not_its_own  # noqa: PLC0415 - a command loads only what it needs

    _decide(not_its_own, period, note)


@parked.command("look-again")
def take_refused_invoices_back(period: PeriodNumber, note: Note) -> None:
    """Take `not-its-own` back: matching may take the invoices for the rule's again."""
    from ciclo.ledger.actions import look_again  # noqa: PLC0415 - a command loads only what it needs

    _decide(look_again, period, note)


def _decide(action: Callable[..., object], period: int, note: str, **given: object) -> None:
    from ciclo.ledger.actions import organization_of_period  # noqa: PLC0415 - a command loads only what it needs

    act(action, period, note, organization_of_period, **given)
