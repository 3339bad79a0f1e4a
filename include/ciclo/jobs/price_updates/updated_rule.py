"""What is known of a rule before an update of it is decided about: terms, prices, updates, the vendor's answer.

It is read from the ledger anew for each execution, so that each one starts from what the one before left.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.money import cents
from ciclo.domain.pricing import WHOLE_RULE, Service
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, Reason, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.prices import current_prices, vendor_after
from ciclo.jobs.rules.snapshot import RuleSnapshot, RuleSnapshots
from ciclo.ledger.repositories import ACTIVE, KnownPrice
from ciclo.ledger.tables import Contract, Payload, PriceUpdateExecution, ScheduledUpdate
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
        place: dict[str, Fact] = {
            "contract_id": self.contract_id,
            "rule_id": self.rule_id,
            "execution_date": due.execution_date.isoformat(),
        }
        return Reason(kind, place | facts)


def updated_rule(ctx: JobContext, rule_id: int) -> UpdatedRule | None:
    """Read a rule from the ledger as it is now; None if the ledger has no such rule."""
    ctx.session.expire_all()
    snapshots = RuleSnapshots(ctx, [rule_id])
    if rule_id not in snapshots:
        return None
    former = _made_anew_from(ctx, snapshots[rule_id])
    return _updated_rule(ctx, snapshots[rule_id], _updated_rule(ctx, former) if former is not None else None)


def _made_anew_from(ctx: JobContext, snapshot: RuleSnapshot) -> RuleSnapshot | None:
    """Return the rule of the same contract, gone or ended by now, whose text or services a rule has taken over."""
    rule, begun = snapshot.rule, snapshot.newest.recurrence.init_date
    over = [
        each.rule_id
        for each in ctx.catalogue.rules_of([rule.contract_id])
        if each.rule_id != rule.rule_id
        and each.init_date < begun
        and (each.gone_at is not None or (each.end_date is not None and each.end_date < begun))
    ]
    alike = [each for each in RuleSnapshots(ctx, over) if _texts(each) & _texts(snapshot)]
    return max(alike, key=lambda each: (each.rule.init_date, each.rule.rule_id), default=None)


def _texts(snapshot: RuleSnapshot) -> set[object]:
    services = frozenset(line.name for line in snapshot.newest.services if line.name)
    texts: set[object] = {snapshot.rule.title, snapshot.newest.invoice.get("description"), services}
    return texts - {None, "", frozenset()}


def _updated_rule(ctx: JobContext, snapshot: RuleSnapshot, follows: UpdatedRule | None = None) -> UpdatedRule:
    rule_id = snapshot.rule.rule_id
    contracts = ctx.catalogue.contracts([snapshot.rule.contract_id])
    return UpdatedRule(
        terms=snapshot,
        contract=contracts[0] if contracts else None,
        payloads=ctx.catalogue.version_payloads(rule_id),
        updates=ctx.scheduled_updates.of_rules([rule_id]).get(rule_id, []),
        executions=ctx.executions.of_rules([rule_id]).get(rule_id, []),
        remote=InvoiceRule.model_validate(snapshot.rule.payload),
        follows=follows,
    )
