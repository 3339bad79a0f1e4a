"""What a rule will bill: its periods in a window, at the price in force on each, and the price updates to come.

Needs no ledger and no network: index values are those that ship with the package. An update whose values are not out
yet leaves the price as it is, and says so. A rule's page in the console prices its periods by the same
`RuleTerms.preview`, at the prices that the ledger knows, and names an update that comes before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.calendar import NO_HOLIDAYS
from ciclo.domain.errors import DomainError, InvalidRule, MissingIndexValue
from ciclo.domain.price_index import MONTHS_BY_LAW, accumulate, law_warning, price_index, window
from ciclo.domain.pricing import (
    Execution,
    Price,
    PriceChange,
    PricedPeriod,
    ScheduledUpdate,
    executions,
    price_changes,
)
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.rules.prices import current_prices
from ciclo.jobs.rules.terms import read_terms
from ciclo.ledger.terms import RuleTerms
from ciclo.locale import N_, Text
from ciclo.sgs.series import shipped_series


@dataclass(frozen=True, slots=True)
class UpdatePreview:
    """One execution of a price update in the window."""

    execution: Execution
    changes: tuple[PriceChange, ...]
    factor: Decimal | None
    """Unrounded; None while an index value is not out."""
    note: str | None


@dataclass(slots=True)
class RulePreview:
    """A rule's periods and price updates in a window."""

    rule: InvoiceRule
    periods: list[PricedPeriod] = field(default_factory=list)
    updates: list[UpdatePreview] = field(default_factory=list)

    def documents(self) -> list[dict[str, Any]]:
        """Return the periods in the fixed shape of `ciclo preview --json`."""
        return [
            {
                "issue_date": period.issue_date.isoformat(),
                "accrual_date": period.accrual_month.isoformat(),
                "gross_value": f"{period.gross_value:.2f}",
                "receivables": [
                    {
                        "due_date": part.due_date.isoformat(),
                        "value": f"{part.percentage:f}",
                        "gross_value": f"{part.gross_value:.2f}",
                    }
                    for part in period.receivables
                ],
            }
            for period in self.periods
        ]


def read_rule(document: Mapping[str, Any]) -> InvoiceRule:
    """Read a rule in the API's shape, as it is answered or sent, bare or under `invoice_rule`.

    What the API makes itself may be missing: ids, the value of a service, the gross value of a rule with services. What
    else is left out gets the API's default.

    Raises:
        InvalidRule: a field is missing or cannot be read; the error names it.
    """
    bare = document.get("invoice_rule", document)
    if not isinstance(bare, Mapping):
        raise InvalidRule("invoice_rule", Text(N_("is not an object")))
    services = _numbered(bare, "services", {"value": "0"})
    known = {"id": 0, "contract_id": 0, "apply_negative_updates": False, **bare, "services": services}
    if services or not bare.get("additional_information"):  # it is not billed by its own gross value
        known.setdefault("gross_value", "0")
    if bare.get("scheduled_updates"):
        known["scheduled_updates"] = _numbered(bare, "scheduled_updates", {})
    try:
        rule = InvoiceRule.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRule(
            place or "rule", first["msg"], contract=bare.get("contract_id"), rule=bare.get("id")
        ) from None
    if not rule.recurs and not rule.says_that_it_never_recurs:
        raise InvalidRule("additional_information", Text(N_("is not there: this is no invoice rule")))
    return rule


def _numbered(rule: Mapping[str, Any], field: str, made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a rule's services or updates; those that are still to be made get what the API makes."""
    given = rule.get(field) or []
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise InvalidRule(field, Text(N_("is no list of objects")))
    return [{"id": -number, **made, **each} for number, each in enumerate(given, start=1)]


def preview_rule(rule: InvoiceRule, days: DateRange, own_holidays: Collection[date] = NO_HOLIDAYS) -> RulePreview:
    """Return what the rule bills in the window; one whose `additional_information` is null never recurs.

    Raises:
        InvalidRule: naming contract, rule and field.
    """
    if not rule.recurs:
        return RulePreview(rule)
    terms = read_terms(rule)
    history = [Price(key, date.min, value) for key, value in current_prices(rule).items()]
    preview = RulePreview(rule)
    unknown = {each.id for each in rule.scheduled_updates if not each.months}
    for execution in _executions(rule, days):
        update = _update(terms, history, execution, unknown)
        history += [change.price for change in update.changes]
        if execution.execution_date in days:
            preview.updates.append(update)
    preview.periods += terms.preview(days, history, own_holidays)
    return preview


def _executions(rule: InvoiceRule, days: DateRange) -> tuple[Execution, ...]:
    """Return the executions that today's price does not contain yet, up to the window's end."""
    updates = [
        ScheduledUpdate(
            id=scheduled.id,
            index=price_index(scheduled.price_index),
            init_date=scheduled.init_date,
            month_quantity=scheduled.months or MONTHS_BY_LAW,
            days_until_update=scheduled.days_until_update or 0,
            service_item_id=scheduled.service_item_id,
            execution_date=scheduled.execution_date,
        )
        for scheduled in rule.scheduled_updates
        if scheduled.init_date is not None
    ]
    first = min((update.init_date for update in updates), default=days.end)
    found = executions(updates, DateRange(min(first, days.end), days.end))
    return tuple(e for e in found if e.execution_date >= (e.update.execution_date or e.update.init_date))


def _update(
    terms: RuleTerms, history: list[Price], execution: Execution, periodicity_unknown: Collection[int]
) -> UpdatePreview:
    update = execution.update
    if update.id in periodicity_unknown:
        return UpdatePreview(execution, (), None, f"{law_warning(0)}; the price stays")
    months = window(update.index, execution.execution_date, update.month_quantity)
    try:
        result = accumulate(
            update.index,
            shipped_series()[update.index],
            months,
            apply_negative_updates=terms.apply_negative_updates,
        )
        changes = price_changes(execution, terms.priced_services, history, result.factor)
    except MissingIndexValue as error:
        return UpdatePreview(execution, (), None, f"{error}; the price stays until it is out")
    except DomainError as error:
        return UpdatePreview(execution, (), None, str(error))
    return UpdatePreview(execution, changes, result.factor, str(law_warning(update.month_quantity) or "") or None)
