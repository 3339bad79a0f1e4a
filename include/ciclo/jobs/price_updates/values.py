"""Which price indices lack a value that due updates need and that should be out: worth asking SGS for right away."""

from datetime import date

from ciclo.domain.errors import DomainError
from ciclo.domain.price_index import PriceIndex, available_from, window
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.options import UpdateOptions
from ciclo.jobs.price_updates.proposal import IndexBook
from ciclo.jobs.rules.schedules import domain_update
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import ScheduledUpdate


def missing_indices(ctx: JobContext, scope: Scope, options: UpdateOptions, *, today: date) -> set[PriceIndex]:
    """Return the indices of the scope's due updates of which the ledger lacks a month that is out by `today`."""
    book = IndexBook(ctx)
    due = ctx.scheduled_updates.due(min(scope.window.last_day, today), scope)
    return {index for scheduled in due if (index := _lacking(scheduled, book, options, today)) is not None}


def _lacking(scheduled: ScheduledUpdate, book: IndexBook, options: UpdateOptions, today: date) -> PriceIndex | None:
    try:
        update = domain_update(scheduled)
    except DomainError:
        return None  # its execution is parked, with the reason
    day = scheduled.next_execution_date or today
    months = window(update.index, day, update.month_quantity, options.policy)
    known = book.rows(update.index)
    lacking = any(month not in known and available_from(update.index, month) <= today for month in months)
    return update.index if lacking else None
