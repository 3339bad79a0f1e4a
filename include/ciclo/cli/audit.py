"""`ciclo audit`: is the billing of an account right? It reads only, and needs only a token."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from ciclo.cli.doctor import VENDOR, Conn, OrganizationId, TokenFile, Url, account, central_bank
from ciclo.cli.progress import progress_bar
from ciclo.locale import LANGUAGES, _

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
        return date.fromisoformat(text if len(text) > len("YYYY-MM") else f"{text}-01")
    except ValueError:
        raise typer.BadParameter(_("is written YYYY-MM, or YYYY-MM-DD"), param_hint=option) from None
