"""The terms of a rule as the ledger keeps them: a document that reads back as the domain's own values.

Prices are not part of the terms, so that a readjustment makes no new version of a rule.
"""

import hashlib
import json
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.adjustments import Adjustment, Bill, BilledLine, adjusted, marks_in
from ciclo.domain.calendar import NO_HOLIDAYS
from ciclo.domain.coverage import ContractRule, coverage
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.money import ZERO, cents
from ciclo.domain.pricing import Price, PricedPeriod, Service, price_in_force, priced_period
from ciclo.domain.recurrence import AccrualMonth, DateRange, PeriodUnit, Recurrence, periods
from ciclo.domain.texts import plain
from ciclo.ledger.tables import Payload, Rule


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service of a rule without its price; `units` is a quantity."""

    id: int
    units: Decimal
    name: str | None = None
    description: str | None = None
    service_item_id: int | None = None

    @property
    def priced(self) -> Service:
        """The line in the form that the domain prices."""
        return Service(id=self.id, units=self.units, service_item_id=self.service_item_id)


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What a rule bills, when, and how it is paid."""

    recurrence: Recurrence
    charge: Charge
    accrual: AccrualMonth
    services: tuple[ServiceLine, ...] = ()
    apply_negative_updates: bool = True
    invoice: dict[str, Any] = field(default_factory=dict)
    """Fields of the rule that its invoices carry over as they are: description, nfe_body, payment and so on."""

    @property
    def priced_services(self) -> tuple[Service, ...]:
        """The services in the form that the domain prices; empty where the rule has a gross value of its own."""
        return tuple(line.priced for line in self.services)

    def covered(self, issue_date: date) -> DateRange:
        """Return the days that the period of a planned date pays for: its competence months, or its week."""
        paid = coverage(self.recurrence, self.accrual, issue_date)
        return paid.competence or paid.issued

    def preview(
        self, window: DateRange, prices: Sequence[Price], own_holidays: Collection[date] = NO_HOLIDAYS
    ) -> Iterator[PricedPeriod]:
        """Yield what the rule will bill in a window at the prices given, without adjustments; what every preview shows.

        Raises:
            DateOutOfRange: the terms lead to dates that cannot be.
        """
        for period in periods(self.recurrence, self.accrual, window):
            yield priced_period(period, self.charge, self.priced_services, prices, own_holidays)

    def bill(self, prices: Sequence[Price], issue_date: date, adjustments: Iterable[Adjustment] = ()) -> Bill:
        """Return what is billed for the period of a planned date, with adjustments.

        Raises:
            NoPriceInForce: a price is not known.
            InvalidAdjustment, TotalNotPositive: an adjustment cannot be carried out.
        """
        lines = tuple(
            BilledLine(
                key=line.id,
                units=line.units,
                unit_value=price_in_force(prices, issue_date, line.id),
                service_item_id=line.service_item_id,
                name=line.name,
                description=line.description,
            )
            for line in self.services
        )
        bill = Bill(lines=lines, flat=cents(price_in_force(prices, issue_date)) if not lines else ZERO)
        some = tuple(adjustments)
        return adjusted(bill, some, self.covered(issue_date)) if some else bill

    def of_rule(self, rule_id: int, *, title: str | None, customer: Hashable, is_gone: bool = False) -> ContractRule:
        """Return what tells whether a rule with these terms goes on where another one ended, or the other way round.

        A rule that bills a difference by itself goes on nowhere, nor does another after it.
        """
        if marks_in(title):
            return ContractRule(
                rule_id=rule_id,
                customer=customer,
                recurrence=self.recurrence,
                services=frozenset(),
                texts=frozenset(),
                is_gone=is_gone,
            )
        services = (line.service_item_id or plain(line.name) for line in self.services)
        return ContractRule(
            rule_id=rule_id,
            customer=customer,
            recurrence=self.recurrence,
            services=frozenset(each for each in services if each),
            texts=frozenset({plain(title), plain(self.invoice.get("description"))} - {""}),
            is_gone=is_gone,
        )

    def document(self) -> Payload:
        """Write the terms as JSON values."""
        recurrence, charge = self.recurrence, self.charge
        return {
            "init_date": recurrence.init_date.isoformat(),
            "end_date": recurrence.end_date.isoformat() if recurrence.end_date else None,
            "period_unit": recurrence.period_unit.value,
            "month_quantity": recurrence.month_quantity,
            "accrual": self.accrual.value,
            "charge": {
                "charge_type": charge.charge_type.value,
                "day_number": charge.day_number,
                "day_quantity": charge.day_quantity,
                "month_quantity": charge.month_quantity,
                "only_business_days": bool(charge.only_business_days),
                "parcel_number": charge.parcel_number,
            },
            "services": [
                {
                    "id": line.id,
                    "units": f"{line.units:f}",
                    "name": line.name,
                    "description": line.description,
                    "service_item_id": line.service_item_id,
                }
                for line in self.services
            ],
            "apply_negative_updates": self.apply_negative_updates,
            "invoice": self.invoice,
        }

    @classmethod
    def read(cls, document: Payload) -> "RuleTerms":
        """Read back what `document` wrote."""
        end_date = document["end_date"]
        charge = document["charge"]
        return cls(
            recurrence=Recurrence(
                init_date=date.fromisoformat(document["init_date"]),
                period_unit=PeriodUnit(document["period_unit"]),
                month_quantity=document["month_quantity"],
                end_date=date.fromisoformat(end_date) if end_date else None,
            ),
            charge=Charge(**{**charge, "charge_type": ChargeType(charge["charge_type"])}),
            accrual=AccrualMonth(document["accrual"]),
            services=tuple(ServiceLine(**{**line, "units": Decimal(line["units"])}) for line in document["services"]),
            apply_negative_updates=document["apply_negative_updates"],
            invoice=document["invoice"],
        )


def contract_rule(rule: Rule, terms: RuleTerms, contract_customer: int | None) -> ContractRule:
    """Return what tells whether one rule of the ledger goes on where another ended, by its newest terms."""
    customer = customer_of(rule) or contract_customer
    return terms.of_rule(rule.rule_id, title=rule.title, customer=customer, is_gone=rule.gone_at is not None)


def customer_of(rule: Rule) -> int | None:
    """Return whom a rule names as its customer; the vendor's answer, which is kept as it came, may say it as text."""
    said = rule.payload.get("customer_id")
    return int(said) if isinstance(said, int) or (isinstance(said, str) and said.strip().isdecimal()) else None


def terms_hash(document: Payload) -> str:
    """Return what two equal documents share and two different ones do not."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
