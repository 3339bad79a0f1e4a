"""What periods pay for: the periods of a rule tile time, across every change of its terms and across rules that follow.

A monthly period pays for `month_quantity` whole months from its issue month, and as many competence months from its
accrual month; a weekly one for its seven days. Two periods may share no month, in either counting, and where a week is
concerned at most `DAYS_TOLERATED` days. What lies between two periods and is no longer than that is no gap.

Below: which rule follows which, and so continues what its predecessor pays for.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ciclo.domain.calendar import add_days, add_months, first_of_month
from ciclo.domain.recurrence import (
    DAYS_OF_A_WEEK,
    AccrualMonth,
    DateRange,
    PeriodUnit,
    Recurrence,
    accrual_month,
    issue_dates,
    nth_issue_date,
)

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


def is_paid_whole(wanted: Coverage, others: Iterable[Coverage]) -> bool:
    """Whether other periods together pay for all that one does, in both countings, but for the days tolerated."""
    known = list(others)
    countings = [(wanted.issued, [each.issued for each in known])]
    if wanted.competence is not None:
        countings.append((wanted.competence, [each.competence or each.issued for each in known]))
    return all(_left_out(stretch, paid) <= _TOLERATED for stretch, paid in countings)


def _left_out(stretch: DateRange, paid: Iterable[DateRange]) -> timedelta:
    """Return how much of a stretch some others leave out."""
    reached, left = stretch.start, _NONE
    for part in sorted((stretch.intersection(each) for each in paid), key=lambda each: each.start):
        if part:
            left += max(_NONE, part.start - reached)
            reached = max(reached, part.end)
    return left + (stretch.end - reached)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRule:
    """A rule of a contract, as far as it tells whether another one goes on where it ended.

    Attributes:
        rule_id: the API's id; of two rules, the one made first has the smaller.
        customer: whom it bills.
        recurrence: when it issues.
        services: what it bills: catalogue ids, or names; empty for a rule without services.
        texts: title and description, without what nobody sees and without empty ones.
        is_gone: whether it was deleted at the vendor.
    """

    rule_id: int
    customer: Hashable
    recurrence: Recurrence
    services: frozenset[Hashable]
    texts: frozenset[str]
    is_gone: bool = False

    @property
    def ends(self) -> bool:
        """Whether it is gone or has an end; no rule follows another one."""
        return self.is_gone or self.recurrence.end_date is not None

    @property
    def first_period_over(self) -> date:
        """The day after its first period: on which its second issues."""
        return nth_issue_date(self.recurrence, 1)

    def follows(self, former: "ContractRule", *, over_by: date) -> bool:
        """Whether it goes on where another rule of its contract ended.

        The other bills the same to the same customer, and has no issue date left when this one begins, though it may
        have some days; or it was made first and is over by a day: gone, or ended.

        Args:
            former: the other rule.
            over_by: the day by which an end is to have come: today, or the day on which this rule begins, or on which
                its first period is over.
        """
        if not former.ends or self.customer != former.customer or not self.bills_the_same(former):
            return False
        if former.ends_before(self.recurrence.init_date):
            return True
        end = former.recurrence.end_date
        is_over = former.is_gone or (end is not None and end < over_by)
        return is_over and former.rule_id < self.rule_id and not self.ends_before(former.recurrence.init_date)

    def bills_the_same(self, other: "ContractRule") -> bool:
        """Whether both have the same services, or share title or description."""
        return (bool(self.services) and self.services == other.services) or bool(self.texts & other.texts)

    def ends_before(self, day: date) -> bool:
        """Whether it has issue dates, and none from a day on."""
        init_date, end = self.recurrence.init_date, self.recurrence.end_date
        if end is None or not init_date <= end or init_date >= day:
            return False
        return next(issue_dates(self.recurrence, DateRange(day, date.max)), None) is None
