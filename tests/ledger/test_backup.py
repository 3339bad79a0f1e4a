"""Backing a SQLite ledger up while it is in use: whole, private, and never over something else."""

import sqlite3
import stat

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.errors import UnusableLedgerError
from ciclo.ledger.maintenance import BackupError, back_up
from ciclo.ledger.tables import Period
from factories import period_row
from ledgers import contents


@pytest.fixture
def used(sqlite_url):
    """A ledger with a period whose last commit is still in SQLite's write-ahead log."""
    engine = open_engine(sqlite_url)
    with Session(engine) as session:
        session.execute(insert(Period).values(**period_row()))
        session.commit()
        yield sqlite_url
    engine.dispose()


def test_a_backup_is_the_ledger_in_one_private_file(used, tmp_path):
    path = tmp_path / "backup.db"
    size = back_up(used, path)
    assert (path.stat().st_size, stat.S_IMODE(path.stat().st_mode)) == (size, 0o600)
    assert [entry.name for entry in tmp_path.glob("backup*")] == ["backup.db"]
    assert contents(f"sqlite:///{path}") == contents(used)


def test_what_a_run_has_not_committed_yet_neither_holds_a_backup_up_nor_is_in_it(used, tmp_path):
    writer = open_engine(used)
    with writer.begin() as connection:
        connection.execute(insert(Period).values(**period_row(rule_id=2)))
        back_up(used, tmp_path / "backup.db")
    writer.dispose()
    assert len(contents(f"sqlite:///{tmp_path / 'backup.db'}")["periods"]) == 1
    assert len(contents(used)["periods"]) == 2


def test_a_backup_can_be_read_from_a_medium_that_cannot_be_written(used, tmp_path):
    back_up(used, tmp_path / "backup.db")
    with sqlite3.connect(f"file:{tmp_path / 'backup.db'}?immutable=1&mode=ro", uri=True) as connection:
        assert connection.execute("SELECT count(*) FROM periods").fetchone() == (1,)
    connection.close()


def test_a_backup_overwrites_nothing(used, tmp_path):
    path = tmp_path / "backup.db"
    path.write_text("January")
    with pytest.raises(BackupError, match="exists already: a backup overwrites nothing"):
        back_up(used, path)
    assert path.read_text() == "January"


def test_a_backup_that_was_cut_short_does_not_bear_a_backups_name(used, tmp_path):
    (tmp_path / "backup.db.partial").touch()
    with pytest.raises(BackupError, match=r"backup\.db\.partial is there: .* one was cut short; then remove it"):
        back_up(used, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()


def test_a_folder_that_is_not_there_is_named(used, tmp_path):
    with pytest.raises(BackupError, match=r"none/backup\.db\.partial cannot be written: No such file or directory"):
        back_up(used, tmp_path / "none" / "backup.db")


def test_a_damaged_ledger_is_no_backup(sqlite_url, tmp_path):
    path = tmp_path / "ledger.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    with pytest.raises((BackupError, UnusableLedgerError), match=r"malformed|not a database|not sound"):
        back_up(sqlite_url, tmp_path / "backup.db")
    assert list(tmp_path.glob("backup*")) == []


def test_postgresql_has_a_tool_of_its_own(postgres_url, tmp_path):
    with pytest.raises(BackupError, match="back it up with pg_dump"):
        back_up(postgres_url, tmp_path / "backup.db")
    assert list(tmp_path.glob("backup*")) == []


def test_an_address_without_a_ledger_is_refused_and_no_file_is_made(tmp_path):
    with pytest.raises(UnusableLedgerError, match=r"The ledger cannot be used: there is no file .*typo\.db\."):
        back_up(f"sqlite:///{tmp_path / 'typo.db'}", tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []
