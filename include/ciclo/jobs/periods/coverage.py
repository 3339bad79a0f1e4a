"""Coverage: which rules a rule continues, what is paid for already, and what nobody bills.

The periods of a rule tile time, across every change of its terms and across the rules that follow one another.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.coverage import ContractRule, Coverage, gaps, is_paid_whole, months_of, pays_again
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind, period_facts
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.snapshot import ExpectedPeriod, RuleSnapshot, RuleSnapshots
from ciclo.ledger.repositories import Disagreement
from ciclo.ledger.tables import Contract, Period, Rule
from ciclo.ledger.terms import contract_rule

LONGEST_PERIOD = 13
"""Months around a window in which a period may lie that pays for part of it, and one."""

COVERED = (ReasonKind.COVERED_ALREADY, ReasonKind.COVERED_BY_ANOTHER)
"""Why a period is parked that pays for nothing: another one does."""

UNSENT = (PeriodState.PLANNED, PeriodState.WAITING)
BILLED = (PeriodState.ISSUED, PeriodState.SUBMITTING, PeriodState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Paid:
    """What a period pays for, and the period that does."""

    coverage: Coverage
    rule_id: int
    issue_date: date
    invoice_id: int | None


def rules_before(
    snapshots: Iterable[RuleSnapshot], contracts: Mapping[int, Contract], today: date
) -> dict[int, list[RuleSnapshot]]:
    """Return, by rule, the rules of the same contract that it follows.

    They are over by today. One that begins while another has a last issue date to come, as a renewal that was typed
    early, follows it as well: both would be billed for that time.
    """
    of_contract: dict[int, list[tuple[RuleSnapshot, ContractRule]]] = {}
    for each in snapshots:
        contract_id = each.rule.contract_id
        known = contract_rule(each.rule, each.newest, contracts[contract_id].customer_id)
        of_contract.setdefault(contract_id, []).append((each, known))
    before: dict[int, list[RuleSnapshot]] = {}
    for rules in of_contract.values():
        ended = [(other, former) for other, former in rules if former.ends]
        for snapshot, rule in rules:
            before[snapshot.rule.rule_id] = [
                other
                for other, former in ended
                if other is not snapshot and rule.follows(former, over_by=_over_by(rule, former, today))
            ]
    return before


def _over_by(rule: ContractRule, former: ContractRule, today: date) -> date:
    """Return by when a rule's end is to have come: where one begins after it, within that one's first period."""
    begins_later = former.recurrence.init_date < rule.recurrence.init_date
    return max(today, rule.first_period_over) if begins_later else today


def side_by_side(
    snapshot: RuleSnapshot,
    own: Mapping[date, Period],
    other: RuleSnapshot,
    periods: Mapping[int, Mapping[date, Period]],
) -> bool:
    """Whether two rules have been billed for the same time: then one does not follow the other."""
    mine = [snapshot.coverage_of(each) for each in own.values() if each.state in BILLED]
    theirs = [other.coverage_of(p) for p in periods.get(other.rule.rule_id, {}).values() if p.state in BILLED]
    return any(pays_again(one, another) for one in mine for another in theirs)


def pays(period: Period) -> bool:
    """Whether a period is billed, or would be once a person lets it: nothing else may be billed for its time."""
    if period.state == PeriodState.PARKED:
        return period.reason is None or period.reason.kind not in COVERED
    return period.state in BILLED


def paid_by(snapshot: RuleSnapshot, period: Period) -> Paid:
    """Return what a period of the ledger pays for, by the terms it was planned under."""
    return Paid(snapshot.coverage_of(period), period.rule_id, period.issue_date, period.invoice_id)


def covered_by(wanted: ExpectedPeriod, paid: Sequence[Paid]) -> Reason | None:
    """Say which other period pays for the time of one, if any does."""
    others = (each for each in paid if (each.rule_id, each.issue_date) != wanted.key)
    first = next((each for each in others if pays_again(each.coverage, wanted.coverage)), None)
    if first is None:
        return None
    facts = period_facts(wanted.contract_id, wanted.rule_id, wanted.issue_date) | {
        "covered": ", ".join(wanted.coverage.months),
        "invoice_id": first.invoice_id,
        "billed_on": first.issue_date.isoformat(),
    }
    if first.invoice_id is not None:
        return Reason(ReasonKind.COVERED_ALREADY, facts)
    return Reason(ReasonKind.COVERED_BY_ANOTHER, facts | {"billed_by": first.rule_id})


def paid_by_others(ctx: JobContext, given_up: Iterable[Period]) -> Iterator[Period]:
    """Yield those of some given-up periods for whose whole time others pay, or are to pay.

    Others are those of the rule, and of a rule that it follows or that follows it, if the two were never there
    together: what stood side by side was to be billed side by side.
    """
    wanted = list(given_up)
    if not wanted:
        return
    contracts = {each.contract_id: each for each in ctx.contracts.some({each.contract_id for each in wanted})}
    rules = [rule.rule_id for rule in ctx.contracts.rules_of(contracts)]
    snapshots = RuleSnapshots(ctx, rules, kept=len(rules))
    before = rules_before(snapshots, contracts, ctx.today)
    days = [each.issue_date for each in wanted]
    around = DateRange(add_months(min(days), -LONGEST_PERIOD), add_months(max(days), LONGEST_PERIOD))
    periods: dict[int, dict[date, Period]] = {}
    for period in ctx.periods.of_rules(rules, around):
        periods.setdefault(period.rule_id, {})[period.issue_date] = period
    for period in wanted:
        own = snapshots[period.rule_id]
        after = [each for each in snapshots if own in before[each.rule.rule_id]]
        chain = [own, *(each for each in [*before[period.rule_id], *after] if not _met(own.rule, each.rule))]
        others = [(each, other) for each in chain for other in periods.get(each.rule.rule_id, {}).values()]
        living = [each.coverage_of(other) for each, other in others if pays(other) or other.state in UNSENT]
        if is_paid_whole(own.coverage_of(period), living):
            yield period


def _met(one: Rule, other: Rule) -> bool:
    """Whether two rules were seen at the vendor at the same time."""
    return one.first_seen_at <= other.seen_at and other.first_seen_at <= one.seen_at


def within(day: date, stretches: Sequence[DateRange]) -> bool:
    """Whether a day lies in one of some stretches."""
    return any(day in stretch for stretch in stretches)


# -- gaps --------------------------------------------------------------------------------------------------------------

Chain = Sequence[tuple[RuleSnapshot, Mapping[date, Period]]]
"""A rule, then those that it follows, each with its periods."""


def missing_periods(
    snapshot: RuleSnapshot,
    chain: Chain,
    expected: Collection[date],
    paused: Sequence[DateRange],
    since: date,
) -> Iterator[ExpectedPeriod]:
    """Yield what the present terms call for on days before they, or the rule, were first seen, and nothing covers."""
    seen = max(snapshot.versions[-1][0].effective_from if len(snapshot.versions) > 1 else date.min,
               snapshot.rule.new_since or date.min)  # fmt: skip
    covered = [each for _, each in _known(chain)]
    for period in snapshot.periods_by_newest_terms(DateRange(since, max(since, seen))):
        if period.issue_date in expected or within(period.issue_date, paused):
            continue
        if not any(pays_again(period.coverage, each) for each in covered):
            covered.append(period.coverage)
            yield period


def _known(chain: Chain) -> Iterator[tuple[Period, Coverage]]:
    """Yield the periods that are billed, planned, stopped, or given up by a person, with what they pay for."""
    for snapshot, periods in chain:
        for period in periods.values():
            if period.state != PeriodState.CANCELLED or period.cancelled_by is not None:
                yield period, snapshot.coverage_of(period)


def unbilled(
    snapshot: RuleSnapshot,
    chain: Chain,
    called_for: Sequence[ExpectedPeriod],
    missing: Sequence[ExpectedPeriod],
    paused: Sequence[DateRange],
    since: date,
    window: DateRange,
) -> Iterator[Disagreement]:
    """Yield what nobody bills as findings: backdated periods, and the months between two periods."""
    rule = snapshot.rule
    days = {each.issue_date for each in called_for}
    covered = [
        each for period, each in _known(chain)
        if period.rule_id != rule.rule_id or period.state not in UNSENT or period.issue_date in days
        or period.issue_date not in window
    ]  # fmt: skip
    following = DateRange(window.end, add_months(window.end, LONGEST_PERIOD))
    after = next((each for each in snapshot.periods(following) if not within(each.issue_date, paused)), None)
    covered += [each.coverage for each in [*called_for, *([after] if after else [])]]
    for period in missing:
        backdated = rule.new_since is not None and period.issue_date < rule.new_since
        kind = FindingKind.BACKDATED if backdated else FindingKind.GAP
        yield _finding(kind, rule, period.issue_date, period)
    for stretch in gaps(covered):
        for month in months_of(stretch):
            part = DateRange(month, add_months(month, 1))
            if month >= since and not any(part.intersection(each) for each in paused):
                yield _finding(FindingKind.GAP, rule, month, None)


def _finding(kind: FindingKind, rule: Rule, day: date, period: ExpectedPeriod | None) -> Disagreement:
    facts: dict[str, Any] = {"contract_id": rule.contract_id, "rule_id": rule.rule_id}
    if period is not None:
        facts["issue_date"] = period.issue_date.isoformat()
        facts["amount"] = str(period.gross_value) if period.gross_value is not None else None
    if rule.new_since is not None:
        facts["first_seen"] = rule.new_since.isoformat()
    facts["covered"] = ", ".join(period.coverage.months) if period is not None else f"{day:%Y-%m}"
    return Disagreement(
        kind=kind,
        subject=month_of_rule(day),
        subject_id=rule.rule_id,
        contract_id=rule.contract_id,
        billing_month=first_of_month(day),
        facts=facts,
        amount=period.gross_value if period is not None else None,
    )


def month_of_rule(day: date) -> str:
    """Return the subject of a finding about a month of a rule; its id is the rule's."""
    return f"rule {day:%Y-%m}"
