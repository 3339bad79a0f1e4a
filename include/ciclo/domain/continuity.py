"""Continuity of readjustments: each begins the month after the last month that is in the price already.

A schedule moved across a publication date drops or repeats a month; one made biennial counts a year twice; a price that
a person has just raised is raised again; a service three weeks old gets a full year's index. None of this follows from
the schedule: it follows from what was used before. What breaks continuity is named here, with the months that would
follow without the break, and a person decides.

Months are the first day of the month.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.price_index import PriceIndex, WindowPolicy


class Continuity(StrEnum):
    """What becomes of an update that does not follow from the one before."""

    ASK = "ask"
    """It waits for a person, with both figures."""
    APPLY = "apply"
    """The figure that a person would be offered first is applied, and the evidence says so."""


class Break(StrEnum):
    """Why an update does not follow from what was used before; the first of several counts."""

    MONTH_USED_TWICE = "month_used_twice"
    MONTH_SKIPPED = "month_skipped"
    POLICY_CHANGED = "policy_changed"
    INDEX_CHANGED = "index_changed"
    PRICE_CHANGED_BY_HAND = "price_changed_by_hand"
    YOUNGER_THAN_WINDOW = "younger_than_window"


class Basis(StrEnum):
    """What a readjustment is computed by."""

    LETTER = "letter"
    """The months that the rule's schedule and the window policy give."""
    CONTINUITY = "continuity"
    """The months that are not in the price yet."""
    WINDOW = "window"
    """The months that a person gives."""
    VENDOR = "vendor"
    """The price that the vendor has made by itself."""


OFFERED_FIRST: Mapping[Break, Basis] = MappingProxyType(
    {
        Break.MONTH_USED_TWICE: Basis.CONTINUITY,
        Break.MONTH_SKIPPED: Basis.CONTINUITY,
        Break.POLICY_CHANGED: Basis.CONTINUITY,
        Break.INDEX_CHANGED: Basis.LETTER,
        Break.PRICE_CHANGED_BY_HAND: Basis.LETTER,
        Break.YOUNGER_THAN_WINDOW: Basis.LETTER,
    }
)
"""Which figure a plain "apply" means: months are never counted twice; what a person agreed on anew is confirmed."""


@dataclass(frozen=True, slots=True)
class Use:
    """What the execution before has used.

    Attributes:
        execution_date: when it executed.
        last_month: the last month of the index that it brought into the price.
        index: by which index; None if it was one that nobody knows.
        policy: under which policy its months were counted.
    """

    execution_date: date
    last_month: date
    index: PriceIndex | None
    policy: WindowPolicy


@dataclass(frozen=True, slots=True)
class PriceStory:
    """What is known of a price before it is readjusted.

    Attributes:
        since: the day from which it was agreed: the rule's, the contract's or the service's beginning.
        last_use: what the last readjustment of it used; None if there was none.
        changed_on: the last day on which a person changed it; None if nobody did.
    """

    since: date
    last_use: Use | None = None
    changed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a window goes on from what was used before.

    Attributes:
        breaks: what does not follow, most serious first; empty for an ordinary readjustment.
        index: the index that continuity gives: the former one, where nothing but the index changed.
        months: the months that continuity gives, oldest first; the window itself where nothing breaks.
    """

    breaks: tuple[Break, ...]
    index: PriceIndex
    months: tuple[date, ...]


def continuation(
    index: PriceIndex, months: Sequence[date], policy: WindowPolicy, execution_date: date, story: PriceStory
) -> Continuation:
    """Compare the window of an update with the story of the price that it readjusts.

    Args:
        index: the update's price index.
        months: its window, as `price_index.window` gives it; not empty.
        policy: the policy of the window.
        execution_date: when it executes.
        story: of one service's price, or of the whole rule's.
    """
    breaks: list[Break] = []
    first, last, use = months[0], months[-1], story.last_use
    start, former = first, index
    if use is not None:
        start = add_months(use.last_month, 1)
        if start != first:
            moved = Break.MONTH_USED_TWICE if start > first else Break.MONTH_SKIPPED
            breaks.append(moved if use.policy == policy else Break.POLICY_CHANGED)
        if use.index != index:
            former = index if breaks or use.index is None else use.index
            breaks.append(Break.INDEX_CHANGED)
    changed = story.changed_on
    if changed is not None and first <= changed <= execution_date and (not use or changed > use.execution_date):
        start = max(start, first_of_month(changed))
        breaks.append(Break.PRICE_CHANGED_BY_HAND)
    if use is None and is_younger(story.since, months, execution_date):
        start = max(start, first_of_month(story.since))
        breaks.append(Break.YOUNGER_THAN_WINDOW)
    if not breaks:
        return Continuation((), index, tuple(months))
    return Continuation(tuple(sorted(breaks, key=list(Break).index)), former, months_from(start, last))


def is_younger(since: date, months: Sequence[date], execution_date: date) -> bool:
    """Whether something began within a window.

    The publication lag does not make it younger: what is as old as the window is long has lived through it, and so has
    what began in its first month.
    """
    return first_of_month(since) > months[0] and add_months(since, len(months)) > execution_date


def months_from(first: date, last: date) -> tuple[date, ...]:
    """Months from one to another, both included; none if the first comes after the last."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return tuple(add_months(first, step) for step in range(max(count, 0)))
