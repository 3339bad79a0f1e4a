"""Opening a ledger that must be there already: copied, backed up, never made by opening it.

The one rule: SQLite would create the file of a mistyped address, and a copy of nothing looks like a copy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError

from ciclo.ledger.database import open_engine, require_migrated
from ciclo.ledger.errors import LedgerError, LedgerNotMigratedError


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
        require_migrated(engine)
        yield engine
    except LedgerNotMigratedError as error:
        raise UnusableLedgerError(called, str(error)) from None
    finally:
        engine.dispose()
