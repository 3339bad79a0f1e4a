"""What people and their systems say about single periods: adjustments added and withdrawn, rules that wait.

Whatever comes in, from a file, a form or somebody's own Dag, comes through `add_adjustments`: all of it is checked
before any of it counts, and what was added before is not added again. The caller commits, or rolls back on an error.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import Adjustment, AdjustmentKind, BilledLine, InvalidAdjustment
from ciclo.domain.calendar import first_of_month
from ciclo.domain.errors import DomainError
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.recurrence import DateRange, PeriodUnit, issue_dates
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.ledger.actions import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.database import in_parts, upsert
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.repositories import (
    Actor,
    AdjustmentRepository,
    AdjustmentState,
    ContractRepository,
    KnownAdjustment,
    PeriodRepository,
    Scope,
)
from ciclo.ledger.tables import Adjustment as AdjustmentRow
from ciclo.ledger.tables import AdjustmentUse, Invoice, Organization, Period, Rule, RuleSetting
from ciclo.ledger.terms import RuleTerms

CHECKED_AT_ONCE = 1000
"""Adjustments whose rules and periods are in memory together."""

ERRORS_AT_MOST = 1000
"""Errors that are told of one import: what is wrong with more rows is wrong in the same way."""

PLANNED_BY_A_PERSON = (ReasonKind.RELEASED, ReasonKind.PLANNED_AGAIN, ReasonKind.BILLED_AGAIN)

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
        """Return what it says, the same for two that say the same."""
        values = [str(getattr(self, name)) for name in self.__slots__ if name not in ("key", "note", "line")]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class AdjustmentError:
    """Why an adjustment cannot be added: where it stands, the field, what to do."""

    line: int
    field: str
    why: str

    def __str__(self) -> str:
        place = f"line {self.line}, " if self.line else ""
        return f"{place}{self.field}: {self.why}"


class AdjustmentsRefused(LedgerError):
    """Adjustments of which at least one cannot be added: none is."""

    def __init__(self, errors: Sequence[AdjustmentError]) -> None:
        self.errors = tuple(errors)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}; nothing was added")


@dataclass(slots=True)
class Added:
    """What came of adding."""

    ids: list[int] = field(default_factory=list)
    known: int = 0
    """How many had been added before."""

    def counts(self) -> dict[str, int]:
        """Return it as counts."""
        return {"added": len(self.ids), "known": self.known}


@dataclass(slots=True)
class _Known:
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


class _Refusal(DomainError):
    """Why one adjustment is refused."""

    def __init__(self, field_name: str, why: str) -> None:
        self.field = field_name
        super().__init__(why)


def add_adjustments(
    session: Session,
    organization_id: int,
    adjustments: Iterable[NewAdjustment | AdjustmentError],
    *,
    origin: str,
    person: str,
    at: datetime,
) -> Added:
    """Check adjustments and add them, all or none; one that was added before is not added again. Flushes.

    Args:
        session: the ledger; the caller commits, or rolls back if this raises.
        organization_id: whose ledger.
        adjustments: what differs, or what is wrong with a row that could not be read; a row that says the same as
            another of the same call needs a key of its own.
        origin: where they come from; with `key` what each is known by.
        person: who adds them, or which system.
        at: when.

    Raises:
        AdjustmentsRefused: with the error of each that cannot be added; nothing may be committed then.
    """
    added, errors, seen, claimed = Added(), list[AdjustmentError](), set[str](), dict[tuple[Any, ...], int]()
    pauses = False
    actor = Actor(person=person)
    repository = AdjustmentRepository(session, organization_id, actor)
    rest = iter(adjustments)
    while part := _some(rest, errors):
        known = _read(session, organization_id, part)
        rows = []
        keys = {_key(each) for each in part}
        there = repository.known_keys(origin, keys)
        for each in part:
            key = _key(each)
            if key in seen:
                errors.append(
                    AdjustmentError(each.line, "key", "another row says the same: give each a key of its own")
                )
                continue
            seen.add(key)
            if key in there:
                added.known += 1
                continue
            try:
                rows.append(_row(each, known, claimed) | {"origin": origin, "key": key, "person": person})
            except (InvalidAdjustment, _Refusal) as error:
                errors.append(AdjustmentError(each.line, error.field, _without_field(error)))
        if len(errors) >= ERRORS_AT_MOST:
            break
        if not errors:
            common = {"organization_id": organization_id, "state": "open", "created_at": at, "changed_at": at}
            added.ids += repository.add([row | common for row in rows], at=at)
            pauses = pauses or any(row["kind"] == AdjustmentKind.SKIP for row in rows)
        session.expunge_all()
    if errors:
        raise AdjustmentsRefused(errors)
    if pauses:
        skip_periods(session, organization_id, actor, Scope(DateRange(date.min, date.max)), at=at)
    return added


def _some(rest: Iterator[NewAdjustment | AdjustmentError], errors: list[AdjustmentError]) -> list[NewAdjustment]:
    part: list[NewAdjustment] = []
    for each in rest:
        if isinstance(each, AdjustmentError):
            errors.append(each)
        else:
            part.append(each)
        if len(part) == CHECKED_AT_ONCE:
            break
    return part


def _key(each: NewAdjustment) -> str:
    return each.key or each.said()


def _without_field(error: DomainError) -> str:
    field_name = getattr(error, "field", "")
    return str(error).removeprefix(f"{field_name}: ")


def _read(session: Session, organization_id: int, part: Sequence[NewAdjustment]) -> _Known:
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
    return _Known(rules, rules_of, terms, repository.of_rules(rules), periods, invoices)


def _row(each: NewAdjustment, known: _Known, claimed: dict[tuple[Any, ...], int]) -> dict[str, Any]:
    """Return an adjustment's row.

    Raises:
        InvalidAdjustment, _Refusal: it cannot be added.
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
    terms = known.terms.get(rule.rule_id) if rule is not None else None
    stretch = _stretch(each, terms)
    if rule is not None and terms is not None:
        _check_service(adjustment, terms)
        _check_other(each, rule, stretch, known, claimed)
        for period in known.periods.get(rule.rule_id, ()):
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
        raise _Refusal("last_day", "the first and the last day that is billed are needed, in their order")
    return DateRange.days(each.first_day, each.last_day)


def _rule(each: NewAdjustment, known: _Known) -> tuple[Rule | None, int]:
    if each.rule_id is not None:
        rule = known.rules.get(each.rule_id)
        if rule is None:
            raise _Refusal("rule_id", f"the ledger knows no rule {each.rule_id}: let sync_contracts read it first")
        if each.contract_id not in (None, rule.contract_id):
            raise _Refusal("contract_id", f"rule {rule.rule_id} is of contract {rule.contract_id}")
        return rule, rule.contract_id
    if each.contract_id is None:
        raise _Refusal("rule_id", "a rule or a contract is needed")
    rules = known.rules_of.get(each.contract_id, [])
    if not rules:
        raise _Refusal("contract_id", f"the ledger knows no rule of contract {each.contract_id}")
    if each.kind is AdjustmentKind.SKIP:
        return None, each.contract_id
    if len(rules) > 1:
        numbers = ", ".join(map(str, sorted(rules)))
        raise _Refusal("rule_id", f"contract {each.contract_id} has rules {numbers}: say which")
    return known.rules[rules[0]], each.contract_id


def _stretch(each: NewAdjustment, terms: RuleTerms | None) -> _Stretch:
    if each.period is not None and each.from_date is not None:
        raise _Refusal("period", "either the period, or from and to, not both")
    if each.from_date is not None:
        if each.to_date is not None and each.to_date < each.from_date:
            raise _Refusal("to", "is before from")
        return _Stretch(each.from_date, each.to_date, once=False)
    if each.period is None:
        raise _Refusal("period", "is missing: the period, or from and to")
    if terms is None or terms.recurrence.period_unit is PeriodUnit.WEEKLY:
        stretch = _Stretch(each.period, each.period, once=True)
    else:
        month = DateRange.month_of(each.period)
        stretch = _Stretch(month.start, month.last_day, once=True)
    days = DateRange.days(stretch.first, stretch.last or stretch.first)
    if terms is not None and next(issue_dates(terms.recurrence, days), None) is None:
        raise _Refusal("period", f"the rule issues no invoice from {days.start} to {days.last_day}")
    return stretch


def _check_service(adjustment: Adjustment, terms: RuleTerms) -> None:
    kind, service = adjustment.kind, adjustment.service
    if kind is AdjustmentKind.REPLACE and terms.services:
        raise _Refusal("kind", "the rule has services, and no gross value of its own: change these")
    if service is None or (kind is AdjustmentKind.LINE and service.strip().isdecimal()):
        return
    lines = [
        BilledLine(units=line.units, unit_value=Decimal(0), service_item_id=line.service_item_id, name=line.name)
        for line in terms.services
    ]
    found = sum(line.is_about(service) for line in lines)
    names = ", ".join(str(line.name or line.service_item_id) for line in lines)
    if found == 0:
        raise _Refusal("service", f"the rule has no service {service!r}; it has {names or 'none'}")
    if found > 1:
        raise _Refusal("service", f"{found} services of the rule are called {service!r}: give its number")


def _check_other(
    each: NewAdjustment, rule: Rule, stretch: _Stretch, known: _Known, claimed: dict[tuple[Any, ...], int]
) -> None:
    """Refuse what contradicts another adjustment, of the ledger or of the same call."""
    if each.kind not in ONE_OF_A_KIND:
        return
    service = (each.service or "").strip().casefold()
    for other in known.adjustments.get(rule.rule_id, ()):
        same = other.adjustment.kind is each.kind and (other.adjustment.service or "").strip().casefold() == service
        if same and stretch.meets(other.from_date, other.to_date):
            raise _Refusal("kind", f"adjustment {other.id} says another {each.kind} for it: withdraw that first")
    place = (rule.rule_id, each.kind, service, stretch.first)
    if place in claimed:
        where = f"line {claimed[place]}" if claimed[place] else "another row"
        raise _Refusal("kind", f"{where} says another {each.kind} for the same period")
    claimed[place] = each.line


def _check_period(each: NewAdjustment, period: Period, known: _Known, *, once: bool) -> None:
    """Refuse what comes too late for a period's invoice; of a stretch, those that are issued already are left out."""
    if period.state != PeriodState.ISSUED:
        under_way = period.state in (PeriodState.SUBMITTING, PeriodState.IN_DOUBT)
        if once and under_way and each.kind is AdjustmentKind.SKIP:
            raise _Refusal("period", f"its invoice is on its way ({period.state}): try again when it has arrived")
        return
    invoice = known.invoices.get(period.invoice_id or 0)
    if not once:
        return
    if each.kind is AdjustmentKind.SKIP:
        raise _Refusal("period", f"invoice {period.invoice_id} is made already: cancel it at the vendor instead")
    if invoice is not None and (invoice.gone_at is not None or invoice.state == InvoiceState.CANCELLED):
        raise _Refusal("period", f"invoice {period.invoice_id} is cancelled: bill the period again first")
    if invoice is not None and invoice.state != InvoiceState.TO_EMIT:
        raise _Refusal(
            "period",
            f"invoice {period.invoice_id} is {invoice.state} already: add a line to the next period, or cancel it at "
            "the vendor and bill the period again",
        )


# -- what is not billed ------------------------------------------------------------------------------------------------


def skip_periods(session: Session, organization_id: int, actor: Actor, scope: Scope, *, at: datetime) -> int:
    """Give up the periods that are planned, waiting or parked and that an open `skip` is for; return how many. Flushes.

    What a person has planned again since the `skip` came stays planned.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        actor: who does it.
        scope: which periods; its plan is not asked.
        at: when.
    """
    repository = AdjustmentRepository(session, organization_id, actor)
    periods = PeriodRepository(session, organization_id, actor)
    skipped = 0
    for period, skip in repository.skipped(scope):
        by_a_person = period.reason is not None and period.reason.kind in PLANNED_BY_A_PERSON
        if by_a_person and period.changed_at > skip.created_at:
            continue
        facts: dict[str, Fact] = {"adjustment_id": skip.id, "person": skip.person, "note": skip.note}
        reason = Reason(ReasonKind.SKIPPED_BY_ADJUSTMENT, facts)
        if period.state == PeriodState.WAITING:
            periods.replan([period], reason=reason, at=at)
        skipped += len(periods.cancel([period], reason=reason, at=at, by=skip.person))
    return skipped


# -- taking back -------------------------------------------------------------------------------------------------------


def withdraw_adjustment(
    session: Session,
    organization_id: int,
    adjustment_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    from_date: date | None = None,
) -> ActionOutcome:
    """Take an adjustment back, or end it; the periods that a `skip` gave up are planned again. Flushes.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        adjustment_id: which one.
        person: who.
        note: why.
        at: when.
        from_date: the planned date from which it no longer holds: a pause that ends; None takes back all of it.

    Raises:
        NoSuchRow: the organization has no such adjustment.
        NotPossible: it is in an invoice, or on its way there; what to do instead is said.
        UnusableNote: the note is empty or too long.
    """
    text = usable_note(note)
    repository = AdjustmentRepository(session, organization_id, Actor(person=person))
    adjustment = repository.get(adjustment_id)
    if adjustment is None:
        raise NoSuchRow("adjustment", adjustment_id)
    if adjustment.state == AdjustmentState.WITHDRAWN:
        return ActionOutcome(changed=False, message="It is withdrawn already.")
    _require_unused(session, adjustment, from_date)
    reason = Reason(ReasonKind.ADJUSTMENT_WITHDRAWN, {"person": person, "note": text})
    first = max(from_date or adjustment.from_date, adjustment.from_date)
    if adjustment.kind == AdjustmentKind.SKIP:
        _plan_again(session, organization_id, adjustment, first, reason, at=at)
    if first > adjustment.from_date:
        adjustment.to_date, adjustment.changed_at = first - timedelta(days=1), at
        session.flush()
        return ActionOutcome(changed=True, message=f"It ends on {adjustment.to_date}.")
    repository.withdraw(adjustment, reason=reason, at=at)
    return ActionOutcome(changed=True, message="Withdrawn.")


def _require_unused(session: Session, adjustment: AdjustmentRow, from_date: date | None) -> None:
    query = (
        select(AdjustmentUse.state, Period.state, Period.issue_date, Period.invoice_id)
        .join(Period, Period.id == AdjustmentUse.period_id)
        .where(AdjustmentUse.adjustment_id == adjustment.id, AdjustmentUse.sequence == Period.reference_sequence)
    )
    if from_date is not None:
        query = query.where(Period.issue_date >= from_date)
    for use, state, issue_date, invoice_id in session.execute(query.order_by(Period.issue_date)):
        if use == "used" and state == PeriodState.ISSUED:
            raise NotPossible(
                f"Adjustment {adjustment.id} is in invoice {invoice_id} of {issue_date}: add a line that takes it back "
                "to the next period, or cancel the invoice at the vendor and bill the period again."
            )
        if use == "sending" and state in (PeriodState.SUBMITTING, PeriodState.IN_DOUBT, PeriodState.ISSUED):
            raise NotPossible(f"Adjustment {adjustment.id} is on its way to the vendor: try again when it has arrived.")


def _plan_again(
    session: Session, organization_id: int, skip: AdjustmentRow, first: date, reason: Reason, *, at: datetime
) -> None:
    query = select(Period).where(
        Period.organization_id == organization_id,
        Period.contract_id == skip.contract_id,
        Period.issue_date >= first,
        Period.state == PeriodState.CANCELLED,
        Period.reason_kind == ReasonKind.SKIPPED_BY_ADJUSTMENT,
    )
    periods = [
        period
        for period in session.scalars(query.order_by(Period.id))
        if period.reason is not None and period.reason.facts.get("adjustment_id") == skip.id
    ]
    PeriodRepository(session, organization_id, Actor(person=str(reason.facts["person"]))).replan(
        periods, reason=Reason(ReasonKind.PLANNED_AGAIN, dict(reason.facts)), at=at
    )


# -- how single rules are billed ---------------------------------------------------------------------------------------


def set_rule(
    session: Session,
    organization_id: int,
    rule_id: int,
    *,
    person: str,
    at: datetime,
    waits_for_quantities: bool = False,
    notice_days: int = 5,
    lead_days: int | None = None,
) -> None:
    """Say how a rule is billed. Flushes.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        rule_id: which rule.
        person: who says it.
        at: when.
        waits_for_quantities: whether a period is billed only once its quantities have come.
        notice_days: days before the planned date on which missing ones are asked for.
        lead_days: days before its issue date on which its invoice is made; counts where the installation's are fewer.

    Raises:
        NoSuchRow: the ledger has no such rule.
    """
    if not ContractRepository(session, organization_id).rules([rule_id]):
        raise NoSuchRow("rule", rule_id)
    row = {
        "organization_id": organization_id,
        "rule_id": rule_id,
        "waits_for_quantities": waits_for_quantities,
        "notice_days": notice_days,
        "noticed_until": None,
        "lead_days": lead_days,
        "person": person,
        "changed_at": at,
    }
    session.execute(upsert(session, RuleSetting, keep=["noticed_until"]), [row])


def only_organization(session: Session) -> int:
    """Return the ledger's organization where it has one alone.

    Raises:
        NotPossible: it has none, or several.
    """
    found = list(session.scalars(select(Organization.organization_id).order_by(Organization.organization_id)))
    if len(found) != 1:
        known = ", ".join(map(str, found)) or "none: let sync_contracts run first"
        raise NotPossible(f"Say which organization with --organization; the ledger has {known}.")
    return found[0]
