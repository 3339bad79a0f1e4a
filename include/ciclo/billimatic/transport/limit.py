"""How many requests may be under way at once: few at a server that has trouble, up to `most` at one that has none.

The one rule: what the server says counts at once, what its answers take counts slowly. A 429, a 5xx or no answer
halves the number. Answers that take longer with more under way mean that requests queue at the server: then more of
them bring nothing, and the number goes down until few do (as TCP Vegas keeps its window, Brakmo and Peterson 1995).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

FEW, MANY = 2.0, 4.0
"""Requests that queue at the server: with fewer there may be one more under way, with more there is one too many."""

ANEW = 1000
"""Answers after which the quickest ones are measured anew, with half as many under way: a server may become slower."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place among the requests under way."""

    number: int
    """Requests under way when it was given, its own included."""
    given_at: int
    """How often the limit had been lowered for trouble by then."""


class ConcurrencyLimit:
    """Lets a thread through while fewer requests are under way than the server takes well.

    Args:
        most: requests under way at once, at most; it begins there.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = float(most)
        self._under_way = 0
        self._troubles = 0
        self._answers = 0
        self._quickest: dict[str, float] = {}
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests that may be under way at once now, at least one."""
        return int(self._limit)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait until one more may be sent."""
        with self._changed:
            while self._under_way >= self.limit:
                self._changed.wait()
            self._under_way += 1
            slot = Slot(self._under_way, self._troubles)
        try:
            yield slot
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify(self.limit - self._under_way)

    def learn(self, slot: Slot, kind: str, seconds: float, *, trouble: bool) -> None:
        """Take in how a request ended.

        Args:
            slot: its place.
            kind: requests of one kind take alike long.
            seconds: from sending it to its answer.
            trouble: whether the server said that it has some, or said nothing.
        """
        with self._changed:
            if not trouble:
                self._adjust(slot, kind, seconds)
            elif slot.given_at == self._troubles:  # what was sent before belongs to the trouble that is known
                self._halve()
                self._troubles += 1

    def _adjust(self, slot: Slot, kind: str, seconds: float) -> None:
        self._answers += 1
        if self._answers % ANEW == 0:
            self._quickest.clear()
            self._halve()
        quickest = self._quickest[kind] = min(self._quickest.get(kind, seconds), seconds)
        beside = max(slot.number, self._under_way)
        queued = beside * (1 - quickest / seconds) if seconds > 0 else 0.0
        if queued > MANY:
            self._limit = max(1.0, self._limit - 1 / self._limit)
        elif queued < FEW and beside >= self.limit:
            self._limit = min(self._most, self._limit + 1 / self._limit)

    def _halve(self) -> None:
        self._limit = max(1.0, min(self._limit, self._under_way) / 2)
