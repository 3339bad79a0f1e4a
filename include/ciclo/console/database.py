"""The console's way to the ledger: engines made on first use, one session a request.

Pages read on an engine that never takes SQLite's write lock; the other one is for actions and kept sums.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine, require_migrated


class Ledger:
    """The ledger's two engines, opened when the first request needs them."""

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._reader: Engine | None = None
        self._writer: Engine | None = None
        self._lock = Lock()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session for queries.

        Raises:
            LedgerError: the ledger cannot be opened or was not migrated; tried again with the next request.
        """
        with Session(self._reading_engine()) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Yield a session for one action; the caller commits."""
        self._reading_engine()
        with self._lock:
            self._writer = self._writer or open_engine(self._url)
        with Session(self._writer, expire_on_commit=False) as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        for engine in (self._reader, self._writer):
            if engine is not None:
                engine.dispose()

    def _reading_engine(self) -> Engine:
        with self._lock:
            if self._reader is None:
                engine = open_engine(self._url, read_only=True)
                require_migrated(engine)
                self._reader = engine
            return self._reader


def ledger_of(request: Request) -> Ledger:
    """Return the app's ledger."""
    ledger: Ledger = request.app.state.ledger
    return ledger


def reading_session(request: Request) -> Iterator[Session]:
    """Yield the request's reading session."""
    with ledger_of(request).reading() as session:
        yield session


LedgerDep = Annotated[Ledger, Depends(ledger_of)]
SessionDep = Annotated[Session, Depends(reading_session)]
