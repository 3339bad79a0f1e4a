"""Which periods a company's rules have, worked out day by day from the specification.

The rule here: slow and obvious. Nothing is shared with `ciclo.domain`; the two must agree by being right, not by being
the same code. A day is an issue date if it is one when you look at the calendar: no arithmetic on month numbers.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

Json = dict[str, Any]


class ExpectedPeriod(NamedTuple):
    """One issue of a rule that the vendor must hold exactly one invoice for."""

    contract_id: int
    rule_id: int
    issue_date: date

    def __str__(self) -> str:
        return f"contract {self.contract_id}, rule {self.rule_id}, {self.issue_date.isoformat()}"


def expected_periods(state: Json, first: date, last: date) -> list[ExpectedPeriod]:
    """Return the periods of all rules of active contracts with an issue date from `first` to `last`, both included.

    `state` is a sandbox state (file or `GET /_sandbox/state`). Source of the rule: the reference, "Invoice rule: what
    recurs", and DESIGN 3, Periods.
    """
    active = {contract["id"] for contract in state["contracts"] if contract["state"] == "active"}
    return [
        ExpectedPeriod(rule["contract_id"], rule["id"], day)
        for rule in state["invoice_rules"]
        if rule["contract_id"] in active
        for day in _days(first, last)
        if _issues_on(rule["additional_information"], day)
    ]


def _issues_on(recurrence: Json, day: date) -> bool:
    init = date.fromisoformat(recurrence["init_date"])
    if day < init or (recurrence["end_date"] and day > date.fromisoformat(recurrence["end_date"])):
        return False
    if recurrence["period_unit"] == "weekly":
        return (day - init).days % 7 == 0
    return is_anniversary(init, day, recurrence["month_quantity"])


def is_anniversary(init: date, day: date, months: int) -> bool:
    """Tell whether `day` lies a multiple of so many months after `init`, or is `init` itself."""
    return _is_anniversary_day(init, day) and _months_between(init, day) % months == 0


def _is_anniversary_day(init: date, day: date) -> bool:
    """Tell whether `day` has the day number of `init`, or is the last day of a month that is too short for it."""
    last_of_month = monthrange(day.year, day.month)[1]
    return day.day == init.day or (day.day == last_of_month and init.day > last_of_month)


def _months_between(init: date, day: date) -> int:
    """Count the month boundaries from `init` to `day` by walking over every day in between."""
    return sum(1 for other in _days(init + timedelta(days=1), day) if other.day == 1)


def _days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)
