"""The command line: `ciclo …`. Every command parses its input, calls one function and prints; it holds no rules.

What people read of it is English unless `--lang`, `CICLO_LOCALE` or the locale of the shell says Portuguese; JSON is
the same in every language but for its sentences.
"""

import gettext
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from ciclo.cli.adjust import adjust
from ciclo.cli.dags import dags
from ciclo.cli.doctor import doctor
from ciclo.cli.findings import audit, findings, why
from ciclo.cli.instruct import instruct
from ciclo.cli.ledger import ledger, parked
from ciclo.cli.printing import InputError, meant, read_json
from ciclo.cli.rehearse import export, rehearse
from ciclo.cli.terms import terms
from ciclo.cli.updates import updates, verify
from ciclo.domain.errors import DomainError
from ciclo.jobs.rehearsal import ScenarioError
from ciclo.locale import CATALOGUES, DOMAIN, ENGLISH, LANGUAGES, N_, _, closest, speak

app = typer.Typer(
    name="ciclo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(adjust, name="adjust")
app.add_typer(dags, name="dags")
app.add_typer(instruct, name="instruct")
app.add_typer(ledger, name="db")
app.add_typer(findings, name="findings")
app.add_typer(parked, name="parked")
app.command()(audit)
app.add_typer(terms, name="terms")
app.add_typer(updates, name="updates")
app.command()(doctor)
app.command()(export)
app.command()(rehearse)
app.command()(verify)
app.command()(why)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LANG = "--lang"


@app.callback()
def every_command(
    lang: Annotated[
        str, typer.Option(LANG, metavar="|".join(LANGUAGES), help="Language; by default CICLO_LOCALE, then LANG.")
    ] = "",
) -> None:
    """Recurring billing on Apache Airflow: every period invoiced exactly once."""
    if lang and closest(lang) is None:
        raise typer.BadParameter(_("there are {names}").format(names=", ".join(LANGUAGES)), param_hint=LANG)


@app.command()
def preview(
    rule: Annotated[Path, typer.Argument(help="A rule in the API's shape (JSON), bare or under invoice_rule.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First issue date, included.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last issue date, included.")],
    holidays: Annotated[
        Path | None,
        typer.Option(
            "--holidays", envvar="CICLO_HOLIDAYS_FILE", help="File of the company's own holidays, a day a line."
        ),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show what a rule bills: issue dates, due dates, accrual months, and amounts at the price in force."""
    from ciclo.cli.printing import preview_lines  # noqa: PLC0415
    from ciclo.domain.calendar import holidays_in  # noqa: PLC0415
    from ciclo.domain.recurrence import DateRange  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.jobs.preview import preview_rule, read_rule  # noqa: PLC0415

    days = DateRange.days(meant(first.date(), "--from"), meant(last.date(), "--to"))
    result = preview_rule(read_rule(read_json(rule)), days, holidays_in(holidays))
    _print(result.documents() if as_json else preview_lines(result))


@app.command()
def index(
    name: Annotated[str, typer.Argument(metavar="INDEX", help="igpm, ipca, igpdi, inpc or ipcfipe.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m"], help="First month, included.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m"], help="Last month, included.")],
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Compound a price index over months, exactly, from the series that ship with Ciclo."""
    from ciclo.cli.printing import index_lines  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.sgs.series import index_report  # noqa: PLC0415

    report = index_report(name, first.date(), last.date())
    _print(report if as_json else index_lines(report))


@app.command()
def sandbox(
    host: Annotated[
        str, typer.Option(help="Address to listen on; the control plane answers this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8400,
    state: Annotated[Path | None, typer.Option(help="State file (JSON) to start from.")] = None,
    token: Annotated[str | None, typer.Option(help="API token; overrides the state file's.")] = None,
    today: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The sandbox's date.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL; default: in memory.")] = None,
) -> None:
    """Serve the vendor's API and the central bank's SGS API on loopback, for demos and tests."""
    from ciclo_sandbox import serve  # noqa: PLC0415 - a command loads only what it needs

    day = today.date() if today else None
    serve(host=host, port=port, state=state, token=token, today=day, database=database)


def _print(result: Any) -> None:
    lines = result if isinstance(result, list) and result and isinstance(result[0], str) else None
    typer.echo("\n".join(lines) if lines is not None else json.dumps(result, indent=2, ensure_ascii=False))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors go to stderr in one line, exit code 0, 1 (failed) or 2 (wrong use)."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - SQLAlchemy is loaded only when it is needed

    from ciclo.ledger.errors import LedgerError, explained  # noqa: PLC0415 - as above

    # outside a worker Airflow looks into its own database for a connection only where a server asks
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    arguments = sys.argv[1:] if argv is None else list(argv)
    _speak(arguments)
    try:
        with explained():
            code = _translated()(args=arguments, prog_name="ciclo", standalone_mode=False)
    except (InputError, DomainError, LedgerError) as error:
        _fail(str(error), 1)
    except SQLAlchemyError as error:  # its message may quote rows
        _fail(_("the database fails ({kind})").format(kind=type(getattr(error, "orig", error)).__name__), 1)
    except OverflowError:
        _fail(_("a number is larger than the ledger or the calendar can hold"), 1)
    except OSError as error:
        what = error.filename or _("a file or connection")
        _fail(f"{what}: {error.strerror or type(error).__name__}", 1)
    except ScenarioError as error:
        _fail(str(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        _fail(_("stopped"), 130)
    except TyperException as error:
        try_help = _("Try --help.")  # outside of the f-string: there nothing is extracted
        _fail(" ".join(f"{_in_our_words(error.format_message())} {try_help}".split()), 2)
    else:
        sys.exit(code or 0)


_OF_THE_LIBRARY = (
    (r"Missing option (.+)\.", N_("Missing option {}.")),
    (r"Missing argument (.+)\.", N_("Missing argument {}.")),
    (r"No such option: (.+)", N_("No such option: {}")),
    (r"Option (.+) requires an argument\.", N_("Option {} requires an argument.")),
    (r"Got unexpected extra argument(?:s|\(s\))? \((.+)\)", N_("Got unexpected extra arguments ({})")),
    (r"Invalid value for (.+?): (.+)", N_("Invalid value for {}: {}")),
    (r"Value error, (.+)", "{}"),
    (r"Input should be a valid integer.*", N_("that is no whole number.")),
    (r"Input should be (?:greater|less) than or equal to (.+)", N_("that is beyond {}.")),
    (r"(.+) is not one of (.+)\.", N_("{} is not one of {}.")),
    (r"(.+) does not match the formats? (.+)\.", N_("{} does not match the format {}.")),
)
"""What the command line's library says of a wrong use without asking a catalogue."""


def _in_our_words(message: str) -> str:
    """Return a message of the library in the language that is spoken, as far as it is one that is known."""
    for pattern, text in _OF_THE_LIBRARY:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return _(text).format(*map(_in_our_words, found.groups()))
    return message


def texts_of_help() -> Iterator[tuple[Any, str]]:
    """Yield every object of the command line, and the name of its attribute, that `--help` shows as a text."""
    yield from _texts_of_help(get_command(app))


def _texts_of_help(command: Any) -> Iterator[tuple[Any, str]]:
    yield command, "help"
    yield command.get_help_option(command.context_class(command)), "help"  # made once and kept, by the library
    yield from ((parameter, "help") for parameter in command.params if getattr(parameter, "help", None))
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            yield from _texts_of_help(each)


class _Help(TyperGroup.context_class.formatter_class):  # type: ignore[misc, name-defined]
    """Says in the language that is spoken what the library says in English, come what may."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        usage = _("Usage:")
        super().write_usage(prog, args, prefix or f"{usage} ")


def _translated() -> Any:
    """Return the command line with its help in the language that is spoken."""
    command = get_command(app)
    command.context_class.formatter_class = _Help
    for holder, name in _texts_of_help(command):
        if text := getattr(holder, name):
            setattr(holder, name, _(text))
    return command


def _speak(arguments: Sequence[str]) -> None:
    """Choose the language before a command is looked at: its help may be all that is wanted."""
    given = [right for left, right in pairwise(arguments) if left == LANG]
    given += [text.partition("=")[2] for text in arguments if text.startswith(f"{LANG}=")]
    shell = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    wanted = (*given[:1], os.environ.get("CICLO_LOCALE"), shell)
    chosen = next((known for each in wanted if each and (known := closest(each))), ENGLISH)
    speak(chosen)
    os.environ["LANGUAGE"] = chosen  # the library's own words, such as "Options", are looked up by gettext, too
    gettext.bindtextdomain(DOMAIN, CATALOGUES)
    gettext.textdomain(DOMAIN)


def _fail(message: str, code: int) -> None:
    typer.echo(_("error: {message}").format(message=message), err=True)
    sys.exit(code)
