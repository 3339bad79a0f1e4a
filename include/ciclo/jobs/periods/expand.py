"""Expansion: the periods of a window, planned in the ledger. Run it as often as you like: what is there stays.

A planned period that its rule no longer expects (rule ended or deleted, contract inactive, dates changed) is cancelled;
one that is issued is never touched.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.calendar import add_days, add_months, first_of_month
from ciclo.domain.errors import NoPriceInForce
from ciclo.domain.pricing import Price, gross_value
from ciclo.domain.recurrence import DateRange, PeriodUnit, expand
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.expected import segments
from ciclo.jobs.rules.prices import history
from ciclo.jobs.rules.sync import Problem, sync_in_batches
from ciclo.ledger.repositories import Scope, Version
from ciclo.ledger.tables import Period, Rule
from ciclo.ledger.terms import RuleTerms


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


@dataclass(slots=True)
class _Standing:
    """What the ledger knows of one rule before it is expanded."""

    rule: Rule
    versions: list[tuple[Version, RuleTerms]]
    prices: list[Price]
    periods: dict[date, Period]


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
    for standing in _standings(ctx, contract_ids, window):
        if standing.rule.gone_at is not None:
            reason = f"rule {standing.rule.rule_id} is no longer at the vendor"
            unexpected.setdefault(reason, []).extend(standing.periods.values())
            continue
        expected = list(_expected(ctx, standing, window))
        outcome.rules += 1
        outcome.expected += len(expected)
        rows += [row for row in expected if row["issue_date"] not in standing.periods]
        dates = {row["issue_date"] for row in expected}
        reason = f"rule {standing.rule.rule_id} no longer issues on this day"
        stray = [p for day, p in standing.periods.items() if day in window and day not in dates]
        unexpected.setdefault(reason, []).extend(stray)
    outcome.planned += ctx.periods.plan(rows)
    for reason, periods in unexpected.items():
        outcome.cancelled += cancel_open(ctx, periods, reason)


def _standings(ctx: JobContext, contract_ids: Sequence[int], window: DateRange) -> Iterator[_Standing]:
    rules = ctx.catalogue.rules_of(contract_ids)
    rule_ids = [rule.rule_id for rule in rules]
    versions = ctx.catalogue.versions(rule_ids)
    prices = ctx.prices.histories(rule_ids)
    periods: dict[int, dict[date, Period]] = {}
    for period in ctx.periods.of_rules(rule_ids, _whole_months(window)):
        periods.setdefault(period.rule_id, {})[period.issue_date] = period
    for rule in rules:
        yield _Standing(
            rule,
            [(version, RuleTerms.read(version.terms)) for version in versions.get(rule.rule_id, [])],
            history(prices.get(rule.rule_id, [])),
            periods.get(rule.rule_id, {}),
        )


def _whole_months(window: DateRange) -> DateRange:
    """Widen a window to the months it touches: two periods of one competence month must see each other."""
    return DateRange(first_of_month(window.start), add_months(first_of_month(add_days(window.end, -1)), 1))


def _expected(ctx: JobContext, standing: _Standing, window: DateRange) -> Iterator[dict[str, Any]]:
    """Yield the rows of the periods that a rule's versions expect in the window."""
    now = ctx.clock()
    for version, terms, part in segments(standing.versions, window):
        for issue_date, accrual_month, due_dates in expand(
            terms.recurrence, terms.charge, terms.accrual, part, ctx.own_holidays
        ):
            twin = _same_month(standing, terms, issue_date, accrual_month) if version.version > 1 else None
            yield {
                "organization_id": ctx.organization_id,
                "contract_id": standing.rule.contract_id,
                "rule_id": standing.rule.rule_id,
                "rule_version": version.version,
                "issue_date": issue_date,
                "accrual_month": accrual_month,
                "first_due_date": due_dates[0],
                "parcel_number": len(due_dates),
                "gross_value": _estimate(terms, standing.prices, issue_date),
                "state": PeriodState.PARKED.value if twin else PeriodState.PLANNED.value,
                "reason": _twin_reason(standing.rule, accrual_month, twin) if twin else None,
                "attempts": 0,
                "planned_by": ctx.actor.label,
                "created_at": now,
                "changed_at": now,
            }


def _same_month(standing: _Standing, terms: RuleTerms, issue_date: date, accrual_month: date) -> Period | None:
    """Return the period of the same competence month that older terms brought and that is, or may be, invoiced."""
    if terms.recurrence.period_unit is PeriodUnit.WEEKLY:
        return None
    harmless = (PeriodState.CANCELLED, PeriodState.PLANNED, PeriodState.WAITING)
    return next(
        (
            period
            for period in standing.periods.values()
            if period.accrual_month == accrual_month
            and period.issue_date != issue_date
            and period.state not in harmless
        ),
        None,
    )


def _twin_reason(rule: Rule, accrual_month: date, twin: Period) -> str:
    return (
        f"contract {rule.contract_id}, rule {rule.rule_id}: {accrual_month:%m/%Y} was billed on {twin.issue_date} "
        "before the rule's dates changed; release it only if it is to be billed again"
    )


def _estimate(terms: RuleTerms, prices: list[Price], issue_date: date) -> Decimal | None:
    try:
        return gross_value(terms.priced_services, prices, issue_date)
    except NoPriceInForce:
        return None


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
