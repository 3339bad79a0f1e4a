"""The sandbox's date, and the two forms in which the vendor writes a moment.

The rule: the date is the sandbox's own (it moves when told), the time of day is the wall's, both in São Paulo.
"""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

SAO_PAULO: Final = ZoneInfo("America/Sao_Paulo")


class Clock:
    """A date that stands still until it is moved."""

    def __init__(self, today: date | None = None) -> None:
        self.today = today or datetime.now(SAO_PAULO).date()

    def now(self) -> datetime:
        """Return the wall's time of day on the sandbox's date."""
        time_of_day = datetime.now(SAO_PAULO).time()
        return datetime.combine(self.today, time_of_day, SAO_PAULO)

    def stamp(self) -> str:
        """Return this moment as `20/12/2018 13:45:05 -02:00`."""
        now = self.now()
        return f"{now.day:02}/{now.month:02}/{now.year:04} {now:%H:%M:%S} {_offset(now)}"

    def iso_stamp(self) -> str:
        """Return this moment as `2018-12-20T13:45:05.515-02:00`."""
        return self.now().isoformat(timespec="milliseconds")


def _offset(moment: datetime) -> str:
    written = moment.strftime("%z")
    return f"{written[:3]}:{written[3:5]}"
