"""Opening the ledger: what is refused, and what the file on disk looks like."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from ciclo.ledger.database import (
    ledger_session,
    newest_revision,
    open_engine,
    require_migrated,
    upgrade,
)
from ciclo.ledger.errors import (
    ForeignDatabaseError,
    LedgerNewerError,
    LedgerNotMigratedError,
    LedgerRefusedError,
    LedgerUnavailableError,
    LedgerUrlError,
)
from ciclo.ledger.tables import Organization
from ledgers import differences


def test_a_ledger_that_was_never_migrated_says_what_to_run(tmp_path):
    with pytest.raises(LedgerNotMigratedError) as error, ledger_session(f"sqlite:///{tmp_path / 'new.db'}"):
        pass
    assert str(error.value) == "The ledger was never migrated. Run `ciclo db upgrade`, then try again."


def test_a_ledger_of_an_older_version_names_both_migrations(sqlite_url):
    engine = open_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(LedgerNotMigratedError, match=f"is at migration 0001, not at {newest_revision()}"):
        require_migrated(engine)
    engine.dispose()


@pytest.mark.parametrize("do", [require_migrated, upgrade])
def test_a_ledger_of_a_newer_version_says_what_to_install(ledger_engine, do):
    with ledger_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerNewerError, match="is at migration 9999, of a newer version of Ciclo"):
        do(ledger_engine)


@pytest.mark.parametrize("do", [require_migrated, upgrade])
def test_airflows_own_database_is_not_taken_for_a_ledger(tmp_path, do):
    engine = open_engine(f"sqlite:///{tmp_path / 'airflow.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('509b94a1042d')"))
    with pytest.raises(ForeignDatabaseError, match="needs a database to itself"):
        do(engine)
    engine.dispose()


def test_a_user_who_may_not_create_tables_is_told_so(postgres_server, postgres_url):
    name = make_url(postgres_url).database
    engine = open_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.execute(text("DROP ROLE IF EXISTS clerk"))
        connection.execute(text("CREATE ROLE clerk LOGIN"))
        connection.execute(text("GRANT USAGE ON SCHEMA public TO clerk"))
    engine.dispose()
    as_clerk = make_url(postgres_url).set(username="clerk", database=name)
    engine = open_engine(as_clerk.render_as_string(hide_password=False))
    with pytest.raises(LedgerRefusedError, match=r"permission denied for schema public\. Grant it"):
        upgrade(engine)
    engine.dispose()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUrlError, match=r"file/ledger\.db cannot be created"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("no url at all", "it is not a SQLAlchemy URL"),
        ("postgresql://ciclo:hunter2@db:port/ledger", "it is not a SQLAlchemy URL"),
        ("mysql://root:hunter2@db/ledger", "mysql is not supported; use sqlite or postgresql"),
    ],
)
def test_an_url_that_leads_nowhere_is_explained_without_being_shown(url, why):
    with pytest.raises(LedgerUrlError) as error:
        open_engine(url)
    assert str(error.value) == f"The ledger cannot be opened: {why}. Check CICLO_LEDGER_URL."


def test_a_database_that_does_not_answer_is_explained_without_its_password():
    engine = open_engine("postgresql://ciclo:hunter2@127.0.0.1:1/ledger?connect_timeout=1")
    with pytest.raises(LedgerUnavailableError, match="the connection is refused") as error:
        require_migrated(engine)
    assert "hunter2" not in str(error.value)
    engine.dispose()


def test_the_tables_are_those_that_the_migrations_make(ledger_engine: Engine):
    with ledger_engine.connect() as connection:
        assert differences(connection) == []


def test_migrating_twice_changes_nothing(ledger_engine: Engine):
    assert upgrade(ledger_engine) == newest_revision()


def test_a_sqlite_ledger_is_readable_by_its_owner_only(tmp_path: Path):
    path = tmp_path / "private" / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_dry_run_commits_is_undone(ledger_url):
    with ledger_session(ledger_url, discard=True) as session:
        session.add(Organization(organization_id=1, name="Luz", first_seen_at=datetime(2026, 1, 10, tzinfo=UTC)))
        session.commit()
        assert session.get(Organization, 1) is not None
    with ledger_session(ledger_url) as session:
        assert session.get(Organization, 1) is None


def test_a_server_that_is_gone_without_a_word_is_noticed_within_a_minute(postgres_url):
    def connected(url):
        engine = open_engine(url)
        with engine.connect() as connection:
            found = connection.connection.dbapi_connection.info.get_parameters()
        engine.dispose()
        return found

    used = connected(postgres_url)
    assert int(used["keepalives_idle"]) + 3 * int(used["keepalives_interval"]) <= 60
    assert used["tcp_user_timeout"] == "60000"
    own = make_url(postgres_url).update_query_dict({"tcp_user_timeout": "5000"})
    assert connected(own.render_as_string(hide_password=False))["tcp_user_timeout"] == "5000"
