"""Expansion: the periods of a window, planned in the ledger. Run it as often as you like: what is there stays.

A planned period that its rule no longer expects (rule ended or deleted, contract inactive, dates changed) is cancelled;
one that is issued is never touched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ciclo.domain.calendar import add_days, add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.snapshot import ExpectedPeriod, RuleSnapshots
from ciclo.jobs.rules.sync import Problem, sync_in_batches
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Period


@dataclass(slots=True)
class ExpandOutcome:
    """What an expansion did."""

    contracts: int = 0
    rules: int = 0
    expected: int = 0
    """Periods that the rules expect in the window."""
    planned: int = 0
    """Those of them that are new in the ledger."""
    cancelled: int = 0
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {
            "contracts": self.contracts,
            "rules": self.rules,
            "expected": self.expected,
            "planned": self.planned,
            "cancelled": self.cancelled,
            "problems": len(self.problems),
        }


def expand_rules(ctx: JobContext, scope: Scope, *, seen_on: date) -> ExpandOutcome:
    """Read the rules of a shard's contracts and plan their periods in the window. Commits after every few hundred.

    Args:
        ctx: the run.
        scope: window of issue dates, contracts, shard.
        seen_on: the day in São Paulo on which the API is asked: a rule's change counts from it.
    """
    outcome = ExpandOutcome()
    contracts = ctx.catalogue.billable_contracts(
        contract_ids=scope.contract_ids, shard=scope.shard, shards=scope.shards
    )
    for synced in sync_in_batches(ctx, contracts, seen_on=seen_on):
        outcome.contracts += len(synced.contract_ids)
        outcome.problems += synced.problems
        _plan(ctx, synced.contract_ids, scope.window, outcome)
        ctx.session.commit()
        ctx.session.expunge_all()
    outcome.cancelled += _cancel_inactive(ctx, scope)
    ctx.session.commit()
    return outcome


def _plan(ctx: JobContext, contract_ids: Sequence[int], window: DateRange, outcome: ExpandOutcome) -> None:
    rows: list[dict[str, Any]] = []
    unexpected: dict[str, list[Period]] = {}
    rules = ctx.catalogue.rules_of(contract_ids)
    snapshots = RuleSnapshots(ctx, [rule.rule_id for rule in rules], kept=len(rules))
    planned: dict[int, dict[date, Period]] = {}
    for period in ctx.periods.of_rules([rule.rule_id for rule in rules], _whole_months(window)):
        planned.setdefault(period.rule_id, {})[period.issue_date] = period
    for snapshot in snapshots:
        rule, periods = snapshot.rule, planned.get(snapshot.rule.rule_id, {})
        if rule.gone_at is not None:
            unexpected.setdefault(f"rule {rule.rule_id} is no longer at the vendor", []).extend(periods.values())
            continue
        expected = {each.issue_date: each for each in snapshot.periods(window)}
        outcome.rules += 1
        outcome.expected += len(expected)
        rows += [_row(ctx, each, periods) for day, each in expected.items() if day not in periods]
        stray = [period for day, period in periods.items() if day in window and day not in expected]
        unexpected.setdefault(f"rule {rule.rule_id} no longer issues on this day", []).extend(stray)
    outcome.planned += ctx.periods.plan(rows)
    for reason, several in unexpected.items():
        outcome.cancelled += cancel_open(ctx, several, reason)


def _whole_months(window: DateRange) -> DateRange:
    """Widen a window to the months it touches: two periods of one competence month must see each other."""
    return DateRange(first_of_month(window.start), add_months(first_of_month(add_days(window.end, -1)), 1))


def _row(ctx: JobContext, expected: ExpectedPeriod, known: Mapping[date, Period]) -> dict[str, Any]:
    now = ctx.clock()
    twin = _same_month(expected, known) if expected.version > 1 else None
    return {
        "organization_id": ctx.organization_id,
        "contract_id": expected.contract_id,
        "rule_id": expected.rule_id,
        "rule_version": expected.version,
        "issue_date": expected.issue_date,
        "accrual_month": expected.accrual_month,
        "first_due_date": expected.due_dates[0],
        "parcel_number": len(expected.due_dates),
        "gross_value": expected.gross_value,
        "state": PeriodState.PARKED.value if twin else PeriodState.PLANNED.value,
        "reason": _twin_reason(expected, twin) if twin else None,
        "attempts": 0,
        "planned_by": ctx.actor.label,
        "created_at": now,
        "changed_at": now,
    }


def _same_month(expected: ExpectedPeriod, known: Mapping[date, Period]) -> Period | None:
    """Return the period of the same competence month that older terms brought and that is, or may be, invoiced."""
    if expected.coverage.competence is None:
        return None
    harmless = (PeriodState.CANCELLED, PeriodState.PLANNED, PeriodState.WAITING)
    same = (p for p in known.values() if p.accrual_month == expected.accrual_month and p.state not in harmless)
    return next(same, None)


def _twin_reason(expected: ExpectedPeriod, twin: Period) -> str:
    return (
        f"contract {expected.contract_id}, rule {expected.rule_id}: {expected.accrual_month:%m/%Y} was billed on "
        f"{twin.issue_date} before the rule's dates changed; release it only if it is to be billed again"
    )


def cancel_open(ctx: JobContext, periods: Iterable[Period], reason: str) -> int:
    """Cancel those of `periods` that were never sent; return how many."""
    waiting, planned = [], []
    for period in periods:
        if period.state == PeriodState.WAITING:
            waiting.append(period)
        elif period.state == PeriodState.PLANNED:
            planned.append(period)
    now = ctx.clock()
    if waiting:
        ctx.periods.replan(waiting, reason=reason, at=now)
    if waiting or planned:
        ctx.periods.cancel([*waiting, *planned], reason=reason, at=now)
    return len(waiting) + len(planned)


def _cancel_inactive(ctx: JobContext, scope: Scope) -> int:
    inactive = ctx.catalogue.inactive_contracts(contract_ids=scope.contract_ids, shard=scope.shard, shards=scope.shards)
    cancelled = 0
    for contract_id in inactive:
        open_periods = ctx.periods.in_state(
            PeriodState.PLANNED, PeriodState.WAITING, scope=Scope(scope.window, (contract_id,))
        )
        cancelled += cancel_open(ctx, open_periods, f"contract {contract_id} is inactive")
    return cancelled
