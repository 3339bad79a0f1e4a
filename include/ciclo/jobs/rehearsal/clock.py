"""The clock of a rehearsal: it moves when told. Whoever would wait moves it instead."""

from datetime import UTC, date, datetime, time, timedelta
from threading import Lock

from ciclo.domain.calendar import SAO_PAULO

LAST_TIME = time(23, 59)
"""Nothing of a day goes on after this."""


class DayOver(Exception):
    """A pause would go on into the next day."""


class RehearsalClock:
    """An instant that moves forward within a day; safe to share between threads."""

    def __init__(self, day: date) -> None:
        self._now = _at(day, time())
        self._began = self._now
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        return self._now

    @property
    def today(self) -> date:
        """The day in São Paulo."""
        return self._now.astimezone(SAO_PAULO).date()

    def seconds(self) -> float:
        """Seconds since the rehearsal began."""
        return (self._now - self._began).total_seconds()

    def begin(self, day: date, at: time) -> None:
        """Move to a time of a day, unless it is later already."""
        with self._lock:
            self._now = max(self._now, _at(day, at))

    def sleep(self, seconds: float) -> None:
        """Let seconds pass, up to the end of the day."""
        with self._lock:
            self._now = min(self._now + timedelta(seconds=seconds), _at(self.today, LAST_TIME))

    def wait_until(self, instant: datetime) -> None:
        """Let time pass until an instant of this day.

        Raises:
            DayOver: it is on another day.
        """
        with self._lock:
            if instant > _at(self.today, LAST_TIME):
                raise DayOver
            self._now = max(self._now, instant)


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, SAO_PAULO).astimezone(UTC)
