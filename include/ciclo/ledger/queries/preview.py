"""What a rule will bill next, from its terms and prices in the ledger.

The same domain functions as billing itself, at the prices known today; a price update still to come is
named, never guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice

from ciclo.domain.due_dates import Receivable, due_dates, receivables
from ciclo.domain.errors import NoPriceInForce
from ciclo.domain.pricing import Price, gross_value
from ciclo.domain.recurrence import DateRange, periods
from ciclo.ledger.queries.contracts import UpdateTerms
from ciclo.ledger.queries.price_updates import PricePoint
from ciclo.ledger.terms import RuleTerms

_FAR_AHEAD = timedelta(days=366 * 13)  # twelve yearly periods and the one under way


@dataclass(frozen=True, slots=True)
class PreviewedPeriod:
    """A period to come at the prices of today, in BRL; `waits_for` is the day of a price update that comes first."""

    issue_date: date
    accrual_month: date
    due_dates: tuple[date, ...]
    gross_value: Decimal | None
    receivables: tuple[Receivable, ...]
    waits_for: date | None


def preview(
    terms: RuleTerms, prices: Sequence[PricePoint], updates: Sequence[UpdateTerms], *, after: date, count: int = 12
) -> tuple[PreviewedPeriod, ...]:
    """Return the rule's next `count` periods with an issue date on or after `after`.

    Raises:
        DomainError: the terms lead to dates that cannot be.
    """
    history = [Price(point.service_id, point.effective_from, point.unit_value) for point in prices]
    start = max(after, terms.recurrence.init_date)
    dates = periods(terms.recurrence, terms.accrual, DateRange(start, start + _FAR_AHEAD))
    pending = sorted(update.next_execution_date for update in updates if update.next_execution_date)
    return tuple(
        _previewed(terms, history, pending, period.issue_date, period.accrual_month) for period in islice(dates, count)
    )


def _previewed(
    terms: RuleTerms, history: Sequence[Price], pending: Sequence[date], issue_date: date, accrual_month: date
) -> PreviewedPeriod:
    waits_for = next((day for day in pending if day <= issue_date), None)
    try:
        gross = gross_value(terms.priced_services, history, issue_date)
    except NoPriceInForce:  # a preview without prices still shows its dates
        return PreviewedPeriod(issue_date, accrual_month, due_dates(terms.charge, issue_date), None, (), waits_for)
    parts = receivables(terms.charge, issue_date, gross)
    return PreviewedPeriod(issue_date, accrual_month, tuple(p.due_date for p in parts), gross, parts, waits_for)
