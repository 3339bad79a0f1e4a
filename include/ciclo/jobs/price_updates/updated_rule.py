"""What is known of a rule before an update of it is decided about: terms, prices, updates, the vendor's answer.

It is read from the ledger anew for each execution, so that each one starts from what the one before left.

Of each price it tells the story: since when it is, what the last readjustment used, when a person changed it. An update
that the vendor had executed before Ciclo first read it used the months that its schedule of then gives: that is in the
rule's first version.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from ciclo.billimatic import models
from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.calendar import add_days, add_months
from ciclo.domain.continuity import PriceStory, Use
from ciclo.domain.contract_terms import ContractTerm
from ciclo.domain.money import at_least_cents
from ciclo.domain.price_index import PriceIndex, WindowPolicy, price_index, window
from ciclo.domain.pricing import WHOLE_RULE, Service
from ciclo.domain.recurrence import DateRange, step_on_or_after
from ciclo.domain.states import IN_PRICES, Fact, Reason, ReasonKind, update_facts
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.prices import current_prices, readjusted_services, vendor_after
from ciclo.jobs.rules.snapshot import RuleSnapshot, RuleSnapshots
from ciclo.ledger.repositories import ACTIVE, KnownPrice
from ciclo.ledger.repositories.prices import terms_of_contracts
from ciclo.ledger.tables import Contract, Payload, PriceUpdateExecution, Rule, ScheduledUpdate
from ciclo.ledger.terms import RuleTerms, ServiceLine, contract_rule

MADE_ANEW_WITHIN = 31
"""Days within which a rule goes after the one that was made in its place came."""

BY_HAND = ("rule changed", "person")
"""Sources of prices that somebody set."""

Prices = dict[int, Decimal]
"""Unit values in BRL by service id; `WHOLE_RULE` for a rule without services."""


def written(value: Decimal) -> str:
    """Write a unit value for the evidence: at least its cents, more where the vendor keeps more."""
    return f"{at_least_cents(value):f}"


@dataclass(frozen=True, slots=True)
class Due:
    """An update and the day of its first execution that is not settled."""

    scheduled: ScheduledUpdate
    execution_date: date

    @property
    def order(self) -> tuple[date, int]:
        """The order in which the executions of a rule apply."""
        return self.execution_date, self.scheduled.scheduled_update_id


@dataclass(frozen=True, slots=True)
class UpdatedRule:
    """A rule with what its updates need."""

    terms: RuleSnapshot
    """Its terms and prices."""
    contract: Contract | None
    payloads: list[Payload]
    """The vendor's answer of each version: its scheduled updates as they were then."""
    updates: list[ScheduledUpdate]
    """Those that are still at the vendor."""
    executions: list[PriceUpdateExecution]
    remote: InvoiceRule
    """The rule as the vendor last answered it."""
    agreed: tuple[ContractTerm, ...] = ()
    """Terms of its contract that the vendor cannot hold."""
    follows: "UpdatedRule | None" = None
    """The rule that this one was made anew from, if any: gone or ended, of the same text or services."""

    @property
    def rule_id(self) -> int:
        """The rule's id."""
        return self.terms.rule.rule_id

    @property
    def contract_id(self) -> int:
        """Its contract's id."""
        return self.terms.rule.contract_id

    def head(self) -> Due | None:
        """Return the execution that is next, of all the rule's updates."""
        coming = [Due(u, u.next_execution_date) for u in self.updates if u.next_execution_date is not None]
        return min(coming, key=lambda due: due.order, default=None)

    def ending(self, execution_date: date) -> Reason | None:
        """Say why no execution is to happen any more, if so."""
        rule, contract = self.terms.rule, self.contract
        if contract is None or contract.gone_at is not None:
            return Reason(ReasonKind.CONTRACT_GONE, {"contract_id": rule.contract_id})
        if contract.state != ACTIVE:
            return Reason(ReasonKind.CONTRACT_INACTIVE, {"contract_id": rule.contract_id})
        if rule.gone_at is not None:
            return Reason(ReasonKind.RULE_GONE, {"rule_id": rule.rule_id})
        if rule.end_date is not None and execution_date > rule.end_date:
            return Reason(ReasonKind.RULE_ENDED, {"rule_id": rule.rule_id, "end_date": rule.end_date.isoformat()})
        return None

    def services_from(self, day: date) -> list[Service]:
        """Return the services that the rule bills from a day on, under any of its terms."""
        found = {line.id: line.priced for terms in self.terms_from(day) for line in terms.services}
        return list(found.values())

    def terms_from(self, day: date) -> list[RuleTerms]:
        """Return the terms that are in force on a day or afterwards."""
        return [terms for _, terms, _ in self.terms.parts(DateRange(day, date.max))]

    def remote_prices(self) -> Prices:
        """Return the unit values that the vendor shows."""
        return current_prices(self.remote)

    def newest_prices(self) -> dict[int, KnownPrice]:
        """Return the last price of each service, by service id."""
        return {price.service_id: price for price in self.terms.prices}

    def prices_on_top(self) -> Prices:
        """Return the unit values that the vendor is known to show on top of settled updates."""
        return vendor_after(self.executions)

    def service_name(self, service_id: int) -> str | None:
        """Return the name of a service, if it is known."""
        lines = [line for _, terms in reversed(self.terms.versions) for line in terms.services if line.id == service_id]
        return (lines[0].name or lines[0].description) if lines and service_id != WHOLE_RULE else None

    def reason(self, kind: ReasonKind, due: Due, **facts: Fact) -> Reason:
        """Return a reason that names contract, rule and execution beside its own facts."""
        return Reason(kind, update_facts(self.contract_id, self.rule_id, due.execution_date) | facts)


def updated_rule(ctx: JobContext, rule_id: int) -> UpdatedRule | None:
    """Read a rule from the ledger as it is now; None if the ledger has no such rule."""
    ctx.session.expire_all()
    snapshots = RuleSnapshots(ctx, [rule_id])
    if rule_id not in snapshots:
        return None
    return _updated_rule(ctx, snapshots[rule_id], {rule_id})


def _made_anew_from(
    ctx: JobContext, snapshot: RuleSnapshot, customer: int | None, passed: set[int]
) -> RuleSnapshot | None:
    """Return the rule of the same contract that a rule follows: the last one, where there are several.

    It began before the rule, or it was there first and went when the rule came: somebody who makes a rule anew may give
    it the former one's dates.
    """
    rule, begun = snapshot.rule, snapshot.newest.recurrence.init_date
    mine = contract_rule(rule, snapshot.newest, customer)
    before = [
        each.rule_id
        for each in ctx.contracts.rules_of([rule.contract_id])
        if each.rule_id not in passed and (each.init_date < begun or _made_way(each, rule))
    ]
    former = [
        each
        for each in RuleSnapshots(ctx, before)
        if mine.follows(contract_rule(each.rule, each.newest, customer), over_by=begun)
    ]
    return max(former, key=lambda each: (each.rule.init_date, each.rule.rule_id), default=None)


def _made_way(former: Rule, rule: Rule) -> bool:
    """Whether a rule was there first, and last seen before another one came or within a month after."""
    if rule.new_since is None or former.gone_at is None or former.seen_on is None:
        return False
    there_first = (former.new_since or date.min, former.rule_id) < (rule.new_since, rule.rule_id)
    return there_first and former.seen_on <= add_days(rule.new_since, MADE_ANEW_WITHIN)


def _updated_rule(ctx: JobContext, snapshot: RuleSnapshot, passed: set[int]) -> UpdatedRule:
    """Put a rule together with those that it was made anew from; `passed` are the rules on the way here."""
    rule_id, contract_id = snapshot.rule.rule_id, snapshot.rule.contract_id
    contracts = ctx.contracts.some([contract_id])
    customer = contracts[0].customer_id if contracts else None
    former = _made_anew_from(ctx, snapshot, customer, passed)
    return UpdatedRule(
        terms=snapshot,
        contract=contracts[0] if contracts else None,
        payloads=ctx.contracts.version_payloads(rule_id),
        updates=ctx.scheduled_updates.of_rules([rule_id]).get(rule_id, []),
        executions=ctx.executions.of_rules([rule_id]).get(rule_id, []),
        remote=InvoiceRule.model_validate(snapshot.rule.payload),
        agreed=tuple(terms_of_contracts(ctx.session, ctx.organization_id, [contract_id]).get(contract_id, ())),
        follows=None if former is None else _updated_rule(ctx, former, {*passed, former.rule.rule_id}),
    )


# -- the story of a price ----------------------------------------------------------------------------------------------


def price_story(rule: UpdatedRule, due: Due, service: int, policy: WindowPolicy) -> PriceStory:
    """Return what is known of a price that an execution readjusts.

    Args:
        rule: the rule.
        due: the execution.
        service: the service's id, or `WHOLE_RULE`.
        policy: under which policy months are counted that the vendor or people used before Ciclo.
    """
    keys = set(known_as(rule, service))
    day = due.execution_date
    uses = [*_own_uses(rule, due, keys), *_earlier_uses(rule, due, keys, policy)]
    changed = [
        price.effective_from
        for price in rule.terms.prices
        if price.service_id in keys and price.source in BY_HAND and price.effective_from <= day
    ]
    story = PriceStory(_since(rule, service), _last(uses), max(changed, default=None))
    return story if rule.follows is None else _goes_on(rule, rule.follows, due, service, policy, story)


def _last(uses: Iterable[Use | None]) -> Use | None:
    found = [use for use in uses if use is not None]
    return max(found, key=lambda use: (use.last_month, use.execution_date), default=None)


def _goes_on(
    rule: UpdatedRule, former: UpdatedRule, due: Due, service: int, policy: WindowPolicy, story: PriceStory
) -> PriceStory:
    """Let a price of a rule that was made anew go on from its former one; another price was set by a person."""
    before = _service_of(former.terms.newest, rule.terms.newest, service)
    if before is None:
        return story
    earlier = price_story(replace(former, updates=[]), due, before, policy)
    last = [price.unit_value for price in former.terms.prices if price.service_id == before][-1:]
    first = [price for price in rule.terms.prices if price.service_id == service][:1]
    reset = [min(story.since, due.execution_date)] if first and last and first[0].unit_value != last[0] else []
    changed = [day for day in (earlier.changed_on, story.changed_on, *reset) if day is not None]
    last_use = _last([earlier.last_use, story.last_use])
    return PriceStory(min(earlier.since, story.since), last_use, max(changed, default=None))


def _service_of(former: RuleTerms, now: RuleTerms, service: int) -> int | None:
    """Return which service of a former rule a service is; None where it is none of them, or cannot be told."""
    if service == WHOLE_RULE:
        return WHOLE_RULE if not former.services else None
    mine = next((line for line in now.services if line.id == service), None)
    found = [line.id for line in former.services if mine is not None and _same_service(line, mine)]
    return found[0] if len(found) == 1 else None


def _own_uses(rule: UpdatedRule, due: Due, keys: set[int]) -> Iterator[Use]:
    """Yield what executions that Ciclo applied, adopted or, by a person's word, skipped have used of these prices."""
    live = {update.scheduled_update_id for update in rule.updates} - {due.scheduled.scheduled_update_id}
    for execution in rule.executions:
        done = execution.state in IN_PRICES or "skipped" in (execution.evidence or {})
        other = execution.scheduled_update_id in live and execution.price_index != due.scheduled.price_index
        if not done or other or (execution.execution_date, execution.scheduled_update_id) >= due.order:
            continue
        if keys & _readjusted(rule, execution):
            policy = WindowPolicy(execution.policy)
            index = PriceIndex(execution.price_index) if execution.price_index in set(PriceIndex) else None
            calendar = index or price_index(due.scheduled.price_index)
            used = [date.fromisoformat(f"{each['month']}-01") for each in (execution.evidence or {}).get("months", ())]
            last = max(used, default=None) or window(calendar, execution.execution_date, 1, policy)[-1]
            yield Use(execution.execution_date, last, index, policy)


def _readjusted(rule: UpdatedRule, execution: PriceUpdateExecution) -> set[int]:
    """Return the services whose price an execution was about: one that was skipped may never have been computed."""
    computed = {entry["service_id"] for entry in (execution.evidence or {}).get("prices", ())}
    if computed:
        return computed
    number, newest = execution.scheduled_update_id, rule.terms.newest
    for update in rule.updates:
        if update.scheduled_update_id == number:
            return readjusted_services(newest, update)
    for (_, terms), payload in zip(reversed(rule.terms.versions), reversed(rule.payloads), strict=True):
        for former in InvoiceRule.model_validate(payload).scheduled_updates:
            if former.id == number:
                return readjusted_services(terms, former)
    return set()


def _earlier_uses(rule: UpdatedRule, due: Due, keys: set[int], policy: WindowPolicy) -> Iterator[Use]:
    """Yield what this update, or one that is gone by now, had used before Ciclo first read it."""
    live = {update.scheduled_update_id for update in rule.updates} - {due.scheduled.scheduled_update_id}
    seen: set[int] = set()
    for (_, terms), payload in zip(rule.terms.versions, rule.payloads, strict=True):
        for update in InvoiceRule.model_validate(payload).scheduled_updates:
            if update.id in seen or update.id in live or not keys & readjusted_services(terms, update):
                continue
            seen.add(update.id)
            use = _executed_before(update, policy)
            if use is not None and use.execution_date < due.execution_date:
                yield use


def _executed_before(update: models.ScheduledUpdate, policy: WindowPolicy) -> Use | None:
    """Return the execution before the next one, by the vendor's account; None if there was none."""
    first, following = update.init_date, update.execution_date
    if first is None or following is None or following <= first or update.price_index not in set(PriceIndex):
        return None
    if not update.months:
        return None
    day = add_months(first, (step_on_or_after(first, update.months, following) - 1) * update.months)
    index = price_index(update.price_index)
    return Use(day, window(index, day, 1, policy)[-1], index, policy)


def _since(rule: UpdatedRule, service: int) -> date:
    """Return the day from which a price was agreed: the rule's beginning, or that of a service that joined it later."""
    known = set(known_as(rule, service))
    joined = [
        number
        for number, (_, terms) in enumerate(rule.terms.versions)
        if known & ({line.id for line in terms.services} or {WHOLE_RULE})
    ]
    if joined and joined[0] > 0:
        return rule.terms.versions[joined[0]][0].effective_from
    begun = [terms.recurrence.init_date for _, terms in rule.terms.versions]
    if rule.remote.created_at is not None:
        begun.append(rule.remote.created_at.date())
    contract = models.Contract.model_validate(rule.contract.payload) if rule.contract else None
    if contract is None or contract.init_date is None:
        return min(begun)
    signed = [contract.init_date, *([contract.created_at.date()] if contract.created_at else [])]
    return max(min(begun), min(signed))


def known_as(rule: UpdatedRule, service: int) -> list[int]:
    """Return a service's id and those it had before: a line that was taken out and put in again is the same service."""
    ids = [service]
    for _, terms in reversed(rule.terms.versions):
        present = {line.id: line for line in terms.services}
        if ids[-1] in present or ids[-1] == WHOLE_RULE:
            continue
        now = next((line for _, later in rule.terms.versions for line in later.services if line.id == ids[-1]), None)
        before = [line.id for line in terms.services if now is not None and _same_service(line, now)]
        if len(before) == 1 and all(line.id != before[0] for line in rule.terms.newest.services):
            ids.append(before[0])
    return ids


def _same_service(one: ServiceLine, other: ServiceLine) -> bool:
    if one.service_item_id is not None and other.service_item_id is not None:
        return one.service_item_id == other.service_item_id
    return one.name is not None and one.name == other.name
