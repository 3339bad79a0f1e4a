"""Prices of a period on its issue date, and what the API's current unit values say about them.

The API knows one price, today's. When a rule is first seen, that price counts from its last readjustment on: what was
in force before is unknown, and a period of that time is parked rather than billed at a guess.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.api.models import InvoiceRule
from ciclo.domain import pricing
from ciclo.domain.calendar import add_months
from ciclo.domain.periods import step_on_or_after
from ciclo.domain.price_index import MONTHS_BY_LAW
from ciclo.jobs.context import JobContext
from ciclo.ledger import tables
from ciclo.ledger.terms import RuleTerms

WHOLE_RULE = 0
"""`prices.service_id` of the gross value of a rule without services."""


def history(prices: Iterable[tables.Price]) -> list[pricing.Price]:
    """Return a rule's prices in the form that the domain reads."""
    return [pricing.Price(price.service_id or None, price.effective_from, price.unit_value) for price in prices]


def current_prices(rule: InvoiceRule) -> dict[int, Decimal]:
    """Return the unit values that the API answers, by service id; `WHOLE_RULE` for a rule without services."""
    if rule.services:
        return {service.id: service.unit_value for service in rule.services}
    return {WHOLE_RULE: rule.gross_value}


def price_rows(
    ctx: JobContext, rules: Sequence[tuple[InvoiceRule, RuleTerms]], *, seen_on: date
) -> list[dict[str, Any]]:
    """Return the prices to add: those of services never seen, and those that somebody changed at the vendor.

    A price that differs while a scheduled update of the rule is open, or that moved together with an execution date,
    may be the vendor's own readjustment: the price update job decides about it.
    """
    rule_ids = [rule.id for rule, _ in rules]
    histories = ctx.prices.histories(rule_ids)
    scheduled = ctx.scheduled_updates.of_rules(rule_ids)
    rows = []
    for rule, terms in rules:
        newest = {price.service_id: price for price in histories.get(rule.id, [])}
        readjusting = _readjusting(rule, scheduled.get(rule.id, []), seen_on)
        first_seen = not newest
        for service_id, unit_value in current_prices(rule).items():
            known = newest.get(service_id)
            if known is None:
                since = first_day_of_price(rule, terms) if first_seen else seen_on
                rows.append(_row(ctx, rule.id, service_id, since, unit_value, "rule"))
            elif known.unit_value != unit_value and not readjusting:
                since = max(seen_on, known.effective_from)
                rows.append(_row(ctx, rule.id, service_id, since, unit_value, "rule changed"))
    return rows


def first_day_of_price(rule: InvoiceRule, terms: RuleTerms) -> date:
    """Return the first day on which the price that the API answers today is known to be in force.

    An update whose `execution_date` lies after its `init_date` has been applied: the price is that of its last
    execution. A rule never readjusted has had its price from the beginning.
    """
    applied = [
        add_months(scheduled.init_date, (step - 1) * months)
        for scheduled in rule.scheduled_updates
        if scheduled.execution_date and scheduled.init_date and scheduled.execution_date > scheduled.init_date
        for months in [scheduled.month_quantity or MONTHS_BY_LAW]
        for step in [step_on_or_after(scheduled.init_date, months, scheduled.execution_date)]
    ]
    return max([terms.recurrence.init_date, *applied])


def _readjusting(rule: InvoiceRule, known: Sequence[tables.ScheduledUpdate], seen_on: date) -> bool:
    """Whether a changed price may come from a scheduled update rather than from a person."""
    remote = {scheduled.id: scheduled.execution_date for scheduled in rule.scheduled_updates}
    return any(
        remote.get(update.scheduled_update_id) != update.remote_execution_date
        or update.remote_execution_date != update.next_execution_date
        or update.next_execution_date <= seen_on
        for update in known
    )


def _row(
    ctx: JobContext, rule_id: int, service_id: int, since: date, unit_value: Decimal, source: str
) -> dict[str, Any]:
    return {
        "organization_id": ctx.organization_id,
        "rule_id": rule_id,
        "service_id": service_id,
        "effective_from": since,
        "unit_value": unit_value,
        "source": source,
        "execution_id": None,
        "created_at": ctx.clock(),
    }
