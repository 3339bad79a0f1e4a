"""Backing a SQLite ledger up while it is in use. PostgreSQL has `pg_dump`: docs/operations.md.

A file that bears a backup's name is a whole ledger. It is written under another name, checked, and only
then renamed; nothing is overwritten, and only its owner can read it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from ciclo.ledger.database import LedgerError, existing_ledger


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
        raise BackupError(f"The backup is not sound ({verdict}): check the disk and the ledger itself.")


def _sync(path: Path) -> None:
    """Have a file or folder on the disk, not only on its way there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
