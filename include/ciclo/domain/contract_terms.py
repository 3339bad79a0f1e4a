"""Terms of a contract that the vendor cannot hold, and what they do to the factor of a readjustment.

They apply in one order, whatever the order in which they were agreed:

1. `substitute`: from a month on, another index stands in for one that is discontinued.
2. `fixed`: a percentage a year instead of the index.
3. `lower_of`, `higher_of`: what another index makes over the same months, if it is lower or higher.
4. `share`: so many per cent of the variation.
5. `floor`, then `cap`: per cent a year, at least and at most; where the two cross, the cap counts.
6. the rule's own floor at 1, where negative updates are not applied.
7. `not_before`: an execution before that day changes nothing.

A year's per cent over n months is compounded for whole years and pro rata for the months that are left over:
(1 + p)^years x (1 + p x months / 12). Nothing is rounded but such a twelfth that has no end, at 60 digits; money is
rounded once, when the price is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

from ciclo.domain.calendar import first_of_month
from ciclo.domain.errors import InvalidTerm
from ciclo.domain.money import EXACT, HUNDRED
from ciclo.domain.price_index import ONE, Accumulation, IndexValue, PriceIndex, accumulate, exact_product
from ciclo.domain.recurrence import MONTHS_A_YEAR
from ciclo.locale import N_, Text

_TWELFTHS = Context(prec=60, rounding=ROUND_HALF_EVEN)

Values = Callable[[PriceIndex], Mapping[date, Decimal]]
"""An index → its variation in per cent by first day of month."""


class TermKind(StrEnum):
    """What was agreed, in the order in which it applies."""

    SUBSTITUTE = "substitute"
    FIXED = "fixed"
    LOWER_OF = "lower_of"
    HIGHER_OF = "higher_of"
    SHARE = "share"
    FLOOR = "floor"
    CAP = "cap"
    NOT_BEFORE = "not_before"


WITH_PERCENT = frozenset({TermKind.FIXED, TermKind.SHARE, TermKind.FLOOR, TermKind.CAP})
WITH_INDEX = frozenset({TermKind.SUBSTITUTE, TermKind.LOWER_OF, TermKind.HIGHER_OF})
WITH_DAY = frozenset({TermKind.SUBSTITUTE, TermKind.NOT_BEFORE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerm:
    """One term of a contract.

    Attributes:
        kind: what was agreed.
        percent: per cent a year (`fixed`, `floor`, `cap`), or of the index's variation (`share`).
        index: the other index (`lower_of`, `higher_of`, `substitute`).
        day: the first day on which a readjustment counts (`not_before`); a day of the first month of which the
            substitute's value is taken (`substitute`).
        rule_id: the one rule that it is about; None for every rule of the contract.
        effective_from: first execution date that it applies to.
        effective_to: last one; None while it holds.
        author: who entered it.
        clause: where it stands in the contract, as people write it ("7.2").

    Raises:
        InvalidTerm: a value that its kind needs is missing, or one that it has no use for is there.
    """

    kind: TermKind
    effective_from: date
    author: str
    percent: Decimal | None = None
    index: PriceIndex | None = None
    day: date | None = None
    rule_id: int | None = None
    effective_to: date | None = None
    clause: str = ""

    def __post_init__(self) -> None:
        needs = (
            ("percent", self.percent, WITH_PERCENT),
            ("index", self.index, WITH_INDEX),
            ("day", self.day, WITH_DAY),
        )
        for name, value, kinds in needs:
            if (value is not None) != (self.kind in kinds):
                missing = value is None
                text = N_("needs a value of {name}") if missing else N_("has no use for a value of {name}")
                raise InvalidTerm(self.kind, Text(text, name=name))
        if self.percent is not None and not -HUNDRED < self.percent <= HUNDRED * 10:
            raise InvalidTerm(
                self.kind, Text(N_("{percent} % is not between -100 and 1000"), percent=f"{self.percent:f}")
            )
        if self.kind is TermKind.SHARE and self.percent is not None and self.percent < 0:
            raise InvalidTerm(self.kind, Text(N_("a share is not negative")))
        if self.effective_to is not None and self.effective_to < self.effective_from:
            days = {"last": self.effective_to.isoformat(), "first": self.effective_from.isoformat()}
            raise InvalidTerm(self.kind, Text(N_("ends on {last}, before it begins on {first}"), **days))


@dataclass(frozen=True, slots=True)
class TermStep:
    """What one term did to a factor; `months` are those of the other index that it compared with."""

    term: ContractTerm
    before: Decimal
    after: Decimal
    months: tuple[IndexValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Readjustment:
    """A factor with everything that it follows from.

    Attributes:
        index: the update's own index.
        parts: the months that are compounded, by index: one part, two with a substitute, none where no index counts.
        steps: what the contract's terms did, in order; empty where there are none.
        factor: what prices are multiplied by.
        floored: whether it fell and was held at 1, because negative updates are not applied.
    """

    index: PriceIndex
    parts: tuple[Accumulation, ...]
    steps: tuple[TermStep, ...]
    factor: Decimal
    floored: bool

    @property
    def months(self) -> tuple[IndexValue, ...]:
        """Every month that is compounded, oldest first."""
        return tuple(entry for part in self.parts for entry in part.months)

    @property
    def compounded(self) -> Decimal:
        """What the index makes of these months, exact, before any term."""
        return exact_product([part.compounded for part in self.parts])


def in_force(terms: Iterable[ContractTerm], rule_id: int, execution_date: date) -> tuple[ContractTerm, ...]:
    """Return the terms that apply to an execution, one a kind, in the order in which they apply.

    Of several of a kind the one that is about this very rule counts before one about the whole contract, then the one
    that holds since later, then the one entered later.
    """
    found: dict[TermKind, tuple[tuple[bool, date], ContractTerm]] = {}
    for term in terms:
        if term.rule_id not in (None, rule_id) or term.effective_from > execution_date:
            continue
        if term.effective_to is not None and term.effective_to < execution_date:
            continue
        rank = (term.rule_id is not None, term.effective_from)
        if term.kind not in found or found[term.kind][0] <= rank:
            found[term.kind] = (rank, term)
    return tuple(found[kind][1] for kind in TermKind if kind in found)


def readjust(
    index: PriceIndex,
    values: Values,
    months: Sequence[date],
    terms: Sequence[ContractTerm] = (),
    *,
    execution_date: date,
    apply_negative_updates: bool = True,
) -> Readjustment:
    """Compute the factor of an execution: the index over the months, then the contract's terms.

    Args:
        index: the update's price index.
        values: the values of every index.
        months: the months to compound, oldest first; may be empty.
        terms: as `in_force` gives them.
        execution_date: when it executes.
        apply_negative_updates: whether a fall lowers the price.

    Raises:
        MissingIndexValue: a month has no value; names index and month.
    """
    too_early = [t for t in terms if t.kind is TermKind.NOT_BEFORE and t.day is not None and execution_date < t.day]
    if too_early:
        return Readjustment(index, (), tuple(TermStep(term, ONE, ONE) for term in too_early), ONE, floored=False)
    fixed = any(term.kind is TermKind.FIXED for term in terms)
    parts = () if fixed else _compounded(index, values, months, terms)
    factor = exact_product([part.compounded for part in parts])
    steps = _substituted(terms, parts)
    for term in terms:
        if term.kind not in (TermKind.SUBSTITUTE, TermKind.NOT_BEFORE):
            after, compared = applied(term, factor, values, months)
            steps.append(TermStep(term, factor, after, compared))
            factor = after
    floored = not apply_negative_updates and factor < ONE
    return Readjustment(index, parts, tuple(steps), ONE if floored else factor, floored)


def _compounded(
    index: PriceIndex, values: Values, months: Sequence[date], terms: Iterable[ContractTerm]
) -> tuple[Accumulation, ...]:
    substitute = next((term for term in terms if term.kind is TermKind.SUBSTITUTE), None)
    if substitute is None or substitute.index is None or substitute.day is None:
        return (accumulate(index, values(index), months),)
    since = first_of_month(substitute.day)
    before, after = [month for month in months if month < since], [month for month in months if month >= since]
    found = ((index, before), (substitute.index, after))
    return tuple(accumulate(each, values(each), used) for each, used in found if used)


def _substituted(terms: Iterable[ContractTerm], parts: Sequence[Accumulation]) -> list[TermStep]:
    """Return the step of a substitute that stood in for at least a month."""
    found = []
    for term in terms:
        stood_in = [part for part in parts if term.kind is TermKind.SUBSTITUTE and part.index is term.index]
        if stood_in:
            whole = exact_product([part.compounded for part in parts])
            found.append(TermStep(term, whole, whole))
    return found


def applied(
    term: ContractTerm, factor: Decimal, values: Values, months: Sequence[date]
) -> tuple[Decimal, tuple[IndexValue, ...]]:
    """Return what a term makes of a factor, and the months of the other index that it compared with."""
    percent = term.percent or Decimal(0)
    match term.kind:
        case TermKind.FIXED:
            return over_months(percent, len(months)), ()
        case TermKind.LOWER_OF | TermKind.HIGHER_OF if term.index is not None:
            other = accumulate(term.index, values(term.index), months)
            choose = min if term.kind is TermKind.LOWER_OF else max
            return choose(factor, other.compounded), other.months
        case TermKind.SHARE:
            part = EXACT.multiply(EXACT.subtract(factor, ONE), percent.scaleb(-2, context=EXACT))
            return EXACT.add(ONE, part), ()
        case TermKind.FLOOR:
            return max(factor, over_months(percent, len(months))), ()
        case TermKind.CAP:
            return min(factor, over_months(percent, len(months))), ()
        case _:
            return factor, ()


def over_months(percent: Decimal, months: int) -> Decimal:
    """Return the factor of a percentage a year over some months: whole years compounded, the rest pro rata."""
    years, rest = divmod(months, MONTHS_A_YEAR)
    rate = percent.scaleb(-2, context=EXACT)
    pro_rata = _TWELFTHS.divide(EXACT.multiply(rate, Decimal(rest)), Decimal(MONTHS_A_YEAR))
    return exact_product([*[EXACT.add(ONE, rate)] * years, EXACT.add(ONE, pro_rata)])


def term_document(term: ContractTerm) -> dict[str, str]:
    """Write a term as JSON values: what was agreed, where it stands, since when, by whom; decimals are strings."""
    written = {
        "kind": term.kind.value,
        "percent": f"{term.percent:f}" if term.percent is not None else None,
        "index": term.index.value if term.index is not None else None,
        "day": term.day.isoformat() if term.day is not None else None,
        "clause": term.clause or None,
        "effective_from": term.effective_from.isoformat(),
        "author": term.author,
    }
    return {name: value for name, value in written.items() if value is not None}


def said_of_term(term: ContractTerm) -> str:
    """Write a term in one line without words of a language: `cap 8 %`, `lower_of ipca`, `not_before 2026-01-01`."""
    parts = [
        term.kind.value,
        f"{term.percent:f} %" if term.percent is not None else "",
        term.index.value if term.index is not None else "",
        term.day.isoformat() if term.day is not None else "",
    ]
    return " ".join(part for part in parts if part)
