"""`ciclo db …` as a user meets it: where addresses come from, what is said, and that no password ever is."""

import subprocess
import sys

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, PeriodRepository
from factories import ORGANIZATION, period_row
from ledgers import contents, empty_ledger

PASSWORD = "canary-5e3a91"


@pytest.fixture
def filled_url(sqlite_url):
    """A SQLite ledger with three periods."""
    engine = open_engine(sqlite_url)
    with Session(engine) as session:
        PeriodRepository(session, ORGANIZATION, Actor()).plan([period_row(rule_id=rule) for rule in (1, 2, 3)])
        session.commit()
    engine.dispose()
    return sqlite_url


def test_a_ledger_moves_to_postgresql_and_says_what_moved(ciclo, filled_url, postgres_url):
    code, out, err = ciclo("db", "copy", "--from", filled_url, "--to", postgres_url)
    assert (code, err) == (0, "")
    assert "           3  periods\n" in out
    assert out.endswith("rows, read again on both sides: the copy is the same\n")
    assert contents(postgres_url) == contents(filled_url)


def test_addresses_come_from_the_environment_so_that_passwords_stay_off_the_command_line(
    ciclo, filled_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("CICLO_LEDGER_URL", filled_url)
    with empty_ledger("sqlite", tmp_path) as target:
        monkeypatch.setenv("CICLO_LEDGER_COPY_URL", target)
        assert ciclo("db", "copy")[0] == 0
        assert contents(target) == contents(filled_url)


def test_a_refused_connection_is_one_line_without_the_password(ciclo, monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL", f"postgresql://ciclo:{PASSWORD}@127.0.0.1:1/ledger?connect_timeout=2")
    code, out, err = ciclo("db", "upgrade")
    assert (code, out) == (1, "")
    why = "the connection is refused. If it lasts, check CICLO_LEDGER_URL."
    assert err == f"error: The ledger cannot be reached: {why}\n"


def test_a_password_with_a_stray_at_sign_shows_no_piece_of_itself(ciclo, monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL", f"postgresql://ciclo:hunter2@{PASSWORD}@127.0.0.1:1/ledger")
    code, _, err = ciclo("db", "upgrade")
    assert code == 1
    assert err.count("\n") == 1
    assert PASSWORD not in err
    assert "hunter2" not in err


def test_a_folder_that_cannot_be_written_is_one_line(ciclo, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CICLO_LEDGER_URL", f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    code, _, err = ciclo("db", "upgrade")
    assert (code, err.count("\n")) == (1, 1)
    assert "file/ledger.db cannot be created" in err


def test_a_file_that_is_no_database_is_one_line(ciclo, monkeypatch, tmp_path):
    (tmp_path / "ledger.db").write_text("no database at all, and long enough to be looked at: " * 40)
    monkeypatch.setenv("CICLO_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    assert ciclo("db", "upgrade") == (1, "", "error: the database fails (DatabaseError)\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--conn", "nowhere"], "nowhere"),
        (["--conn", "vendor", "--organization", "8"], "--organization: is 8, and the connection's is 7"),
    ],
)
def test_a_connection_that_is_not_there_or_another_organizations_is_one_line(monkeypatch, options, said):
    uri = "billimatic://:t@127.0.0.1:1/?__extra__=%7B%22organization_id%22%3A+7%7D&schema=http"
    monkeypatch.setenv("AIRFLOW_CONN_VENDOR", uri)
    command = [sys.executable, "-W", "ignore", "-m", "ciclo.cli", "doctor", *options]  # loads Airflow
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_copy_without_a_target_says_both_ways_to_name_one(ciclo, filled_url):
    assert ciclo("db", "copy", "--from", filled_url) == (
        2,
        "",
        "error: Invalid value: say where the copy goes: --to, or CICLO_LEDGER_COPY_URL Try --help.\n",
    )


@pytest.mark.parametrize(
    ("option", "url", "message"),
    [
        ("--from", "sqlite:////nowhere/typo.db", "The source cannot be used: there is no file /nowhere/typo.db."),
        (
            "--from",
            f"//ciclo:{PASSWORD}@db",
            "The source cannot be used: its address is not one of SQLite or PostgreSQL.",
        ),
        (
            "--to",
            f"postgresql://ciclo:{PASSWORD}@db:port/x",
            "The target cannot be used: its address is not one of SQLite",
        ),
        (
            "--to",
            f"mysql://ciclo:{PASSWORD}@db/x",
            "The target cannot be used: its address is not one of SQLite or PostgreSQL",
        ),
        (
            "--to",
            f"postgresql://ciclo:{PASSWORD}@127.0.0.1:1/x?connect_timeout=1",
            "The ledger cannot be reached: the connection is refused",
        ),
    ],
)
def test_a_wrong_address_is_one_line_without_its_password(ciclo, filled_url, tmp_path, option, url, message):
    with empty_ledger("sqlite", tmp_path) as target:
        given = {"--from": filled_url, "--to": target} | {option: url}
        code, out, err = ciclo("db", "copy", *[word for pair in given.items() for word in pair])
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert PASSWORD not in err


def test_the_password_of_a_target_that_is_refused_is_never_shown(ciclo, filled_url, postgres_url):
    ciclo("db", "copy", "--from", filled_url, "--to", postgres_url)
    with_password = make_url(postgres_url).set(password=PASSWORD).render_as_string(hide_password=False)
    code, out, err = ciclo("db", "copy", "--from", filled_url, "--to", with_password)
    assert code == 1
    assert err.startswith("error: The target is not empty: it has rows in periods.")
    assert PASSWORD not in out + err


def test_a_backup_says_where_it_is_and_a_second_one_overwrites_nothing(ciclo, filled_url, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL", filled_url)
    path = tmp_path / "backup.db"
    code, out, _ = ciclo("db", "backup", path)
    assert code == 0
    assert out == f"The ledger is backed up in {path}: {path.stat().st_size:,} bytes, checked, readable by you alone.\n"
    assert ciclo("db", "backup", path) == (1, "", f"error: {path} exists already: a backup overwrites nothing.\n")


@pytest.mark.parametrize("command", ["upgrade", "copy", "backup"])
def test_help_needs_no_database(command):
    run = [sys.executable, "-W", "ignore", "-m", "ciclo.cli", "db", command, "--help"]
    shown = subprocess.run(run, check=True, capture_output=True, text=True, env={"CICLO_LEDGER_URL": f"x:{PASSWORD}"})
    assert "CICLO_LEDGER_URL" in shown.stdout
    assert PASSWORD not in shown.stdout
