"""`ciclo findings …`: what ledger and vendor disagree about: list, acknowledge, take back. Mounted by `ciclo.cli`."""

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from ciclo.domain.wording import kind_words
from ciclo.locale import ngettext

findings = typer.Typer(help="Findings: list, acknowledge, take that back.", no_args_is_help=True)

Organization = Annotated[int | None, typer.Option("--organization", help="The organization that bills.")]
Number = Annotated[int, typer.Argument(metavar="FINDING", help="Number of the finding, as `list` shows it.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the audit trail with your name.")]


@findings.command("list")
def list_findings(
    organization: Organization = None,
    acknowledged: Annotated[bool, typer.Option("--acknowledged", help="Those a person knows of.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List the findings that wait for a person: number, month, amount at risk, kind, sentence; the oldest first."""
    from ciclo.domain.money import brl  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.actions import only_organization  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.queries.attention import FindingFilter, finding_listing  # noqa: PLC0415
    from ciclo.ledger.queries.paging import PageRequest  # noqa: PLC0415

    with ledger_session() as session:
        wanted = FindingFilter(acknowledged=acknowledged)
        listing = finding_listing(organization or only_organization(session), wanted)
        found = list(listing.every(session, PageRequest()))
    if as_json:
        documents = [
            {
                "finding": each.id,
                "kind": each.kind,
                "contract_id": each.contract_id,
                "month": f"{each.billing_month:%Y-%m}" if each.billing_month else None,
                "amount": str(each.amount) if each.amount is not None else None,
                "acknowledged_by": each.acknowledged_by,
                "message": each.message,
            }
            for each in found
        ]
        typer.echo(json.dumps(documents, indent=2, ensure_ascii=False))
        return
    for each in found:
        month = f"{each.billing_month:%Y-%m}" if each.billing_month else ""
        amount = brl(each.amount) if each.amount is not None else ""
        typer.echo(f"{each.id:>8}  {month:<7}  {amount:>16}  {kind_words(each.kind)}: {each.message}")
    typer.echo(ngettext("{count} finding", "{count} findings", len(found)).format(count=len(found)))


@findings.command()
def acknowledge(number: Number, note: Note, organization: Organization = None) -> None:
    """Say that a finding is known and what is done about it."""
    from ciclo.ledger.actions import acknowledge_finding  # noqa: PLC0415 - a command loads only what it needs

    _decide(acknowledge_finding, number, note, organization)


@findings.command("open-again")
def take_acknowledgement_back(number: Number, note: Note, organization: Organization = None) -> None:
    """Take an acknowledgement back: the finding waits for a person again."""
    from ciclo.ledger.actions import open_finding_again  # noqa: PLC0415 - a command loads only what it needs

    _decide(open_finding_again, number, note, organization)


def _decide(action: object, number: int, note: str, organization: int | None) -> None:
    from ciclo.ledger.actions import only_organization  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415

    with ledger_session() as session:
        mine = organization or only_organization(session)
        outcome = action(session, mine, number, person=getpass.getuser(), note=note, at=datetime.now(UTC))  # type: ignore[operator]
        session.commit()
    typer.echo(outcome.message)
