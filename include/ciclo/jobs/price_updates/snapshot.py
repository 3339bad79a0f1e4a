"""What is known of one rule before an update of it is decided about: terms, prices, updates, the vendor's answer.

It is read from the ledger anew for each execution, so that each one starts from what the one before left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ciclo.billimatic.models import InvoiceRule
from ciclo.domain import pricing
from ciclo.domain.money import cents
from ciclo.domain.pricing import WHOLE_RULE, Service
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.prices import current_prices, history, vendor_after
from ciclo.ledger.repositories import ACTIVE, KnownPrice, Version
from ciclo.ledger.tables import Contract, Payload, PriceUpdateExecution, Rule, ScheduledUpdate
from ciclo.ledger.terms import RuleTerms

Prices = dict[int, Decimal]
"""Unit values in BRL by service id; `WHOLE_RULE` for a rule without services."""


def written(value: Decimal) -> str:
    """Write a unit value for the evidence: at least its cents, more where the vendor keeps more."""
    rounded = cents(value)
    return f"{rounded:f}" if rounded == value else f"{value.normalize():f}"


@dataclass(frozen=True, slots=True)
class Due:
    """An update and the day of its first execution that is not settled."""

    scheduled: ScheduledUpdate
    execution_date: date

    @property
    def order(self) -> tuple[date, int]:
        """The order in which the executions of a rule apply."""
        return self.execution_date, self.scheduled.scheduled_update_id


@dataclass(slots=True)
class RuleSnapshot:
    """One rule as the ledger knows it."""

    rule: Rule
    contract: Contract | None
    versions: list[tuple[Version, RuleTerms]]
    payloads: list[Payload]
    """The vendor's answer of each version: its scheduled updates as they were then."""
    prices: list[KnownPrice]
    updates: list[ScheduledUpdate]
    executions: list[PriceUpdateExecution]
    remote: InvoiceRule
    """The rule as the vendor last answered it."""

    @property
    def place(self) -> str:
        """Say which rule it is."""
        return f"contract {self.rule.contract_id}, rule {self.rule.rule_id}"

    @property
    def history(self) -> list[pricing.Price]:
        """The rule's prices in the form that the domain reads."""
        return history(self.prices)

    @property
    def terms(self) -> RuleTerms:
        """The newest terms."""
        return self.versions[-1][1]

    def head(self) -> Due | None:
        """Return the execution that is next, of all the rule's updates."""
        coming = [Due(u, u.next_execution_date) for u in self.updates if u.next_execution_date is not None]
        return min(coming, key=lambda due: due.order, default=None)

    def ending(self, execution_date: date) -> str | None:
        """Say why no execution is to happen any more, if so."""
        rule, contract = self.rule, self.contract
        if contract is None or contract.gone_at is not None:
            return f"contract {rule.contract_id} is no longer at the vendor"
        if contract.state != ACTIVE:
            return f"contract {rule.contract_id} is {contract.state}"
        if rule.gone_at is not None:
            return f"rule {rule.rule_id} is no longer at the vendor"
        if rule.end_date is not None and execution_date > rule.end_date:
            return f"rule {rule.rule_id} ended on {rule.end_date}"
        return None

    def services_from(self, day: date) -> list[Service]:
        """Return the services that the rule bills from a day on, under any of its terms."""
        found = {line.id: line.priced for terms in self.terms_from(day) for line in terms.services}
        return list(found.values())

    def terms_from(self, day: date) -> Sequence[RuleTerms]:
        """Return the terms that are in force on a day or afterwards."""
        ends = [version.effective_from for version, _ in self.versions[1:]]
        before = sum(end <= day for end in ends)
        return [terms for _, terms in self.versions[before:]]

    def terms_of(self, number: int) -> RuleTerms:
        """Return the terms of a version, or the newest where there is no such one."""
        return next((terms for version, terms in self.versions if version.version == number), self.terms)

    def remote_prices(self) -> Prices:
        """Return the unit values that the vendor shows."""
        return current_prices(self.remote)

    def newest_prices(self) -> dict[int, KnownPrice]:
        """Return the last price of each service, by service id."""
        return {price.service_id: price for price in self.prices}

    def prices_on_top(self) -> Prices:
        """Return the unit values that the vendor is known to show on top of settled updates."""
        return vendor_after(self.executions)

    def service_name(self, service_id: int) -> str | None:
        """Return the name of a service, if it is known."""
        lines = [line for _, terms in reversed(self.versions) for line in terms.services if line.id == service_id]
        return (lines[0].name or lines[0].description) if lines and service_id != WHOLE_RULE else None


def rule_snapshot(ctx: JobContext, rule_id: int) -> RuleSnapshot | None:
    """Read a rule from the ledger as it is now; None if the ledger has no such rule."""
    ctx.session.expire_all()
    rule = ctx.catalogue.rules([rule_id]).get(rule_id)
    versions = ctx.catalogue.versions([rule_id]).get(rule_id)
    if rule is None or not versions:
        return None
    contracts = ctx.catalogue.contracts([rule.contract_id])
    return RuleSnapshot(
        rule=rule,
        contract=contracts[0] if contracts else None,
        versions=[(version, RuleTerms.read(version.terms)) for version in versions],
        payloads=ctx.catalogue.version_payloads(rule_id),
        prices=ctx.prices.histories([rule_id]).get(rule_id, []),
        updates=ctx.scheduled_updates.of_rules([rule_id]).get(rule_id, []),
        executions=ctx.executions.of_rules([rule_id]).get(rule_id, []),
        remote=InvoiceRule.model_validate(rule.payload),
    )
