"""`ciclo terms …`: what a contract says of its readjustments and the vendor cannot hold. Mounted by `ciclo.cli`.

Each term is kept with its dates, its author and a note; none is changed or removed, one that no longer holds is ended.
"""

import getpass
import json
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from ciclo.cli.actions import Note, act, whose
from ciclo.domain.contract_terms import ContractTerm, TermKind, said_of_term, term_document
from ciclo.domain.money import parse_typed
from ciclo.domain.price_index import PriceIndex
from ciclo.locale import _

terms = typer.Typer(help="Terms of contracts for readjustments: list, add, end.", no_args_is_help=True)

Organization = Annotated[int, typer.Option("--organization", help="The organization that bills.")]
Contract = Annotated[int, typer.Option("--contract", help="The contract.")]


@terms.command("list")
def list_terms(
    organization: Organization,
    contract: Contract,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List the terms of a contract: number, what was agreed, clause, dates, author, note."""
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.repositories.prices import domain_term, rows_of_contract  # noqa: PLC0415

    with ledger_session() as session:
        rows = [
            (row.id, row.note, domain_term(row))
            for row in rows_of_contract(session, whose(session, organization), contract)
        ]
    if as_json:
        found = [
            {
                "id": number,
                "note": note,
                **term_document(term),
                "rule_id": term.rule_id,
                "effective_to": term.effective_to.isoformat() if term.effective_to else None,
            }
            for number, note, term in rows
        ]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for number, note, term in rows:
        until = f"{term.effective_from} … {term.effective_to or ''}".rstrip()
        rule = _("rule {rule}").format(rule=term.rule_id) if term.rule_id else ""
        cells = (str(number), said_of_term(term), term.clause, rule, until, term.author, note)
        typer.echo("  ".join(cell for cell in cells if cell))


@terms.command()
def add(  # noqa: PLR0913, PLR0917 - one option a field of a term
    organization: Organization,
    contract: Contract,
    kind: Annotated[TermKind, typer.Option("--kind", help="What was agreed.")],
    effective_from: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First execution date that it applies to.")
    ],
    note: Note,
    percent: Annotated[
        str | None, typer.Option("--percent", help="Per cent a year (fixed, floor, cap), or of the index (share).")
    ] = None,
    index: Annotated[
        PriceIndex | None, typer.Option("--index", help="The other index (lower_of, higher_of, substitute).")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--day", formats=["%Y-%m-%d"], help="First day (not_before), or first month that the substitute counts for."
        ),
    ] = None,
    rule: Annotated[int | None, typer.Option("--rule", help="Only this rule of the contract.")] = None,
    effective_to: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last execution date that it applies to.")
    ] = None,
    clause: Annotated[str, typer.Option("--clause", help="Where it stands in the contract.")] = "",
) -> None:
    """Enter a term of a contract; executions from its first day on keep to it."""
    from ciclo.ledger.actions import agree_term  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415

    term = ContractTerm(
        kind=kind,
        percent=parse_typed(percent, "percent") if percent is not None else None,
        index=index,
        day=_date(day),
        rule_id=rule,
        effective_from=effective_from.date(),
        effective_to=_date(effective_to),
        author=getpass.getuser(),
        clause=clause,
    )
    with ledger_session() as session:
        number = agree_term(session, organization, contract, term, note=note, at=datetime.now(UTC))
        session.commit()
    typer.echo(_("Term {number}: {term}").format(number=number, term=said_of_term(term)))


@terms.command()
def end(
    organization: Organization,
    term: Annotated[int, typer.Argument(metavar="TERM", help="Number of the term, as `list` shows it.")],
    last_day: Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="Last execution date of it.")],
    note: Note,
) -> None:
    """Let a term end: executions after its last day go without it."""
    from ciclo.ledger.actions import end_term  # noqa: PLC0415 - a command loads only what it needs

    act(end_term, term, note, organization, last_day=last_day.date())


def _date(given: datetime | None) -> date | None:
    return given.date() if given is not None else None
