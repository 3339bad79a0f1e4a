"""Engine and sessions of the ledger: its own database, never Airflow's. Nothing is opened on import.

SQLite runs in WAL mode and begins every transaction `IMMEDIATE`: a claim then takes the write lock before it reads,
so that two runs never see the same row as free. The file is readable by its owner only.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from ciclo.ledger.errors import LedgerNotMigratedError, LedgerUrlError

BUSY_SECONDS = 60
"""How long a SQLite writer waits for another."""


def ledger_url() -> str:
    """Return `CICLO_LEDGER_URL`, or the default SQLite file under `AIRFLOW_HOME`."""
    configured = os.environ.get("CICLO_LEDGER_URL")
    if configured:
        return configured
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return f"sqlite:///{home / 'ciclo-ledger.db'}"


def open_engine(url: str | None = None, *, read_only: bool = False) -> Engine:
    """Make an engine for the ledger at `url` (default: `ledger_url()`).

    Args:
        url: SQLAlchemy URL; SQLite or PostgreSQL. `postgresql://` means psycopg 3.
        read_only: for the console: SQLite readers then do not take the write lock.

    Raises:
        LedgerUrlError: the URL cannot be read, or names another database.
    """
    address = url or ledger_url()
    try:
        parsed = make_url(address)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise LedgerUrlError("it is not a SQLAlchemy URL") from None
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite_engine(address, begin="BEGIN" if read_only else "BEGIN IMMEDIATE")
        case "postgresql":
            return _engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        case other:
            raise LedgerUrlError(f"{other} is not supported; use sqlite or postgresql")


def _engine(url: URL | str, **options: Any) -> Engine:
    return create_engine(
        url, hide_parameters=True, json_serializer=_json_text, json_deserializer=orjson.loads, **options
    )


def _json_text(document: Any) -> str:
    return orjson.dumps(document).decode()


def _sqlite_engine(url: str, *, begin: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        _create_private_file(Path(path))
    engine = _engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy, not sqlite3, says BEGIN
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_SECONDS * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _create_private_file(path: Path) -> None:
    """Create the database's file with mode 0600, as SQLite would give it the umask's."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


@lru_cache(maxsize=4)
def _shared_engine(url: str) -> Engine:
    return open_engine(url)


@contextmanager
def ledger_session(url: str | None = None, *, discard: bool = False) -> Iterator[Session]:
    """Yield a session on the process's own engine for `url`; the caller commits, an exception rolls back.

    Args:
        url: default: `ledger_url()`.
        discard: for a dry run: whatever the caller commits is undone at the end.

    Raises:
        LedgerNotMigratedError: the ledger has no tables, or those of another version.
    """
    engine = _shared_engine(url or ledger_url())
    require_migrated(engine)
    with open_session(engine, discard=discard) as session:
        yield session


@contextmanager
def open_session(engine: Engine, *, discard: bool = False) -> Iterator[Session]:
    """Yield a session on an engine; with `discard` whatever the caller commits is undone at the end."""
    if not discard:
        with Session(engine, expire_on_commit=False) as session:
            yield session
        return
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
                yield session
        finally:
            transaction.rollback()


def require_migrated(engine: Engine) -> None:
    """Refuse a ledger that was never migrated, or not to this version."""
    from ciclo.ledger.migrate import newest_revision  # noqa: PLC0415 - Alembic is slow to import

    found = current_revision(engine)
    if found != newest_revision():
        raise LedgerNotMigratedError(found=found, wanted=newest_revision())


def current_revision(engine: Engine) -> str | None:
    """Return the migration that the ledger stands at, or None if it was never migrated."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision
    except OperationalError as error:
        raise LedgerUrlError(f"the database does not answer ({type(error.orig).__name__})") from error
