"""Price indices: when a month's value is out, which months an update uses, and the factor they make.

The same execution date always gives the same window, by a fixed publication calendar; a value that
should be out and is not stops the update and is never replaced by another month's.

Months are the first day of the month. Values are monthly variations in percent, as SGS publishes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from types import MappingProxyType

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.errors import InvalidRule, MissingIndexValue, UnknownPriceIndex
from ciclo.locale import N_, Text

ONE = Decimal(1)
MONTHS_BY_LAW = 12


class PriceIndex(StrEnum):
    """The indices the vendor offers (`scheduled_updates[].price_index`)."""

    IGPM = "igpm"
    IPCA = "ipca"
    IGPDI = "igpdi"
    INPC = "inpc"
    IPCFIPE = "ipcfipe"

    @property
    def sgs_code(self) -> int:
        """Number of the monthly series in the central bank's SGS."""
        return _FACTS[self].sgs_code

    @property
    def label(self) -> str:
        """The index's name as people write it."""
        return _FACTS[self].label

    @property
    def publisher(self) -> str:
        """Who publishes it."""
        return _FACTS[self].publisher


class WindowPolicy(StrEnum):
    """Which months an update counts back from."""

    PUBLISHED = "published"
    PREVIOUS_MONTH = "previous_month"


@dataclass(frozen=True, slots=True)
class _Facts:
    sgs_code: int
    label: str
    publisher: str
    available_on_day: int


_FACTS: Mapping[PriceIndex, _Facts] = MappingProxyType(
    {
        PriceIndex.IGPM: _Facts(189, "IGP-M", "FGV", 1),
        PriceIndex.IPCA: _Facts(433, "IPCA", "IBGE", 13),
        PriceIndex.IGPDI: _Facts(190, "IGP-DI", "FGV", 9),
        PriceIndex.INPC: _Facts(188, "INPC", "IBGE", 13),
        PriceIndex.IPCFIPE: _Facts(193, "IPC-Fipe", "Fipe", 8),
    }
)


@dataclass(frozen=True, slots=True)
class IndexValue:
    """Variation of an index in one month, in percent."""

    month: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class Accumulation:
    """Months of an index compounded: the evidence of a factor.

    Attributes:
        index: the price index.
        months: every month used, with its value, in order.
        compounded: Π(1 + value/100), exact, unrounded, before any floor.
        factor: what prices are multiplied by: `compounded`, or 1 if it fell and negative updates are not applied.
    """

    index: PriceIndex
    months: tuple[IndexValue, ...]
    compounded: Decimal
    factor: Decimal

    @property
    def percent(self) -> Decimal:
        """The factor as a variation in percent, exact: (factor - 1) x 100."""
        context = Context(prec=len(self.factor.as_tuple().digits) + 4, traps=[Inexact])
        return context.subtract(self.factor, ONE).scaleb(2, context=context)

    @property
    def floored(self) -> bool:
        """Whether the index fell and the factor was held at 1."""
        return self.factor != self.compounded


def price_index(value: object) -> PriceIndex:
    """Read a price index by its API name.

    Raises:
        UnknownPriceIndex: it is none of those the vendor offers.
    """
    try:
        return PriceIndex(str(value))
    except ValueError:
        raise UnknownPriceIndex(value, PriceIndex) from None


def index_label(name: str) -> str:
    """An index's name as people write it, by its API name; one that is not known keeps the name it has."""
    return PriceIndex(name).label if name in set(PriceIndex) else name


def available_from(index: PriceIndex, month: date) -> date:
    """First day on which the month's value counts as published: a fixed day of the next month.

    Each day is on or after the publisher's latest usual release: IGP-M the last business day of the month itself,
    IPC-Fipe 2nd-7th, IGP-DI 5th-8th, IPCA and INPC 9th-12th of the next.
    """
    return add_months(first_of_month(month), 1).replace(day=_FACTS[index].available_on_day)


def window(
    index: PriceIndex, execution_date: date, month_quantity: int, policy: WindowPolicy = WindowPolicy.PUBLISHED
) -> tuple[date, ...]:
    """Months an update uses, oldest first: `month_quantity` of them.

    `published`: the last ones published by the execution date. `previous_month`: those that end with the month before
    it, though they may not be out yet.

    Raises:
        InvalidRule: `month_quantity` is below 1.
    """
    if month_quantity < 1:
        raise InvalidRule(
            "scheduled_updates.month_quantity", Text(N_("must be 1 or more, not {value}"), value=month_quantity)
        )
    last = add_months(first_of_month(execution_date), -1)
    if policy is WindowPolicy.PUBLISHED and available_from(index, last) > execution_date:
        last = add_months(last, -1)
    return tuple(add_months(last, -back) for back in reversed(range(month_quantity)))


def accumulate(
    index: PriceIndex,
    values: Mapping[date, Decimal],
    months: Sequence[date],
    *,
    apply_negative_updates: bool = True,
) -> Accumulation:
    """Compound an index over `months`, exactly.

    The floor is on the accumulated result, never on a single month (STJ, REsp 1.265.580): the chain keeps its
    negative months.

    Args:
        index: the price index, for the evidence and for error messages.
        values: variation in percent by first day of month; may hold more months than are used.
        months: the months to compound, as `window` gives them.
        apply_negative_updates: whether a fall lowers the price.

    Raises:
        MissingIndexValue: a month has no value; names index and month.
    """
    for month in months:
        if month not in values:
            raise MissingIndexValue(index, month)
    used = tuple(IndexValue(month, values[month]) for month in months)
    compounded = exact_product([ONE + entry.value.scaleb(-2) for entry in used])
    factor = compounded if apply_negative_updates else max(compounded, ONE)
    return Accumulation(index, used, compounded, factor)


def law_warning(month_quantity: int) -> Text | None:
    """Warn of a readjustment more often than once a year, which Law 10.192/2001, art. 2, § 1 declares void."""
    if month_quantity >= MONTHS_BY_LAW:
        return None
    if month_quantity < 1:
        return Text(
            N_("its periodicity is not known: it is not executed before it is corrected at the vendor, or skipped")
        )
    if month_quantity == 1:
        return Text(
            N_("readjustment every month: Law 10.192/2001, art. 2, § 1 voids a periodicity of less than one year")
        )
    text = N_(
        "readjustment every {months} months: Law 10.192/2001, art. 2, § 1 voids a periodicity of less than one year"
    )
    return Text(text, months=month_quantity)


def exact_product(growths: Sequence[Decimal]) -> Decimal:
    """Multiply exactly: a product has at most as many digits as its factors together, and rounding would raise."""
    digits = sum(len(growth.as_tuple().digits) for growth in growths)
    context = Context(prec=digits + 1, traps=[Inexact])
    product = ONE
    for growth in growths:
        product = context.multiply(product, growth)
    return product
