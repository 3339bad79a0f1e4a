"""Opening the ledger: what is refused, and what the file on disk looks like."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from ciclo.ledger.database import (
    LedgerNotMigratedError,
    LedgerUrlError,
    ledger_session,
    newest_revision,
    open_engine,
    require_migrated,
    upgrade,
)
from ciclo.ledger.tables import Base, Organization


def test_a_ledger_that_was_never_migrated_says_what_to_run(tmp_path):
    with pytest.raises(LedgerNotMigratedError) as error, ledger_session(f"sqlite:///{tmp_path / 'new.db'}"):
        pass
    assert str(error.value) == "The ledger was never migrated. Run `ciclo db upgrade`, then try again."


def test_a_ledger_of_another_version_names_both_migrations(sqlite_url):
    engine = open_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(LedgerNotMigratedError, match=f"is at migration 0000, not at {newest_revision()}"):
        require_migrated(engine)
    engine.dispose()


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
    with pytest.raises(LedgerUrlError, match="does not answer") as error:
        require_migrated(engine)
    assert "hunter2" not in str(error.value)
    engine.dispose()


def test_the_tables_are_those_that_the_migrations_make(ledger_engine: Engine):
    with ledger_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


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
