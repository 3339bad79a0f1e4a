"""The ledger's database: its own, never Airflow's. Engines, sessions, migrations, and what databases spell differently.

Nothing is opened on import. SQLite runs in WAL mode and begins every transaction `IMMEDIATE`: a claim then takes the
write lock before it reads, so that two runs never see the same row as free. The file is readable by its owner only.
Messages never carry the ledger's URL, which may hold a password.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import URL, ColumnElement, Engine, Insert, create_engine, event, inspect, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.orm import Session

from ciclo.ledger.tables import Base

if TYPE_CHECKING:
    from alembic.config import Config


class LedgerError(Exception):
    """Parent of the ledger's errors."""


class LedgerUrlError(LedgerError):
    """`CICLO_LEDGER_URL` leads nowhere."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The ledger cannot be opened: {why}. Check CICLO_LEDGER_URL.")


class LedgerNotMigratedError(LedgerError):
    """The ledger's tables are missing or of another version."""

    def __init__(self, *, found: str | None, wanted: str) -> None:
        state = "was never migrated" if found is None else f"is at migration {found}, not at {wanted}"
        super().__init__(f"The ledger {state}. Run `ciclo db upgrade`, then try again.")


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


class UnusableLedgerError(LedgerError):
    """A ledger is not there, or not at this version's migration; `called` says which one. Never shows the URL."""

    def __init__(self, called: str, why: str) -> None:
        super().__init__(f"The {called} cannot be used: {why}")


@contextmanager
def existing_ledger(url: str, called: str, *, read_only: bool = False) -> Iterator[Engine]:
    """Yield an engine for the ledger at `url`, which is at this version's migration.

    Args:
        url: SQLAlchemy URL.
        called: what messages call it, such as `source`.
        read_only: SQLite then reads one snapshot and holds nobody up.

    Raises:
        UnusableLedgerError: the URL cannot be read, or no ledger of this version is there.
        LedgerUrlError: the database is of another kind, or does not answer.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # their messages may quote a piece of the URL
        raise UnusableLedgerError(called, "its address is not a SQLAlchemy URL.") from None
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise UnusableLedgerError(called, f"there is no file {address.database or 'in its address'}.")
    engine = open_engine(url, read_only=read_only)
    try:
        try:
            require_migrated(engine)
        except LedgerNotMigratedError as error:
            raise UnusableLedgerError(called, str(error)) from None
        except DatabaseError as error:  # a damaged file
            raise UnusableLedgerError(called, f"{error.orig}.") from None
        yield engine
    finally:
        engine.dispose()


MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - Alembic is slow to import

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def newest_revision() -> str:
    """Return the migration that this version of Ciclo needs."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise LookupError(f"no migration in {MIGRATIONS}")
    return head


def upgrade(engine: Engine, revision: str = "head") -> str:
    """Bring the ledger up to a migration, by default to `newest_revision()`, and return it; harmless if it is there."""
    from alembic import command  # noqa: PLC0415 - as above

    _run(command.upgrade, engine, revision)
    return newest_revision() if revision == "head" else revision


def downgrade(engine: Engine, revision: str) -> None:
    """Take the ledger back to an older migration, for an older version of Ciclo."""
    from alembic import command  # noqa: PLC0415 - as above

    _run(command.downgrade, engine, revision)


def _run(change: "Callable[[Config, str], None]", engine: Engine, revision: str) -> None:
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        change(config, revision)


def insert_new(session: Session, table: type[Base]) -> Insert:
    """Return an insert into `table` that leaves rows alone which a unique constraint knows already."""
    return _insert(session.get_bind().dialect.name, table).on_conflict_do_nothing()


ROWS_AT_ONCE = 500
"""Rows or ids in one statement: databases limit its parameters, and memory is held by the part."""

Each = TypeVar("Each")


def in_parts(rows: Iterable[Each]) -> Iterator[list[Each]]:
    """Yield rows or ids some at a time, in their order."""
    rest = iter(rows)
    while part := list(islice(rest, ROWS_AT_ONCE)):
        yield part


Merge = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[Any]]
"""What becomes of a column, from the given value and the stored one."""


def upsert(
    session: Session, table: type[Base], *, keep: Sequence[str] = (), merge: Mapping[str, Merge] | None = None
) -> Insert:
    """Return an insert into `table` that updates the row with the same primary key.

    Args:
        session: says which database it is.
        table: an entity.
        keep: columns that stay as they are stored.
        merge: columns that follow from the given and the stored value; every other column takes the given one.
    """
    return _upsert(session.get_bind().dialect.name, table, tuple(keep), tuple((merge or {}).items()))


@lru_cache  # spelling one out takes as long as executing it for some rows
def _upsert(dialect: str, table: type[Base], keep: tuple[str, ...], merge: tuple[tuple[str, Merge], ...]) -> Insert:
    statement = _insert(dialect, table)
    columns = table.__table__.columns
    key = [column.name for column in table.__table__.primary_key]
    changed: dict[str, Any] = {
        column.name: statement.excluded[column.name]
        for column in columns
        if column.name not in key and column.name not in keep
    }
    for name, merged in merge:
        changed[name] = merged(statement.excluded[name], columns[name])
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def _insert(dialect: str, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
