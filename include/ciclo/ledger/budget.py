"""One budget of requests for all processes of an organization: a row of a ledger on PostgreSQL, a file beside SQLite's.

A process asks for the turns of all its waiting threads together. Within any stretch of time no more calls start than
the budget has, whoever makes them; a pause that the vendor asks one of them for holds for all. What creates or changes
comes first: while anybody writes, reading has a quarter. Where the ledger does not answer, a process keeps the budget
alone.
"""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ciclo.http.retries import Budget
from ciclo.ledger.database import process_engine
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.rows import insert_new
from ciclo.ledger.tables import RequestBudget

log = logging.getLogger(__name__)

WRITING_SECONDS = 2.0
"""How long after a write reading still makes way for the next."""

READING_SHARE = 4
"""While anybody writes, reading has one turn in so many."""


FURTHEST_AHEAD = 7200.0
"""Seconds; what lies further ahead was noted by a clock that was set back since, and would keep everybody waiting."""


@dataclass(slots=True)
class Turns:
    """What was given out: starts and instants in seconds since 1970, by one clock for all."""

    starts: list[float] = field(default_factory=list)
    """Of the last calls, as many as a stretch may have, in order; some may be still to come."""
    closed_until: float = 0.0
    wrote_at: float = 0.0
    read_at: float = 0.0

    def give(self, *, writes: bool, now: float, calls: int, seconds: float) -> tuple[float, bool]:
        """Return how long to wait, and whether a turn was given; a reader without one asks again after the wait.

        Args:
            writes: whether the call creates or changes something.
            now: the instant, by the clock that all share.
            calls: how many may start within a stretch.
            seconds: the length of a stretch.
        """
        if max([self.closed_until, self.wrote_at, self.read_at, *self.starts[-1:]]) > now + FURTHEST_AHEAD:
            self.starts, self.closed_until, self.wrote_at, self.read_at = [], 0.0, 0.0, 0.0
        turn = self.read_at + READING_SHARE * seconds / calls
        if not writes and now - self.wrote_at < WRITING_SECONDS and turn > now:
            return turn - now, False
        start = max([now, self.closed_until, *self.starts[-1:]])
        if len(self.starts) >= calls:
            start = max(start, self.starts[-calls] + seconds)
        self.starts = [*self.starts, start][-calls:]
        if writes:
            self.wrote_at = start
        else:
            self.read_at = start
        return start - now, True


class Store(Protocol):
    """Where the turns of an organization are kept."""

    def opened(self) -> AbstractContextManager[tuple[Turns, float]]:
        """Hold the turns, with the instant, and keep what was changed about them; nobody else has them meanwhile."""
        ...


class RowStore:
    """A row of the ledger."""

    def __init__(self, engine: Engine, organization_id: int) -> None:
        self._engine = engine
        self._organization_id = organization_id

    @contextmanager
    def opened(self) -> Iterator[tuple[Turns, float]]:
        """Hold the row locked, in a transaction of its own that does not wait for the disk."""
        mine = RequestBudget.organization_id == self._organization_id
        with Session(self._engine) as session, session.begin():
            session.execute(text("SET LOCAL synchronous_commit = off"))
            query = select(RequestBudget.turns).where(mine).with_for_update()
            known = session.scalar(query)
            if known is None:
                row = {"organization_id": self._organization_id, "turns": asdict(Turns())}
                session.execute(insert_new(session, RequestBudget), [row])
                known = session.scalars(query).one()
            turns = Turns(**known)
            yield turns, float(session.scalars(select(func.extract("epoch", func.clock_timestamp()))).one())
            session.execute(update(RequestBudget).where(mine).values(turns=asdict(turns)))


class FileStore:
    """A file beside the ledger's, for the processes of one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def opened(self) -> Iterator[tuple[Turns, float]]:
        """Hold the file locked; one that cannot be read begins anew."""
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                turns = Turns(**json.load(file))
            except (ValueError, TypeError):
                turns = Turns()
            yield turns, time.time()
            file.seek(0)
            file.truncate()
            json.dump(asdict(turns), file)


@dataclass(slots=True)
class _Waiting:
    writes: bool
    start: float | None = None
    """By the process's clock; None until the store was asked."""
    has_turn: bool = False


class SharedBudget:
    """Lets a thread through when the budget of all processes allows its call.

    Args:
        store: where the turns are kept.
        rate: calls a second, which may be a fraction.
        alone: the budget of this process, for as long as the store does not answer.
        clock: seconds that only move forward.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        store: Store,
        rate: float,
        alone: Budget,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._calls = max(1, int(rate))
        self._seconds = self._calls / rate
        self._alone = alone
        self._clock = clock
        self._sleep = sleep
        self._asking = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Waiting] = []

    def take(self, *, writes: bool) -> None:
        """Wait until a call may start, and count it."""
        has_turn = False
        while not has_turn:
            waiting = _Waiting(writes)
            with self._queue_lock:
                self._queue.append(waiting)
            with self._asking:  # one thread asks for all that wait by then
                if waiting.start is None:
                    with self._queue_lock:
                        queue, self._queue = self._queue, []
                    self._ask(queue)
            if waiting.start is None:
                self._alone.take(writes=writes)
                return
            has_turn = waiting.has_turn
            left = waiting.start - self._clock()
            if left > 0:
                self._sleep(left)

    def close_for(self, seconds: float) -> None:
        """Let nobody start for so long, in any process: the server asked for a pause."""
        self._alone.close_for(seconds)
        try:
            with self._store.opened() as (turns, now):
                turns.closed_until = max(turns.closed_until, now + seconds)
        except (SQLAlchemyError, LedgerError, OSError) as error:
            _say_alone(error)

    def _ask(self, queue: Sequence[_Waiting]) -> None:
        given: list[tuple[_Waiting, float, bool]] = []
        try:
            with self._store.opened() as (turns, now):
                for each in sorted(queue, key=lambda waiting: not waiting.writes):
                    wait, has_turn = turns.give(writes=each.writes, now=now, calls=self._calls, seconds=self._seconds)
                    given.append((each, wait, has_turn))
        except (SQLAlchemyError, LedgerError, OSError) as error:
            _say_alone(error)
            return
        for each, wait, has_turn in given:
            each.start, each.has_turn = self._clock() + wait, has_turn


def _say_alone(error: Exception) -> None:
    log.warning("the budget of requests is not shared for the moment: %s", type(error).__name__)


def store_of(organization_id: int) -> Store | None:
    """Return where the process's own ledger keeps an organization's turns; None where nobody shares it."""
    engine: Any = process_engine()
    if engine.dialect.name == "postgresql":
        return RowStore(engine, organization_id)
    path = engine.url.database
    return FileStore(Path(f"{path}-budget-{organization_id}")) if path and path != ":memory:" else None
