"""`ciclo instruct …`: what the vendor is told about single invoices and receivables. Mounted by `ciclo.cli`.

What is asked for is kept with the name of whoever is signed in to this machine, and is carried out by the next run of
`reconcile_receivables`, or at once by `ciclo instruct send`.
"""

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ciclo.cli.actions import Note, Organization, act, whose
from ciclo.cli.doctor import VENDOR, Conn, OrganizationId, TokenFile, Url, account
from ciclo.domain.instructions import InstructionKind
from ciclo.locale import _

instruct = typer.Typer(help="Tell the vendor: receipts, boletos, approvals; each once.", no_args_is_help=True)

ReceivableId = Annotated[int, typer.Argument(metavar="RECEIVABLE", help="The vendor's number of the receivable.")]
InvoiceId = Annotated[int, typer.Argument(metavar="INVOICE", help="The vendor's number of the invoice.")]
Day = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Day on which it came in; by default today.")
]


@instruct.command()
def receive(
    receivable: ReceivableId,
    note: Note,
    amount: Annotated[
        str | None, typer.Option("--amount", help="BRL that came in; by default all that is owed.")
    ] = None,
    day: Day = None,
    organization: Organization = None,
) -> None:
    """Record that a receivable was paid."""
    from ciclo.domain.money import parse_typed  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.actions import Receipt  # noqa: PLC0415

    value = parse_typed(amount, "amount") if amount is not None else None
    receipt = Receipt(value, day.date() if day is not None else None)
    _ask(InstructionKind.RECEIVE, receivable, note, organization, receipt=receipt)


@instruct.command()
def undo(receivable: ReceivableId, note: Note, organization: Organization = None) -> None:
    """Take back that a receivable was paid."""
    _ask(InstructionKind.UNDO_RECEIPT, receivable, note, organization)


@instruct.command()
def charge(invoice: InvoiceId, note: Note, organization: Organization = None) -> None:
    """Ask for the boletos of an invoice that has none."""
    _ask(InstructionKind.CREATE_CHARGES, invoice, note, organization)


@instruct.command("charge-one")
def charge_one(receivable: ReceivableId, note: Note, organization: Organization = None) -> None:
    """Ask for the boleto of one receivable that has none."""
    _ask(InstructionKind.CREATE_CHARGE, receivable, note, organization)


@instruct.command()
def approve(invoice: InvoiceId, note: Note, organization: Organization = None) -> None:
    """Approve a blocked invoice that is not issued yet."""
    _ask(InstructionKind.APPROVE, invoice, note, organization)


@instruct.command()
def block(invoice: InvoiceId, note: Note, organization: Organization = None) -> None:
    """Block an invoice that is not issued yet: the vendor does not issue it by itself."""
    _ask(InstructionKind.BLOCK, invoice, note, organization)


@instruct.command()
def withdraw(
    number: Annotated[int, typer.Argument(metavar="INSTRUCTION", help="Its number, as `list` shows it.")],
    note: Note,
    organization: Organization = None,
) -> None:
    """Take an instruction back that is not sent yet."""
    from ciclo.ledger.actions import withdraw_instruction  # noqa: PLC0415 - a command loads only what it needs

    act(withdraw_instruction, number, note, organization)


@instruct.command("list")
def list_instructions(
    organization: Organization = None,
    every: Annotated[bool, typer.Option("--all", help="Those that came to an end, too.")] = False,  # noqa: FBT002 - a flag
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List what the vendor is to be told: number, state, what, of which invoice, by whom, and why it is so."""
    from ciclo.domain.wording import instruction_words, said, state_words  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.repositories import Actor, InstructionRepository  # noqa: PLC0415

    with ledger_session() as session:
        rows = InstructionRepository(session, whose(session, organization), Actor()).listed(every=every)
    if as_json:
        documents = [
            {name: getattr(row, name) for name in ("id", "state", "kind", "invoice_id", "subject", "subject_id")}
            | {name: row.facts.get(name) for name in ("amount", "day")}
            | {"person": row.person, "note": row.note, "message": said(row.reason)}
            for row in rows
        ]
        typer.echo(json.dumps(documents, indent=2, ensure_ascii=False))
        return
    for row in rows:
        what, state = instruction_words(row.kind), state_words(row.state)
        typer.echo(f"{row.id:>6}  {state:<10}  {what:<16}  {row.invoice_id}/{row.subject_id}  {said(row.reason)}")


@instruct.command()
def send(
    url: Url = VENDOR,
    organization: OrganizationId = None,
    token_file: TokenFile = None,
    conn: Conn = None,
) -> None:
    """Carry out now what was asked for, as the first task of reconcile_receivables does."""
    from ciclo.http.errors import ApiError  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.jobs.context import JobContext  # noqa: PLC0415
    from ciclo.jobs.reconciliation.instruct import carry_out  # noqa: PLC0415
    from ciclo.jobs.runs import keeping_pauses  # noqa: PLC0415
    from ciclo.jobs.settings import BillingSettings  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.repositories import Actor  # noqa: PLC0415

    person = getpass.getuser()
    owner = f"{person}, ciclo instruct send {datetime.now(UTC).isoformat()}"
    try:
        with account(url, organization, token_file, conn, read_only=False) as api, ledger_session() as session:
            job = JobContext(api, session, Actor(person=person), lambda: datetime.now(UTC))
            with keeping_pauses(job):
                outcome = carry_out(job, BillingSettings().issue_options, owner=owner, today=job.today)
    except ApiError as error:
        typer.echo(_("error: {message}").format(message=error), err=True)
        raise typer.Exit(1) from None
    for finding in outcome.refused:
        typer.echo(finding.sentence, err=True)
    text = _("{done} carried out, {doubt} looked up by a later run, {refused} refused")
    typer.echo(text.format(done=outcome.done, doubt=outcome.in_doubt, refused=len(outcome.refused)))
    if outcome.refused:
        raise typer.Exit(1)


def _ask(kind: InstructionKind, number: int, note: str, organization: int | None, **given: Any) -> None:
    from ciclo.ledger.actions import instruct as ask  # noqa: PLC0415 - a command loads only what it needs

    act(ask, number, note, organization, kind=kind, **given)
