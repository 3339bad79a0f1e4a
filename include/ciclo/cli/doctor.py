"""`ciclo doctor`: is what the vendor answers still understood? It reads only, and needs only a token."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ciclo.locale import _

if TYPE_CHECKING:
    from ciclo.billimatic import BillimaticClient
    from ciclo.sgs.client import SgsClient

VENDOR = "https://faturamento.fintera.com.br"
SGS = "https://api.bcb.gov.br"
PATIENCE = 5.0
"""Seconds for an answer of the central bank's; without one the index values that ship have to do."""
BUDGET = 10.0
"""Requests a second that a command makes of the vendor at most."""

Url = Annotated[str, typer.Option(help="Base URL of the API.")]
OrganizationId = Annotated[int | None, typer.Option(help="Id of the organization.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the token; else it is in CICLO_TOKEN.")]
Conn = Annotated[str | None, typer.Option(help="An Airflow connection, instead of all of these.")]
"""What names an account on the command line; see `account`."""

Today = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the account; by default today.")]
"""An account on a stand-in has a day of its own."""


def doctor(
    url: Url = VENDOR,
    organization: OrganizationId = None,
    token_file: TokenFile = None,
    conn: Conn = None,
    seen: Annotated[
        Path | None, typer.Option(help="File that remembers what was reported, so that it is reported once.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Compare the API's answers with what Ciclo knows: fields, words and nulls never seen before.

    Shows no value of a customer's, and names a setting of the console that is refused. The exit code is 1 if there is
    something new, something that could not be read or such a setting.
    """
    from ciclo.billimatic.drift import survey  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.http.errors import ApiError  # noqa: PLC0415

    known = _reported(seen) if seen is not None and seen.exists() else set()
    try:
        with account(url, organization, token_file, conn) as api:
            healthy = _is_healthy(api)
            found = survey(api)
    except ApiError as error:
        typer.echo(_("error: {message}").format(message=error), err=True)
        raise typer.Exit(1) from None
    new = [drift for drift in sorted(found.drifts) if str(drift) not in known]
    if seen is not None:
        seen.write_text(json.dumps(sorted({*known, *map(str, new)}), indent=2, ensure_ascii=False), "utf-8")
    settings = _refused_settings()
    if as_json:
        document = {
            "healthy": healthy,
            "settings": settings,
            "records": found.records,
            "new": [{"kind": drift.kind, "path": drift.path, "word": drift.word} for drift in new],
            "failures": found.failures,
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        looked_at = ", ".join(f"{number} {resource}" for resource, number in found.records.items())
        state = _("health check: ok") if healthy else _("health check: not ok")
        seen_text = _("looked at {what}").format(what=looked_at or _("nothing"))
        typer.echo(f"{state}; {seen_text}")
        for line in (*settings, *map(str, new), *found.failures):
            typer.echo(line)
        typer.echo(_("{new} new, {failed} not read").format(new=len(new), failed=len(found.failures)))
    if new or found.failures or settings:
        raise typer.Exit(1)


def _reported(seen: Path) -> set[str]:
    """Return what was reported before, by the file that remembers it."""
    try:
        known = json.loads(seen.read_text("utf-8"))
    except ValueError:
        known = None
    if not isinstance(known, list) or not all(isinstance(each, str) for each in known):
        raise typer.BadParameter(
            _("{path} is not what an earlier run has written").format(path=seen), param_hint="--seen"
        )
    return set(known)


@contextmanager
def account(
    url: str, organization: int | None, token_file: Path | None, conn: str | None, *, read_only: bool = True
) -> "Iterator[BillimaticClient]":
    """Open a client of the account that a command's options name; it cannot write, unless it is to.

    Raises:
        BadParameter: They do not name one; a token is never repeated.
    """
    from ciclo.billimatic import BillimaticClient  # noqa: PLC0415 - a command loads only what it needs

    if conn is not None:
        if token_file is not None:
            raise typer.BadParameter(_("a connection has its own token: leave one of the two out"), param_hint="--conn")
        from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415 - as above

        from ciclo.provider.connection import ConnectionFieldError  # noqa: PLC0415
        from ciclo.provider.hook import BillimaticHook  # noqa: PLC0415

        try:
            client = BillimaticHook(billimatic_conn_id=conn).get_conn(read_only=read_only)
        except (ConnectionFieldError, AirflowNotFoundException) as error:
            raise typer.BadParameter(str(error), param_hint="--conn") from None
        if organization not in (None, client.organization_id):
            client.close()
            text = _("is {given}, and the connection's is {own}")
            told = text.format(given=organization, own=client.organization_id)
            raise typer.BadParameter(told, param_hint="--organization")
    else:
        if organization is None:
            raise typer.BadParameter(_("is needed without --conn"), param_hint="--organization")
        try:
            token = os.environ.get("CICLO_TOKEN", "") if token_file is None else token_file.read_text("utf-8")
        except OSError as error:
            raise typer.BadParameter(f"{token_file}: {error.strerror}", param_hint="--token-file") from None
        try:
            client = BillimaticClient(
                base_url=url,
                token=token.strip(),
                organization_id=organization,
                requests_per_second=None if url.startswith("http://") else BUDGET,  # plain http is a stand-in's here
                read_only=read_only,
            )
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--url, --token-file or CICLO_TOKEN") from None
    with client:
        yield client


def central_bank(url: str) -> "SgsClient":
    """Return a client of the central bank's API, asked once and not waited for; a stand-in at `url` answers for it."""
    from ciclo.http.retries import RetryRules  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.sgs.client import SgsClient  # noqa: PLC0415

    bank = url if url.startswith("http://") else SGS
    return SgsClient(base_url=bank, timeout=PATIENCE, retries=RetryRules(attempts=1))


def _refused_settings() -> list[str]:
    """Say what is wrong with the console's settings here: it goes on without what they are for."""
    from ciclo.console.vendor_page import VARIABLE, VendorPageError, vendor_page  # noqa: PLC0415 - as above

    try:
        vendor_page(os.environ.get(VARIABLE))
    except VendorPageError as error:
        return [str(error)]
    return []


def _is_healthy(api: "BillimaticClient") -> bool:
    from ciclo.http.errors import ApiError  # noqa: PLC0415 - a command loads only what it needs

    try:
        return api.health_check()
    except ApiError:
        return False
