"""What was asked: one entry for each request to the vendor's API and to SGS.

The rule: memory is bounded; the oldest entries go, the counts stay.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from ciclo_sandbox.answers import Json

CAPACITY: Final = 100_000


class Entry(NamedTuple):
    """One request; `status` 0 means that the connection was closed without an answer."""

    number: int
    method: str
    path: str
    query: str
    status: int
    at_clock: str
    duration_ms: float
    fault: str | None


class RequestLog:
    """The last requests, and how many there were of each method and status."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)
        self._counts: Counter[str] = Counter()
        self._total = 0

    def note(self, method: str, path: str, query: str, status: int, at_clock: str, duration_ms: float,
             fault: str | None) -> None:  # fmt: skip
        """Note a request that was answered, or left without answer."""
        self._total += 1
        self._counts[f"{method} {status}"] += 1
        self._entries.append(Entry(self._total, method, path, query, status, at_clock, duration_ms, fault))

    def entries(
        self, *, method: str | None = None, path: str | None = None, status: int | None = None, since: int = 0
    ) -> Iterator[Json]:
        """Yield the entries after number `since` that match, oldest first."""
        pattern = re.compile(path) if path else None
        for entry in self._entries:
            if entry.number <= since or (status is not None and entry.status != status):
                continue
            if method is not None and entry.method != method.upper():
                continue
            if pattern is None or pattern.search(entry.path):
                yield entry._asdict()

    def counts(self) -> Json:
        """Return how many requests there were, in all and by method and status."""
        return {"total": self._total, "by_method_and_status": dict(sorted(self._counts.items()))}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._counts.clear()
        self._total = 0
