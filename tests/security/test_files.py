"""The ledger on SQLite belongs to its owner alone: the file, and what SQLite puts beside it."""

import os
import stat

from sqlalchemy import text

from ciclo.ledger.database import open_engine, upgrade


def test_the_ledger_and_its_journals_are_readable_by_their_owner_only(tmp_path):
    before = os.umask(0)  # the most careless umask there is
    try:
        engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
        upgrade(engine)
        with engine.connect() as connection:
            connection.execute(text("SELECT count(*) FROM periods"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        engine.dispose()
    finally:
        os.umask(before)
    assert modes
    assert set(modes.values()) == {0o600}, modes
