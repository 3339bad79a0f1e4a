"""A budget of calls per stretch of time, shared by the threads of one client.

The one rule: in no stretch of `seconds`, wherever it begins, do more than `calls` calls start.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self


class CallBudget:
    """Lets a thread through when the budget allows its call; first come, first served.

    Args:
        calls: Calls per stretch; None means unlimited.
        seconds: Length of the stretch.
        clock: Seconds that only move forward.
        sleep: Waits the given seconds.
    """

    def __init__(
        self,
        calls: int | None,
        seconds: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._starts: deque[float] | None = None if calls is None else deque(maxlen=calls)
        self._closed_until = float("-inf")

    @classmethod
    def per_second(
        cls,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """Make a budget of `rate` calls a second, which may be a fraction; None or 0 is unlimited."""
        calls = max(1, int(rate)) if rate else None
        return cls(calls, calls / rate if calls and rate else 1.0, clock=clock, sleep=sleep)

    def take(self) -> None:
        """Wait until a call may start, and count it."""
        with self._lock:
            now = self._clock()
            start = self._reserve(now)
        if start > now:
            self._sleep(start - now)

    def close_for(self, seconds: float) -> None:
        """Let nobody start for so long: the server asked for a pause."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _reserve(self, now: float) -> float:
        start = max(now, self._closed_until)
        if self._starts is None:
            return start
        if len(self._starts) == self._starts.maxlen:
            start = max(start, self._starts[0] + self._seconds)
        self._starts.append(start)
        return start
