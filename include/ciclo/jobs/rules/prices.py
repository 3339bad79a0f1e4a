"""Prices of a period on its issue date, and what the API's current unit values say about them.

The API knows one price, today's. When a rule is first seen, that price counts from its last readjustment on, or from
the rule's beginning, and at the latest from that day. What was in force before a readjustment is unknown: a period of
that time is parked rather than billed at a guess. Where a person moves a rule's beginning, its first price follows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any

from ciclo.billimatic.models import InvoiceRule, ScheduledUpdate
from ciclo.domain.calendar import add_months
from ciclo.domain.errors import DomainError
from ciclo.domain.money import brl
from ciclo.domain.price_index import MONTHS_BY_LAW
from ciclo.domain.pricing import WHOLE_RULE
from ciclo.domain.recurrence import step_on_or_after
from ciclo.domain.states import IN_FLIGHT, IN_PRICES, ExecutionState
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.schedules import called_off, domain_update
from ciclo.ledger import tables
from ciclo.ledger.repositories import KnownPrice
from ciclo.ledger.terms import RuleTerms

SEEN = ("rule", "rule changed")
"""Sources of prices that a reading showed and no update led to."""


def current_prices(rule: InvoiceRule) -> dict[int, Decimal]:
    """Return the unit values that the API answers, by service id; `WHOLE_RULE` for a rule without services."""
    if rule.services:
        return {service.id: service.unit_value for service in rule.services}
    return {WHOLE_RULE: rule.gross_value}


@dataclass(frozen=True, slots=True)
class VendorDisagreement:
    """The vendor readjusted a price by itself after Ciclo had: the price of Ciclo's update stays in force.

    Attributes:
        update_id: the scheduled update.
        execution_date: the vendor's next execution, which has moved on.
        ours: unit value in force in the ledger, BRL.
        theirs: unit value at the vendor, BRL.
    """

    contract_id: int
    rule_id: int
    service_id: int
    update_id: int
    execution_date: date
    ours: Decimal
    theirs: Decimal

    def line(self) -> str:
        """Say it in one line of text."""
        service = f", service {self.service_id}" if self.service_id else ""
        return (
            f"contract {self.contract_id}, rule {self.rule_id}{service}: the vendor shows {brl(self.theirs)} after an "
            f"update that Ciclo had settled at {brl(self.ours)} (scheduled update {self.update_id}); Ciclo goes on "
            "billing its own price: correct the rule at the vendor"
        )


@dataclass(slots=True)
class PriceReading:
    """What the API's current unit values say."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Prices to add to the ledger."""
    disagreements: list[VendorDisagreement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Difference:
    """A price that is another one at the vendor than in the ledger."""

    rule: InvoiceRule
    terms: RuleTerms
    known: KnownPrice
    remote: Decimal


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The first price of a service, and the day on which it would begin by the rule's present terms."""

    first: KnownPrice
    began: date
    shown: Decimal | None
    """What the vendor shows of a price that has not begun yet: what came before that was never in force."""


def read_prices(
    ctx: JobContext,
    rules: Sequence[tuple[InvoiceRule, RuleTerms]],
    *,
    seen_on: date,
    changed_from: Mapping[int, date] | None = None,
) -> PriceReading:
    """Return the prices to add: those never seen, those that a person changed at the vendor, those that begin earlier.

    Call it before the scheduled updates are stored: it compares them with what was known. A price that a scheduled
    update readjusts is not taken for a person's change while that update is due, under way, or ahead at the vendor:
    the price update job decides about it. One that moved together with an execution which Ciclo has settled already is
    the vendor's second readjustment: it is reported and does not count.
    """
    reading, from_days = PriceReading(), changed_from or {}
    histories = ctx.prices.histories([rule.id for rule, _ in rules])
    different, earlier = [], []
    for rule, terms in rules:
        began, prices = first_day_of_price(rule, terms, seen_on), histories.get(rule.id, [])
        oldest = {price.service_id: price for price in reversed(prices)}
        newest = {price.service_id: price for price in prices}
        for service_id, unit_value in current_prices(rule).items():
            known, first = newest.get(service_id), oldest.get(service_id)
            if first is not None and began < first.effective_from:
                earlier.append(_Earlier(first, began, unit_value if first.effective_from > seen_on else None))
            if known is None:
                since = from_days.get(rule.id, seen_on) if newest else began
                reading.rows.append(_row(ctx, rule.id, service_id, since, unit_value, "rule"))
            elif known.unit_value != unit_value:
                different.append(_Difference(rule, terms, known, unit_value))
    reading.rows += _begun_earlier(ctx, earlier, histories)
    if different:
        _judge(ctx, different, reading, histories, seen_on, from_days)
    return reading


def _judge(
    ctx: JobContext,
    different: Sequence[_Difference],
    reading: PriceReading,
    histories: Mapping[int, Sequence[KnownPrice]],
    seen_on: date,
    changed_from: Mapping[int, date],
) -> None:
    rule_ids = {entry.rule.id for entry in different}
    scheduled = ctx.scheduled_updates.of_rules(rule_ids)
    executions = ctx.executions.of_rules(rule_ids)
    for entry in different:
        rule_id, service_id = entry.rule.id, entry.known.service_id
        mine = executions.get(rule_id, [])
        if any(execution.state in IN_FLIGHT or _has_sent(execution, entry) for execution in mine):
            continue
        updates = [u for u in scheduled.get(rule_id, []) if service_id in readjusted_services(entry.terms, u)]
        remote = {update.id: update for update in entry.rule.scheduled_updates}
        behind = [u for u in updates if _executed_after_us(u, remote.get(u.scheduled_update_id))]
        if behind:
            reading.disagreements.append(_disagreement(entry, behind[0], remote))
        elif any(_decides(update, remote.get(update.scheduled_update_id), mine, seen_on) for update in updates):
            continue
        elif updates and vendor_after(executions.get(rule_id, [])).get(service_id) == entry.remote:
            reading.disagreements.append(_disagreement(entry, updates[0], remote))
        else:
            since = max(changed_from.get(rule_id, seen_on), entry.known.effective_from)
            revision = next_revision(histories[rule_id], service_id, since)
            row = _row(ctx, rule_id, service_id, since, entry.remote, "rule changed", revision)
            reading.rows.append(row)


def readjusted_services(terms: RuleTerms, update: tables.ScheduledUpdate | ScheduledUpdate) -> set[int]:
    """Return the services whose price an update changes, by the terms; `WHOLE_RULE` for a rule without services."""
    if not terms.services:
        return {WHOLE_RULE}
    item = update.service_item_id
    return {line.id for line in terms.services if item is None or line.service_item_id == item}


def next_revision(prices: Iterable[KnownPrice], service_id: int, effective_from: date) -> int:
    """Return the number of a further price of a service from the same day."""
    return sum(price.service_id == service_id and price.effective_from == effective_from for price in prices)


def vendor_after(executions: Iterable[tables.PriceUpdateExecution]) -> dict[int, Decimal]:
    """Return the unit values that the vendor is known to show on top of settled updates, by service."""
    found: dict[int, Decimal] = {}
    for execution in executions:
        for entry in ((execution.evidence or {}).get("vendor_after") or {}).get("prices", ()):
            found[entry["service_id"]] = Decimal(entry["unit_value"])
    return found


def rescheduled(update: tables.ScheduledUpdate, remote: ScheduledUpdate) -> bool:
    """Whether a person changed when an update executes, so that its execution date moved for that reason."""
    init_date = remote.init_date or remote.execution_date
    return (update.init_date, update.month_quantity) != (init_date, remote.months)


def _decides(
    update: tables.ScheduledUpdate,
    remote: ScheduledUpdate | None,
    executions: Sequence[tables.PriceUpdateExecution],
    seen_on: date,
) -> bool:
    """Whether an update that is due here, or ahead at the vendor, may be why a price is another one."""
    if update.next_execution_date is None:
        return remote is not None and not rescheduled(update, remote) and _comes_back(update, remote, executions)
    ahead = (
        remote is not None
        and remote.execution_date is not None
        and remote.execution_date > update.next_execution_date
        and not rescheduled(update, remote)
    )
    return ahead or update.next_execution_date <= seen_on


def _comes_back(
    update: tables.ScheduledUpdate, remote: ScheduledUpdate, executions: Sequence[tables.PriceUpdateExecution]
) -> bool:
    """Whether an execution was called off while its rule was gone, and is to be decided now that it is back."""
    mine = [each for each in executions if each.scheduled_update_id == update.scheduled_update_id]
    try:
        known = replace(domain_update(update), execution_date=remote.execution_date)
    except DomainError:
        return False
    return called_off(known, mine) is not None


def _executed_after_us(update: tables.ScheduledUpdate, remote: ScheduledUpdate | None) -> bool:
    """Whether the vendor has just executed what is settled here."""
    if remote is None or remote.execution_date is None or update.next_execution_date is None:
        return False
    moved = update.remote_execution_date < remote.execution_date <= update.next_execution_date
    return moved and not rescheduled(update, remote)


def _has_sent(execution: tables.PriceUpdateExecution, difference: _Difference) -> bool:
    """Whether the price is what Ciclo sent before the rule went away: the execution is settled now that it is back."""
    sent = (execution.evidence or {}).get("sent") or {}
    written = sent.get(str(difference.known.service_id)) if execution.state == ExecutionState.CANCELLED else None
    return written is not None and Decimal(written) == difference.remote


def _disagreement(
    entry: _Difference, update: tables.ScheduledUpdate, remote: Mapping[int, ScheduledUpdate]
) -> VendorDisagreement:
    known = remote.get(update.scheduled_update_id)
    return VendorDisagreement(
        contract_id=entry.rule.contract_id,
        rule_id=entry.rule.id,
        service_id=entry.known.service_id,
        update_id=update.scheduled_update_id,
        execution_date=(known.execution_date if known else None) or update.remote_execution_date,
        ours=entry.known.unit_value,
        theirs=entry.remote,
    )


def _begun_earlier(
    ctx: JobContext, prices: Sequence[_Earlier], histories: Mapping[int, Sequence[KnownPrice]]
) -> Iterator[dict[str, Any]]:
    """Yield the prices that began with their rule once more, from the day to which a person moved its beginning.

    One that began after its rule did is that of a readjustment or of a service which joined: it stays where it is.
    """
    versions = ctx.contracts.versions({each.first.rule_id for each in prices}) if prices else {}
    for each in prices:
        rule_id, service_id, day = each.first.rule_id, each.first.service_id, each.first.effective_from
        if day > RuleTerms.read(versions[rule_id][0].terms).recurrence.init_date:
            continue
        of_that_day = (p for p in histories[rule_id] if (p.service_id, p.effective_from) == (service_id, day))
        seen = [p.unit_value for p in takewhile(lambda price: price.source in SEEN, of_that_day)]
        if seen:
            yield _row(ctx, rule_id, service_id, each.began, seen[-1] if each.shown is None else each.shown, "rule")


def first_day_of_price(rule: InvoiceRule, terms: RuleTerms, seen_on: date) -> date:
    """Return the first day on which the price that the API answers on a day is known to be in force.

    It is that day at the latest, also of a rule that begins later: a person may move its beginning.

    An update whose `execution_date` lies after its `init_date` has been applied: the price is that of its last
    execution. A rule never readjusted has had its price from the beginning, and before its first invoice, where an
    update executes that early.
    """
    applied = [
        add_months(scheduled.init_date, (step - 1) * months)
        for scheduled in rule.scheduled_updates
        if scheduled.execution_date and scheduled.init_date and scheduled.execution_date > scheduled.init_date
        for months in [scheduled.months or MONTHS_BY_LAW]
        for step in [step_on_or_after(scheduled.init_date, months, scheduled.execution_date)]
    ]
    if applied:
        return min(seen_on, max([terms.recurrence.init_date, *applied]))
    planned = [scheduled.init_date for scheduled in rule.scheduled_updates if scheduled.init_date]
    return min([seen_on, terms.recurrence.init_date, *planned])


def _row(
    ctx: JobContext,
    rule_id: int,
    service_id: int,
    since: date,
    unit_value: Decimal,
    source: str,
    revision: int = 0,
) -> dict[str, Any]:
    return {
        "organization_id": ctx.organization_id,
        "rule_id": rule_id,
        "service_id": service_id,
        "effective_from": since,
        "revision": revision,
        "unit_value": unit_value,
        "source": source,
        "execution_id": None,
        "created_at": ctx.clock(),
    }


def note_disagreements(ctx: JobContext, disagreements: Iterable[VendorDisagreement], now: datetime) -> None:
    """Add to the last settled execution that the vendor has readjusted once more, and to what."""
    for entry in disagreements:
        executions = ctx.executions.of_rules([entry.rule_id]).get(entry.rule_id, [])
        last = [e for e in executions if e.scheduled_update_id == entry.update_id and e.state in IN_PRICES][-1:]
        for execution in last:
            seen = ((execution.evidence or {}).get("vendor_after") or {}).get("prices", [])
            others = [price for price in seen if price["service_id"] != entry.service_id]
            mine = {
                "service_id": entry.service_id,
                "unit_value": f"{entry.theirs:f}",
                "difference": f"{entry.theirs - entry.ours:f}",
            }
            note = {"execution_date": entry.execution_date.isoformat(), "seen_at": now.isoformat()}
            ctx.executions.add_evidence(execution, {"vendor_after": {**note, "prices": [*others, mine]}})
