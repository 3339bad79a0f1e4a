"""Planning: what the rules of some contracts call for in a window, against what the ledger has of them.

A period that nothing calls for any more is cancelled, and planned again when something does; one that would be paid for
again is parked; what nobody bills is a finding. What is issued, or on its way, is never touched.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from typing import Any

from ciclo.domain.calendar import SAO_PAULO, add_days, add_months, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.jobs.context import JobContext, responsible_from
from ciclo.jobs.periods.coverage import (
    BILLED,
    LONGEST_PERIOD,
    UNSENT,
    Paid,
    covered_by,
    missing_periods,
    paid_by,
    pays,
    rules_before,
    side_by_side,
    unbilled,
    within,
)
from ciclo.jobs.rules.snapshot import RULES_KEPT, ExpectedPeriod, RuleSnapshot, RuleSnapshots
from ciclo.ledger.actions import prorate_always
from ciclo.ledger.repositories import ACTIVE, Disagreement
from ciclo.ledger.tables import Contract, Period, Rule

DECIDED = (ReasonKind.RELEASED, ReasonKind.PLANNED_AGAIN, ReasonKind.BILLED_AGAIN)
"""Why a period is planned that a person has decided about: no machine takes that back."""

CONTRACT_STOPPED = (ReasonKind.CONTRACT_INACTIVE, ReasonKind.CONTRACT_GONE)


class Backdated(Enum):
    """What is done about periods that a rule calls for on days before it, or its terms, were first seen."""

    SHOW = auto()
    """They are findings: a person decides."""
    PLAN = auto()
    """They are planned: a person asked for their days by name, and approves the plan."""


@dataclass(slots=True)
class PlanOutcome:
    """What planning did, by number of periods."""

    rules: int = 0
    expected: int = 0
    """Periods that the rules call for in the window."""
    planned: int = 0
    """Those of them that are new in the ledger, or called for again."""
    parked: int = 0
    cancelled: int = 0
    findings: int = 0
    """Gaps and backdated periods, new ones and others."""


@dataclass(slots=True)
class _Changes:
    """What planning is about to do to the ledger."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    terms: list[tuple[Period, ExpectedPeriod]] = field(default_factory=list)
    again: list[Period] = field(default_factory=list)
    parked: list[tuple[Period, Reason]] = field(default_factory=list)
    cancelled: list[tuple[Period, Reason]] = field(default_factory=list)
    missed: list[tuple[list[dict[str, Any]], Reason]] = field(default_factory=list)
    """What fell due while nobody read its rule or its contract, and is over now."""
    seen: list[Disagreement] = field(default_factory=list)
    examined: dict[int, date] = field(default_factory=dict)
    """Rules whose coverage was looked at, and from which month on."""
    accepted: Collection[int] = ()
    """Periods of which a person has taken on that they are not billed."""


def plan_periods(
    ctx: JobContext, contract_ids: Iterable[int], window: DateRange, *, backdated: Backdated = Backdated.SHOW
) -> PlanOutcome:
    """Bring the periods of some contracts in a window to what their rules call for. Commits after each batch of them.

    Args:
        ctx: the run.
        contract_ids: contracts whose last reading is current.
        window: issue dates.
        backdated: what to do about days before a rule, or its present terms, were first seen.
    """
    outcome = PlanOutcome()
    never_billed = {
        subject_id: finding.acknowledged_at is not None
        for (_, subject_id), finding in ctx.findings.open_of_kind(FindingKind.NOT_BILLED).items()
    }
    accepted = {subject_id for subject_id, is_accepted in never_billed.items() if is_accepted}
    for some in ctx.contracts.in_batches(contract_ids, rules=RULES_KEPT):
        prorate_always(ctx.session, ctx.organization_id, some, window, at=ctx.clock())
        changes = _Changes(accepted=accepted)
        _compare(ctx, some, window, backdated, changes, outcome)
        _write(ctx, changes, outcome)
        ctx.session.commit()
        ctx.session.expunge_all()
    _settle_alive_again(ctx, never_billed)
    ctx.session.commit()
    return outcome


def _compare(
    ctx: JobContext,
    contract_ids: Sequence[int],
    window: DateRange,
    backdated: Backdated,
    changes: _Changes,
    outcome: PlanOutcome,
) -> None:
    contracts = {contract.contract_id: contract for contract in ctx.contracts.some(contract_ids)}
    pauses = ctx.readings.pauses(contract_ids, seen=backdated is Backdated.PLAN)
    inactive = ctx.readings.pauses(pauses, seen=True)
    rules = [rule.rule_id for rule in ctx.contracts.rules_of(contract_ids)]
    snapshots = RuleSnapshots(ctx, rules, kept=len(rules))
    since = responsible_from(ctx) or first_of_month(window.start)
    if backdated is Backdated.PLAN:
        since = min(since, window.start)
    before = rules_before(snapshots, contracts, ctx.today)
    ctx.adjustments.carry_settings(
        {
            rule_id: [each.rule.rule_id for each in sorted(some, key=lambda one: one.newest.recurrence.init_date)]
            for rule_id, some in before.items()
            if some
        },
        at=ctx.clock(),
    )
    changed = {each.rule.rule_id for each in snapshots
               if len(each.versions) > 1 or each.rule.new_since is not None or before[each.rule.rule_id]}  # fmt: skip
    periods = _periods(ctx, rules, changed, before, window, since)
    to_bill: dict[int, list[Paid]] = {}
    for snapshot in snapshots:
        rule, own = snapshot.rule, periods.get(snapshot.rule.rule_id, {})
        paused = pauses.get(rule.contract_id, ())
        over = _is_over(contracts[rule.contract_id], rule)
        if over is not None:
            changes.cancelled += [(each, over) for day, each in own.items() if day in window and _is_open(each)]
            unplanned = [each for each in _fallen_due(ctx, snapshot, window, paused) if each.issue_date not in own]
            if unplanned:
                changes.missed.append(([_row(ctx, each) for each in unplanned], over))
            continue
        unseen = [each for each in _fallen_unseen(ctx, snapshot, window, paused, inactive.get(rule.contract_id, ()))
                  if each.issue_date not in own]  # fmt: skip
        if unseen:
            changes.missed.append(([_row(ctx, each) for each in unseen], _was_inactive(rule.contract_id)))
        called = snapshot.called_for(window, paused)
        expected = {each.issue_date: each for each in called if _ended_before(snapshot, each.issue_date) is None}
        paid: list[Paid] = []
        if rule.rule_id in changed:
            # a person asked for its day by name: that it lies before the terms were seen does not take it back
            asked = [each for each in snapshot.periods_by_newest_terms(window)
                     if (known := own.get(each.issue_date)) is not None and known.state in UNSENT
                     and not within(each.issue_date, paused)]  # fmt: skip
            expected = {each.issue_date: each for each in asked} | expected
            followed = [each for each in before[rule.rule_id] if not side_by_side(snapshot, own, each, periods)]
            chain = [(snapshot, own), *((each, periods.get(each.rule.rule_id, {})) for each in followed)]
            paid = [paid_by(each, period) for each, known in chain for period in known.values() if pays(period)]
            paid += [each for former in followed for each in to_bill.get(former.rule.rule_id, ())]
            left = {day for day, each in own.items() if day in window and day not in expected and _is_open(each)}
            stays = {day: each for day, each in own.items() if day not in left}
            missing = list(missing_periods(snapshot, [(snapshot, stays), *chain[1:]], expected, paused, since))
            if backdated is Backdated.PLAN:
                expected |= {each.issue_date: each for each in missing if each.issue_date in window}
                missing = [each for each in missing if each.issue_date not in window]
            called_for = [*expected.values(), *missing]
            changes.seen += unbilled(snapshot, chain, called_for, missing, paused, since, window)
            changes.examined[rule.rule_id] = since
        outcome.rules += 1
        outcome.expected += len(expected)
        to_bill[rule.rule_id] = _sort_in(ctx, changes, own, expected, paid, backdated)
        changes.cancelled += [
            (each, _why_not(snapshot, day, paused))
            for day, each in own.items()
            if day in window and day not in expected
            and (_is_open(each) or (each.state == PeriodState.PARKED and not pays(each)))
        ]  # fmt: skip


def _periods(
    ctx: JobContext,
    rules: Sequence[int],
    changed: Collection[int],
    before: Mapping[int, Sequence[RuleSnapshot]],
    window: DateRange,
    since: date,
) -> dict[int, dict[date, Period]]:
    """Read the periods of the window, and of rules whose coverage matters those around it."""
    wide = set(changed) | {each.rule.rule_id for rule_id in changed for each in before[rule_id]}
    first = min(since, add_months(first_of_month(window.start), -LONGEST_PERIOD))
    around = DateRange(first, add_months(window.end, LONGEST_PERIOD))
    found: dict[int, dict[date, Period]] = {}
    rows = ctx.periods.of_rules([each for each in rules if each not in wide], window)
    for period in [*rows, *(ctx.periods.of_rules(wide, around) if wide else [])]:
        found.setdefault(period.rule_id, {})[period.issue_date] = period
    return found


# -- what the ledger has against what is called for --------------------------------------------------------------------


def _sort_in(
    ctx: JobContext,
    changes: _Changes,
    own: Mapping[date, Period],
    expected: Mapping[date, ExpectedPeriod],
    paid: list[Paid],
    backdated: Backdated,
) -> list[Paid]:
    """Sort what a rule calls for into the changes, and add it to what is paid; return what is still to be billed."""
    to_bill: list[Paid] = []
    for day, wanted in sorted(expected.items()):
        known = own.get(day)
        comes_back = known is not None and known.id not in changes.accepted and _comes_back(known, backdated)
        covered = covered_by(wanted, paid)
        if known is None:
            changes.rows.append(_row(ctx, wanted, covered))
        elif known.state in UNSENT and covered is not None and not _is_decided(known):
            changes.parked.append((known, covered))
        elif covered is None and comes_back:
            changes.again.append(known)
        if known is not None and known.state not in BILLED:
            changes.terms.append((known, wanted))
        if covered is None:
            pay = Paid(wanted.coverage, wanted.rule_id, day, known.invoice_id if known else None)
            paid.append(pay)
            if known is None or known.state in UNSENT or comes_back:
                to_bill.append(pay)
    return to_bill


def _comes_back(period: Period, backdated: Backdated) -> bool:
    """Whether it stopped for what may be over: nothing called for it, or another period was to be billed instead.

    Of a contract that was seen inactive only after the period's day, nobody knows whether it was so on that day.
    """
    if period.state == PeriodState.PARKED:
        return period.reason is not None and period.reason.kind is ReasonKind.COVERED_BY_ANOTHER
    if period.state != PeriodState.CANCELLED or period.cancelled_by is not None:
        return False
    was_over = period.issue_date < period.changed_at.astimezone(SAO_PAULO).date()
    stopped = period.reason is not None and period.reason.kind in CONTRACT_STOPPED
    return backdated is Backdated.PLAN or not (was_over and stopped)


def _is_open(period: Period) -> bool:
    return period.state in UNSENT and not _is_decided(period)


def _is_decided(period: Period) -> bool:
    return period.reason is not None and period.reason.kind in DECIDED


def _is_over(contract: Contract, rule: Rule) -> Reason | None:
    """Say why nothing of a rule is to be billed any more, if so."""
    if contract.gone_at is not None:
        return Reason(ReasonKind.CONTRACT_GONE, {"contract_id": contract.contract_id})
    if contract.state != ACTIVE:
        return _was_inactive(contract.contract_id)
    if rule.gone_at is not None:
        return Reason(ReasonKind.RULE_GONE, {"contract_id": contract.contract_id, "rule_id": rule.rule_id})
    return None


def _was_inactive(contract_id: int) -> Reason:
    return Reason(ReasonKind.CONTRACT_INACTIVE, {"contract_id": contract_id})


def _fallen_due(
    ctx: JobContext, snapshot: RuleSnapshot, window: DateRange, paused: Sequence[DateRange]
) -> Iterator[ExpectedPeriod]:
    """Yield what a rule that is over called for before it was seen to be: where nobody read it, none was planned."""
    due = snapshot.alive_in(window).intersection(DateRange(date.min, add_days(ctx.today, 1)))
    yield from snapshot.called_for(due, paused)


def _fallen_unseen(
    ctx: JobContext,
    snapshot: RuleSnapshot,
    window: DateRange,
    paused: Sequence[DateRange],
    inactive: Sequence[DateRange],
) -> Iterator[ExpectedPeriod]:
    """Yield what a rule called for in those of its pauses in which nobody saw its contract inactive, mostly none."""
    if paused != inactive:
        yield from (each for each in _fallen_due(ctx, snapshot, window, inactive) if within(each.issue_date, paused))


def _ended_before(snapshot: RuleSnapshot, day: date) -> date | None:
    """Return when a rule, as last read, ended, if that is before a day; whatever it called for when that day came."""
    end = snapshot.newest.recurrence.end_date
    return end if end is not None and end < day else None


def _why_not(snapshot: RuleSnapshot, day: date, paused: Sequence[DateRange]) -> Reason:
    facts = {"contract_id": snapshot.rule.contract_id, "rule_id": snapshot.rule.rule_id}
    if within(day, paused):
        return Reason(ReasonKind.CONTRACT_INACTIVE, facts)
    if (end := _ended_before(snapshot, day)) is not None:
        return Reason(ReasonKind.RULE_ENDED, {**facts, "end_date": end.isoformat()})
    return Reason(ReasonKind.NOT_ON_THIS_DAY, facts)


def _row(ctx: JobContext, wanted: ExpectedPeriod, covered: Reason | None = None) -> dict[str, Any]:
    now = ctx.clock()
    return {
        "organization_id": ctx.organization_id,
        "contract_id": wanted.contract_id,
        "rule_id": wanted.rule_id,
        **_terms(wanted),
        "issue_date": wanted.issue_date,
        "state": PeriodState.PARKED.value if covered else PeriodState.PLANNED.value,
        "reason": covered,
        "attempts": 0,
        "planned_by": ctx.actor.label,
        "created_at": now,
        "changed_at": now,
    }


def _terms(wanted: ExpectedPeriod) -> dict[str, Any]:
    return {
        "rule_version": wanted.version,
        "accrual_month": wanted.accrual_month,
        "first_due_date": wanted.due_dates[0],
        "parcel_number": len(wanted.due_dates),
        "gross_value": wanted.gross_value,
    }


def _write(ctx: JobContext, changes: _Changes, outcome: PlanOutcome) -> None:
    now = ctx.clock()
    planned = [row for row in changes.rows if row["state"] == PeriodState.PLANNED]
    outcome.planned += _add(ctx, planned)
    outcome.parked += _add(ctx, [row for row in changes.rows if row["state"] != PeriodState.PLANNED])
    cancelled = [(each, reason) for each, reason in changes.cancelled if each.state == PeriodState.PARKED]
    for period, reason in cancelled:
        outcome.cancelled += len(ctx.periods.cancel([period], reason=reason, at=now))
    by_reason: dict[str, tuple[Reason, list[Period]]] = {}
    for period, reason in changes.cancelled:
        if period.state in UNSENT:
            by_reason.setdefault(repr(reason), (reason, []))[1].append(period)
    for reason, periods in by_reason.values():
        outcome.cancelled += cancel_open(ctx, periods, reason)
    for rows, reason in changes.missed:
        ctx.periods.plan(rows)
        days = {row["issue_date"] for row in rows}
        of_the_rule = ctx.periods.of_rules([rows[0]["rule_id"]], DateRange.days(min(days), max(days)))
        outcome.cancelled += cancel_open(ctx, (each for each in of_the_rule if each.issue_date in days), reason)
    for period, reason in changes.parked:
        waits = period.state == PeriodState.WAITING
        unsent = ctx.periods.replan([period], reason=reason, at=ctx.clock()) if waits else [period]
        outcome.parked += len(ctx.periods.park(unsent, reason=reason, at=now))
    for period in changes.again:
        reason = Reason(ReasonKind.CALLED_FOR_AGAIN, {"contract_id": period.contract_id, "rule_id": period.rule_id})
        outcome.planned += len(ctx.periods.replan([period], reason=reason, at=now))
    wished = [(each, _terms(wanted)) for each, wanted in changes.terms]
    ctx.periods.follow_terms(
        [(each.id, terms) for each, terms in wished if any(getattr(each, name) != terms[name] for name in terms)]
    )
    outcome.findings += len(changes.seen)
    _settle(ctx, changes)


def _add(ctx: JobContext, rows: Sequence[dict[str, Any]]) -> int:
    """Add periods; what is there already may be another organization's, whose contract this was."""
    added = ctx.periods.plan(rows)
    return added if added == len(rows) else added + ctx.periods.take_over(rows)


def _settle(ctx: JobContext, changes: _Changes) -> None:
    """Open and keep what nobody bills; close it for the rules and months that were looked at and are covered now."""
    kinds = (FindingKind.GAP, FindingKind.BACKDATED)
    examined: dict[str, set[int]] = {}
    for kind in kinds if changes.examined else ():
        for (subject, subject_id), finding in ctx.findings.open_of_kind(kind).items():
            since = changes.examined.get(subject_id)
            if since is not None and finding.billing_month is not None and finding.billing_month >= since:
                examined.setdefault(subject, set()).add(subject_id)
    if changes.seen or examined:
        ctx.findings.settle(changes.seen, examined=examined, kinds=kinds, at=ctx.clock())


def _settle_alive_again(ctx: JobContext, never_billed: Collection[int]) -> None:
    """Close what was not billed and is planned again, by its rule or by a person, whatever has become of it since.

    A period that is not this organization's any more is planned where its contract is now.
    """
    cancelled = {each.id for each in ctx.periods.some(never_billed) if each.state == PeriodState.CANCELLED}
    alive = set(never_billed) - cancelled
    if alive:
        ctx.findings.settle([], examined={"period": alive}, kinds=(FindingKind.NOT_BILLED,), at=ctx.clock())


def cancel_open(ctx: JobContext, periods: Iterable[Period], reason: Reason | str, *, by: str | None = None) -> int:
    """Cancel those of `periods` that were never sent; return how many.

    Args:
        ctx: the run.
        periods: as they were read.
        reason: why.
        by: who decided it, for good; nobody where nothing calls for them any more, so that they may come back.
    """
    now = ctx.clock()
    unsent = [period for period in periods if period.state in UNSENT]
    waiting = [period for period in unsent if period.state == PeriodState.WAITING]
    if waiting:
        ctx.periods.replan(waiting, reason=reason, at=now)
    if unsent:
        ctx.periods.cancel(unsent, reason=reason, at=now, by=by)
    return len(unsent)
