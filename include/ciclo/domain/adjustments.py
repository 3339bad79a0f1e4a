"""What differs from a rule for one period: quantities, prices, lines, discounts, part of a month, another value.

The steps are taken in this order, whatever the order in which they came: `replace`, `quantity`, `unit_value`,
`prorate`, `line`, `discount` of a service, `discount` of the whole; of one kind the older one first. Each result is
money, in cents, so that the invoice is the rule ± its adjustments to the cent. `skip` bills nothing at all.

What is taken off the whole invoice is spread over its lines: one whose value stays is as it was, another keeps its
units where cents a unit can say its new value, else it becomes one unit of that value. So a change is a value, and
sending it twice changes nothing; only a `line` adds something, and carries a mark in its description by which it is
found again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum

from ciclo.domain.errors import DomainError
from ciclo.domain.money import CENT, EXACT, HUNDRED, ZERO, brl, cents, rounded_parts, service_value
from ciclo.domain.recurrence import DateRange
from ciclo.locale import N_, Text

_ONE = Decimal(1)
_PRECISE = Context(prec=60, rounding=ROUND_HALF_UP)
"""For quotients, which have no end: no amount of money comes as near to half a cent without being it."""


class AdjustmentKind(StrEnum):
    """What differs."""

    QUANTITY = "quantity"
    """Units of a service."""
    UNIT_VALUE = "unit_value"
    """Price of a unit of a service, BRL."""
    LINE = "line"
    """One more service, or a credit: units and price of a unit, BRL."""
    DISCOUNT = "discount"
    """An amount in BRL or a percentage, off a service or off the whole."""
    SKIP = "skip"
    """The period is not billed."""
    PRORATE = "prorate"
    """Of the days that the period covers only some are billed."""
    REPLACE = "replace"
    """The gross value of a rule without services, BRL."""


class Prorating(StrEnum):
    """What becomes of a contract's or rule's first and last part month."""

    ASK = "ask"
    """It is proposed, and billed whole unless a person accepts."""
    ALWAYS = "always"
    NEVER = "never"


_ORDER = (
    AdjustmentKind.REPLACE,
    AdjustmentKind.QUANTITY,
    AdjustmentKind.UNIT_VALUE,
    AdjustmentKind.PRORATE,
    AdjustmentKind.LINE,
    AdjustmentKind.DISCOUNT,
)

MARK = re.compile(r"\[ciclo a(?P<id>\d+)\]", re.ASCII)


def mark_of(adjustment_id: int) -> str:
    """Return what an added line carries in its description, so that it is found again."""
    return f"[ciclo a{adjustment_id}]"


def marks_in(text: str | None) -> frozenset[int]:
    """Return the adjustments whose marks stand in a description."""
    return frozenset(int(found["id"]) for found in MARK.finditer(text or ""))


NO_SUCH_SERVICE = N_("the rule has no service “{service}”; it has {names}")
NO_SERVICES = N_("the rule has no service “{service}”: it bills a gross value")
SERVICES_ALIKE = N_("{count} services of the rule are called “{service}”: give its number")


class InvalidAdjustment(DomainError):
    """An adjustment that cannot be carried out. `field` is the column or field that is wrong."""

    def __init__(self, field: str, reason: Text, adjustment_id: int | None = None) -> None:
        self.field = field
        self.reason = reason
        if adjustment_id is None:
            super().__init__(N_("{field}: {reason}"), field=field, reason=reason)
        else:
            text = N_("adjustment {number}, {field}: {reason}")
            super().__init__(text, number=adjustment_id, field=field, reason=reason)


class TotalNotPositive(DomainError):
    """What would be billed is nothing, or less. `amount` is BRL."""

    def __init__(self, amount: Decimal) -> None:
        self.amount = amount
        super().__init__(N_("the total would be {amount}: a period that is not billed is skipped"), amount=brl(amount))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """One difference from a rule.

    Attributes:
        id: of the ledger; older ones come first.
        kind: what differs.
        service: the rule's service that it is about, by the name or the number of its catalogue item; of a `line`, the
            catalogue item that is billed. None: the whole invoice.
        quantity: units, of a `quantity` or a `line`.
        unit_value: BRL a unit, of a `unit_value` or a `line`; below zero it is a credit.
        amount: BRL, of a `discount` or a `replace`.
        percent: of a `discount`, above 0 and up to 100.
        days: what is billed of the coverage, of a `prorate`.
        description: what a `line` says on the invoice.

    Raises:
        InvalidAdjustment: a field that its kind needs is missing or cannot be right.
    """

    kind: AdjustmentKind
    id: int = 0
    service: str | None = None
    quantity: Decimal | None = None
    unit_value: Decimal | None = None
    amount: Decimal | None = None
    percent: Decimal | None = None
    days: DateRange | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        given = {name for name in _FIELDS if getattr(self, name) is not None}
        needed, allowed = _NEEDED[self.kind], _ALLOWED[self.kind]
        for name in sorted(needed - given):
            raise self.wrong(name, N_("is missing: {kind} needs it"), kind=self.kind.value)
        for name in sorted(given - needed - allowed):
            raise self.wrong(name, N_("does not belong to {kind}"), kind=self.kind.value)
        if self.quantity is not None and self.quantity < 0:
            raise self.wrong("quantity", N_("must not be below zero: {value}"), value=self.quantity)
        if self.kind is AdjustmentKind.UNIT_VALUE and self.unit_value is not None and self.unit_value < 0:
            raise self.wrong("unit_value", N_("must not be below zero: {value}"), value=self.unit_value)
        if self.kind is AdjustmentKind.DISCOUNT and (self.amount is None) == (self.percent is None):
            raise self.wrong("amount", N_("a discount has either an amount or a per cent"))
        if self.amount is not None and self.amount <= 0:
            raise self.wrong("amount", N_("must be above zero: {value}"), value=self.amount)
        if self.percent is not None and not 0 < self.percent <= HUNDRED:
            raise self.wrong("percent", N_("must be above 0 and up to 100: {value}"), value=self.percent)
        if self.days is not None and not self.days:
            raise self.wrong("first_day", N_("bills no day at all: skip the period instead"))

    def wrong(self, field: str, text: str, **values: object) -> InvalidAdjustment:
        """Return the error that one of its fields makes it impossible, for the reason that `Text` makes of the rest."""
        return InvalidAdjustment(field, Text(text, **values), self.id or None)


_FIELDS = ("service", "quantity", "unit_value", "amount", "percent", "days", "description")
_K = AdjustmentKind
_NEEDED: dict[AdjustmentKind, frozenset[str]] = {
    _K.QUANTITY: frozenset({"service", "quantity"}),
    _K.UNIT_VALUE: frozenset({"service", "unit_value"}),
    _K.LINE: frozenset({"unit_value", "description"}),
    _K.DISCOUNT: frozenset(),
    _K.SKIP: frozenset(),
    _K.PRORATE: frozenset({"days"}),
    _K.REPLACE: frozenset({"amount"}),
}
_ALLOWED: dict[AdjustmentKind, frozenset[str]] = {kind: frozenset({"description"}) for kind in _K} | {
    _K.LINE: frozenset({"service", "quantity"}),
    _K.DISCOUNT: frozenset({"service", "amount", "percent", "description"}),
}


def kinds_with(field: str) -> tuple[AdjustmentKind, ...]:
    """Return the kinds of adjustments that may have a field, `service` or `days` for instance."""
    return tuple(kind for kind in AdjustmentKind if field in _NEEDED[kind] | _ALLOWED[kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledLine:
    """A service of an invoice. `unit_value` and `value` are BRL.

    Attributes:
        key: the rule's service (`services[].id`); None for one that an adjustment adds.
        added_by: the adjustment that adds it.
        service_item_id: the catalogue item, where it is known.
        name: of the catalogue item, where it is known.
    """

    units: Decimal
    unit_value: Decimal
    key: int | None = None
    added_by: int | None = None
    service_item_id: int | None = None
    name: str | None = None
    description: str | None = None

    @property
    def value(self) -> Decimal:
        """Units x unit value, in cents."""
        return service_value(self.units, self.unit_value)

    def at(self, value: Decimal) -> "BilledLine":
        """Return the line at a value: as it is, by a unit value where cents can say it, else as one unit."""
        if value == self.value:
            return self
        if self.units:
            unit_value = cents(_PRECISE.divide(value, self.units))
            if service_value(self.units, unit_value) == value:
                return replace(self, unit_value=unit_value)
        return replace(self, units=_ONE, unit_value=value)

    def is_about(self, service: str) -> bool:
        """Whether a text names this line's service, by number or by name."""
        wanted = service.strip()
        if wanted.isdecimal() and self.service_item_id is not None:
            return int(wanted) == self.service_item_id
        return self.name is not None and self.name.strip().casefold() == wanted.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What is billed for one period, BRL: lines, or a gross value alone with what is added to the description."""

    lines: tuple[BilledLine, ...] = ()
    flat: Decimal = ZERO
    """The gross value of an invoice without services."""
    texts: tuple[str, ...] = ()
    """What its description says besides the rule's, of an invoice without services: one a line that was added."""

    @property
    def total(self) -> Decimal:
        """The gross value."""
        return sum((line.value for line in self.lines), ZERO) if self.lines else self.flat


def adjusted(bill: Bill, adjustments: Iterable[Adjustment], covered: DateRange) -> Bill:
    """Carry adjustments out on what a rule bills for a period.

    Args:
        bill: the rule's services at the prices in force, or its gross value.
        adjustments: of this period; a `skip` among them changes nothing here.
        covered: the days that the period pays for.

    Raises:
        InvalidAdjustment: one of them names a service that the rule has not, or takes off more than there is.
        TotalNotPositive: there is an adjustment, and what is left is nothing or less.
    """
    some = [each for each in adjustments if each.kind is not AdjustmentKind.SKIP]

    def turn(each: Adjustment) -> tuple[int, bool, int]:
        whole = each.kind is AdjustmentKind.DISCOUNT and each.service is None
        return _ORDER.index(each.kind), whole, each.id

    for each in sorted(some, key=turn):
        bill = _carry_out(bill, each, covered)
    if some and bill.total <= 0:
        raise TotalNotPositive(bill.total)
    return bill


def _carry_out(bill: Bill, adjustment: Adjustment, covered: DateRange) -> Bill:
    match adjustment.kind:
        case AdjustmentKind.REPLACE:
            if bill.lines:
                raise adjustment.wrong(
                    "kind", N_("a rule with services has no gross value of its own: change its services")
                )
            return replace(bill, flat=cents(adjustment.amount or ZERO))
        case AdjustmentKind.QUANTITY | AdjustmentKind.UNIT_VALUE:
            line = _line_of(bill, adjustment)
            units = line.units if adjustment.quantity is None else adjustment.quantity
            unit_value = line.unit_value if adjustment.unit_value is None else adjustment.unit_value
            return _with(bill, line, replace(line, units=units, unit_value=unit_value))
        case AdjustmentKind.PRORATE:
            return _down_to(bill, _share_of_days(bill.total, adjustment, covered))
        case AdjustmentKind.LINE:
            return _with_line(bill, adjustment)
        case AdjustmentKind.DISCOUNT if adjustment.service is not None:
            line = _line_of(bill, adjustment)
            return _with(bill, line, line.at(line.value - _discount(adjustment, line.value)))
        case _:
            return _down_to(bill, bill.total - _discount(adjustment, bill.total))


def _line_of(bill: Bill, adjustment: Adjustment) -> BilledLine:
    """Return the rule's own line that an adjustment names."""
    service = adjustment.service or ""
    own = [line for line in bill.lines if line.key is not None]
    found = [line for line in own if line.is_about(service)]
    if len(found) == 1:
        return found[0]
    if found:
        raise adjustment.wrong("service", SERVICES_ALIKE, count=len(found), service=service)
    names = [str(line.name or line.service_item_id) for line in own]
    if not names:
        raise adjustment.wrong("service", NO_SERVICES, service=service)
    raise adjustment.wrong("service", NO_SUCH_SERVICE, service=service, names=", ".join(names))


def _with(bill: Bill, line: BilledLine, changed: BilledLine) -> Bill:
    return replace(bill, lines=tuple(changed if each is line else each for each in bill.lines))


def _with_line(bill: Bill, adjustment: Adjustment) -> Bill:
    units = _ONE if adjustment.quantity is None else adjustment.quantity
    unit_value = adjustment.unit_value or ZERO
    mark = mark_of(adjustment.id)
    if not bill.lines:
        value = service_value(units, unit_value)
        text = f"{adjustment.description}: {brl(value)} {mark}"
        return replace(bill, flat=bill.flat + value, texts=(*bill.texts, text))
    service_item_id, name = _item_of_line(bill, adjustment)
    line = BilledLine(
        units=units,
        unit_value=unit_value,
        added_by=adjustment.id,
        service_item_id=service_item_id,
        name=name,
        description=f"{adjustment.description} {mark}",
    )
    return replace(bill, lines=(*bill.lines, line))


def _item_of_line(bill: Bill, adjustment: Adjustment) -> tuple[int | None, str | None]:
    """Return the catalogue item of an added line: the one that it names, else that of the rule's first service."""
    service = adjustment.service
    if service is None:
        return bill.lines[0].service_item_id, bill.lines[0].name
    if service.strip().isdecimal():
        return int(service), None
    line = _line_of(bill, adjustment)
    return line.service_item_id, line.name


def _discount(adjustment: Adjustment, value: Decimal) -> Decimal:
    """Return what is taken off a value."""
    if adjustment.percent is not None:
        return cents(EXACT.multiply(value, adjustment.percent).scaleb(-2, context=EXACT))
    off = cents(adjustment.amount or ZERO)
    if adjustment.service is not None and off > value:
        text = N_("{amount} is more than the {value} of {service}")
        raise adjustment.wrong("amount", text, amount=brl(off), value=brl(value), service=adjustment.service)
    return off


def _share_of_days(total: Decimal, adjustment: Adjustment, covered: DateRange) -> Decimal:
    billed = covered.intersection(adjustment.days) if adjustment.days is not None else covered
    if not billed:
        text = N_("none of its days lies in {first} to {last}")
        first, last = covered.start.isoformat(), covered.last_day.isoformat()
        raise adjustment.wrong("first_day", text, first=first, last=last)
    return prorated(total, billed, covered)


def prorated(total: Decimal, billed: DateRange, covered: DateRange) -> Decimal:
    """Return the share of an amount that some of the days of its coverage come to, by calendar days. BRL."""
    days, of = (billed.end - billed.start).days, (covered.end - covered.start).days
    return cents(_PRECISE.divide(EXACT.multiply(total, Decimal(days)), Decimal(of)))


def _down_to(bill: Bill, total: Decimal) -> Bill:
    """Bring a bill to a lower total, to the cent: each line above zero bears its share, the last of them the rest.

    Raises:
        TotalNotPositive: nothing would be left.
    """
    if total <= 0:
        raise TotalNotPositive(total)
    if not bill.lines:
        return replace(bill, flat=total)
    bearing = [line for line in bill.lines if line.value > 0]
    whole = sum((line.value for line in bearing), ZERO)
    left = whole - (bill.total - total)
    shares = [_PRECISE.divide(EXACT.multiply(left, line.value), whole) for line in bearing]
    values = iter(rounded_parts(left, shares, CENT))
    return replace(bill, lines=tuple(line.at(next(values)) if line.value > 0 else line for line in bill.lines))


def part_of(covered: DateRange, first: date | None, last: date | None) -> DateRange | None:
    """Return the days of a coverage from a first to a last day of service; None where that is all of it, or nothing.

    Args:
        covered: what a period pays for.
        first: the day on which the service begins; None: before.
        last: the day on which it ends; None: afterwards.
    """
    start = max(first or covered.start, covered.start)
    end = min(last or covered.last_day, covered.last_day)
    if start > end or (start, end) == (covered.start, covered.last_day):
        return None
    return DateRange.days(start, end)
