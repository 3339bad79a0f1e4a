"""Which months were expanded: a run that finds nothing planned must know whether there was nothing to plan.

A month counts once every shard of a run over all contracts has expanded the whole of it.
"""

from collections.abc import Iterator
from datetime import date

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import Scope


class NeverExpandedError(Exception):
    """A month was never expanded: an empty day of it proves nothing."""

    def __init__(self, month: date) -> None:
        super().__init__(
            f"{month:%Y-%m} was never expanded, so its periods are not known: run expand_invoice_rules for it first"
        )


def record_expansion(ctx: JobContext, scope: Scope) -> None:
    """Remember which months a run has expanded for every contract. Commits."""
    if scope.contract_ids:
        return
    ctx.catalogue.record_expansions(_whole_months(scope.window), run_id=ctx.actor.run_id, at=ctx.clock())
    ctx.session.commit()


def require_expansion(ctx: JobContext, day: date) -> None:
    """Refuse a day whose month was never expanded.

    Raises:
        NeverExpandedError: naming the month.
    """
    month = first_of_month(day)
    if not ctx.catalogue.is_expanded(month):
        raise NeverExpandedError(month)


def _whole_months(window: DateRange) -> Iterator[date]:
    month = first_of_month(window.start)
    if month < window.start:
        month = add_months(month, 1)
    while (following := add_months(month, 1)) <= window.end:
        yield month
        month = following
