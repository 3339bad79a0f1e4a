"""The sandbox's clock in São Paulo, and the two forms in which the vendor writes a moment.

The date is the sandbox's own: it stands still until it is moved. The time of day is the wall's, unless the clock was
set to one; then it goes on a second with every request that may change something, so that what was made by one request
shares its second and what was made by two does not.
"""

import re
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SAO_PAULO: Final = ZoneInfo("America/Sao_Paulo")
OWN_MACHINERY: Final = time(0, 5)
"""When the vendor's own machinery runs (reminders are on record at 00:00:35)."""
_LAST_SECOND: Final = time(23, 59, 59)
_BRAZILIAN: Final = re.compile(r"(\d\d)/(\d\d)/(\d{4}) ([\d:]{8}) ?([-+]\d\d:\d\d)?\Z", re.ASCII)


class Clock:
    """A date, a time of day (the wall's when None), and the last day on which the vendor's own machinery ran."""

    def __init__(self, today: date | None = None) -> None:
        self.today = today or datetime.now(SAO_PAULO).date()
        self.time: time | None = None
        self.machinery_ran = self.today

    def now(self) -> datetime:
        """Return the moment that the clock shows."""
        return datetime.combine(self.today, self.time or datetime.now(SAO_PAULO).time(), SAO_PAULO)

    def tick(self) -> None:
        """Let a second go by on a clock that was set to a time of day; midnight is not passed."""
        if self.time is not None and self.time < _LAST_SECOND:
            self.time = (datetime.combine(self.today, self.time) + timedelta(seconds=1)).time()

    def stamp(self) -> str:
        """Return this moment as `20/12/2018 13:45:05 -02:00`."""
        now = self.now()
        return f"{now.day:02}/{now.month:02}/{now.year:04} {now:%H:%M:%S} {_offset(now)}"

    def iso_stamp(self) -> str:
        """Return this moment as `2018-12-20T13:45:05.515-02:00`."""
        return self.now().isoformat(timespec="milliseconds")


def moment(stamp: str | None) -> datetime | None:
    """Read a moment in either form, or return nothing."""
    if not stamp:
        return None
    if match := _BRAZILIAN.match(stamp):
        day, month, year, clock, offset = match.groups("")
        stamp = f"{year}-{month}-{day}T{clock}{offset}"
    try:
        read = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=SAO_PAULO)


def _offset(moment: datetime) -> str:
    written = moment.strftime("%z")
    return f"{written[:3]}:{written[3:5]}"
