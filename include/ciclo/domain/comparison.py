"""Why an invoice is not what the one before it was: difference by difference, each with its amount and its cause.

An invoice is its rule's services at the prices in force, its adjustments, and what a person changed at the vendor. Each
part is held against the same part of the invoice before, so that the amounts of the differences total what is between
the two invoices, to the cent. A change of units counts at the price before, a change of price at the units of now.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from ciclo.domain.adjustments import Adjustment, Bill, BilledLine, adjusted
from ciclo.domain.calendar import month_number
from ciclo.domain.errors import DomainError
from ciclo.domain.money import HUNDRED, ZERO, at_least_cents, cents, service_value
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact

FLAT = 0
"""Key of the gross value of a rule without services, among prices."""


class DifferenceKind(StrEnum):
    """What is different."""

    READJUSTED = "readjusted"
    PRICE_CHANGED = "price_changed"
    UNITS_CHANGED = "units_changed"
    SERVICE_ADDED = "service_added"
    SERVICE_REMOVED = "service_removed"
    ADJUSTED = "adjusted"
    ADJUSTED_BEFORE = "adjusted_before"
    """The invoice before had an adjustment that this one has not."""
    EDITED = "edited"
    EDITED_BEFORE = "edited_before"
    """The invoice before had been changed by a person."""
    UNEXPLAINED = "unexplained"
    """One of the two belongs to no period: its amount is all that is known."""
    OTHER_RULE = "other_rule"
    COMPETENCE = "competence"
    DUE_DATE = "due_date"
    PARCELS = "parcels"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is different. `amount` is what it adds to the invoice before, BRL; dates and parcels add none."""

    kind: DifferenceKind
    facts: Mapping[str, Fact]
    amount: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """A price that a service came to after the invoice before. BRL a unit.

    Attributes:
        execution_id: the readjustment that brought it; None where it was none.
        index: by which it was readjusted.
        months: first and last month of the index that count, `YYYY-MM`.
    """

    effective_from: date
    unit_value: Decimal
    execution_id: int | None = None
    index: str | None = None
    months: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedInvoice:
    """An invoice, and what its period says of it. BRL.

    Attributes:
        issue_date: when it was billed.
        planned_date: when its period was planned for.
        due_dates: of its receivables, in order.
        planned_due_date: the first one by its period; None where it has none.
        rule_id: of its period.
        accrual_month: first day of the competence month.
        bill: its rule's services at the prices in force; None where that cannot be told.
        adjustments: those that are in it, older ones first.
        covered: the days that its period pays for.
        contract_id: whose it is.
    """

    invoice_id: int
    issue_date: date
    planned_date: date
    gross_value: Decimal
    due_dates: tuple[date, ...] = ()
    planned_due_date: date | None = None
    rule_id: int | None = None
    accrual_month: date | None = None
    bill: Bill | None = None
    adjustments: tuple[Adjustment, ...] = ()
    covered: DateRange | None = None
    contract_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An invoice against the one before it."""

    now: ComparedInvoice
    before: ComparedInvoice | None
    """None where there is none to compare it with."""
    differences: tuple[Difference, ...] = ()

    @property
    def difference(self) -> Decimal:
        """How much more it is, BRL; below zero it is less."""
        return self.now.gross_value - self.before.gross_value if self.before is not None else ZERO


def compare(
    before: ComparedInvoice | None,
    now: ComparedInvoice,
    steps: Mapping[int, Sequence[PriceStep]],
    due_by_former_terms: date | None = None,
) -> Comparison:
    """Say what is different about an invoice.

    Args:
        before: the invoice before it; None where there is none.
        now: the invoice.
        steps: by service of the rule (`FLAT`: the whole), the prices that began after the invoice before.
        due_by_former_terms: when it would be due by the terms of the invoice before, where these are others.
    """
    if before is None:
        return Comparison(now=now, before=None)
    found = [*_of_rule(before, now, steps), *_of_adjustments(before, now), *_of_persons(before, now)]
    found = [each for each in found if each.amount]
    return Comparison(now=now, before=before, differences=(*found, *_without_amount(before, now, due_by_former_terms)))


# -- the rule's own lines ----------------------------------------------------------------------------------------------


def _of_rule(
    before: ComparedInvoice, now: ComparedInvoice, steps: Mapping[int, Sequence[PriceStep]]
) -> Iterator[Difference]:
    if before.bill is None or now.bill is None:
        return
    was, left = _lines(before.bill), dict(_lines(before.bill))
    for key, line in _lines(now.bill).items():
        former = left.pop(key, None) or _alike(line, left)
        if former is None:
            yield Difference(DifferenceKind.SERVICE_ADDED, _named(line) | {"value": str(line.value)}, line.value)
            continue
        at_old_price = service_value(line.units, former.unit_value)
        units: dict[str, Fact] = {"was": _plain(former.units), "units": _plain(line.units)}
        yield Difference(DifferenceKind.UNITS_CHANGED, _named(line) | units, at_old_price - former.value)
        yield from _of_price(former, line, steps.get(key, ()))
    for key in left:
        line = was[key]
        yield Difference(DifferenceKind.SERVICE_REMOVED, _named(line) | {"value": str(line.value)}, -line.value)


def _of_price(former: BilledLine, line: BilledLine, steps: Sequence[PriceStep]) -> Iterator[Difference]:
    """Follow a price from step to step; what no step explains is a price that was changed."""
    old = former.unit_value
    end = PriceStep(effective_from=date.max, unit_value=line.unit_value)
    for step in (*steps, *([end] if not steps or steps[-1].unit_value != line.unit_value else [])):
        facts: dict[str, Fact] = {
            "old": f"{at_least_cents(old):f}",
            "new": f"{at_least_cents(step.unit_value):f}",
        }
        kind = DifferenceKind.PRICE_CHANGED
        if step.effective_from != date.max:
            facts["from_day"] = step.effective_from.isoformat()
        if step.execution_id is not None:
            facts["execution_id"] = step.execution_id
        if step.index is not None:
            kind = DifferenceKind.READJUSTED
            percent = str(cents((step.unit_value / old - 1) * HUNDRED)) if old else None
            facts |= {"index": step.index, "months": list(step.months), "percent": percent}
        moved = service_value(line.units, step.unit_value) - service_value(line.units, old)
        yield Difference(kind, _named(line) | facts, moved)
        old = step.unit_value


def _lines(bill: Bill) -> dict[int, BilledLine]:
    """Return a bill's lines by the rule's services; a gross value alone is one line of one unit."""
    if not bill.lines:
        return {FLAT: BilledLine(units=Decimal(1), unit_value=bill.flat, key=FLAT)}
    return {line.key or FLAT: line for line in bill.lines}


def _alike(line: BilledLine, left: dict[int, BilledLine]) -> BilledLine | None:
    """Take the line of the same service from those of another rule, by the item of the catalogue or its name."""
    for key, other in left.items():
        same_item = line.service_item_id is not None and line.service_item_id == other.service_item_id
        if same_item or (line.name is not None and line.name == other.name):
            return left.pop(key)
    return None


# -- adjustments and what persons did ----------------------------------------------------------------------------------


def _of_adjustments(before: ComparedInvoice, now: ComparedInvoice) -> Iterator[Difference]:
    if before.bill is None or now.bill is None:
        return
    was, are = _effects(before), _effects(now)
    for adjustment in now.adjustments:
        amount = are.get(adjustment.id, ZERO) - was.get(adjustment.id, ZERO)
        yield Difference(DifferenceKind.ADJUSTED, _facts_of(adjustment), amount)
    kept = {adjustment.id for adjustment in now.adjustments}
    for adjustment in before.adjustments:
        if adjustment.id not in kept:
            amount = -was.get(adjustment.id, ZERO)
            yield Difference(DifferenceKind.ADJUSTED_BEFORE, _facts_of(adjustment), amount)


def _effects(invoice: ComparedInvoice) -> dict[int, Decimal]:
    """Return what each adjustment of an invoice changed its total by, in the order in which they came."""
    if invoice.bill is None or invoice.covered is None:
        return {}
    total, effects = invoice.bill.total, dict[int, Decimal]()
    for count, adjustment in enumerate(invoice.adjustments, start=1):
        try:
            then = adjusted(invoice.bill, invoice.adjustments[:count], invoice.covered).total
        except DomainError:  # it can only be carried out together with a later one, which gets the whole of it
            continue
        effects[adjustment.id], total = then - total, then
    return effects


def _of_persons(before: ComparedInvoice, now: ComparedInvoice) -> Iterator[Difference]:
    if before.bill is None or now.bill is None:
        yield Difference(DifferenceKind.UNEXPLAINED, {}, now.gross_value - before.gross_value)
        return
    edits = {DifferenceKind.EDITED: now, DifferenceKind.EDITED_BEFORE: before}
    for kind, invoice in edits.items():
        expected = (invoice.bill.total if invoice.bill else ZERO) + sum(_effects(invoice).values(), ZERO)
        by_hand = invoice.gross_value - expected
        facts: dict[str, Fact] = {"expected": str(expected), "found": str(invoice.gross_value)}
        yield Difference(kind, facts, by_hand if kind is DifferenceKind.EDITED else -by_hand)


# -- what has no amount ------------------------------------------------------------------------------------------------


def _without_amount(
    before: ComparedInvoice, now: ComparedInvoice, due_by_former_terms: date | None
) -> Iterator[Difference]:
    if before.rule_id is not None and now.rule_id is not None and before.rule_id != now.rule_id:
        yield Difference(DifferenceKind.OTHER_RULE, {"rule_id": now.rule_id, "was": before.rule_id})
    if before.accrual_month is not None and now.accrual_month is not None:
        planned = month_number(now.planned_date) - month_number(before.planned_date)
        if month_number(now.accrual_month) - month_number(before.accrual_month) != planned:
            facts: dict[str, Fact] = {"month": f"{now.accrual_month:%Y-%m}", "was": f"{before.accrual_month:%Y-%m}"}
            yield Difference(DifferenceKind.COMPETENCE, facts)
    if len(before.due_dates) != len(now.due_dates) and before.due_dates and now.due_dates:
        yield Difference(DifferenceKind.PARCELS, {"parcels": len(now.due_dates), "was": len(before.due_dates)})
    usual = due_by_former_terms or now.planned_due_date
    if now.due_dates and usual is not None and now.due_dates[0] != usual:
        yield Difference(DifferenceKind.DUE_DATE, {"due_date": now.due_dates[0].isoformat(), "was": usual.isoformat()})


def _named(line: BilledLine) -> dict[str, Fact]:
    return {"service": line.name or (line.description if line.key != FLAT else None) or ""}


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _facts_of(adjustment: Adjustment) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"adjustment_id": adjustment.id, "adjustment": adjustment.kind.value}
    for name in ("quantity", "unit_value", "amount", "percent"):
        value = getattr(adjustment, name)
        if value is not None:
            facts[name] = _plain(value) if name in ("quantity", "percent") else str(value)
    if adjustment.days is not None:
        facts |= {"first_day": adjustment.days.start.isoformat(), "last_day": adjustment.days.last_day.isoformat()}
    return facts | {"service": adjustment.service or "", "description": adjustment.description or ""}
