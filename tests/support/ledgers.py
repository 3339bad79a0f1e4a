"""Ledgers of either kind for tests that need more than one; and what is in them, to be compared."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from warnings import catch_warnings, filterwarnings

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine, upgrade
from ciclo.ledger.repositories import Actor, OrganizationRepository
from ciclo.ledger.tables import Base, Kept
from factories import NOON, ORGANIZATION


@contextmanager
def empty_ledger(kind: str, folder: Path, server: str | None = None) -> Iterator[str]:
    """Yield the URL of a migrated ledger: a SQLite file in `folder`, or a database of the PostgreSQL `server`."""
    name = f"other_{uuid.uuid4().hex}"
    if kind == "sqlite":
        url = f"sqlite:///{folder / name}.db"
        migrate(url)
        yield url
        return
    assert server is not None
    administer(server, f"CREATE DATABASE {name} TEMPLATE ciclo_template")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def migrate(url: str) -> None:
    """Make a ledger at the newest migration: on SQLite a copy of one that was migrated once in this process."""
    path = make_url(url).database if url.startswith("sqlite") else None
    if path is not None:
        Path(path).write_bytes(_migrated_once())
        return
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


@cache
def _migrated_once() -> bytes:
    """The file of an empty ledger; its write-ahead log is in it once nobody has it open."""
    with TemporaryDirectory(prefix="ciclo-template-") as folder:
        path = Path(folder) / "ledger.db"
        engine = open_engine(f"sqlite:///{path}")
        upgrade(engine)
        engine.dispose()
        return path.read_bytes()


def arm(url: str, *, responsible_from: date = date(2025, 1, 1)) -> None:
    """Let the tests' organization bill in a ledger, as approving its first plan does."""
    engine = open_engine(url)
    with Session(engine) as session:
        organization = OrganizationRepository(session, ORGANIZATION, Actor(person="tests"))
        organization.arm(responsible_from=responsible_from, person="tests", at=NOON)
        session.commit()
    engine.dispose()


@contextmanager
def engine_with(url: str, setting: str) -> Iterator[Engine]:
    """Yield an engine whose connections have a setting of PostgreSQL's."""
    engine = open_engine(url)

    @event.listens_for(engine, "connect")
    def _set(connection: Any, _record: object) -> None:
        connection.execute(f"SET {setting}")
        connection.commit()

    try:
        yield engine
    finally:
        engine.dispose()


def differences(connection: Connection) -> list[Any]:
    """Where a ledger is not as the tables say; they say of some indexes of which database they are."""

    def is_meant(thing: Any, _name: object, _kind: object, reflected: bool, _counterpart: object) -> bool:  # noqa: FBT001
        index = getattr(thing, "_ddl_if", None)
        only = index.dialect if index else thing.info.get("only")
        return reflected or only in (None, connection.dialect.name)

    context = MigrationContext.configure(connection, opts={"compare_type": False, "include_object": is_meant})
    with catch_warnings():
        filterwarnings("ignore", "autogenerate skipping metadata-specified expression-based index")  # of PostgreSQL
        return list(compare_metadata(context, [Base.metadata, Kept.metadata]))


def administer(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def contents(url: str) -> dict[str, list[str]]:
    """Return every row of every table as it reads in Python: decimals with their digits, instants with their zone."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = {table.name: [_written(row) for row in connection.execute(_in_order(table))] for table in _tables()}
    engine.dispose()
    return found


def _tables() -> list[Any]:
    return Base.metadata.sorted_tables


def _in_order(table: Any) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _written(row: Any) -> str:
    return repr(tuple(sorted(value.items()) if isinstance(value, dict) else value for value in row))
