"""What the ledger knows of a rule's prices before a readjustment: since when they are, what the last one used.

An update that the vendor had executed before Ciclo first read it used the months that its schedule of then gives: that
is in the rule's first version. Nothing is asked where nothing contradicts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from ciclo.billimatic.models import Contract, InvoiceRule, ScheduledUpdate
from ciclo.domain.calendar import add_months
from ciclo.domain.continuity import PriceStory, Use
from ciclo.domain.price_index import MONTHS_BY_LAW, PriceIndex, WindowPolicy, price_index, window
from ciclo.domain.pricing import WHOLE_RULE
from ciclo.domain.recurrence import step_on_or_after
from ciclo.domain.states import IN_PRICES
from ciclo.jobs.price_updates.updated_rule import Due, UpdatedRule
from ciclo.ledger.tables import PriceUpdateExecution
from ciclo.ledger.terms import RuleTerms, ServiceLine

BY_HAND = ("rule changed", "person")
"""Sources of prices that somebody set."""


def price_story(rule: UpdatedRule, due: Due, service: int, policy: WindowPolicy) -> PriceStory:
    """Return what is known of a price that an execution readjusts.

    Args:
        rule: the rule.
        due: the execution.
        service: the service's id, or `WHOLE_RULE`.
        policy: under which policy months are counted that the vendor or people used before Ciclo.
    """
    keys = set(_known_as(rule, service))
    day = due.execution_date
    uses = [*_own_uses(rule, due, keys), *_earlier_uses(rule, due, keys, policy)]
    changed = [
        price.effective_from
        for price in rule.terms.prices
        if price.service_id in keys and price.source in BY_HAND and price.effective_from <= day
    ]
    story = PriceStory(
        since=_since(rule, service),
        last_use=max(uses, key=lambda use: (use.last_month, use.execution_date), default=None),
        changed_on=max(changed, default=None),
    )
    return story if story.last_use is not None or rule.follows is None else _goes_on(rule, due, service, policy, story)


def _goes_on(rule: UpdatedRule, due: Due, service: int, policy: WindowPolicy, story: PriceStory) -> PriceStory:
    """Let a price of a rule that was made anew go on from its former one; another price was set by a person."""
    former = rule.follows
    before = _service_of(former.terms.newest, rule.terms.newest, service) if former is not None else None
    if former is None or before is None:
        return story
    earlier = price_story(replace(former, updates=[], follows=None), due, before, policy)
    last = [price.unit_value for price in former.terms.prices if price.service_id == before][-1:]
    first = [price for price in rule.terms.prices if price.service_id == service][:1]
    reset = [min(story.since, due.execution_date)] if first and last and first[0].unit_value != last[0] else []
    changed = [day for day in (earlier.changed_on, story.changed_on, *reset) if day is not None]
    return PriceStory(min(earlier.since, story.since), earlier.last_use, max(changed, default=None))


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
        if not done or other or execution.execution_date >= due.execution_date:
            continue
        if keys & {entry["service_id"] for entry in (execution.evidence or {}).get("prices", ())}:
            yield _use_of(execution)


def _use_of(execution: PriceUpdateExecution) -> Use:
    index, policy = price_index(execution.price_index), WindowPolicy(execution.policy)
    used = [date.fromisoformat(f"{entry['month']}-01") for entry in (execution.evidence or {}).get("months", ())]
    last = max(used, default=None) or window(index, execution.execution_date, 1, policy)[-1]
    return Use(execution.execution_date, last, index, policy)


def _earlier_uses(rule: UpdatedRule, due: Due, keys: set[int], policy: WindowPolicy) -> Iterator[Use]:
    """Yield what this update, or one that is gone by now, had used before Ciclo first read it."""
    live = {update.scheduled_update_id for update in rule.updates} - {due.scheduled.scheduled_update_id}
    seen: set[int] = set()
    for (_, terms), payload in zip(rule.terms.versions, rule.payloads, strict=True):
        for update in InvoiceRule.model_validate(payload).scheduled_updates:
            if update.id in seen or update.id in live or not keys & _readjusted(terms, update.service_item_id):
                continue
            seen.add(update.id)
            use = _executed_before(update, policy)
            if use is not None and use.execution_date < due.execution_date:
                yield use


def _executed_before(update: ScheduledUpdate, policy: WindowPolicy) -> Use | None:
    """Return the execution before the next one, by the vendor's account; None if there was none."""
    first, following = update.init_date, update.execution_date
    if first is None or following is None or following <= first or update.price_index not in set(PriceIndex):
        return None
    months = update.month_quantity or MONTHS_BY_LAW
    day = add_months(first, (step_on_or_after(first, months, following) - 1) * months)
    index = price_index(update.price_index)
    return Use(day, window(index, day, 1, policy)[-1], index, policy)


def _readjusted(terms: RuleTerms, service_item: int | None) -> set[int]:
    """Return the services whose price an update of a service item, or of them all, changes."""
    if not terms.services:
        return {WHOLE_RULE}
    return {line.id for line in terms.services if service_item in (None, line.service_item_id)}


def _since(rule: UpdatedRule, service: int) -> date:
    """Return the day from which a price was agreed: the rule's beginning, or that of a service that joined it later."""
    joined = [number for number, (_, terms) in enumerate(rule.terms.versions) if _has(terms, _known_as(rule, service))]
    if joined and joined[0] > 0:
        return rule.terms.versions[joined[0]][0].effective_from
    begun = [terms.recurrence.init_date for _, terms in rule.terms.versions]
    if rule.remote.created_at is not None:
        begun.append(rule.remote.created_at.date())
    contract = Contract.model_validate(rule.contract.payload) if rule.contract else None
    if contract is None or contract.init_date is None:
        return min(begun)
    signed = [contract.init_date, *([contract.created_at.date()] if contract.created_at else [])]
    return max(min(begun), min(signed))


def _known_as(rule: UpdatedRule, service: int) -> list[int]:
    """Return a service's id and those it had before: a line that was taken out and put in again is the same service."""
    ids = [service]
    for _, terms in reversed(rule.terms.versions):
        present = {line.id: line for line in terms.services}
        if ids[-1] in present or ids[-1] == WHOLE_RULE:
            continue
        now = next((line for _, later in rule.terms.versions for line in later.services if line.id == ids[-1]), None)
        before = [line.id for line in terms.services if now is not None and _same_service(line, now)]
        if len(before) == 1 and not _still_there(rule.terms.newest, before[0]):
            ids.append(before[0])
    return ids


def _same_service(one: ServiceLine, other: ServiceLine) -> bool:
    if one.service_item_id is not None and other.service_item_id is not None:
        return one.service_item_id == other.service_item_id
    return one.name is not None and one.name == other.name


def _still_there(terms: RuleTerms, service: int) -> bool:
    return any(line.id == service for line in terms.services)


def _has(terms: RuleTerms, keys: Iterable[int]) -> bool:
    lines = {line.id for line in terms.services} or {WHOLE_RULE}
    return bool(lines & set(keys))
