"""A migration that fails leaves nothing behind: the ledger stands where it was."""

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from ciclo.ledger.database import current_revision, open_engine
from ciclo.ledger.migrate import upgrade
from ledgers import administer


@pytest.fixture(params=["sqlite", "postgresql"])
def in_the_way(request, tmp_path):
    """A database in which the last table of the first migration exists already."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        administer(server, "CREATE DATABASE in_the_way")
        url = server.replace("/postgres?", "/in_the_way?")
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE webhook_events (id INTEGER)"))
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        administer(server, "DROP DATABASE in_the_way")


def test_a_migration_that_fails_is_undone_as_a_whole(in_the_way):
    with pytest.raises(DBAPIError):
        upgrade(in_the_way)
    assert inspect(in_the_way).get_table_names() == ["webhook_events"]
    assert current_revision(in_the_way) is None
