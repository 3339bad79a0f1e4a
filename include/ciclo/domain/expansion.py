"""Expanding a rule: the periods of a window with accrual month and due dates, as fast as dates can be looked up.

The one rule: the work grows with the periods that are due in the window, never with the rule's age or its end.
"""

from collections.abc import Iterator
from datetime import date

from ciclo.domain.due_dates import Charge, due_dates
from ciclo.domain.recurrence import AccrualMonth, DateRange, Recurrence, accrual_month, issue_dates

ExpandedPeriod = tuple[date, date, tuple[date, ...]]
"""Issue date, accrual month (first day), due dates."""


def expand(
    recurrence: Recurrence, charge: Charge, accrual: AccrualMonth, window: DateRange
) -> Iterator[ExpandedPeriod]:
    """Periods of a rule inside the half-open `window`, in order: (issue date, accrual month, due dates).

    Raises:
        DateOutOfRange: a due date lies outside the years 1 to 9999.
    """
    for issued in issue_dates(recurrence, window):
        yield issued, accrual_month(issued, accrual), due_dates(charge, issued)
