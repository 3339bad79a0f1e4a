"""Ids: each kind of object counts on from the highest that is there.

The rule: an id is never given twice, not even after a restart; a kind reserves ids in blocks, so a restart may skip.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

BLOCK: Final = 1000
# On record, rules and invoices take their ids from one sequence; so do organizations and companies.
SEQUENCES: Final = {"invoice_rules": "invoices", "organizations": "companies"}


class Sequences:
    """Counters by kind (`invoices`, `receivables`, `services`, …), persisted through `persist` a block at a time."""

    def __init__(self, reserved: dict[str, int], persist: Callable[[dict[str, int]], None]) -> None:
        self._next = {kind: top + 1 for kind, top in reserved.items()}
        self._reserved = dict(reserved)
        self._persist = persist

    def next(self, kind: str) -> int:
        """Return the next free id of `kind`."""
        number = self._next.get(kind, 1)
        self._next[kind] = number + 1
        if number > self._reserved.get(kind, 0):
            self._reserved[kind] = number + BLOCK
            self._persist(self._reserved)
        return number

    def continue_after(self, kind: str, ids: Iterable[Any]) -> None:
        """Make the next id of `kind` higher than every one of `ids`."""
        highest = max((number for number in ids if isinstance(number, int)), default=0)
        self._next[kind] = max(self._next.get(kind, 1), highest + 1)

    def mark(self) -> dict[str, int]:
        """Return where every counter stands."""
        return dict(self._next)

    def return_to(self, mark: dict[str, int]) -> None:
        """Go back to a mark when what was numbered since then was rolled back, reservations too."""
        self._next = mark
        self._reserved.clear()
