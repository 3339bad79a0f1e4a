"""Every day: contracts and rules are read within a budget of requests, and what is new is planned for the open months.

Open are the months from the one in which Ciclo became responsible (or the first that was never closed) to the last
that was expanded. What changed since yesterday is followed the day it is read: periods are cancelled, planned, planned
again, parked; what nobody bills is shown at once.
"""

from datetime import date, timedelta

from ciclo.domain.calendar import first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.arming import responsible_from
from ciclo.jobs.context import JobContext
from ciclo.jobs.periods.expand import ExpandOutcome, plan_without_billing, record_expansion
from ciclo.jobs.periods.plan import plan_periods
from ciclo.jobs.rules.read import CURRENT, Readings, read_contract_list, read_in_batches
from ciclo.ledger.repositories import Scope


def sync_contracts(
    ctx: JobContext, *, today: date, read_within_days: int = 1, shard: int = 0, shards: int = 1
) -> ExpandOutcome:
    """Read a shard's contracts, those not read for longest first, and plan what is new for the open months. Commits.

    `read_contract_list` comes before it, `record_sync` after it.

    Args:
        ctx: the run.
        today: the day in São Paulo.
        read_within_days: days within which every contract is read: this run reads that part of them.
        shard: which part of the contracts, counted from 0.
        shards: of how many.
    """
    outcome = ExpandOutcome()
    window = open_window(ctx, today)
    contracts = ctx.readings.longest_unread(shard=shard, shards=shards)
    now = contracts[: -(-len(contracts) // read_within_days)]
    for readings in read_in_batches(ctx, now, seen_on=today, not_older_than=CURRENT):
        outcome.took_in(readings)
        if window:
            outcome.add(plan_periods(ctx, readings.read, window))
    if window:
        scope = Scope(window, shard=shard, shards=shards)
        if not ctx.catalogue.is_expanded(first_of_month(window.last_day)):  # of those read on other days, too
            known = ctx.readings.of(contracts[len(now) :])
            outcome.add(plan_periods(ctx, [each for each, row in known.items() if not row.unread_since], window))
        outcome.add(plan_without_billing(ctx, scope, contracts))
    ctx.session.commit()
    return outcome


def record_sync(ctx: JobContext, today: date) -> None:
    """Remember the open months as expanded, once every shard of a sync is through. Commits."""
    window = open_window(ctx, today)
    if window:
        record_expansion(ctx, Scope(window))


def open_window(ctx: JobContext, today: date) -> DateRange:
    """Return the months for which what is new is planned at once; empty before the first expansion of a first day.

    The month of `today` is one of them from its second day on: on the first it is the expansion's.
    """
    month = DateRange.month_of(today)
    start = ctx.catalogue.first_open_month(responsible_from(ctx) or month.start)
    last = ctx.catalogue.last_expanded()
    ends = [DateRange.month_of(last).end] if last is not None else []
    ends.append(month.end if today.day > 1 else month.start)
    ctx.session.commit()
    return DateRange(start, max(start, *ends))


def read_due(ctx: JobContext, contract_ids: list[int], *, today: date, not_older_than: timedelta = CURRENT) -> Readings:
    """Read the contracts that have something due, and bring their periods to what they say now. Commits.

    What is no longer called for is cancelled before anything is claimed; amounts, dates and texts are those of this
    reading. Nothing may be created, changed or cancelled for a contract that is `unread`.

    Args:
        ctx: the run.
        contract_ids: contracts with something due.
        today: the day in São Paulo.
        not_older_than: a reading that is no older counts as this run's.

    Returns:
        What was read, and which contracts could not be.
    """
    read_contract_list(ctx, not_older_than=not_older_than)
    billable = set(ctx.catalogue.billable_contracts(contract_ids=contract_ids)) if contract_ids else set()
    ctx.session.commit()
    readings = Readings()
    wanted = [contract_id for contract_id in contract_ids if contract_id in billable]
    for batch in read_in_batches(ctx, wanted, seen_on=today, not_older_than=not_older_than):
        readings.add(batch)
    over = [each for each in contract_ids if each not in billable]
    window = open_window(ctx, today)
    last = ctx.catalogue.last_expanded()
    ctx.session.commit()
    if last is not None and window.start <= last:  # a month that was never expanded is left to its expansion
        plan_periods(ctx, [*readings.read, *over], DateRange(window.start, DateRange.month_of(last).end))
    return readings
