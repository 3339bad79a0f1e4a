"""`ciclo updates …`: price updates that wait for a person, and what one would come to. Mounted by `ciclo.cli`."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from ciclo.cli.actions import Note, act, whose
from ciclo.cli.printing import read_json
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.continuity import Basis
from ciclo.domain.letter import LetterKind
from ciclo.domain.money import brl, parse_typed
from ciclo.domain.price_index import PriceIndex, WindowPolicy
from ciclo.locale import _, language, ngettext

updates = typer.Typer(help="Price updates: decide about one, ask what if.", no_args_is_help=True)

Organization = Annotated[int, typer.Option("--organization", help="The organization that bills.")]
Execution = Annotated[int, typer.Argument(metavar="EXECUTION", help="Number of the execution, as its page shows it.")]


@updates.command()
def apply(
    organization: Organization,
    execution: Execution,
    note: Note,
    basis: Annotated[Basis | None, typer.Option("--basis", help="Which figure; window: the months given.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First month of the window, YYYY-MM.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last month of the window, YYYY-MM.")] = None,
) -> None:
    """Let a price update that waits be applied by the next run, by one of its figures or by months of your own."""
    from ciclo.ledger.actions import apply_update  # noqa: PLC0415 - a command loads only what it needs

    wanted = basis or (Basis.WINDOW if first or last else None)
    act(apply_update, execution, note, organization, basis=wanted, first_month=first, last_month=last)


@updates.command()
def skip(organization: Organization, execution: Execution, note: Note) -> None:
    """Give one execution up: the price stays, its months count as used."""
    from ciclo.ledger.actions import skip_update  # noqa: PLC0415 - a command loads only what it needs

    act(skip_update, execution, note, organization)


@updates.command("undo-skip")
def take_skip_back(organization: Organization, execution: Execution, note: Note) -> None:
    """Take `skip` back, until a run has moved on to the next execution."""
    from ciclo.ledger.actions import undo_skip  # noqa: PLC0415 - a command loads only what it needs

    act(undo_skip, execution, note, organization)


@updates.command("bill-late")
def bill_late_difference(organization: Organization, execution: Execution, note: Note) -> None:
    """Put what was issued at the old price, before a late update was applied, into the next invoice."""
    from ciclo.ledger.actions import bill_late  # noqa: PLC0415 - a command loads only what it needs

    act(bill_late, execution, note, organization)


@updates.command("leave-late")
def leave_late_difference(organization: Organization, execution: Execution, note: Note) -> None:
    """Leave what was issued at the old price as it is: the difference is not billed."""
    from ciclo.ledger.actions import leave_late  # noqa: PLC0415 - a command loads only what it needs

    act(leave_late, execution, note, organization)


@updates.command("what-if")
def ask_what_if(
    organization: Organization,
    update: Annotated[
        list[int] | None, typer.Option("--update", help="Only this scheduled update; may be repeated.")
    ] = None,
    index: Annotated[PriceIndex | None, typer.Option("--index", help="Another index.")] = None,
    replaces: Annotated[PriceIndex | None, typer.Option("--replaces", help="Only updates by this index.")] = None,
    cap: Annotated[str | None, typer.Option("--cap", help="Per cent a year, at most.")] = None,
    on: Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Another execution date.")] = None,
    policy: Annotated[WindowPolicy, typer.Option("--policy", help="Which months count.")] = WindowPolicy.PUBLISHED,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Say what the coming readjustments would come to with another index, cap or date. Nothing is written."""
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.queries.what_if import Assumption, what_if  # noqa: PLC0415

    assumed = Assumption(
        index=index,
        replaces=replaces,
        cap=parse_typed(cap, "cap") if cap is not None else None,
        execution_date=on.date() if on else None,
    )
    today = datetime.now(SAO_PAULO).date()
    with ledger_session() as session:
        wanted = update or ()
        lines = what_if(
            session, whose(session, organization), assumed, today=today, policy=policy, scheduled_update_ids=wanted
        )
    total = sum((line.a_year for line in lines), Decimal("0.00"))
    if as_json:
        document = {"lines": [_document(line) for line in lines], "a_year": f"{total:f}"}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in lines:
        figures = [each and f"{brl(each.new)} ({_months(each.months)})" for each in (line.as_it_is, line.assumed)]
        said = line.why_not or f"{brl(line.old)}: {figures[0]}; {figures[1]}"
        typer.echo(f"{line.execution_date}  {line.contract_id}/{line.rule_id}/{line.service_id}  {said}")
    text = ngettext(
        "{count} price; a year's billing changes by {amount}",
        "{count} prices; a year's billing changes by {amount}",
        len(lines),
    )
    typer.echo(text.format(count=len(lines), amount=brl(total)))


@updates.command("passport")
def print_passport(organization: Organization, execution: Execution) -> None:
    """Print the passport of an applied price update as JSON: everything that it follows from, to be verified."""
    from ciclo.ledger.actions import NoSuchRow  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.queries.price_updates import passport  # noqa: PLC0415

    with ledger_session() as session:
        document = passport(session, organization, execution)
    if document is None:
        raise NoSuchRow("price update", execution)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


@updates.command("letter")
def print_letter(
    organization: Organization,
    execution: Execution,
    kind: Annotated[LetterKind, typer.Option("--kind", help="Before or after the readjustment.")] = LetterKind.AFTER,
    template: Annotated[Path | None, typer.Option("--template", help="A template of your own, to try it.")] = None,
) -> None:
    """Print the letter to the customer as a page: as it was sent, else as it would be written after the update."""
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.letters import LetterStyle, letter_page  # noqa: PLC0415

    style = LetterStyle(template, language())
    with ledger_session() as session:
        today = datetime.now(SAO_PAULO).date()
        typer.echo(letter_page(session, organization, execution, kind, style, today=today))


@updates.command("write")
def ask_for_letter(
    organization: Organization,
    execution: Execution,
    note: Note,
    kind: Annotated[LetterKind, typer.Option("--kind", help="Before or after the readjustment.")] = LetterKind.AFTER,
) -> None:
    """Let the next run write to the customer, also where letters are off or one was sent before."""
    from ciclo.ledger.letters import ask_letter  # noqa: PLC0415 - a command loads only what it needs

    act(ask_letter, execution, note, organization, kind=kind.value)


def verify(file: Annotated[Path, typer.Argument(metavar="FILE", help="A passport (JSON).")]) -> None:
    """Check a readjustment's passport offline: its hash, its values against the series that ship, every computation."""
    from ciclo.domain.passport import check  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.sgs.series import shipped_series  # noqa: PLC0415

    document = read_json(file)
    verdict = check(document, shipped_series())
    for month in verdict.unknown:
        typer.echo(_("not compared, later than the series that ship: {month}").format(month=month))
    if verdict.problems:
        for problem in verdict.problems:
            typer.echo(_("refused: {problem}").format(problem=problem), err=True)
        raise typer.Exit(1)
    typer.echo(_("verified: {file}").format(file=file.name))
    for price in document["prices"]:
        name = price["service"] or document["rule"]
        typer.echo(f"{document['execution_date']}  {name}: {brl(Decimal(price['old']))} → {brl(Decimal(price['new']))}")


def _months(months: tuple[date, ...]) -> str:
    return f"{months[0]:%Y-%m} … {months[-1]:%Y-%m}" if months else "-"


def _document(line: Any) -> dict[str, Any]:
    def figure(each: Any) -> dict[str, Any] | None:
        if each is None:
            return None
        months = [f"{month:%Y-%m}" for month in (each.months[:1] + each.months[-1:])]
        return {"index": each.index.value, "months": months, "factor": f"{each.factor:f}", "new": f"{each.new:f}"}

    return {
        "contract_id": line.contract_id,
        "rule_id": line.rule_id,
        "rule_title": line.rule_title,
        "scheduled_update_id": line.scheduled_update_id,
        "service_id": line.service_id,
        "execution_date": line.execution_date.isoformat(),
        "old": f"{line.old:f}",
        "as_it_is": figure(line.as_it_is),
        "assumed": figure(line.assumed),
        "a_year": f"{line.a_year:f}",
        "provisional": line.provisional,
        "why_not": line.why_not,
    }
