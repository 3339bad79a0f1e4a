"""The made-up company of the demonstration, as a state file of the sandbox, moved to the twelve months before today.

`company.json` is written for the year 2025. A demonstration's year ends with the last full month before its day: every
date moves by whole months, days 29 to 31 and weekdays stay what they are.
"""

import json
import os
import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.recurrence import DateRange

Json = dict[str, Any]

FILE: Final = Path(__file__).with_name("company.json")
WRITTEN_FOR: Final = date(2025, 12, 31)
"""Last day of the year for which the file is written."""
TODAY: Final = date.fromisoformat(
    os.environ.get("CICLO_DEMO_TODAY") or f"{datetime.now(ZoneInfo('America/Sao_Paulo')):%Y-%m-%d}"
)
"""The demonstration's day: that of the machine, unless `CICLO_DEMO_TODAY` (YYYY-MM-DD) says otherwise."""
_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(.*)|(\d{2})/(\d{2})/(\d{4})(.*)")


def year_until(year_end: date) -> DateRange:
    """Return the twelve months that end on the last day of one."""
    return DateRange.days(add_months(first_of_month(year_end), -11), year_end)


YEAR_END: Final = TODAY.replace(day=1) - timedelta(days=1)
YEAR_START: Final = year_until(YEAR_END).start


def as_written() -> Json:
    """Return the company of 2025 in the state file's shape, with what people and systems do in its year.

    `deeds` are done to the vendor's invoices, `not_generated` are rules that were entered while the vendor made no
    invoices, `measured` those that are billed by quantities, `adjustments` what differs in the year (the columns of an
    import; of a part month only the day on which the service begins or ends), `billed_again` what is billed anew.
    """
    state: Json = json.loads(FILE.read_text(encoding="utf-8"))
    return state


def company(year_end: date = YEAR_END) -> Json:
    """Return the company with its year ending on `year_end`, the last day of a month."""
    months = (year_end.year - WRITTEN_FOR.year) * 12 + year_end.month - WRITTEN_FOR.month
    state: Json = _moved(as_written(), months)
    written = {rule["id"]: rule["additional_information"] for rule in as_written()["invoice_rules"]}
    for rule in state["invoice_rules"]:
        recurrence, before = rule["additional_information"], written[rule["id"]]
        if recurrence["period_unit"] == "weekly":
            first = date.fromisoformat(recurrence["init_date"])
            back = (first.weekday() - date.fromisoformat(before["init_date"]).weekday()) % 7
            recurrence["init_date"] = (first - timedelta(days=back)).isoformat()
            if recurrence["end_date"]:  # the vendor takes no weekly rule that is longer than a year
                last = date.fromisoformat(recurrence["end_date"]) - timedelta(days=back)
                recurrence["end_date"] = last.isoformat()
        for update in rule["scheduled_updates"]:
            reminded = date.fromisoformat(update["execution_date"]) - timedelta(days=update["days_until_update"])
            update["remind_at"] = reminded.isoformat()
    return state


def _moved(value: Any, months: int) -> Any:
    """Return a JSON value with every date in it moved; what is no date stays."""
    if isinstance(value, dict):
        return {key: _moved(each, months) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, months) for each in value]
    if not isinstance(value, str) or not (match := _DATE.fullmatch(value)):
        return value
    if match[1]:
        day = moved(date(int(match[1]), int(match[2]), int(match[3])), months)
        return f"{day.isoformat()}{match[4]}"
    day = moved(date(int(match[7]), int(match[6]), int(match[5])), months)
    return f"{day:%d/%m/%Y}{match[8]}"


def moved(day: date, months: int) -> date:
    """Move a day by months to the same day of a month, a month further back where that is too short.

    The last of February stays that of a leap year: it is written to be one.
    """
    if (day.month, day.day) == (2, 29) and months:
        year = (day.year * 12 + 1 + months) // 12
        while monthrange(year, 2)[1] < day.day:
            year -= 1
        return date(year, 2, 29)
    while True:
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        if day.day <= monthrange(year, month + 1)[1]:
            return date(year, month + 1, day.day)
        months -= 1


ORGANIZATION_ID: Final[int] = as_written()["organizations"][0]["id"]
TOKEN: Final[str] = as_written()["token"]
"""Opens nothing but the sandbox on loopback."""
