"""No command says anything that the catalogues do not know: its help, and what it prints of a small company."""

import json
import re
from decimal import Decimal
from types import SimpleNamespace

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import ciclo.cli.main as command_line
import ciclo.locale
from ciclo.cli.main import app, main
from ciclo.ledger.database import open_engine
from company import rule
from console.small_year import fill_small_year
from console.test_untranslated import NAMES, _data
from ledgers import migrate
from untranslated import WORD, wide_letters

NOT_WORDS = re.compile(
    r"--[a-z-]+|\[[^\[\]\s]*\|[^\[\]]*\]|<[^<>]+>|\b[A-Z]+(?:[_-][A-Z]+)*(?:=\w+)?\b|[\w./]+\.(?:md|json|jsonl|csv|html|com|br)\b"
    r"|\[\S+: [\w-]+\]|\b\w+\|[\w|-]+|https?://\S+|\b\w+_\w+\b|`[^`]*`|\bigpm=\S+|%Y\S*"
)
"""What of a help no language changes: options, choices, names of values, files, addresses, commands."""
KNOWN = NAMES | {
    "ciclo",
    "Ciclo",
    "SQLAlchemy",
    "PostgreSQL",
    "SQLite",
    "Fintera",
    "docs",
    "json",
    "Dags",
    "Parquet",
    "sqlite",
    "continuity",
    "window",
}


def paths(command=None, path=()):
    command = command or get_command(app)
    yield path
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from paths(each, (*path, name))


COMMANDS = list(paths())
OF_COMMANDS = {word for path in COMMANDS for name in path for word in WORD.findall(name)}


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Run a command in wide letters; return the words that it said in plain ones and that nobody knows."""
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    with wide_letters(tmp_path / "texts", monkeypatch):
        monkeypatch.setattr(command_line, "CATALOGUES", ciclo.locale.CATALOGUES)

        def run(*arguments, known=frozenset()):
            with pytest.raises(SystemExit) as ended:
                main(["--lang", "pt-BR", *map(str, arguments)])
            printed = capsys.readouterr()
            text = printed.out + printed.err
            left = set(WORD.findall(NOT_WORDS.sub(" ", text))) - KNOWN - OF_COMMANDS - set(known)
            return SimpleNamespace(code=ended.value.code, text=text, left=left)

        yield run
    ciclo.locale.speak("en")


@pytest.fixture
def own_year(tmp_path):
    """URL of a ledger with the small year."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    engine = open_engine(url)
    fill_small_year(engine)
    engine.dispose()
    return url


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_help_says_anything_that_is_not_in_the_catalogue(said, path):
    answer = said(*path, "--help")
    assert answer.code == 0
    assert answer.left == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("parked", "list"),
        ("parked", "release", "27", "--note", "x"),
        ("parked", "release", "999", "--note", "x"),
        ("parked", "bill-again", "1", "--note", "x"),
        ("findings", "list"),
        ("findings", "list", "--acknowledged"),
        ("findings", "acknowledge", "1", "--note", "x"),
        ("findings", "open-again", "3", "--note", "x"),
        ("updates", "skip", "1", "--organization", "2107", "--note", "x"),
        ("updates", "undo-skip", "1", "--organization", "2107", "--note", "x"),
        ("updates", "what-if", "--organization", "2107", "--index", "ipca"),
        ("terms", "list", "--organization", "2107", "--contract", "100"),
        ("why", "80009"),
        ("db", "upgrade"),
        ("adjust", "policy", "--organization", "2107"),
        ("index", "igpm", "--from", "2025-01", "--to", "2025-03"),
        ("index", "selic", "--from", "2025-01", "--to", "2025-03"),
        ("no-such-command",),
        ("index", "igpm"),
        ("index", "--nothing"),
        ("parked", "release", "x", "--note", "y"),
        ("updates", "apply", "1", "--organization", "7", "--note", "x", "--basis", "y"),
        ("preview", "rule.json", "--from", "x", "--to", "y"),
        ("sandbox", "--port", "99999999"),
    ],
    ids=" ".join,
)
def test_no_command_prints_anything_that_is_not_in_the_catalogue(said, own_year, monkeypatch, arguments):
    monkeypatch.setenv("CICLO_LEDGER_URL", own_year)
    answer = said(*arguments, known=_data(own_year) | set(WORD.findall(" ".join(arguments))))
    assert answer.left == set()


def test_a_preview_is_said_in_the_reader_s_language(said, tmp_path):
    file = tmp_path / "rule.json"
    file.write_text(json.dumps(rule(1), default=lambda value: str(value) if isinstance(value, Decimal) else value))
    answer = said("preview", file, "--from", "2025-01-01", "--to", "2025-03-31", known=WORD.findall(str(file)))
    assert answer.code == 0
    assert answer.left == set()
