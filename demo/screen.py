"""What the demonstration prints: numbered steps, a clock in front of each line, colours on a terminal only.

Every line stands by itself and reads well in a file; colour repeats what the words say.
"""

import os
import sys
import time
from decimal import Decimal
from typing import Final, TextIO

LISTED: Final = 10
"""How many cases or reasons are named; more are only counted."""


class Screen:
    """Prints to `stream` (standard output) at once, line by line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._began = time.monotonic()

    def title(self, text: str) -> None:
        """Print the headline."""
        self._write(self._styled("1", text))

    def step(self, text: str) -> None:
        """Print the heading of a step."""
        self._write("")
        self._write(self._styled("1;34", text))

    def event(self, text: str) -> None:
        """Print something that just happened, with the time since the start."""
        self._write(f"  {self._styled('2', duration(self.elapsed))}  {text}")

    def fact(self, name: str, text: object, *, good: bool | None = None) -> None:
        """Print a named figure or text; `good` colours it."""
        colour = {None: "0", True: "32", False: "1;31"}[good]
        self._write(f"  {name:<15} {self._styled(colour, str(text))}")

    def note(self, text: str) -> None:
        """Print an indented remark."""
        self._write(f"  {text}")

    def some(self, cases: list[str], *, more: str = "") -> None:
        """Print the first cases as remarks and count the others."""
        for case in cases[:LISTED]:
            self.note(f"  {case}")
        if len(cases) > LISTED:
            self.note(f"  and {len(cases) - LISTED:,} more{more}")

    def verdict(self, text: str, *, good: bool) -> None:
        """Print the outcome."""
        self._write("")
        self._write(self._styled("1;32" if good else "1;31", text))

    @property
    def elapsed(self) -> float:
        """Seconds since the demonstration began."""
        return time.monotonic() - self._began

    def _styled(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colours else text

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """Return seconds as `m:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def money(amount: Decimal) -> str:
    """Return an amount in BRL with two decimals and thousands apart: `BRL 1,234.50`."""
    return f"BRL {amount:,.2f}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 period`, `2 periods`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
