"""Looking after the ledger's database: a backup of SQLite while it is in use, and the move to another database.

A file that bears a backup's name is a whole ledger. It is written under another name, checked, and only then renamed;
nothing is overwritten, and only its owner can read it. PostgreSQL has `pg_dump`: docs/operations.md.

The target of a move gets every row or none. Everything is written in one transaction, read again on both sides and
compared value by value before the commit; the source is read in one snapshot and never written.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Insert,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    collate,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ciclo.ledger.database import existing_ledger
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.queries.receivables import receivable_sums
from ciclo.ledger.rows import ROWS_AT_ONCE
from ciclo.ledger.tables import (
    AuditEntry,
    Base,
    Period,
    PeriodMark,
    PriceUpdateExecution,
    Receivable,
    ReceivableSum,
)
from ciclo.locale import _


class BackupError(LedgerError):
    """No backup was made."""


def back_up(url: str, path: Path) -> int:
    """Write the ledger as it is at one moment to the new file `path` (mode 0600) and return its size in bytes.

    Runs may go on billing meanwhile: what they commit after that moment is not in the backup.

    Raises:
        BackupError: the ledger is not on SQLite, the file exists or cannot be written, or the copy is not sound.
        UnusableLedgerError: there is no ledger of this version to back up.
    """
    if path.exists():
        raise BackupError(f"{path} exists already: a backup overwrites nothing.")
    with existing_ledger(url, "ledger", read_only=True) as engine, _unfinished(path) as partial:
        if engine.dialect.name != "sqlite":
            raise BackupError("This ledger is on PostgreSQL: back it up with pg_dump, as docs/operations.md shows.")
        _write(engine, partial)
        _require_sound(partial)
        partial.rename(path)
    _sync(path.parent)
    return path.stat().st_size


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Yield an empty private file beside `path`; what is left of it at the end is removed."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BackupError(
            f"{partial} is there: a backup is being made, or one was cut short; then remove it."
        ) from None
    except OSError as error:
        raise BackupError(f"{partial} cannot be written: {error.strerror}.") from None
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _write(engine: Engine, partial: Path) -> None:
    """Copy by `VACUUM INTO`: one snapshot, no writer is held up, and the result needs no other file beside it."""
    with closing(engine.raw_connection()) as pooled:
        connection = pooled.driver_connection
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - for the type checker; back_up looked at the dialect
        try:
            connection.execute("VACUUM INTO ?", (str(partial),))
        except sqlite3.Error as error:
            raise BackupError(f"The backup failed: {error}.") from None
    _sync(partial)


def _require_sound(partial: Path) -> None:
    with closing(sqlite3.connect(partial)) as copy:
        [(verdict,)] = copy.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        text = _("The backup is not sound ({verdict}): check the disk and the ledger itself.")
        raise BackupError(text.format(verdict=verdict))


def _sync(path: Path) -> None:
    """Have a file or folder on the disk, not only on its way there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class TransferError(LedgerError):
    """A ledger was not copied; the target is as it was before."""


class TargetNotEmptyError(TransferError):
    """The target holds rows: it is a ledger already."""

    def __init__(self, table: str) -> None:
        text = _("The target is not empty: it has rows in {table}. Copy into a database that was only migrated.")
        super().__init__(text.format(table=table))


class BillingUnderWayError(TransferError):
    """A run holds a claim on the source: what it is told by the vendor would be missing in the copy."""

    def __init__(self, periods: int, updates: int, until: datetime) -> None:
        text = _(
            "Somebody is billing: {periods} periods and {updates} price updates are being sent, under a lease that "
            "ends at {until} UTC. Pause the Dags, let their runs end, then copy."
        )
        super().__init__(text.format(periods=periods, updates=updates, until=f"{until:%Y-%m-%d %H:%M:%S}"))


class SourceChangedError(TransferError):
    """The source was written to while it was copied: the copy would be behind."""

    def __init__(self) -> None:
        super().__init__(_("The source was changed while it was copied, nothing was kept. Pause the Dags, then copy."))


class RowsRefusedError(TransferError):
    """A database did not give or take rows of a table."""

    def __init__(self, table: str, reason: str) -> None:
        text = _("The rows of {table} cannot be copied: {why}. Nothing was kept.")
        super().__init__(text.format(table=table, why=reason))


class CopyDiffersError(TransferError):
    """A row reads differently on the two sides, or only one side has it."""

    def __init__(self, table: str, key: str) -> None:
        text = _("The copy of {table} differs from the source at {key}. Nothing was kept.")
        super().__init__(text.format(table=table, key=key))


def copy_ledger(source: str, target: str, *, at: datetime) -> dict[str, int]:
    """Copy every table of a ledger into another one, prove it, and return the number of rows by table.

    Args:
        source: URL of a ledger at this version's migration; what is in it stays.
        target: URL of a ledger at the same migration without any row.
        at: the present: a claim whose lease ends later is somebody billing.

    Raises:
        TransferError: one of its kinds, each saying what to do; the target is then as it was before.
        UnusableLedgerError: one of the two is not there, or of another version.
        LedgerUrlError: one of the databases does not answer.
    """
    with (
        existing_ledger(source, "source", read_only=True) as source_engine,
        existing_ledger(target, "target") as target_engine,
        _snapshot(source_engine) as old,
        _transaction(target_engine) as new,
    ):
        _require_nobody_billing(old, at)
        for table in Base.metadata.sorted_tables:
            if new.execute(select(table).limit(1)).first() is not None:
                raise TargetNotEmptyError(table.name)
        with summed_at_the_end(new):
            copied = {table.name: _copy(old, new, table) for table in Base.metadata.sorted_tables}
        for table in Base.metadata.sorted_tables:
            _require_same(old, new, table)
        _continue_numbering(new)
        _require_unchanged(source_engine, old)
    return copied


@contextmanager
def summed_at_the_end(ledger: Connection) -> Iterator[None]:
    """Let PostgreSQL sum receivables and periods up once, not one by one: for a transaction that writes most of them.

    Nobody else can write either until it ends. SQLite's triggers are as quick for many as for few.
    """
    if ledger.dialect.name != "postgresql":
        yield
        return
    for table in (Receivable, Period):
        ledger.exec_driver_sql(f"ALTER TABLE {table.__tablename__} DISABLE TRIGGER USER")
    yield
    for table in (Receivable, Period):
        ledger.exec_driver_sql(f"ALTER TABLE {table.__tablename__} ENABLE TRIGGER USER")
    days = select(Period.organization_id, Period.issue_date).distinct()
    ledger.execute(insert(PeriodMark).from_select(["organization_id", "issue_date"], days))
    ledger.execute(delete(ReceivableSum))
    sums = receivable_sums()
    ledger.execute(insert(ReceivableSum).from_select(sums.selected_columns.keys(), sums))


# -- what must hold before -------------------------------------------------------------------------------------------


def _require_nobody_billing(old: Connection, at: datetime) -> None:
    periods, periods_until = _claimed(old, Period, at)
    updates, updates_until = _claimed(old, PriceUpdateExecution, at)
    ends = [until for until in (periods_until, updates_until) if until is not None]
    if ends:
        raise BillingUnderWayError(periods, updates, max(ends).astimezone(UTC))


def _claimed(old: Connection, claimable: type[Period | PriceUpdateExecution], at: datetime) -> tuple[int, Any]:
    query = select(func.count(), func.max(claimable.lease_until)).where(
        claimable.state == "submitting", claimable.lease_until > at
    )
    count, until = old.execute(query).one()
    return count, until


# -- reading and writing ---------------------------------------------------------------------------------------------


@contextmanager
def _snapshot(source: Engine) -> Iterator[Connection]:
    """Yield a connection that sees the source at one moment, whatever others write meanwhile."""
    with source.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():  # on SQLite a read transaction in WAL mode is a snapshot
            yield connection


@contextmanager
def _transaction(target: Engine) -> Iterator[Connection]:
    try:
        with target.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise TransferError(f"One of the databases failed: {_reason(error)}. Nothing was kept.") from None


def _copy(old: Connection, new: Connection, table: Table) -> int:
    rows = 0
    insert = _insert(table, new.dialect.name)
    with _rows_of(table):
        for part in old.execute(_query(table, old.dialect.name)).mappings().partitions():
            new.execute(insert, [dict(row) for row in part])
            rows += len(part)
    return rows


def _query(table: Table, dialect: str) -> Select[Any]:
    """Read a table in the order of its key, documents as their text: no number in them becomes a float.

    A text in a key is ordered by its bytes, as SQLite does: both sides are read in the same order.
    """
    columns = [cast(column, Text).label(column.name) if _is_document(column) else column for column in table.columns]
    key = [
        collate(column, "C") if isinstance(column.type, Text) and dialect == "postgresql" else column
        for column in table.primary_key.columns
    ]
    return select(*columns).order_by(*key).execution_options(yield_per=ROWS_AT_ONCE)


def _insert(table: Table, dialect: str) -> Insert:
    values: dict[str, Any] = {}
    for column in table.columns:
        value: Any = bindparam(column.name, type_=Text) if _is_document(column) else bindparam(column.name)
        # SQLite keeps documents as text
        as_document = _is_document(column) and dialect == "postgresql"
        values[column.name] = cast(value, column.type) if as_document else value
    return table.insert().values(values)


def _is_document(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON)


def _continue_numbering(new: Connection) -> None:
    """Let PostgreSQL number new rows after the copied ones; SQLite does so by itself."""
    if new.dialect.name != "postgresql":
        return
    for table in Base.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            new.execute(select(func.setval(sequence, func.max(column))).having(func.max(column).is_not(None)))


# -- the proof -------------------------------------------------------------------------------------------------------


def _require_same(old: Connection, new: Connection, table: Table) -> None:
    """Read a table on both sides in the order of its key and compare row by row."""
    documents = [position for position, column in enumerate(table.columns) if _is_document(column)]
    with _rows_of(table):
        for mine, copied in zip_longest(*(side.execute(_query(table, side.dialect.name)) for side in (old, new))):
            if mine is None or copied is None or not _same(mine, copied, documents):
                row = mine if mine is not None else copied
                keys = table.primary_key.columns
                key = ", ".join(f"{column.name} {row._mapping[column.name]}" for column in keys)  # noqa: SLF001 - public in spite of its name
                raise CopyDiffersError(table.name, key)


def _same(mine: Row[Any], copied: Row[Any], documents: Sequence[int]) -> bool:
    ours, theirs = list(mine), list(copied)
    for position in documents:
        if ours[position] != theirs[position]:  # PostgreSQL orders keys and spaces anew
            ours[position], theirs[position] = _parsed(ours[position]), _parsed(theirs[position])
    return ours == theirs


def _parsed(document: str | None) -> tuple[Any, ...]:
    """Return a document's values; nothing at all is not the document `null`."""
    return () if document is None else (json.loads(document, parse_float=Decimal),)


def _require_unchanged(source: Engine, old: Connection) -> None:
    """Refuse a source that somebody changed meanwhile: every change of state adds to the audit trail."""
    newest = select(func.max(AuditEntry.id))
    with source.connect() as now:
        if now.scalar(newest) != old.scalar(newest):
            raise SourceChangedError


@contextmanager
def _rows_of(table: Table) -> Iterator[None]:
    """Name the table in whatever a database says of its rows; never the rows' values."""
    try:
        yield
    except SQLAlchemyError as error:
        raise RowsRefusedError(table.name, _reason(error)) from None
    except (ArithmeticError, ValueError) as error:
        raise RowsRefusedError(
            table.name, _("a value is not of its column's type ({error})").format(error=type(error).__name__)
        ) from None


def _reason(error: SQLAlchemyError) -> str:
    """Return the first line of what the database said: later ones quote values."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return type(error).__name__
    return next(iter(str(error.orig).splitlines()), type(error.orig).__name__).rstrip(".")
