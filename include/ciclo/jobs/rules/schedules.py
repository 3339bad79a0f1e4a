"""When scheduled updates execute next, by the ledger: kept across reads of the API, changed only with their terms.

The ledger's next execution is the first one that is not settled. The vendor's own date says what the
vendor did, never what Ciclo still has to do.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ciclo.domain.calendar import add_days
from ciclo.domain.errors import DomainError
from ciclo.domain.price_index import price_index
from ciclo.domain.pricing import ScheduledUpdate, next_execution
from ciclo.domain.states import IN_FLIGHT, IN_PRICES, ExecutionState, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.ledger import tables
from ciclo.ledger.repositories.price_updates import Schedule

CALLED_OFF = frozenset(
    {
        ReasonKind.CONTRACT_GONE,
        ReasonKind.CONTRACT_INACTIVE,
        ReasonKind.RULE_GONE,
        ReasonKind.RULE_ENDED,
        ReasonKind.UPDATE_ENDED,
    }
)
"""Why a machine cancels an execution: nothing called for it any more. What a person gave up stays given up."""


def is_called_off(execution: tables.PriceUpdateExecution) -> bool:
    """Whether an execution was cancelled because nothing called for it: it comes back with what does."""
    reason = execution.reason
    return execution.state == ExecutionState.CANCELLED and reason is not None and reason.kind in CALLED_OFF


def called_off(update: ScheduledUpdate, executions: Sequence[tables.PriceUpdateExecution]) -> date | None:
    """Return the last execution of an update that was called off and comes back now that its rule does, if any.

    The vendor may have executed it meanwhile: its date has moved on then, by one execution at most.

    Args:
        update: by the vendor's present terms.
        executions: the update's own.
    """
    settled = max((each.execution_date for each in executions if each.state in IN_PRICES), default=date.min)
    found = [each.execution_date for each in executions if is_called_off(each) and each.execution_date > settled]
    day = max(found, default=None)
    if day is None or update.execution_date is None:
        return None
    calls_for_it = next_execution(update, add_days(day, -1)) == day  # a person may have scheduled it anew
    return day if calls_for_it and update.execution_date <= next_execution(update, day) else None


def follow_schedules(
    ctx: JobContext,
    known: Mapping[int, Schedule],
    rows: Sequence[Mapping[str, Any]],
    end_dates: Mapping[int, date | None],
) -> None:
    """Move the next execution of updates whose terms a person changed, and of those that ended and run again.

    Args:
        ctx: the run.
        known: how the ledger knew them before.
        rows: the updates as just stored.
        end_dates: last issue date by rule.
    """
    changed = [row for row in rows if _is_new_schedule(known.get(row["scheduled_update_id"]), row)]
    if not changed:
        return
    executions = ctx.executions.of_rules({row["rule_id"] for row in changed})
    for row in changed:
        update_id, end_date = row["scheduled_update_id"], end_dates.get(row["rule_id"])
        mine = [e for e in executions.get(row["rule_id"], []) if e.scheduled_update_id == update_id]
        if any(execution.state in IN_FLIGHT for execution in mine):
            continue  # its completion moves on by the new terms
        try:
            following = _first_open(row, mine)
        except DomainError:
            continue  # terms that nobody can compute by: the execution itself is parked, with the reason
        ends = end_date is not None and following > end_date
        expected = known[update_id].next_execution_date
        ctx.scheduled_updates.move(update_id, expected=expected, to=None if ends else following)


def _is_new_schedule(known: Schedule | None, row: Mapping[str, Any]) -> bool:
    if known is None:
        return False  # never seen: it was stored with the vendor's next execution
    same = (known.init_date, known.month_quantity) == (row["init_date"], row["month_quantity"])
    return not same or known.next_execution_date is None


def _first_open(row: Mapping[str, Any], executions: Sequence[tables.PriceUpdateExecution]) -> date:
    """Return the first execution, by the vendor's present terms, after the last one whose price is in force."""
    terms = domain_update(row)
    in_prices = [execution.execution_date for execution in executions if execution.state in IN_PRICES]
    given_up = [each for each in executions if each.state == ExecutionState.CANCELLED and not is_called_off(each)]
    settled = {*in_prices, *(execution.execution_date for execution in given_up)}
    day: date = min(row["remote_execution_date"], called_off(terms, executions) or date.max)
    if in_prices:
        day = max(day, next_execution(terms, max(in_prices)))
    while day in settled:
        day = next_execution(terms, day)
    return day


def following_execution(scheduled: tables.ScheduledUpdate, day: date) -> date | None:
    """Return the execution after one; of an update that nobody can compute by, what the vendor says comes next."""
    try:
        return next_execution(domain_update(scheduled), day)
    except DomainError:
        return scheduled.remote_execution_date if scheduled.remote_execution_date > day else None


def domain_update(row: tables.ScheduledUpdate | Mapping[str, Any]) -> ScheduledUpdate:
    """Return a scheduled update in the form that the domain reads.

    Raises:
        UnknownPriceIndex: its index is none of the vendor's.
        InvalidRule: its periodicity is below 1.
    """
    if isinstance(row, tables.ScheduledUpdate):
        row = {name: getattr(row, name) for name in _FIELDS}
    return ScheduledUpdate(
        id=row["scheduled_update_id"],
        index=price_index(row["price_index"]),
        init_date=row["init_date"],
        month_quantity=row["month_quantity"],
        days_until_update=max(row["days_until_update"] or 0, 0),
        service_item_id=row["service_item_id"],
        execution_date=row["remote_execution_date"],
    )


_FIELDS = (
    "scheduled_update_id",
    "price_index",
    "init_date",
    "month_quantity",
    "days_until_update",
    "service_item_id",
    "remote_execution_date",
)
