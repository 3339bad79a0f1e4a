"""Expansion: contracts are read, and the periods of a window planned. Run it as often as you like: what is there stays.

A month counts as expanded once every shard of a run over all contracts has expanded the whole of it: without that, a
run which finds nothing planned could not know whether there was nothing to plan.

Every day contracts and rules are read within a budget of requests, and what is new is planned for the open months. Open
are the months from the one in which Ciclo became responsible (or the first that was never closed) to the last that was
expanded. What changed since yesterday is followed the day it is read: periods are cancelled, planned, planned again,
parked; what nobody bills is shown at once.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

from ciclo.domain.calendar import add_days, first_of_month
from ciclo.domain.coverage import months_of
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext, responsible_from
from ciclo.jobs.periods.plan import Backdated, PlanOutcome, plan_periods
from ciclo.jobs.rules.read import ANEW, Readings, of_this_run, read_contract_list, read_in_batches
from ciclo.jobs.rules.store import Problem
from ciclo.ledger.repositories import Scope
from ciclo.locale import _


class NeverExpandedError(Exception):
    """A month was never expanded: an empty day of it proves nothing."""

    def __init__(self, month: date) -> None:
        text = _("{month} was never expanded, so its periods are not known: run expand_invoice_rules for it first")
        super().__init__(text.format(month=f"{month:%Y-%m}"))


@dataclass(slots=True)
class ExpandOutcome:
    """What an expansion did."""

    contracts: int = 0
    rules: int = 0
    expected: int = 0
    """Periods that the rules expect in the window."""
    planned: int = 0
    """Those of them that are new in the ledger, or called for again."""
    parked: int = 0
    """Those of them that would pay again for what is billed."""
    cancelled: int = 0
    unread: int = 0
    """Contracts that could not be read."""
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        names = ("contracts", "rules", "expected", "planned", "parked", "cancelled", "unread")
        return {name: getattr(self, name) for name in names} | {"problems": len(self.problems)}

    def took_in(self, readings: Readings) -> None:
        """Count what was read."""
        self.contracts += len(readings.contract_ids)
        self.unread += len(readings.unread)
        self.problems += readings.problems

    def add(self, planned: PlanOutcome) -> None:
        """Count what was planned."""
        for name in ("rules", "expected", "planned", "parked", "cancelled"):
            setattr(self, name, getattr(self, name) + getattr(planned, name))


def expand_rules(
    ctx: JobContext,
    scope: Scope,
    *,
    seen_on: date,
    not_older_than: timedelta = ANEW,
    backdated: Backdated = Backdated.SHOW,
) -> ExpandOutcome:
    """Read the rules of a shard's contracts and plan their periods in the window. Commits after every few hundred.

    Args:
        ctx: the run.
        scope: window of issue dates, contracts, shard.
        seen_on: the day in São Paulo on which the API is asked.
        not_older_than: a contract that was read so short a time ago is not asked about again.
        backdated: what to do about days before a rule, or its present terms, were first seen.
    """
    outcome = ExpandOutcome()
    contracts = ctx.contracts.billable(contract_ids=scope.contract_ids, shard=scope.shard, shards=scope.shards)
    for readings in read_in_batches(ctx, contracts, seen_on=seen_on, not_older_than=not_older_than):
        outcome.took_in(readings)
        outcome.add(plan_periods(ctx, readings.read, scope.window, backdated=backdated))
    outcome.add(plan_without_billing(ctx, scope, contracts))
    return outcome


def plan_without_billing(ctx: JobContext, scope: Scope, billable: list[int]) -> PlanOutcome:
    """Cancel what a scope's contracts that are no longer billed have planned, and had due before that. Commits."""
    left = {*ctx.periods.open_contracts(scope), *ctx.readings.paused_within(scope)}
    return plan_periods(ctx, left - set(billable), scope.window)


# -- every day ---------------------------------------------------------------------------------------------------------


def sync_contracts(
    ctx: JobContext, *, today: date, read_within_days: int = 1, lead_days: int = 0, shard: int = 0, shards: int = 1
) -> ExpandOutcome:
    """Read a shard's contracts, those not read for longest first, and plan what is new for the open months. Commits.

    `read_contract_list` comes before it, `record_sync` after it.

    Args:
        ctx: the run.
        today: the day in São Paulo.
        read_within_days: days within which every contract is read: this run reads that part of them.
        lead_days: days ahead of its issue date on which an invoice is made; the months that they reach are planned.
        shard: which part of the contracts, counted from 0.
        shards: of how many.
    """
    outcome = ExpandOutcome()
    window = open_window(ctx, today, lead_days=lead_days)
    contracts = ctx.readings.longest_unread(shard=shard, shards=shards)
    now = contracts[: -(-len(contracts) // read_within_days)]
    for readings in read_in_batches(ctx, now, seen_on=today, not_older_than=of_this_run(ctx)):
        outcome.took_in(readings)
        if window:
            outcome.add(plan_periods(ctx, readings.read, window))
    if window:
        scope = Scope(window, shard=shard, shards=shards)
        if not ctx.contracts.is_expanded(first_of_month(window.last_day)):  # of those read on other days, too
            known = ctx.readings.of(contracts[len(now) :])
            outcome.add(plan_periods(ctx, [each for each, row in known.items() if not row.unread_since], window))
        outcome.add(plan_without_billing(ctx, scope, contracts))
    ctx.session.commit()
    return outcome


def record_sync(ctx: JobContext, today: date, *, lead_days: int = 0) -> None:
    """Remember the open months as expanded, once every shard of a sync is through. Commits."""
    window = open_window(ctx, today, lead_days=lead_days)
    if window:
        record_expansion(ctx, Scope(window))


def open_window(ctx: JobContext, today: date, *, lead_days: int = 0) -> DateRange:
    """Return the months for which what is new is planned at once; empty before the first expansion of a first day.

    The month of `today` is one of them from its second day on: on the first it is the expansion's. So are later months
    from the day on which their first invoices may be made.
    """
    month = DateRange.month_of(today)
    start = ctx.contracts.first_open_month(responsible_from(ctx) or month.start)
    last = ctx.contracts.last_expanded()
    ends = [DateRange.month_of(last).end] if last is not None else []
    ends.append(month.end if today.day > 1 else month.start)
    reached = DateRange.month_of(add_days(today, lead_days))
    if reached.start > month.start:
        ends.append(reached.end)
    ctx.session.commit()
    return DateRange(start, max(start, *ends))


def read_due(ctx: JobContext, contract_ids: list[int], *, today: date, asked_for: DateRange | None = None) -> Readings:
    """Read the contracts that have something due, and bring their periods to what they say now. Commits.

    What is no longer called for is cancelled before anything is claimed; amounts, dates and texts are those of this
    reading. Nothing may be created, changed or cancelled for a contract that is `unread`.

    Args:
        ctx: the run.
        contract_ids: contracts with something due.
        today: the day in São Paulo.
        asked_for: days that a person asked for by name, whose plan may have waited for hours; else the open months.

    Returns:
        What was read, and which contracts could not be.
    """
    read_contract_list(ctx, not_older_than=of_this_run(ctx))
    readings = Readings()
    if not contract_ids:
        return readings
    billable = set(ctx.contracts.billable(contract_ids=contract_ids))
    ctx.session.commit()
    wanted = [contract_id for contract_id in contract_ids if contract_id in billable]
    for batch in read_in_batches(ctx, wanted, seen_on=today, not_older_than=of_this_run(ctx)):
        readings.add(batch)
    over = [each for each in contract_ids if each not in billable]
    if asked_for is not None:
        plan_periods(ctx, [*readings.read, *over], asked_for, backdated=Backdated.PLAN)
        return readings
    window = open_window(ctx, today)
    last = ctx.contracts.last_expanded()
    ctx.session.commit()
    if last is not None and window.start <= last:  # a month that was never expanded is left to its expansion
        plan_periods(ctx, [*readings.read, *over], DateRange(window.start, DateRange.month_of(last).end))
    return readings


# -- what was expanded -------------------------------------------------------------------------------------------------


def record_expansion(ctx: JobContext, scope: Scope) -> None:
    """Remember which whole months a run has expanded for every contract, and how many could not be read. Commits."""
    if scope.contract_ids:
        return
    months = [
        month
        for month in months_of(scope.window)
        if month in scope.window and DateRange.month_of(month).last_day in scope.window
    ]
    unread = len(ctx.readings.unread())
    ctx.contracts.record_expansions(months, run_id=ctx.actor.run_id, unread=unread, at=ctx.clock())
    ctx.session.commit()


def require_expansion(ctx: JobContext, day: date) -> None:
    """Refuse a day whose month was never expanded.

    Raises:
        NeverExpandedError: naming the month.
    """
    month = first_of_month(day)
    if not ctx.contracts.is_expanded(month):
        raise NeverExpandedError(month)
