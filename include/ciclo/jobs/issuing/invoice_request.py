"""What is sent to create a period's invoice: the rule's terms of that day at the price in force on its planned date.

What differs for the period, its adjustments, is in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ciclo.domain.adjustments import Adjustment, Bill, TotalNotPositive
from ciclo.domain.due_dates import receivables
from ciclo.domain.errors import DomainError, NoPriceInForce
from ciclo.domain.money import ZERO
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.match import reference
from ciclo.jobs.issuing.record import reason_about
from ciclo.jobs.rules.snapshot import RuleSnapshot, RuleSnapshots
from ciclo.ledger.tables import Period
from ciclo.ledger.terms import RuleTerms


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """A period with the invoice it is to become."""

    period: Period
    gross_value: Decimal
    """BRL, at the price in force on the planned date."""
    body: dict[str, Any]
    """Fields of the invoice as plain values; decimals and dates are still such."""
    adjustments: tuple[Adjustment, ...] = ()
    """What of it differs from the rule."""

    @property
    def adjustment_ids(self) -> tuple[int, ...]:
        """The numbers of its adjustments."""
        return tuple(each.id for each in self.adjustments)


@dataclass(frozen=True, slots=True)
class Unbillable:
    """A period whose invoice cannot be written, and why."""

    period: Period
    reason: Reason


class InvoiceRequests:
    """Writes the invoices of periods; reads the terms and prices of their rules once."""

    def __init__(self, ctx: JobContext, periods: Iterable[Period]) -> None:
        """Load the snapshots of the periods' rules."""
        rule_ids = {period.rule_id for period in periods}
        self._organization_id = ctx.organization_id
        self._own_holidays = ctx.own_holidays
        self._snapshots = RuleSnapshots(ctx, rule_ids, kept=len(rule_ids) + 1)

    def write(self, period: Period) -> InvoiceRequest | Unbillable:
        """Return the request for the period's invoice, or why there can be none."""
        snapshot = self._snapshots[period.rule_id]
        adjustments = snapshot.adjustments_of(period.issue_date, period)
        try:
            bill = snapshot.bill(period.issue_date, adjustments)
            if bill.total <= ZERO:
                return _not_positive(period, bill.total)
            return InvoiceRequest(period, bill.total, self._body(period, snapshot, bill), adjustments)
        except TotalNotPositive as error:
            return _not_positive(period, error.amount)
        except NoPriceInForce as error:
            return Unbillable(period, reason_about(period, ReasonKind.PRICE_UNKNOWN, error=error.fact))
        except DomainError as error:
            return Unbillable(period, reason_about(period, ReasonKind.TERMS_UNUSABLE, error=error.fact))

    def _body(self, period: Period, snapshot: RuleSnapshot, bill: Bill) -> dict[str, Any]:
        terms = snapshot.terms_on(period.issue_date)
        under_way = period.state == PeriodState.SUBMITTING
        came_back = period.reference_sequence > 1 or period.attempts > (1 if under_way else 0)
        # what the API refused, or somebody cancelled, is corrected in the rule; as of its day it would stay wrong
        carried = snapshot.newest if came_back else terms
        body = dict(carried.invoice)
        own = reference(self._organization_id, period.rule_id, period.issue_date, period.reference_sequence)
        comments = body.pop("comments", None)
        body |= {
            "contract_id": period.contract_id,
            "gross_value": bill.total,
            "issue_date": period.issue_date,
            "accrual_date": f"{period.accrual_month:%m}/{period.accrual_month.year:04}",
            "comments": f"{own}\n{comments}" if comments else own,
            "receivables": [
                {"due_date": part.due_date, "value": part.percentage}
                for part in receivables(terms.charge, period.issue_date, bill.total, self._own_holidays)
            ],
        }
        if bill.lines:
            body["services"] = _service_bodies(bill, carried)
        if bill.texts:
            body["description"] = "\n".join([body.get("description") or "", *bill.texts]).strip()
        return body


def _not_positive(period: Period, amount: Decimal) -> Unbillable:
    return Unbillable(period, reason_about(period, ReasonKind.TOTAL_NOT_POSITIVE, amount=str(amount)))


def _service_bodies(bill: Bill, carried: RuleTerms) -> list[dict[str, Any]]:
    """Return the lines with the units and prices of the day, and the texts and catalogue items carried over."""
    texts = {line.id: line for line in carried.services}
    bodies = []
    for line in bill.lines:
        text = texts.get(line.key, line) if line.key is not None else line
        body = {
            "service_item_id": text.service_item_id,
            "description": text.description,
            "units": line.units,
            "unit_value": line.unit_value,
            "value": line.value,
        }
        bodies.append({name: value for name, value in body.items() if value is not None})
    return bodies
