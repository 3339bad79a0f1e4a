"""Trying again: how often, how patiently, within which budget of calls, and what a server's `Retry-After` says.

Whoever raises an error decides whether repeating it is safe; here it is only decided whether and when.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, Self

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from ciclo.http.errors import TransientApiError, UnreadableAnswerError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How often and how patiently a request that is safe to repeat is repeated.

    Attributes:
        attempts: Requests at most, the first included.
        first_wait: Upper bound in seconds of the first pause; it doubles each time, and the pause is random below it.
        longest_wait: Upper bound in seconds of any such pause.
        longest_retry_after: If the server asks for more seconds than this, the error is raised instead of waiting.
        sleep: Waits the given seconds.
        clock: Seconds that only move forward.
        now: The wall clock, for a `Retry-After` that is a date.
        jitter: A random number from 0 to 1.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0
    longest_retry_after: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    jitter: Callable[[], float] = random.random

    def pause(self, attempt: int, error: BaseException | None) -> float:
        """Seconds to wait after the given failed attempt: what the server asks for, else exponential with jitter."""
        asked = error.retry_after if isinstance(error, TransientApiError) else None
        bound = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        return max(asked or 0.0, bound * self.jitter())

    def allow(self, error: BaseException) -> bool:
        """Whether a failure is one that trying again may help, within the patience."""
        if isinstance(error, TransientApiError):
            return error.repeatable and (error.retry_after or 0.0) <= self.longest_retry_after
        return isinstance(error, UnreadableAnswerError)

    def longest_pauses(self) -> float:
        """Seconds spent waiting at most, over all attempts."""
        return (self.attempts - 1) * max(self.longest_wait, self.longest_retry_after)


class Budget(Protocol):
    """Lets a thread through when a budget of calls allows its call."""

    def take(self, *, writes: bool) -> None:
        """Wait until a call may start, and count it; `writes` if it creates or changes something."""
        ...

    def close_for(self, seconds: float) -> None:
        """Let nobody start for so long: the server asked for a pause."""
        ...


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

    def take(self, *, writes: bool = False) -> None:  # noqa: ARG002 - within one process nothing goes first
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


def repeating(rules: RetryRules) -> Retrying:
    """Return a caller that repeats a function as the rules allow and raises the last error; threads may share it."""

    def wait(state: RetryCallState) -> float:
        return rules.pause(state.attempt_number, _error_of(state))

    return Retrying(
        stop=stop_after_attempt(rules.attempts),
        wait=wait,
        retry=retry_if_exception(rules.allow),
        sleep=rules.sleep,
        before_sleep=_announce,
        reraise=True,
    )


def seconds_of(retry_after: str | None, now: Callable[[], datetime]) -> float | None:
    """Read a `Retry-After` header, seconds or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # a year or an offset of twenty digits
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds())


def _announce(state: RetryCallState) -> None:
    log.warning(
        "attempt %d failed, trying again in %.1f s: %s", state.attempt_number, state.upcoming_sleep, _error_of(state)
    )


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
