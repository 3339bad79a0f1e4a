"""Trying again: how often, how patiently, and what a server's `Retry-After` says.

The one rule: whoever raises an error decides whether repeating is safe; here it is only decided whether and when.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from ciclo.billimatic.errors import NotSentError, TransientApiError, UnreadableAnswerError

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
        if isinstance(error, NotSentError):
            return False
        if isinstance(error, TransientApiError):
            return (error.retry_after or 0.0) <= self.longest_retry_after
        return isinstance(error, UnreadableAnswerError)

    def longest_pauses(self) -> float:
        """Seconds spent waiting at most, over all attempts."""
        return (self.attempts - 1) * max(self.longest_wait, self.longest_retry_after)


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
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds())


def _announce(state: RetryCallState) -> None:
    log.warning(
        "attempt %d failed, trying again in %.1f s: %s", state.attempt_number, state.upcoming_sleep, _error_of(state)
    )


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
