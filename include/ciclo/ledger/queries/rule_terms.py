"""A rule's terms read from its payload (the API's shape), and what the rule will bill next by them.

The one rule: this reads just enough to preview; what is billed is decided by the jobs, from the same domain functions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from ciclo.domain.due_dates import Charge, ChargeType, charge_type_of, due_dates, receivables
from ciclo.domain.due_dates import Receivable as ReceivablePart
from ciclo.domain.errors import DomainError, InvalidRule
from ciclo.domain.money import parse_decimal
from ciclo.domain.periods import AccrualMonth, DateRange, PeriodUnit, Recurrence, periods
from ciclo.domain.pricing import WHOLE_RULE, Price, Service, gross_value
from ciclo.ledger.queries.contracts import UpdateTerms
from ciclo.ledger.queries.price_updates import PricePoint

_FAR_AHEAD = timedelta(days=366 * 13)  # twelve yearly periods and the one under way


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """When a rule issues, how its due dates are counted, what it sells."""

    recurrence: Recurrence
    accrual: AccrualMonth
    charge: Charge
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class PreviewedPeriod:
    """A period to come, at the prices of today; `waits_for` is the day of a price update that will come first."""

    issue_date: date
    accrual_month: date
    due_dates: tuple[date, ...]
    gross_value: Decimal | None
    receivables: tuple[ReceivablePart, ...]
    waits_for: date | None


def read_terms(payload: Mapping[str, Any]) -> RuleTerms:
    """Read a rule as the API answers it.

    Raises:
        DomainError: a field is missing or holds what no rule can be billed by; the message names it.
    """
    try:
        return RuleTerms(
            _recurrence(payload["additional_information"]),
            AccrualMonth(payload["additional_information"].get("accrual_month_quantity") or "same_month"),
            _charge(payload.get("charge_type"), payload["receivables_additional_information"]),
            tuple(_service(line) for line in payload.get("services") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRule("rule", f"its terms cannot be read ({type(error).__name__}: {error})") from error


def preview(
    terms: RuleTerms, prices: Sequence[PricePoint], updates: Sequence[UpdateTerms], *, after: date, count: int = 12
) -> tuple[PreviewedPeriod, ...]:
    """Return the rule's next `count` periods with an issue date on or after `after`.

    Raises:
        DomainError: the terms lead to dates or amounts that cannot be.
    """
    history = [Price(point.service_id or WHOLE_RULE, point.effective_from, point.unit_value) for point in prices]
    start = max(after, terms.recurrence.init_date)
    dates = periods(terms.recurrence, terms.accrual, DateRange(start, start + _FAR_AHEAD))
    pending = sorted(update.next_execution_date for update in updates if update.next_execution_date)
    return tuple(
        _previewed(terms, history, pending, period.issue_date, period.accrual_month) for period in islice(dates, count)
    )


def _previewed(
    terms: RuleTerms, history: Sequence[Price], pending: Sequence[date], issue_date: date, accrual_month: date
) -> PreviewedPeriod:
    waits_for = next((day for day in pending if day <= issue_date), None)
    try:
        gross = gross_value(terms.services, history, issue_date)
    except DomainError:  # a preview without prices still shows its dates
        return PreviewedPeriod(issue_date, accrual_month, due_dates(terms.charge, issue_date), None, (), waits_for)
    parts = receivables(terms.charge, issue_date, gross)
    return PreviewedPeriod(issue_date, accrual_month, tuple(p.due_date for p in parts), gross, parts, waits_for)


def _recurrence(info: Mapping[str, Any]) -> Recurrence:
    weekly = info.get("period_unit") == PeriodUnit.WEEKLY.value
    return Recurrence(
        date.fromisoformat(info["init_date"]),
        PeriodUnit.WEEKLY if weekly else PeriodUnit.MONTHLY,
        None if weekly else int(info["month_quantity"]),
        date.fromisoformat(info["end_date"]) if info.get("end_date") else None,
    )


def _charge(charge_type: str | None, info: Mapping[str, Any]) -> Charge:
    numbers = info.get("day_number"), info.get("day_quantity"), info.get("month_quantity")
    return Charge(
        ChargeType(charge_type) if charge_type else charge_type_of(*numbers),
        *numbers,
        only_business_days=bool(info.get("only_business_days")),
        parcel_number=info.get("parcel_number"),
    )


def _service(line: Mapping[str, Any]) -> Service:
    return Service(int(line["id"]), parse_decimal(line["units"], "services.units"), line.get("service_item_id"))
