"""Which invoices a reconciliation reads: whole windows of issue dates, chosen from what the ledger has.

The one rule: everything that may still change is read every day, in pages of a hundred, and never an invoice by itself.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.repositories import MonthOfInvoices

READ_THROUGH = 200
"""Invoices at rest between two months to read that cost no more than a search of its own (its last page twice)."""

FOR_EVER = date(9999, 12, 1)


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """What to read: windows of issue dates in full, and of all that is older what is open at the vendor."""

    windows: tuple[DateRange, ...]
    open_until: date | None = None
    """Last issue date of the older invoices; None if the ledger has none that the windows leave out."""


def reading_plan(
    months: Mapping[date, MonthOfInvoices], *, today: date, recheck_days: int, troubled: Collection[date] = ()
) -> ReadingPlan:
    """Choose what to read today.

    In full: every issue month from `recheck_days` ago on, every older month that has an invoice not at rest or an open
    finding, and what little lies between two such months. Of what is left, which is at rest, only what is open at the
    vendor again (a receipt or cancellation undone) matters: two searches by state find it.

    Args:
        months: the ledger's invoices by issue month.
        today: the day in São Paulo.
        recheck_days: how far back invoices at rest are read in full.
        troubled: months with open findings.
    """
    recheck = first_of_month(today - timedelta(days=recheck_days))
    known = {*months, *troubled}
    recent = max(recheck, min(known, default=recheck))
    wanted = {month for month in known if month < recent and (month in troubled or months[month].open)}
    windows = _windows(sorted(wanted), recent, months)
    left_out = [month for month in months if not any(month in window for window in windows)]
    return ReadingPlan(tuple(windows), add_months(max(left_out), 1) - timedelta(days=1) if left_out else None)


def _windows(older: list[date], recent: date, months: Mapping[date, MonthOfInvoices]) -> list[DateRange]:
    """Join months into windows; the last one, from `recent` on, has no end."""
    windows = [DateRange(recent, FOR_EVER)]
    for month in reversed(older):
        after = windows[0]
        end = add_months(month, 1)
        between = sum(entry.invoices for first, entry in months.items() if end <= first < after.start)
        if between <= READ_THROUGH:
            windows[0] = DateRange(month, after.end)
        else:
            windows.insert(0, DateRange(month, end))
    return windows
