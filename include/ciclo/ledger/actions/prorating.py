"""Part months: which first and last months of a contract or rule are billed in part, and who decides it.

The service begins on the contract's first day, else on the rule's first issue date; it ends on the contract's last day,
else on the rule's, where that lies after its last issue date. A rule made anew in place of another goes on where that
one ended. What is proposed counts calendar days of the coverage; a person accepts it, unless the organization's policy
does so always.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import Adjustment, AdjustmentKind, Prorating, marks_in, part_of
from ciclo.domain.calendar import add_days
from ciclo.domain.coverage import ContractRule
from ciclo.domain.errors import DomainError
from ciclo.domain.recurrence import DateRange, issue_dates
from ciclo.ledger.actions.act import ActionOutcome, NotPossible, locked_period, usable_note
from ciclo.ledger.actions.adjustment_checks import NewAdjustment
from ciclo.ledger.actions.adjustments import AdjustmentsRefused, add_adjustments
from ciclo.ledger.actions.contract_terms import setting_changed
from ciclo.ledger.queries.adjustments import terms_and_prices
from ciclo.ledger.repositories import PRORATED, Actor, AdjustmentRepository, AuditRepository, ContractRepository
from ciclo.ledger.tables import Organization, Period, Rule
from ciclo.ledger.terms import RuleTerms, contract_rule
from ciclo.locale import _

LONGEST_PERIOD = 370
"""Days that a period pays for, at most; no rule issues its last invoice longer than that before its end."""


@dataclass(frozen=True, slots=True)
class PartMonth:
    """A period that pays for days on which there is no service."""

    contract_id: int
    rule_id: int
    issue_date: date
    days: DateRange
    """What is billed of the coverage."""
    covered: DateRange

    @property
    def key(self) -> str:
        """What its adjustment is known by."""
        return f"{self.rule_id}:{self.issue_date.isoformat()}"

    @property
    def day_count(self) -> tuple[int, int]:
        """Days that are billed, and days that the period pays for."""
        return _length(self.days), _length(self.covered)

    @property
    def new(self) -> NewAdjustment:
        """The adjustment that bills it in part."""
        return NewAdjustment(
            kind=AdjustmentKind.PRORATE,
            rule_id=self.rule_id,
            period=self.issue_date,
            first_day=self.days.start,
            last_day=self.days.last_day,
            key=self.key,
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A part month with its figures, BRL; they are None where a price is not known."""

    part: PartMonth
    whole: Decimal | None
    prorated: Decimal | None


def part_months(session: Session, organization_id: int, rule_ids: Iterable[int], window: DateRange) -> list[PartMonth]:
    """Return the part months of some rules whose planned date lies in a window, by rule."""
    catalogue = ContractRepository(session, organization_id)
    rules = catalogue.rules(rule_ids)
    contracts = {each.contract_id: each for each in catalogue.some({rule.contract_id for rule in rules.values()})}
    siblings = catalogue.rules_of(contracts)
    versions = catalogue.versions({*rules, *(each.rule_id for each in siblings)})
    terms = {rule_id: RuleTerms.read(some[-1].terms) for rule_id, some in versions.items()}
    known: dict[int, list[ContractRule]] = {}
    for each in siblings:
        if each.rule_id in terms:
            customer = contracts[each.contract_id].customer_id
            known.setdefault(each.contract_id, []).append(contract_rule(each, terms[each.rule_id], customer))
    found: list[PartMonth] = []
    differences = AdjustmentRepository(session, organization_id, Actor()).complement_rules(contracts)
    for rule_id, rule in sorted(rules.items()):
        contract = contracts.get(rule.contract_id)
        is_service = not marks_in(rule.title) and rule_id not in differences
        if contract is not None and rule_id in terms and is_service:
            mine = contract_rule(rule, terms[rule_id], contract.customer_id)
            begun = mine.recurrence.init_date
            begins = not any(  # it goes on with a service that had begun before it, under a rule that it follows
                former.recurrence.init_date < begun and mine.follows(former, over_by=begun)
                for former in known.get(rule.contract_id, ())
            )
            found += _of_rule(rule, terms[rule_id], contract.payload, window, begins=begins)
    return found


def _of_rule(
    rule: Rule, terms: RuleTerms, contract: dict[str, Any], window: DateRange, *, begins: bool
) -> Iterator[PartMonth]:
    first, last = _day(contract.get("init_date")), _day(contract.get("end_date"))
    recurrence = terms.recurrence
    ends = [each for each in (last, recurrence.end_date) if each is not None]
    days = {recurrence.init_date}
    if ends:
        tail = DateRange.days(add_days(min(ends), -LONGEST_PERIOD), min(ends))
        days |= {max(issue_dates(recurrence, tail), default=recurrence.init_date)}
    for day in sorted(each for each in days if each in window):
        covered = terms.covered(day)
        begun = first if first is not None and first in covered else None
        if begun is None and begins and day == recurrence.init_date:
            begun = recurrence.init_date
        over = last if last is not None and last in covered else None
        if over is None and recurrence.end_date is not None and recurrence.end_date > day:
            over = recurrence.end_date
        part = part_of(covered, begun, over)
        if part is not None:
            yield PartMonth(rule.contract_id, rule.rule_id, day, part, covered)


def proposal(session: Session, organization_id: int, period: Period) -> Proposal | None:
    """Return what Ciclo proposes for a period that is billed whole so far; None where there is nothing to propose."""
    if policy(session, organization_id) is Prorating.NEVER:
        return None
    found = part_months(
        session, organization_id, [period.rule_id], DateRange.days(period.issue_date, period.issue_date)
    )
    repository = AdjustmentRepository(session, organization_id, Actor())
    if not found or repository.known_keys(PRORATED, {found[0].key}):
        return None
    known = [each.adjustment for each in repository.of_rules([period.rule_id]).get(period.rule_id, ())
             if each.is_for(period.issue_date, period.id)]  # fmt: skip
    if any(each.kind in (AdjustmentKind.PRORATE, AdjustmentKind.SKIP) for each in known):
        return None
    terms, prices = terms_and_prices(session, organization_id, period)
    prorate = Adjustment(kind=AdjustmentKind.PRORATE, days=found[0].days)

    def total(*more: Adjustment) -> Decimal | None:
        try:
            return terms.bill(prices, period.issue_date, [*known, *more]).total
        except DomainError:
            return None

    return Proposal(found[0], total(), total(prorate))


def prorate_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Accept what is proposed for a period: it is billed in part. Flushes.

    Raises:
        NoSuchRow: the organization has no such period.
        NotPossible: nothing is proposed for it, or it comes too late.
        UnusableNote: the note is empty or too long.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    found = proposal(session, organization_id, period)
    if found is None:
        return ActionOutcome(changed=False, message=_("Nothing is proposed for it any more."))
    new = NewAdjustment(**{name: getattr(found.part.new, name) for name in NewAdjustment.__slots__} | {"note": text})
    try:
        add_adjustments(session, organization_id, [new], origin=PRORATED, person=person, at=at)
    except AdjustmentsRefused as refused:
        raise NotPossible(str(refused.errors[0])) from None
    billed, covered = found.part.day_count
    return ActionOutcome(
        changed=True, message=_("It will be billed for {days} of {all} days.").format(days=billed, all=covered)
    )


def prorate_always(
    session: Session, organization_id: int, contract_ids: Iterable[int], window: DateRange, *, at: datetime
) -> int:
    """Where the organization's policy is so, let part months of a window be billed in part; return how many. Flushes.

    What has been issued stays as it is; one that a person took back does not come again.
    """
    if policy(session, organization_id) is not Prorating.ALWAYS:
        return 0
    rules = ContractRepository(session, organization_id).rules_of(contract_ids)
    added = 0
    for part in part_months(session, organization_id, [rule.rule_id for rule in rules], window):
        try:
            some = add_adjustments(session, organization_id, [part.new], origin=PRORATED, person=PRORATED, at=at)
        except AdjustmentsRefused:
            continue  # its invoice has left to_emit, or a person said another part
        added += len(some.ids)
    return added


def policy(session: Session, organization_id: int) -> Prorating:
    """Return what becomes of an organization's part months."""
    query = select(Organization.prorate).where(Organization.organization_id == organization_id)
    return Prorating(session.scalar(query) or Prorating.ASK)


def set_policy(session: Session, organization_id: int, chosen: Prorating, *, person: str, at: datetime) -> None:
    """Say in a person's name what becomes of an organization's part months. Flushes."""
    before = policy(session, organization_id)
    mine = update(Organization).where(Organization.organization_id == organization_id)
    session.execute(mine.values(prorate=chosen.value))
    if chosen is not before:
        change = setting_changed(organization_id, person, {"part_months": (before.value, chosen.value)})
        AuditRepository(session, organization_id, Actor(person=person)).record("organization", [change], at)


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None


def _length(days: DateRange) -> int:
    return (days.end - days.start).days
