"""An adjustment that comes in, and everything that may be wrong with it: it is checked before any of it counts."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import (
    NO_SERVICES,
    NO_SUCH_SERVICE,
    SERVICES_ALIKE,
    Adjustment,
    AdjustmentKind,
    BilledLine,
    InvalidAdjustment,
)
from ciclo.domain.calendar import first_of_month
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.recurrence import DateRange, PeriodUnit, issue_dates
from ciclo.domain.states import PeriodState
from ciclo.ledger.repositories import Actor, AdjustmentRepository, ContractRepository, KnownAdjustment
from ciclo.ledger.rows import in_parts
from ciclo.ledger.tables import Invoice, Period, Rule
from ciclo.ledger.terms import RuleTerms
from ciclo.locale import N_, Text, _

ONE_OF_A_KIND = frozenset(
    {
        AdjustmentKind.QUANTITY,
        AdjustmentKind.UNIT_VALUE,
        AdjustmentKind.PRORATE,
        AdjustmentKind.REPLACE,
        AdjustmentKind.SKIP,
    }
)
"""Kinds of which there is one for a service and a period: a second one would contradict it."""
PARTICULARS = ("service", "quantity", "unit_value", "amount", "percent", "first_day", "last_day", "description")
"""What an adjustment says beside its kind and its days; which of it counts depends on the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAdjustment:
    """One difference from a rule, to be added.

    Attributes:
        kind: what differs.
        contract_id: the contract; it may be left out where the rule is named.
        rule_id: the rule; it may be left out where the contract has one alone, or where all of them are skipped.
        period: the planned date of the one period that it is for, or any day of the month in which a monthly rule
            issues.
        from_date: instead of `period`, the first planned date that it is for.
        to_date: the last one; None has no end.
        service: see `ciclo.domain.adjustments.Adjustment`, as are the values.
        first_day: of a `prorate`, the first day that is billed.
        last_day: of a `prorate`, the last one.
        key: what it is known by in its origin; default: what it says.
        note: why.
        line: where it stands in a file, for the message of an error.
    """

    kind: AdjustmentKind
    contract_id: int | None = None
    rule_id: int | None = None
    period: date | None = None
    from_date: date | None = None
    to_date: date | None = None
    service: str | None = None
    quantity: Decimal | None = None
    unit_value: Decimal | None = None
    amount: Decimal | None = None
    percent: Decimal | None = None
    first_day: date | None = None
    last_day: date | None = None
    description: str | None = None
    key: str | None = None
    note: str = ""
    line: int = 0

    def said(self) -> str:
        """Return what it says, the same for two that say the same, however many zeros end a number (50, 50.00)."""
        return _hashed(f"{value.normalize():f}" if isinstance(value, Decimal) else str(value) for value in self._says())

    def spelled(self) -> str:
        """Return what it says with its numbers as they are written: what ledgers know it by that had it before."""
        return _hashed(str(value) for value in self._says())

    def _says(self) -> Iterator[Any]:
        return (getattr(self, name) for name in self.__slots__ if name not in ("key", "note", "line"))


def _hashed(values: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class AdjustmentError:
    """Why an adjustment cannot be added: where it stands, the field, what to do."""

    line: int
    field: str
    reason: Text

    def __str__(self) -> str:
        text = _("line {line}, {field}: {reason}") if self.line else _("{field}: {reason}")
        return text.format(line=self.line, field=self.field, reason=self.reason)


def _refused(field_name: str, text: str, **values: object) -> InvalidAdjustment:
    return InvalidAdjustment(field_name, Text(text, **values))


@dataclass(slots=True)
class KnownRules:
    """What the ledger knows of the rules of some adjustments."""

    rules: Mapping[int, Rule]
    rules_of: Mapping[int, list[int]]
    """By contract."""
    terms: Mapping[int, RuleTerms]
    adjustments: Mapping[int, list[KnownAdjustment]]
    periods: Mapping[int, list[Period]]
    invoices: Mapping[int, Invoice]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The planned dates that an adjustment is for."""

    first: date
    last: date | None
    once: bool

    def __contains__(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def meets(self, first: date, last: date) -> bool:
        """Whether it shares a day with others."""
        return first <= (self.last or date.max) and self.first <= last


def known_of(session: Session, organization_id: int, part: Sequence[NewAdjustment]) -> KnownRules:
    """Read what the ledger knows of the rules of some adjustments."""
    catalogue = ContractRepository(session, organization_id)
    contracts = {each.contract_id for each in part if each.rule_id is None and each.contract_id is not None}
    rules = {rule.rule_id: rule for rule in catalogue.rules_of(contracts)} if contracts else {}
    rules |= catalogue.rules({each.rule_id for each in part if each.rule_id is not None})
    rules_of: dict[int, list[int]] = {}
    for rule in rules.values():
        if rule.gone_at is None and rule.contract_id in contracts:
            rules_of.setdefault(rule.contract_id, []).append(rule.rule_id)
    terms = {rule_id: RuleTerms.read(rows[-1].terms) for rule_id, rows in catalogue.versions(rules).items()}
    days = [each.period or each.from_date for each in part]
    first = first_of_month(min((day for day in days if day is not None), default=date.max))
    query = select(Period).where(
        Period.organization_id == organization_id, Period.rule_id.in_(list(rules)), Period.issue_date >= first
    )
    periods: dict[int, list[Period]] = {}
    for period in session.scalars(query):
        periods.setdefault(period.rule_id, []).append(period)
    numbers = [period.invoice_id for some in periods.values() for period in some if period.invoice_id is not None]
    mine = Invoice.organization_id == organization_id
    invoices = {
        invoice.invoice_id: invoice
        for ids in in_parts(numbers)
        for invoice in session.scalars(select(Invoice).where(mine, Invoice.invoice_id.in_(ids)))
    }
    repository = AdjustmentRepository(session, organization_id, Actor())
    return KnownRules(rules, rules_of, terms, repository.of_rules(rules), periods, invoices)


Claimed = dict[tuple[Any, ...], list[tuple[_Stretch, int]]]
"""Rule, kind and service → when another row of the same call says something about it, and in which line."""


def row_of(each: NewAdjustment, known: KnownRules, claimed: Claimed) -> dict[str, Any]:
    """Return an adjustment's row.

    Raises:
        InvalidAdjustment: it cannot be added.
    """
    adjustment = Adjustment(
        kind=each.kind,
        service=each.service,
        quantity=each.quantity,
        unit_value=each.unit_value,
        amount=each.amount,
        percent=each.percent,
        days=_days(each),
        description=each.description,
    )
    rule, contract_id = _rule(each, known)
    rule_ids = [rule.rule_id] if rule is not None else known.rules_of[contract_id]
    some = [known.terms[rule_id] for rule_id in rule_ids if rule_id in known.terms]
    stretch = _stretch(each, some)
    if rule is not None and some:
        _check_service(adjustment, some[0])
        _check_other(each, rule, stretch, known, claimed)
    for period in (period for rule_id in rule_ids for period in known.periods.get(rule_id, ())):
        if period.issue_date in stretch:
            _check_period(each, period, known, once=stretch.once)
    return {
        "contract_id": contract_id,
        "rule_id": rule.rule_id if rule is not None else None,
        "kind": each.kind.value,
        "from_date": stretch.first,
        "to_date": stretch.last,
        "once": stretch.once,
        "note": each.note,
        **{name: getattr(each, name) for name in PARTICULARS},
    }


def _days(each: NewAdjustment) -> DateRange | None:
    if each.first_day is None and each.last_day is None:
        return None
    if each.first_day is None or each.last_day is None or each.last_day < each.first_day:
        raise _refused("last_day", N_("the first and the last day that is billed are needed, in their order"))
    return DateRange.days(each.first_day, each.last_day)


def _rule(each: NewAdjustment, known: KnownRules) -> tuple[Rule | None, int]:
    if each.rule_id is not None:
        rule = known.rules.get(each.rule_id)
        if rule is None:
            text = N_("the ledger knows no rule {rule_id}: let sync_contracts read it first")
            raise _refused("rule_id", text, rule_id=each.rule_id)
        if each.contract_id not in (None, rule.contract_id):
            text = N_("rule {rule_id} is of contract {contract_id}")
            raise _refused("contract_id", text, rule_id=rule.rule_id, contract_id=rule.contract_id)
        return rule, rule.contract_id
    if each.contract_id is None:
        raise _refused("rule_id", N_("a rule or a contract is needed"))
    rules = known.rules_of.get(each.contract_id, [])
    if not rules:
        text = N_("the ledger knows no rule of contract {contract_id}")
        raise _refused("contract_id", text, contract_id=each.contract_id)
    if each.kind is AdjustmentKind.SKIP:
        return None, each.contract_id
    if len(rules) > 1:
        numbers = ", ".join(map(str, sorted(rules)))
        text = N_("contract {contract_id} has rules {numbers}: say which")
        raise _refused("rule_id", text, contract_id=each.contract_id, numbers=numbers)
    return known.rules[rules[0]], each.contract_id


def _stretch(each: NewAdjustment, terms: Sequence[RuleTerms]) -> _Stretch:
    """Return the planned dates that it is for, by the terms of its rule; of a whole contract, of all its rules."""
    if each.period is not None and each.from_date is not None:
        raise _refused("period", N_("either the period, or from and to, not both"))
    if each.from_date is not None:
        if each.to_date is not None and each.to_date < each.from_date:
            raise _refused("to", N_("is before from"))
        return _Stretch(each.from_date, each.to_date, once=False)
    if each.period is None:
        raise _refused("period", N_("is missing: the period, or from and to"))
    units = {each.recurrence.period_unit for each in terms}
    if len(units) > 1:
        raise _refused("period", N_("the contract has monthly and weekly rules: say which rule, or from and to"))
    if units <= {PeriodUnit.WEEKLY}:
        stretch = _Stretch(each.period, each.period, once=True)
    else:
        month = DateRange.month_of(each.period)
        stretch = _Stretch(month.start, month.last_day, once=True)
    days = DateRange.days(stretch.first, stretch.last or stretch.first)
    if terms and all(next(issue_dates(each.recurrence, days), None) is None for each in terms):
        text = N_("the rule issues no invoice from {first} to {last}")
        raise _refused("period", text, first=days.start.isoformat(), last=days.last_day.isoformat())
    return stretch


def _check_service(adjustment: Adjustment, terms: RuleTerms) -> None:
    kind, service = adjustment.kind, adjustment.service
    if kind is AdjustmentKind.REPLACE and terms.services:
        raise _refused("kind", N_("the rule has services, and no gross value of its own: change these"))
    if service is None or (kind is AdjustmentKind.LINE and service.strip().isdecimal()):
        return
    found = len(_named(service, terms))
    names = ", ".join(str(line.name or line.service_item_id) for line in terms.services)
    if not names:
        raise _refused("service", NO_SERVICES, service=service)
    if found == 0:
        raise _refused("service", NO_SUCH_SERVICE, service=service, names=names)
    if found > 1:
        raise _refused("service", SERVICES_ALIKE, count=found, service=service)


def _named(service: str, terms: RuleTerms) -> list[int]:
    """Return the rule's services that a text names, by number or by name."""
    nothing = Decimal(0)
    lines = {
        line.id: BilledLine(units=nothing, unit_value=nothing, service_item_id=line.service_item_id, name=line.name)
        for line in terms.services
    }
    return [number for number, line in lines.items() if line.is_about(service)]


def _check_other(each: NewAdjustment, rule: Rule, stretch: _Stretch, known: KnownRules, claimed: Claimed) -> None:
    """Refuse what contradicts another adjustment, of the ledger or of the same call."""
    if each.kind not in ONE_OF_A_KIND:
        return

    def which(service: str | None) -> Any:
        named = _named(service, known.terms[rule.rule_id]) if service is not None else []
        return named or (service or "").strip().casefold()

    service = which(each.service)
    for other in known.adjustments.get(rule.rule_id, ()):
        same = other.adjustment.kind is each.kind and which(other.adjustment.service) == service
        if same and stretch.meets(other.from_date, other.to_date):
            text = N_("adjustment {number} says another {kind} for it: withdraw that first")
            raise _refused("kind", text, number=other.id, kind=each.kind.value)
    said = claimed.setdefault((rule.rule_id, each.kind, str(service)), [])
    for days, line in said:
        if stretch.meets(days.first, days.last or date.max):
            text = N_("another row says another {kind} for the same period")
            if line:
                text = N_("line {line} says another {kind} for the same period")
            raise _refused("kind", text, line=line, kind=each.kind.value)
    said.append((stretch, each.line))


def _check_period(each: NewAdjustment, period: Period, known: KnownRules, *, once: bool) -> None:
    """Refuse what comes too late for a period's invoice; of a stretch, those that are issued already are left out."""
    if period.state != PeriodState.ISSUED:
        under_way = period.state in (PeriodState.SUBMITTING, PeriodState.IN_DOUBT)
        if once and under_way and each.kind is AdjustmentKind.SKIP:
            raise _refused("period", N_("its invoice is on its way: try again when it has arrived"))
        return
    invoice = known.invoices.get(period.invoice_id or 0)
    if not once:
        return
    if each.kind is AdjustmentKind.SKIP:
        text = N_("invoice {invoice_id} is made already: cancel it at the vendor instead")
        raise _refused("period", text, invoice_id=period.invoice_id)
    if invoice is not None and (invoice.gone_at is not None or invoice.state == InvoiceState.CANCELLED):
        text = N_("invoice {invoice_id} is cancelled: bill the period again first")
        raise _refused("period", text, invoice_id=period.invoice_id)
    if invoice is not None and invoice.state != InvoiceState.TO_EMIT:
        text = N_(
            "invoice {invoice_id} is billed already: add a line to the next period, or cancel it at the vendor and "
            "bill the period again"
        )
        raise _refused("period", text, invoice_id=period.invoice_id)
