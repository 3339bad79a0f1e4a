"""The price of one service of one rule, reconstructed from its invoices, and what its readjustments did to it.

Two paths are followed: the price that was billed, and which readjustments explain its changes. A readjustment is judged
from the price that it started from, so that one missed is not found again in those after it. A single invoice off the
path is an invoice of a wrong amount, not a change of price; a change that no readjustment explains and that stays is a
price that people agreed on anew. Nothing is guessed: what has no invoice before it is not judged.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import combinations

from ciclo.domain.money import multiply_to_cents
from ciclo.domain.price_index import Accumulation
from ciclo.domain.pricing import ScheduledUpdate, new_unit_value

MOST_OPEN = 4
"""Readjustments not yet made that are tried together to explain a price."""


@dataclass(frozen=True, slots=True)
class InvoicedPrice:
    """A price that an invoice shows. BRL a unit, or of the whole invoice."""

    day: date
    invoice_id: int
    unit_value: Decimal
    units: Decimal


@dataclass(frozen=True, slots=True)
class Due:
    """A readjustment that a rule calls for on a day; `used` is None where the index is not out."""

    day: date
    update: ScheduledUpdate
    used: Accumulation | None

    @property
    def factor(self) -> Decimal | None:
        """What it multiplies the price by."""
        return self.used.factor if self.used is not None else None

    @property
    def order(self) -> tuple[date, int]:
        """In which order readjustments apply."""
        return self.day, self.update.id


class How(StrEnum):
    """What became of a readjustment."""

    MADE = "made"
    MISSING = "missing"
    LATE = "late"
    FACTOR = "factor"
    TWICE = "twice"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class _Step:
    """A change of the price that was billed: from the invoice at `index` on."""

    index: int
    old: Decimal
    new: Decimal
    made: list[Due] = field(default_factory=list)
    odd: Due | None = None
    """The readjustment that was made with another factor, or once more."""
    is_anew: bool = False
    """Whether the price counts from here on, whatever was before: agreed on anew, or put right."""


@dataclass(slots=True, eq=False)
class Judged:
    """A readjustment, and what it did to one service's price."""

    due: Due
    how: How
    start: int
    """Index of the first invoice on or after it."""
    caught_up: date | None = None
    """Of one made late: the planned date of the first invoice at the new price."""


@dataclass(slots=True)
class History:
    """A service's price as it was billed.

    Attributes:
        seen: what the invoices show, in order.
        levels: the price in force at each of them, as it was billed; differs from what is seen where it is wrong.
        judged: the readjustments that fall among them.
        agreed: changes that people agreed on: index of the first invoice, and the price before.
    """

    seen: Sequence[InvoicedPrice]
    levels: list[Decimal] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    agreed: list[tuple[int, Decimal]] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    later: list[Due] = field(default_factory=list)
    """Readjustments after the last invoice."""
    before: list[Due] = field(default_factory=list)
    """Those on or before the first one: nothing tells the price that they started from."""

    def in_force(self, day: date) -> Decimal | None:
        """Return the price in force on a day as far as invoices and readjustments tell; None before any of them."""
        at = [index for index, each in enumerate(self.seen) if each.day <= day]
        level = self.levels[at[-1]] if at else (self.levels[0] if self.levels else None)
        last = self.seen[at[-1]].day if at else None
        if level is None or last is None:
            return level
        since = [each for each in (*(one.due for one in self.judged), *self.later) if each.day > last]
        between = [each for each in since if each.day <= day]
        after = next((index for index, each in enumerate(self.seen) if each.day > day), None)
        if between and after is not None and between == [each for each in since if each.day <= self.seen[after].day]:
            return self.levels[after]
        return _chained(level, between)

    def should_be(self, judged: Judged) -> Iterator[tuple[InvoicedPrice, Decimal, Decimal]]:
        """Yield, from a readjustment on, each invoice with what its price should be and what it was.

        What happened afterwards happens in both: only this one readjustment is made as its index says.
        """
        steps = {step.index: step for step in self.steps}
        value = self.levels[judged.start - 1]
        for index in range(judged.start, len(self.seen)):
            step = steps.get(index)
            first = index == judged.start
            made = [each for each in step.made if each is not judged.due] if step else []
            if first:
                made = sorted([*made, judged.due], key=lambda each: each.order)
            if step is not None and step.is_anew:
                value = step.new
            else:
                value = _chained(value, made)
                if step is not None and step.odd is not None and step.odd is not judged.due and step.old:
                    value = multiply_to_cents(value, step.new / step.old)
            yield self.seen[index], value, self.levels[index]

    def would_be(self) -> Decimal | None:
        """Return what the last price would be, had every readjustment been made as its index says."""
        if not self.levels:
            return None
        value = self.levels[0]
        agreed = {index for index, _ in self.agreed}
        for index in range(1, len(self.seen)):
            due = [each.due for each in self.judged if each.start == index]
            value = _chained(value, due)
            if index in agreed:
                value = self.levels[index]
        return value


def history(seen: Sequence[InvoicedPrice], due: Iterable[Due], current: Decimal | None) -> History:
    """Reconstruct a price.

    Args:
        seen: what living invoices show, in order of planned date.
        due: the readjustments of this service up to the day of the audit.
        current: the price that the rule has today, which tells a change of price from a wrong amount where nothing
            else does.
    """
    result = History(seen)
    if not seen:
        result.before = sorted(due, key=lambda each: each.order)
        return result
    ordered = sorted(due, key=lambda each: each.order)
    result.before = [each for each in ordered if each.day <= seen[0].day]
    result.later = [each for each in ordered if each.day > seen[-1].day]
    within = [each for each in ordered if seen[0].day < each.day <= seen[-1].day]
    _Walk(result, within, current).walk()
    return result


class _Walk:
    """The way along a price's invoices."""

    def __init__(self, result: History, due: Sequence[Due], current: Decimal | None) -> None:
        self.result = result
        self.values = [each.unit_value for each in result.seen]
        self.days = [each.day for each in result.seen]
        self.due = due
        self.current = current
        self.open: list[Judged] = []
        """Readjustments not made so far, oldest first; what is made leaves."""
        self.fresh: list[Judged] = []
        """Those since which the price has not changed yet, of the present stretch between two days of execution."""
        self.made: Judged | None = None
        """The last one that was made as its index says."""
        self.right = Decimal(0)
        """The price as it would be, had every readjustment so far been made as its index says."""

    def walk(self) -> None:
        """Follow the price from the first invoice to the last."""
        level = self.right = self._first_level()
        for index, value in enumerate(self.values):
            if index:
                self._take_up(index, level)
            if self._is_on_its_way(index, level, value):
                level = value
            self.result.levels.append(level)
        for judged in self.open:
            if judged.due.factor is None:
                judged.how = How.UNKNOWN

    def _is_on_its_way(self, index: int, level: Decimal, value: Decimal) -> bool:
        """Whether the price of an invoice is the price from there on, and not a wrong amount; judge what changed it."""
        if value == level:  # the price has not changed: what is fresh and changes nothing is done with
            for judged in [each for each in self.fresh if each.how is How.MADE]:
                self.open.remove(judged)
                self.fresh.remove(judged)
                self.made = judged
        elif (made := self._explained(level, value)) is not None:
            self._make(index, level, made)
        elif value == self.right:
            self._put_right(index, level, value)
        elif self._stays(index, level):
            self._change(index, level, value)
        else:
            return False
        return True

    def _take_up(self, index: int, level: Decimal) -> None:
        new = [each for each in self.due if self.days[index - 1] < each.day <= self.days[index]]
        if not new:
            return
        self.fresh = [Judged(each, How.MISSING, index) for each in new]
        self.result.judged += self.fresh
        self.open += self.fresh
        for judged in self.fresh:
            if judged.due.factor is not None and new_unit_value(level, judged.due.factor) == level:
                judged.how = How.MADE  # it changes nothing
        self.right = _chained(self.right, new)

    def _first_level(self) -> Decimal:
        """Return the price of the first invoice, or that of the ones after it where the first is off."""
        first = self.values[0]
        if len(self.values) == 1:
            settled = not self.result.later and not self.due
            return self.current if settled and self.current else first
        second = self.values[1]
        if first == second or first in self.values[2:]:
            return first
        after = [each for each in self.due if self.days[0] < each.day <= self.days[1]]
        if after and (second == _chained(first, after) or len(self.values) == 2):
            return first
        if len(self.values) == 2:
            return second if self.current == second else first
        if after:
            return first
        return second if second == self.values[2] else first

    def _explained(self, level: Decimal, value: Decimal) -> list[Judged] | None:
        """Return the readjustments that lead from one price to another, the youngest first tried."""
        known = [each for each in self.open if each.due.factor is not None][-MOST_OPEN:]
        fresh = [each for each in known if each in self.fresh]
        groups: list[Sequence[Judged]] = [fresh, known]
        groups += [some for size in range(len(known), 0, -1) for some in combinations(known, size)]
        for group in groups:
            if group and _chained(level, [each.due for each in group]) == value:
                return list(group)
        return None

    def _make(self, index: int, level: Decimal, made: Sequence[Judged]) -> None:
        levels = self.result.levels
        for judged in made:
            waited = any(levels[each] == self.values[each] for each in range(judged.start, index))
            judged.how = How.LATE if waited else How.MADE
            judged.caught_up = self.days[index] if waited else None
            self.open.remove(judged)
            if judged in self.fresh:
                self.fresh.remove(judged)
        dues = [judged.due for judged in made]
        start = index
        if all(judged.how is How.MADE for judged in made):  # wrong amounts just before lie on the new way already
            start = min(judged.start for judged in made)
        old, before = level, 0
        for each in range(start, index + 1):
            so_far = dues if each == index else [due for due in dues if due.day <= self.days[each]]
            reached = _chained(level, so_far)
            if each < index:
                levels[each] = reached
            if len(so_far) > before:
                self.result.steps.append(_Step(each, old, reached, so_far[before:]))
            old, before = reached, len(so_far)
        self.made = made[-1]

    def _put_right(self, index: int, level: Decimal, value: Decimal) -> None:
        """Take a price that is what it would be without any fault before it."""
        for judged in list(self.open):
            waited = any(self.result.levels[each] == self.values[each] for each in range(judged.start, index))
            if judged.how is not How.MADE:
                judged.how = How.LATE if waited else How.MADE
                judged.caught_up = self.days[index] if waited else None
        self.open, self.fresh, self.made = [], [], None
        self.result.steps.append(_Step(index, level, value, is_anew=True))

    def _change(self, index: int, level: Decimal, value: Decimal) -> None:
        """Take a price that no readjustment explains: another factor, one made twice, or people's own."""
        step = _Step(index, level, value)
        for judged in [each for each in self.fresh if each.due.factor is None]:
            judged.how = How.UNKNOWN
            self.open.remove(judged)
            self.fresh.remove(judged)
            step.odd = judged.due
        if step.odd is None and self.fresh:
            judged = self.fresh[-1]
            factors = [each.due for each in self.fresh]
            judged.how = How.TWICE if value == _chained(_chained(level, factors), factors) else How.FACTOR
            for other in self.fresh:
                self.open.remove(other)
                if other is not judged:
                    other.how = How.MADE
                    step.made.append(other.due)
            self.fresh = []
            step.odd = judged.due
            self.made = None
        elif step.odd is None and self.made is not None and value == _chained(level, [self.made.due]):
            self.made.how = How.TWICE
            step.odd = self.made.due
            self.made = None
        elif step.odd is None:
            self.result.agreed.append((index, level))
            step.is_anew = True
            self.right = value
            for judged in self.open:
                judged.how = How.UNKNOWN if judged.due.factor is None else judged.how
            self.open = []
        self.result.steps.append(step)

    def _stays(self, index: int, level: Decimal) -> bool:
        """Whether a price that nothing explains is one from now on, and not a wrong amount of some invoices."""
        value, end = self.values[index], index
        while end + 1 < len(self.values) and self.values[end + 1] == value:
            end += 1
        run = end - index + 1
        if run >= 2 and self.fresh and all(each.start == index for each in self.fresh):
            return True
        for later in range(end + 1, len(self.values)):
            between = [each for each in self.due if self.days[end] < each.day <= self.days[later]]
            if between and self.values[later] in _reachable(value, between):
                return True
            to_come = [*(each.due for each in self.open), *between]
            if self.values[later] == level or self.values[later] in _reachable(level, to_come):
                return False
        if end + 1 < len(self.values):
            return run >= 2
        once_more = self.made is not None and value == _chained(level, [self.made.due])
        if self.current == value or (run >= 2 and (self.fresh or once_more)):
            return True
        possible = {level, *_reachable(level, [each.due for each in self.open])}
        return self.current not in possible and (run >= 2 or bool(self.fresh))


def _reachable(value: Decimal, due: Sequence[Due]) -> set[Decimal]:
    """Return what some of the readjustments, or all of them, make of a price."""
    known = [each for each in due if each.factor is not None][-MOST_OPEN:]
    return {_chained(value, some) for size in range(1, len(known) + 1) for some in combinations(known, size)}


def _chained(value: Decimal, due: Iterable[Due]) -> Decimal:
    """Apply readjustments one after the other, each rounded to cents; one whose index is not out changes nothing."""
    for each in due:
        value = new_unit_value(value, each.factor) if each.factor is not None else value
    return value
