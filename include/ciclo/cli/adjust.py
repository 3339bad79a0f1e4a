"""`ciclo adjust …`: what differs from the rules for single periods. Mounted by `ciclo.cli`.

What is decided is kept with the name of whoever is signed in to this machine.
"""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ciclo.cli.actions import Note, act, whose
from ciclo.cli.printing import InputError
from ciclo.domain.adjustments import Prorating
from ciclo.locale import _

adjust = typer.Typer(
    help="What differs for single periods: quantities, lines, discounts, pauses.", no_args_is_help=True
)

Organization = Annotated[
    int | None, typer.Option("--organization", help="Whose ledger; needed where it has several organizations.")
]
Day = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="End it from this day on.")]


@adjust.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV or Parquet table; its columns are in docs/adjustments.md.")
    ],
    organization: Organization = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> int:
    """Add the adjustments of a file, all of them or none; what was added before is not added again."""
    from ciclo.jobs.adjustments.files import ORIGIN, read_adjustments  # noqa: PLC0415 - a command loads what it needs
    from ciclo.ledger.actions import AdjustmentsRefused, add_adjustments  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415

    try:
        stream = file.open("rb")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    with stream, ledger_session() as session:
        organization_id = whose(session, organization)
        try:
            added = add_adjustments(
                session,
                organization_id,
                read_adjustments(stream),
                origin=ORIGIN,
                person=getpass.getuser(),
                at=datetime.now(UTC),
            )
        except AdjustmentsRefused as refused:
            session.rollback()
            if as_json:
                errors = [
                    {"line": each.line, "field": each.field, "error": str(each.reason)} for each in refused.errors
                ]
                typer.echo(json.dumps({"added": 0, "known": 0, "errors": errors}, indent=2, ensure_ascii=False))
            else:
                for each in refused.errors:
                    typer.echo(f"{file}: {each}", err=True)
                typer.echo(_("error: {message}").format(message=_("nothing was added")), err=True)
            return 1
        session.commit()
    if as_json:
        typer.echo(json.dumps(added.counts() | {"errors": []}, indent=2))
    else:
        text = _("{count} added, {known} had been added before")
        typer.echo(text.format(count=len(added.ids), known=added.known))
    return 0


@adjust.command()
def withdraw(
    number: Annotated[int, typer.Argument(metavar="ADJUSTMENT", help="Its number.")],
    note: Note,
    first: Day = None,
    organization: Organization = None,
) -> None:
    """Take an adjustment back that is in no invoice yet; with --from let it, a pause say, end the day before."""
    from ciclo.ledger.actions import withdraw_adjustment  # noqa: PLC0415 - a command loads only what it needs

    act(withdraw_adjustment, number, note, organization, from_date=first.date() if first else None)


@adjust.command()
def rule(
    number: Annotated[int, typer.Argument(metavar="RULE", help="Number of the rule.")],
    waits: Annotated[
        bool | None,
        typer.Option("--waits/--no-waits", help="Whether its periods wait until their quantities have come."),
    ] = None,
    notice_days: Annotated[
        int | None, typer.Option(min=0, max=60, help="Days before, on which missing ones are named; at first 5.")
    ] = None,
    lead_days: Annotated[
        int | None, typer.Option(min=0, max=92, help="Days before its issue date on which its invoice is made.")
    ] = None,
    organization: Organization = None,
) -> None:
    """Say how a rule is billed: whether it waits for quantities, never billed without them, and how far ahead.

    What is not given stays as it is.
    """
    from ciclo.ledger.actions import set_rule  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415

    with ledger_session() as session:
        setting = set_rule(
            session,
            whose(session, organization),
            number,
            person=getpass.getuser(),
            at=datetime.now(UTC),
            waits_for_quantities=waits,
            notice_days=notice_days,
            lead_days=lead_days,
        )
        waits = setting.waits_for_quantities
        session.commit()
    text = _("Rule {number} waits for quantities.") if waits else _("Rule {number} does not wait for quantities.")
    typer.echo(text.format(number=number))


@adjust.command()
def prorate(
    chosen: Annotated[Prorating, typer.Argument(metavar="POLICY", help="ask, always or never.")],
    organization: Organization = None,
) -> None:
    """Say what becomes of a contract's or rule's first and last part month: proposed, always so, or never."""
    from ciclo.ledger.actions import set_policy  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415

    with ledger_session() as session:
        at = datetime.now(UTC)
        set_policy(session, whose(session, organization), chosen, person=getpass.getuser(), at=at)
        session.commit()
    typer.echo(_("Part months: {policy}.").format(policy=chosen.value))


@adjust.command()
def complement(
    number: Annotated[int, typer.Argument(metavar="PERIOD", help="Number of the period, as in its page's address.")],
    note: Note,
    amount: Annotated[
        str | None, typer.Option("--amount", help="BRL that its invoice misses; by default what Ciclo computes.")
    ] = None,
    organization: Organization = None,
) -> None:
    """Bill what an issued invoice misses by an invoice of its own, with the next run of issue_invoices."""
    from ciclo.domain.money import parse_typed  # noqa: PLC0415
    from ciclo.ledger.actions import bill_complement  # noqa: PLC0415

    value = parse_typed(amount, "amount") if amount is not None else None
    act(bill_complement, number, note, organization, amount=value)
