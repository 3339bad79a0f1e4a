"""The ledger's database: its own, never Airflow's. Engines, sessions, migrations.

Nothing is opened on import. PostgreSQL may stand behind PgBouncer in transaction pooling: no prepared statement, no
setting and no lock outlives its transaction. SQLite runs in WAL mode and begins every transaction `IMMEDIATE`: a claim
then takes the write lock before it reads, so that two runs never see the same row as free. Its file is its owner's.
Messages never carry the ledger's URL, which may hold a password.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from opentelemetry import trace
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from ciclo.ledger.address import ledger_url, may_change, parsed, setting
from ciclo.ledger.errors import (
    ForeignDatabaseError,
    LedgerNewerError,
    LedgerNotMigratedError,
    LedgerUrlError,
    UnusableLedgerError,
    explained,
)
from ciclo.ledger.tables import Organization
from ciclo.locale import _

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_SECONDS = 60
"""How long a SQLite writer waits for another."""


def open_engine(url: str | None = None, *, read_only: bool = False) -> Engine:
    """Make an engine for the ledger at `url` (default: `ledger_url()`).

    Args:
        url: SQLAlchemy URL; SQLite or PostgreSQL. `postgresql://` means psycopg 3.
        read_only: for the console: SQLite readers then do not take the write lock.

    Raises:
        LedgerUrlError: the URL cannot be read or names another database, or a SQLite file cannot be created.
        LedgerUnavailableError: what knows the URL does not answer.
    """
    address = parsed(url or ledger_url())
    if address.get_backend_name() == "sqlite":
        return _sqlite_engine(address, begin="BEGIN" if read_only else "BEGIN IMMEDIATE")
    engine = _engine(address, pool_pre_ping=True, connect_args=_connection_of(address))
    if url is None and may_change():
        event.listen(engine, "do_connect", _connect_anew)
    return engine


_PSYCOPG: dict[str, Any] = {
    "prepare_threshold": None,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""How a connection is made, unless its URL says otherwise.

A statement would be prepared on the server at its sixth use; behind PgBouncer that is another server by then. A server
that is gone without a word, with its machine or the way to it, is noticed within a minute; Linux waits for two hours.
"""


def _connection_of(address: URL) -> dict[str, Any]:
    return {name: value for name, value in _PSYCOPG.items() if name not in address.query}


def _connect_anew(dialect: Any, _record: object, _args: Any, options: dict[str, Any]) -> None:
    """Take the address as it is now, instead of the one that the engine was made with."""
    address = parsed(ledger_url())
    _, now = dialect.create_connect_args(address)
    options.clear()
    options |= now | _connection_of(address)


def _engine(url: URL | str, **options: Any) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        json_serializer=lambda document: orjson.dumps(document).decode(),
        json_deserializer=orjson.loads,
        **options,
    )
    trace_statements(engine)
    return engine


def _sqlite_engine(url: URL, *, begin: str) -> Engine:
    path = url.database
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise LedgerUrlError(f"{path} cannot be created ({error.strerror})") from None


@lru_cache(maxsize=4)
def _shared_engine(url: str) -> Engine:
    return open_engine(url)


@lru_cache(maxsize=4)
def _engine_of(_setting: str, _value: str) -> Engine:
    """The engine for a setting whose address may change; it asks for it with every connection."""
    return open_engine()


def process_engine(url: str | None = None) -> Engine:
    """Return the engine that this process keeps for `url` (default: `ledger_url()`)."""
    if url is None and may_change():
        name = str(setting())
        return _engine_of(name, os.environ[name])
    return _shared_engine(url or ledger_url())


@contextmanager
def ledger_session(url: str | None = None, *, discard: bool = False) -> Iterator[Session]:
    """Yield a session on the process's own engine for `url`; the caller commits, an exception rolls back.

    Args:
        url: default: `ledger_url()`.
        discard: for a dry run: whatever the caller commits is undone at the end.

    Raises:
        LedgerNotMigratedError: the ledger has no tables, or those of another version.
    """
    engine = process_engine(url)
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
        _refuse_unknown(engine, found)
        raise LedgerNotMigratedError(found=found, wanted=newest_revision())


def current_revision(engine: Engine) -> str | None:
    """Return the migration that the ledger stands at, or None if it was never migrated.

    Raises:
        LedgerUnavailableError: the database does not answer.
        LedgerRefusedError: its user may not read there.
    """
    with explained(), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _refuse_unknown(engine: Engine, revision: str | None) -> None:
    """Refuse a migration that is not ours: another application's, most likely Airflow's, or a newer version's."""
    if revision is None or revision in revisions():
        return
    with explained(), engine.connect() as connection:
        ours = inspect(connection).has_table(Organization.__tablename__)
    raise LedgerNewerError(revision) if ours else ForeignDatabaseError


@contextmanager
def existing_ledger(url: str, called: str, *, read_only: bool = False) -> Iterator[Engine]:
    """Yield an engine for the ledger at `url`, which is at this version's migration.

    Args:
        url: SQLAlchemy URL.
        called: what messages call it, such as `source`.
        read_only: SQLite then reads one snapshot and holds nobody up.

    Raises:
        UnusableLedgerError: the URL cannot be read, or no ledger of this version is there.
        LedgerUnavailableError: the database does not answer.
    """
    try:
        address = parsed(url)
    except LedgerUrlError:
        raise UnusableLedgerError(called, _("its address is not one of SQLite or PostgreSQL.")) from None
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise UnusableLedgerError(called, _("there is no file {path}.").format(path=address.database or "?"))
    engine = open_engine(url, read_only=read_only)
    try:
        try:
            require_migrated(engine)
        except (LedgerNotMigratedError, LedgerNewerError, ForeignDatabaseError) as error:
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


@cache
def revisions() -> frozenset[str]:
    """Return every migration of this version of Ciclo."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def upgrade(engine: Engine, revision: str = "head") -> str:
    """Bring the ledger up to a migration, by default to `newest_revision()`, and return it; harmless if it is there.

    Raises:
        LedgerError: the database does not answer, refuses, or is not a ledger of this version or an older one.
    """
    from alembic import command  # noqa: PLC0415 - as above

    _refuse_unknown(engine, current_revision(engine))
    _run(command.upgrade, engine, revision)
    return newest_revision() if revision == "head" else revision


def downgrade(engine: Engine, revision: str) -> None:
    """Take the ledger back to an older migration, for an older version of Ciclo."""
    from alembic import command  # noqa: PLC0415 - as above

    _run(command.downgrade, engine, revision)


def _run(change: "Callable[[Config, str], None]", engine: Engine, revision: str) -> None:
    config = _config()
    with explained(), engine.begin() as connection:
        config.attributes["connection"] = connection
        change(config, revision)


LONGEST_TEXT = 2000
"""Characters of a statement; an insert of 500 rows has twenty times as many."""
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)")
_tracer = trace.get_tracer("ciclo.ledger")


def trace_statements(engine: Engine) -> None:
    """Give each statement of an engine a span where somebody records its surroundings."""
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _fail)


def _begin(
    connection: Connection,
    _cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    many: bool,  # noqa: FBT001
) -> None:
    if not trace.get_current_span().is_recording():
        return
    operation, table = statement.split(None, 1)[0].upper(), _TABLE.search(statement)
    attributes: dict[str, str | int] = {
        "db.system.name": connection.dialect.name,
        "db.operation.name": operation,
        "db.query.text": statement[:LONGEST_TEXT],
    }
    rows = context.execution_options.get("rows", len(parameters) if many else 0)
    if rows > 1:
        attributes["db.operation.batch.size"] = rows
    name = f"{operation} {table[1]}" if table else operation
    context.ciclo_span = _tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)


def _end(
    _connection: Connection,
    _cursor: Any,
    _statement: str,
    _parameters: Any,
    context: Any,
    _many: bool,  # noqa: FBT001
) -> None:
    span = getattr(context, "ciclo_span", None)
    if span is not None:
        span.end()


def _fail(failure: ExceptionContext) -> None:
    span = getattr(failure.execution_context, "ciclo_span", None)
    if span is not None:
        span.set_status(trace.StatusCode.ERROR, type(failure.original_exception).__name__)  # its message has values
        span.end()
