"""Invoices that are there already: those of the rule from the execution date on that are still `to_emit`.

A price is changed only where it is the one that was in force. What a person changed by hand stays as it
is and is noted; absolute values are sent, so that sending them again is harmless.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ciclo.billimatic import ApiError, AuthenticationError, NotFoundError, RejectedError
from ciclo.billimatic.models import Invoice, InvoiceState, Service
from ciclo.domain.errors import DomainError
from ciclo.domain.money import brl, cents
from ciclo.domain.pricing import Price, gross_value, price_in_force
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.updated_rule import UpdatedRule
from ciclo.ledger.tables import Payload, Period
from ciclo.ledger.terms import RuleTerms, ServiceLine


class InvoicesPending(Exception):
    """An invoice could not be brought to the new price now; doing it again later is harmless."""

    def __init__(self, invoice_id: int, error: ApiError) -> None:
        self.invoice_id = invoice_id
        super().__init__(str(error))


@dataclass(slots=True)
class Brought:
    """What became of the invoices that were there already."""

    invoices: list[tuple[Period, Invoice]] = field(default_factory=list)
    """Those at the new price now, as the vendor answered them."""
    entries: list[Payload] = field(default_factory=list)
    """For the evidence: `{"invoice_id", "old", "new"}`."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Repricing:
    """The prices of one rule before and after an update."""

    before: Sequence[Price]
    after: Sequence[Price]

    def gross(self, terms: RuleTerms, period: Period) -> tuple[Decimal, Decimal]:
        services, day = terms.priced_services, period.issue_date
        return gross_value(services, self.before, day), gross_value(services, self.after, day)

    def differ(self, terms: RuleTerms, period: Period) -> bool:
        pairs = [self.line(line, period) for line in terms.services] or [self.gross(terms, period)]
        return any(old != new for old, new in pairs)

    def line(self, line: ServiceLine, period: Period) -> tuple[Decimal, Decimal]:
        day = period.issue_date
        return price_in_force(self.before, day, line.id), price_in_force(self.after, day, line.id)


def bring_to_price(ctx: JobContext, rule: UpdatedRule, periods: Iterable[Period], after: Sequence[Price]) -> Brought:
    """Bring the invoices of some issued periods to the prices that are in force after an update. Sends PATCHes.

    Args:
        ctx: the run.
        rule: the rule with its prices before the update.
        periods: issued periods of the rule from the execution date on.
        after: the rule's prices with those of the update.

    Raises:
        InvoicesPending: the API does not answer; nothing is lost, call it again later.
        AuthenticationError: the token is not accepted.
    """
    brought = Brought()
    prices = _Repricing(rule.terms.history(), after)
    for period in periods:
        try:
            _bring_one(ctx, rule.terms.terms_of(period), period, prices, brought)
        except (RejectedError, NotFoundError, DomainError) as error:
            brought.warnings.append(f"invoice {period.invoice_id} could not be brought to the new price: {error}")
        except AuthenticationError:
            raise
        except ApiError as error:
            raise InvoicesPending(period.invoice_id or 0, error) from error
    return brought


def _bring_one(ctx: JobContext, terms: RuleTerms, period: Period, prices: _Repricing, brought: Brought) -> None:
    if period.invoice_id is None or not prices.differ(terms, period):
        return
    old, new = prices.gross(terms, period)
    invoice = ctx.api.invoice(period.contract_id, period.invoice_id)
    if invoice.state == InvoiceState.CANCELLED:
        return
    if invoice.state != InvoiceState.TO_EMIT:
        if cents(invoice.gross_value) != new:
            brought.warnings.append(_too_late(invoice, new))
        return
    change, by_hand = _change(invoice, terms, period, prices)
    brought.warnings += by_hand
    if change:
        invoice = ctx.api.update_invoice(period.contract_id, invoice.id, change)
    if change or cents(invoice.gross_value) == new:
        brought.invoices.append((period, invoice))
        brought.entries.append({"invoice_id": invoice.id, "old": f"{old:f}", "new": f"{cents(invoice.gross_value):f}"})


def _too_late(invoice: Invoice, new: Decimal) -> str:
    return (
        f"invoice {invoice.id} of {invoice.issue_date} is {invoice.state} at {brl(invoice.gross_value)} already; "
        f"the new price would have made it {brl(new)}"
    )


def _change(invoice: Invoice, terms: RuleTerms, period: Period, prices: _Repricing) -> tuple[dict[str, Any], list[str]]:
    """Return the fields to send, empty if there are none, and what a person changed by hand."""
    if not invoice.services:
        old, new = prices.gross(terms, period)
        if cents(invoice.gross_value) not in (old, new):
            return {}, [f"invoice {invoice.id}: {brl(invoice.gross_value)} was set by hand and stays"]
        return ({} if cents(invoice.gross_value) == new else {"gross_value": new}), []
    pairs = _pairs(invoice.services, terms.services)
    if pairs is None:
        return {}, [f"invoice {invoice.id}: its services are not the rule's; it stays as it is"]
    changed, by_hand = [], []
    for service, line in pairs:
        old, new = prices.line(line, period)
        if service.unit_value not in (old, new):
            by_hand.append(f"invoice {invoice.id}: {brl(service.unit_value)} of {line.name} was set by hand and stays")
        elif service.unit_value != new:
            changed.append({"id": service.id, "unit_value": new})
    return ({"services": changed} if changed else {}), by_hand


def _pairs(services: Sequence[Service], lines: Sequence[ServiceLine]) -> list[tuple[Service, ServiceLine]] | None:
    """Match an invoice's services with the rule's: they were written in the rule's order, under the rule's names."""
    if len(services) != len(lines):
        return None
    pairs = list(zip(services, lines, strict=True))
    if all(_same(service, line) for service, line in pairs):
        return pairs
    by_name = {line.name: line for line in lines}
    if len(by_name) != len(lines) or {service.name for service in services} != set(by_name):
        return None
    return [(service, by_name[service.name]) for service in services]


def _same(service: Service, line: ServiceLine) -> bool:
    return service.name is None or line.name is None or service.name == line.name
