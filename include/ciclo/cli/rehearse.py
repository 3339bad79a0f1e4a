"""`ciclo rehearse …`, `ciclo export`: a scenario day by day, an account's coming months, an account as a file."""

import json
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciclo.cli.doctor import VENDOR, Conn, OrganizationId, Today, TokenFile, Url, account, central_bank
from ciclo.cli.printing import DAYS, progress_bar
from ciclo.jobs.rehearsal import ScenarioError
from ciclo.locale import LANGUAGES, _, ngettext

if TYPE_CHECKING:
    from ciclo.jobs.rehearsal.forecast import Assumptions, Forecast
    from ciclo.jobs.settings import BillingSettings


def rehearse(  # noqa: PLR0913, PLR0917 - one an option
    scenario: Annotated[
        Path | None, typer.Argument(metavar="SCENARIO", help="A scenario (JSON): docs/rehearsal.md.")
    ] = None,
    whole_account: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--account", help="The coming months of an account, instead of a scenario; it is only read.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option(help="The account as `ciclo export` wrote it, instead of reading it.")
    ] = None,
    months: Annotated[int, typer.Option(min=0, max=60, help="Whole months after the running one.")] = 12,
    index: Annotated[
        list[str] | None,
        typer.Option(metavar="igpm=0.4/month", help="What-if: an index's percent in each month to come."),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting of CICLO_…, such as continuity=apply.")
    ] = None,
    keep: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--keep", help="Keep it in the ledger (CICLO_LEDGER_URL), for the console's page Forecast.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for the report: a page, a CSV and JSON.")] = None,
    url: Url = VENDOR,
    organization: OrganizationId = None,
    token_file: TokenFile = None,
    conn: Conn = None,
    today: Today = None,
    lang: Annotated[str, typer.Option("--lang", metavar="|".join(LANGUAGES), help="Language of the report.")] = "",  # noqa: ARG001 - read before any command, with the command line itself
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Play billing day by day against the vendor's stand-in, with the Dags' own steps; nothing real is sent.

    A scenario is played as it stands. With --account an account is read, without a single write, and its coming months
    are played: what is billed when, every readjustment, what would stop and why, and what runs out.

    Exit code 0 if it was played, whatever came of it; 2 if the scenario, or an event in it, cannot be played.
    """
    logging.getLogger("ciclo").addHandler(logging.NullHandler())  # what the Dags log is not what people are shown
    if (scenario is None) is not (whole_account or state is not None):
        raise typer.BadParameter(_("name a scenario, or --account"), param_hint="SCENARIO")
    if scenario is not None:
        _play(scenario, as_json=as_json)
        return
    from ciclo.domain.calendar import SAO_PAULO  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.http.errors import ApiError  # noqa: PLC0415
    from ciclo.jobs.rehearsal.export import ExportedAccount, export_account  # noqa: PLC0415
    from ciclo.jobs.rehearsal.forecast import forecast_account, read_what_if  # noqa: PLC0415
    from ciclo.jobs.rehearsal.report import console_lines, write_report  # noqa: PLC0415

    what_if, settings = dict(map(read_what_if, index or ())), _settings(setting or [])
    day = (today or datetime.now(SAO_PAULO)).date()
    if state is not None:
        exported = ExportedAccount(_read(state))
        day = today.date() if today else date.fromisoformat(exported.state.get("today") or day.isoformat())
    else:
        try:
            with account(url, organization, token_file, conn) as api:
                exported = export_account(api, today=day, tell=progress_bar())
        except ApiError as error:
            typer.echo(_("error: {message}").format(message=error), err=True)
            raise typer.Exit(1) from None
    assumed = _assumptions(url, day, months, what_if, settings)
    found = forecast_account(exported.state, assumed, left_out=exported.left_out, tell=progress_bar(DAYS))
    if report is not None:
        write_report(found, report)
    if keep:
        _keep(found)
    typer.echo(
        json.dumps(found.document(), indent=1, ensure_ascii=False) if as_json else "\n".join(console_lines(found))
    )


def _keep(found: "Forecast") -> None:
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.repositories.plans import ForecastRepository  # noqa: PLC0415

    with ledger_session() as session:
        ForecastRepository(session, found.organization_id).keep(found.document(), at=datetime.now(UTC))
        session.commit()


def _play(path: Path, *, as_json: bool) -> None:
    from ciclo.jobs.rehearsal.outcome import outcome_of, story  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.jobs.rehearsal.play import rehearsing  # noqa: PLC0415
    from ciclo.jobs.rehearsal.scenario import read_scenario  # noqa: PLC0415

    with rehearsing(read_scenario(path)) as rehearsal:
        rehearsal.play()
        outcome = outcome_of(rehearsal)
    for each in rehearsal.refused:
        typer.echo(_("refused in the console: {act}").format(act=each), err=True)
    typer.echo(json.dumps(outcome, indent=1, ensure_ascii=False) if as_json else "\n".join(story(outcome)))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except ValueError as error:
        raise ScenarioError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or not document.get("organizations"):
        raise ScenarioError(f"{path} is no state file with organizations")
    return {"contracts": [], "invoice_rules": [], **document}


def _settings(given: list[str]) -> "BillingSettings":
    from pydantic import ValidationError  # noqa: PLC0415 - a command loads only what it needs

    from ciclo.jobs.rehearsal.scenario import ONE_AT_A_TIME  # noqa: PLC0415
    from ciclo.jobs.settings import BillingSettings  # noqa: PLC0415

    for each in given:
        if "=" not in each:
            raise typer.BadParameter(_("{text}: it is written NAME=VALUE").format(text=each), param_hint="--setting")
    values: dict[str, Any] = {**ONE_AT_A_TIME, **dict(each.split("=", 1) for each in given)}
    try:
        return BillingSettings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise typer.BadParameter(f"{name}: {first['msg']}", param_hint="--setting") from None


def _assumptions(url: str, day: date, months: int, what_if: Any, settings: "BillingSettings") -> "Assumptions":
    """Ask the central bank for the newest index values; a stand-in answers for it where there is one."""
    from ciclo.jobs.rehearsal.forecast import Assumptions  # noqa: PLC0415 - a command loads only what it needs

    with central_bank(url) as sgs:
        newest = sgs.newest_values(day)
    if newest.problem:
        typer.echo(
            _("index values that do not ship could not be fetched: {problem}").format(problem=newest.problem), err=True
        )
    return Assumptions(day, months, newest.values, what_if, settings)


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
    from ciclo.jobs.rehearsal.export import anonymized, export_account  # noqa: PLC0415
    from ciclo.jobs.reports import write_whole  # noqa: PLC0415

    try:
        with account(url, organization, token_file, conn) as api:
            day = (today or datetime.now(SAO_PAULO)).date()
            exported = export_account(api, today=day, tell=progress_bar())
    except ApiError as error:
        typer.echo(_("error: {message}").format(message=error), err=True)
        raise typer.Exit(1) from None
    state = anonymized(exported.state) if anonymize else exported.state
    write_whole(file, [json.dumps(state, indent=1, ensure_ascii=False)])
    for line in exported.left_out:
        typer.echo(_("left out: {what}").format(what=line), err=True)
    contracts, invoices = len(state["contracts"]), len(state["invoices"])
    about = [
        ngettext("{count} contract", "{count} contracts", contracts).format(count=contracts),
        ngettext("{count} invoice", "{count} invoices", invoices).format(count=invoices),
    ]
    typer.echo(f"{file}: {', '.join(about)}")
