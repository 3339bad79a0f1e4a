"""What periods pay for: the periods of a rule tile time, across every change of its terms and across rules that follow.

A monthly period pays for `month_quantity` whole months from its issue month, and as many competence months from its
accrual month; a weekly one for its seven days. Two periods may share no month, in either counting, and where a week is
concerned at most `DAYS_TOLERATED` days. What lies between two periods and is no longer than that is no gap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ciclo.domain.calendar import add_days, add_months, first_of_month
from ciclo.domain.recurrence import DAYS_OF_A_WEEK, AccrualMonth, DateRange, PeriodUnit, Recurrence, accrual_month

DAYS_TOLERATED = 3
"""Days of a week that may be paid twice, or not at all, where a rule moves to another day of the week."""

_TOLERATED = timedelta(days=DAYS_TOLERATED)
_NONE = timedelta()


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one period pays for.

    Attributes:
        issued: whole months from the issue month, or the seven days of a week.
        competence: whole months from the accrual month; None for a week.
    """

    issued: DateRange
    competence: DateRange | None

    @property
    def months(self) -> tuple[str, ...]:
        """The months that it pays for as `YYYY-MM`: the competence months, or those that a week lies in."""
        return tuple(f"{month:%Y-%m}" for month in months_of(self.competence or self.issued))


def coverage(recurrence: Recurrence, accrual: AccrualMonth, issue_date: date) -> Coverage:
    """Return what the period of a rule with that issue date pays for.

    Raises:
        DateOutOfRange: it reaches beyond the years 1 to 9999.
    """
    if recurrence.period_unit is PeriodUnit.WEEKLY:
        return Coverage(DateRange(issue_date, add_days(issue_date, DAYS_OF_A_WEEK)), None)
    length = recurrence.month_quantity or 1
    month, competence = first_of_month(issue_date), accrual_month(issue_date, accrual)
    return Coverage(DateRange(month, add_months(month, length)), DateRange(competence, add_months(competence, length)))


def pays_again(one: Coverage, other: Coverage) -> bool:
    """Whether two periods pay for the same time."""
    if one.competence is None or other.competence is None:
        return _length(one.issued.intersection(other.issued)) > _TOLERATED
    return bool(one.issued.intersection(other.issued)) or bool(one.competence.intersection(other.competence))


def gaps(covered: Iterable[Coverage]) -> Iterator[DateRange]:
    """Yield the stretches that nothing pays for between the first and the last of some periods.

    A month that is missing in both countings is named once, as the issue months that are missing; one that only the
    competence leaves out, as competence months.
    """
    known = sorted(covered, key=lambda each: (each.issued.start, each.issued.end))
    reached: date | None = None
    competence: date | None = None
    for each in known:
        between = DateRange(reached, each.issued.start) if reached and reached < each.issued.start else None
        if between is not None and _length(between) > _TOLERATED:
            yield between
        elif competence and each.competence and competence < each.competence.start:
            yield DateRange(competence, each.competence.start)
        reached = max(reached or each.issued.end, each.issued.end)
        ends = each.competence.end if each.competence else None
        competence = max(competence, ends) if competence and ends else ends


def months_of(stretch: DateRange) -> Iterator[date]:
    """Yield the first days of the months that a stretch touches."""
    month = first_of_month(stretch.start)
    while month < stretch.end:
        yield month
        month = add_months(month, 1)


def _length(stretch: DateRange) -> timedelta:
    return stretch.end - stretch.start if stretch else _NONE
