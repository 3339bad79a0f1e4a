"""What is sent to create a period's invoice: the rule's terms of that day at the price in force on its issue date."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.due_dates import receivables
from ciclo.domain.errors import DomainError
from ciclo.domain.money import service_value
from ciclo.domain.pricing import Price, gross_value, price_in_force
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.match import Wanted, reference
from ciclo.jobs.rules.prices import history
from ciclo.ledger.repositories import Version, version_on
from ciclo.ledger.tables import Period
from ciclo.ledger.terms import RuleTerms


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """A period with the invoice it is to become."""

    period: Period
    wanted: Wanted
    body: dict[str, Any]
    """Fields of the invoice as plain values; decimals and dates are still such."""

    @property
    def gross_value(self) -> Decimal:
        """BRL, at the price in force on the issue date."""
        value = self.wanted.gross_value
        if value is None:
            raise LookupError("a request always has a price")
        return value


@dataclass(frozen=True, slots=True)
class Unbillable:
    """A period whose invoice cannot be written, and why."""

    period: Period
    reason: str


class InvoiceRequests:
    """Writes the invoices of periods; reads the terms and prices of their rules once."""

    def __init__(self, ctx: JobContext, periods: Iterable[Period]) -> None:
        """Load the versions and prices of the periods' rules."""
        rule_ids = {period.rule_id for period in periods}
        self._organization_id = ctx.organization_id
        self._own_holidays = ctx.own_holidays
        self._versions = ctx.catalogue.versions(rule_ids)
        self._prices = {rule: history(prices) for rule, prices in ctx.prices.histories(rule_ids).items()}
        self._terms: dict[tuple[int, int], RuleTerms] = {}

    def wanted(self, period: Period) -> Wanted:
        """Return what the period's invoice would look like, also where its price is unknown."""
        terms = self._terms_of(period)
        try:
            gross = gross_value(terms.priced_services, self._prices.get(period.rule_id, []), period.issue_date)
        except DomainError:
            gross = None
        return self._wanted(period, terms, gross)

    def _wanted(self, period: Period, terms: RuleTerms, gross: Decimal | None) -> Wanted:
        return Wanted(
            reference(self._organization_id, period.rule_id, period.issue_date),
            period.contract_id,
            period.issue_date,
            gross,
            terms.invoice.get("description") or "",
        )

    def write(self, period: Period) -> InvoiceRequest | Unbillable:
        """Return the request for the period's invoice, or why there can be none."""
        try:
            return self._write(period)
        except DomainError as error:
            place = f"contract {period.contract_id}, rule {period.rule_id}, period {period.issue_date}"
            return Unbillable(period, f"{place}: {error}")

    def _write(self, period: Period) -> InvoiceRequest:
        terms = self._terms_of(period)
        prices = self._prices.get(period.rule_id, [])
        gross = gross_value(terms.priced_services, prices, period.issue_date)
        wanted = self._wanted(period, terms, gross)
        carried = self._carried_over(period)
        body = dict(carried.invoice)
        comments = body.pop("comments", None)
        body |= {
            "contract_id": period.contract_id,
            "gross_value": gross,
            "issue_date": period.issue_date,
            "accrual_date": f"{period.accrual_month:%m}/{period.accrual_month.year:04}",
            "comments": f"{wanted.reference}\n{comments}" if comments else wanted.reference,
            "receivables": [
                {"due_date": part.due_date, "value": part.percentage}
                for part in receivables(terms.charge, period.issue_date, gross, self._own_holidays)
            ],
        }
        if terms.services:
            body["services"] = _service_bodies(terms, carried, prices, period.issue_date)
        return InvoiceRequest(period, wanted, body)

    def _carried_over(self, period: Period) -> RuleTerms:
        """Return the terms whose texts the invoice carries over: of its day, or of now once an attempt came to nothing.

        What the API refused is corrected in the rule and released; as of its day it would be refused for ever.
        """
        if _came_back(period):
            return self._read(period.rule_id, self._versions[period.rule_id][-1])
        return self._terms_of(period)

    def _terms_of(self, period: Period) -> RuleTerms:
        version = version_on(self._versions[period.rule_id], period.issue_date)  # as of the day, not of the plan
        return self._read(period.rule_id, version)

    def _read(self, rule_id: int, version: Version) -> RuleTerms:
        key = (rule_id, version.version)
        if key not in self._terms:
            self._terms[key] = RuleTerms.read(version.terms)
        return self._terms[key]


def _came_back(period: Period) -> bool:
    """Whether an attempt before this one came to nothing: refused and released by a person, or it never arrived."""
    under_way = period.state == PeriodState.SUBMITTING
    return period.attempts > (1 if under_way else 0)


def _service_bodies(terms: RuleTerms, carried: RuleTerms, prices: list[Price], on: date) -> list[dict[str, Any]]:
    """Return the lines with the units and prices of the day, and the texts and catalogue items carried over."""
    texts = {line.id: line for line in carried.services}
    bodies = []
    for line in terms.services:
        unit_value, text = price_in_force(prices, on, line.id), texts.get(line.id, line)
        body = {
            "service_item_id": text.service_item_id,
            "description": text.description,
            "units": line.units,
            "unit_value": unit_value,
            "value": service_value(line.units, unit_value),
        }
        bodies.append({name: value for name, value in body.items() if value is not None})
    return bodies
