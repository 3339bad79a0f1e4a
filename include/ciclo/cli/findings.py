"""`ciclo findings …`, `ciclo why`, `ciclo audit`: what ledger and vendor disagree about, how a period came to be."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from ciclo.cli.actions import Note, Organization, act, whose
from ciclo.cli.doctor import VENDOR, Conn, OrganizationId, TokenFile, Url, account, central_bank
from ciclo.cli.printing import meant, progress_bar
from ciclo.domain.comparison import Comparison
from ciclo.domain.wording import kind_words, said_of_comparison, said_of_difference
from ciclo.locale import LANGUAGES, _, ngettext

findings = typer.Typer(help="Findings: list, acknowledge, take that back.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="FINDING", help="Number of the finding, as `list` shows it.")]


@findings.command("list")
def list_findings(
    organization: Organization = None,
    acknowledged: Annotated[bool, typer.Option("--acknowledged", help="Those a person knows of.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List the findings that wait for a person: number, month, amount at risk, kind, sentence; the oldest first."""
    from ciclo.domain.money import brl  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.queries.attention import FindingFilter, finding_listing  # noqa: PLC0415
    from ciclo.ledger.queries.paging import PageRequest  # noqa: PLC0415

    with ledger_session() as session:
        wanted = FindingFilter(acknowledged=acknowledged)
        listing = finding_listing(whose(session, organization), wanted)
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

    act(acknowledge_finding, number, note, organization)


@findings.command("open-again")
def take_acknowledgement_back(number: Number, note: Note, organization: Organization = None) -> None:
    """Take an acknowledgement back: the finding waits for a person again."""
    from ciclo.ledger.actions import open_finding_again  # noqa: PLC0415 - a command loads only what it needs

    act(open_finding_again, number, note, organization)


def why(
    invoice: Annotated[int, typer.Argument(metavar="INVOICE", help="The vendor's number of the invoice.")],
    organization: Annotated[int | None, typer.Option("--organization", help="The organization that bills.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Say why an invoice differs from the one before: a sentence for the customer, and each difference."""
    from ciclo.domain.money import brl  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.actions import NoSuchRow  # noqa: PLC0415
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.queries.comparison import comparison_of  # noqa: PLC0415

    with ledger_session() as session:
        found = comparison_of(session, whose(session, organization), invoice)
    if found is None:
        raise NoSuchRow("invoice", invoice)
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2, ensure_ascii=False))
        return
    typer.echo(said_of_comparison(found))
    for each in found.differences:
        typer.echo(f"{brl(each.amount):>16}  {said_of_difference(each)}")


def _document(found: Comparison) -> dict[str, object]:
    before = found.before
    return {
        "invoice_id": found.now.invoice_id,
        "issue_date": found.now.issue_date.isoformat(),
        "gross_value": f"{found.now.gross_value:f}",
        "before": None
        if before is None
        else {
            "invoice_id": before.invoice_id,
            "issue_date": before.issue_date.isoformat(),
            "gross_value": f"{before.gross_value:f}",
        },
        "difference": f"{found.difference:f}",
        "differences": [
            {"kind": each.kind.value, "amount": f"{each.amount:f}", "message": said_of_difference(each)}
            | {"facts": dict(each.facts)}
            for each in found.differences
        ],
        "sentence": said_of_comparison(found),
    }


LARGEST = 10
"""Findings that the console shows one by one."""


def audit(  # noqa: PLR0913, PLR0917 - one an option
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="First month, or day, included.")],
    last: Annotated[
        str, typer.Option("--to", metavar="YYYY-MM", help="Last month, or day, included; by default this month.")
    ] = "",
    url: Url = VENDOR,
    organization: OrganizationId = None,
    token_file: TokenFile = None,
    conn: Conn = None,
    report: Annotated[Path | None, typer.Option(help="Folder for the report: a page, a CSV and JSON.")] = None,
    propose: Annotated[Path | None, typer.Option(help="CSV of the unit values as they should be by now.")] = None,
    cache: Annotated[Path | None, typer.Option(help="File from which a stopped audit goes on.")] = None,
    lang: Annotated[str, typer.Option("--lang", metavar="|".join(LANGUAGES), help="Language of the report.")] = "",  # noqa: ARG001 - read before any command, with the command line itself
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Hold every invoice of some months against contracts, rules and indices, without a single write.

    Says what was never billed, billed twice, billed wrongly or to somebody else, which readjustments were missed, late
    or wrong and what they cost, what runs out, and what will not be paid. The exit code is 0 whatever is found.
    """
    from ciclo.domain.calendar import SAO_PAULO, month_end  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.http.errors import ApiError  # noqa: PLC0415
    from ciclo.jobs.audit.account import audit_account  # noqa: PLC0415
    from ciclo.jobs.audit.findings import AuditRange  # noqa: PLC0415
    from ciclo.jobs.audit.report import console_lines, document, write_prices, write_report  # noqa: PLC0415
    from ciclo.jobs.audit.store import OtherAuditError  # noqa: PLC0415

    today = datetime.now(SAO_PAULO).date()
    from_day, to_day = _day(first, "--from"), month_end(today)
    if last:
        to_day = _day(last, "--to") if len(last) > len("YYYY-MM") else month_end(_day(last, "--to"))
    if from_day > min(to_day, today):
        raise typer.BadParameter(_("is after --to, or not yet over"), param_hint="--from")
    audited = AuditRange(from_day, to_day, today)
    try:
        with account(url, organization, token_file, conn) as api, central_bank(url) as sgs:
            found = audit_account(api, audited, sgs=sgs, cache=cache, tell=progress_bar())
            organization_id = api.organization_id
        if report is not None:
            write_report(found, audited, report, organization_id)
        if propose is not None:
            write_prices(found, propose)
    except (ApiError, OtherAuditError) as error:
        typer.echo(_("error: {message}").format(message=error), err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(_("error: {message}").format(message=f"{error.filename}: {error.strerror}"), err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(document(found, audited), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(console_lines(found, audited, LARGEST)))


def _day(text: str, option: str) -> date:
    try:
        day = date.fromisoformat(text if len(text) > len("YYYY-MM") else f"{text}-01")
    except ValueError:
        raise typer.BadParameter(_("is written YYYY-MM, or YYYY-MM-DD"), param_hint=option) from None
    return meant(day, option)
