"""`ciclo export`: an account as a state file of the vendor's stand-in. It reads only, and needs only a token."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ciclo.cli.doctor import VENDOR, Conn, OrganizationId, Today, TokenFile, Url, account
from ciclo.cli.progress import progress_bar
from ciclo.locale import _, ngettext


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the state file goes; it is its owner's alone.")],
    url: Url = VENDOR,
    organization: OrganizationId = None,
    token_file: TokenFile = None,
    conn: Conn = None,
    today: Today = None,
    anonymize: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--anonymize", help="Replace names, documents, e-mail addresses and texts.")
    ] = False,
) -> None:
    """Read an account into a file that `ciclo sandbox` and `ciclo rehearse --account` take, without a single write.

    No token is in the file. Anonymized it holds nobody's name and is billed to the same dates and amounts.
    """
    from ciclo.domain.calendar import SAO_PAULO  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.http.errors import ApiError  # noqa: PLC0415
    from ciclo.jobs.rehearsal.anonymize import anonymized  # noqa: PLC0415
    from ciclo.jobs.rehearsal.export import export_account  # noqa: PLC0415
    from ciclo.jobs.reports import write_whole  # noqa: PLC0415

    try:
        with account(url, organization, token_file, conn) as api:
            day = (today or datetime.now(SAO_PAULO)).date()
            exported = export_account(api, today=day, tell=progress_bar())
    except ApiError as error:
        typer.echo(_("error: {message}").format(message=error), err=True)
        raise typer.Exit(1) from None
    state = anonymized(exported.state) if anonymize else exported.state
    write_whole(file, json.dumps(state, indent=1, ensure_ascii=False))
    for line in exported.left_out:
        typer.echo(_("left out: {what}").format(what=line), err=True)
    contracts, invoices = len(state["contracts"]), len(state["invoices"])
    about = [
        ngettext("{count} contract", "{count} contracts", contracts).format(count=contracts),
        ngettext("{count} invoice", "{count} invoices", invoices).format(count=invoices),
    ]
    typer.echo(f"{file}: {', '.join(about)}")
