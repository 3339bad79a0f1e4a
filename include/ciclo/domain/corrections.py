"""What an invoice at the vendor is, against what it should be with its adjustments: what is to be corrected of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ciclo.domain.adjustments import Bill, BilledLine, marks_in
from ciclo.domain.errors import DomainError
from ciclo.domain.money import brl
from ciclo.locale import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicedLine:
    """A service of an invoice at the vendor. BRL."""

    id: int
    units: Decimal
    unit_value: Decimal
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What brings an invoice from what it is to what it should be. BRL."""

    flat: Decimal | None = None
    """The new gross value, of an invoice without services."""
    texts: tuple[str, ...] = ()
    """What is added to its description."""
    changed: tuple[tuple[int, BilledLine], ...] = ()
    """By the service's id at the vendor, what it should be."""
    added: tuple[BilledLine, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.flat is not None or self.texts or self.changed or self.added)


class ChangedByHand(DomainError):
    """An invoice is neither what it was made as nor what it should be: somebody changed it. `found` is its total."""

    def __init__(self, found: Decimal, expected: Decimal) -> None:
        self.found, self.expected = found, expected
        super().__init__(
            N_("somebody made it {found}; it should be {expected}"), found=brl(found), expected=brl(expected)
        )


def correction(
    lines: Sequence[InvoicedLine], gross_value: Decimal, description: str, known: Sequence[Bill], wanted: Bill
) -> Correction:
    """Return what an invoice lacks to be as wanted; empty if nothing.

    Args:
        lines: its services at the vendor.
        gross_value: its gross value there.
        description: its description there.
        known: what it may have been made as, besides what it should be; the first is what it certainly was.
        wanted: what it should be.

    Raises:
        ChangedByHand: a value is none of those that it may have been made with, or its services are not the rule's.
    """
    bills = (*known, wanted)
    by_hand = ChangedByHand(gross_value, wanted.total)
    if not lines and not wanted.lines:
        if gross_value not in {bill.total for bill in bills}:
            raise by_hand
        texts = tuple(text for text in wanted.texts if not marks_in(text) & marks_in(description))
        return Correction(flat=wanted.total if gross_value != wanted.total else None, texts=texts)
    own = [line for line in lines if not marks_in(line.description)]
    marked = {number: line for line in lines for number in marks_in(line.description)}
    pairs = [_paired(own, [line for line in bill.lines if line.added_by is None]) for bill in bills]
    may_be = [(line, [pair[number] for pair in pairs if pair is not None]) for number, line in enumerate(own)]
    added = []
    for line in wanted.lines:
        if line.added_by in marked:
            as_made = [each for bill in bills for each in bill.lines if each.added_by == line.added_by]
            may_be.append((marked[line.added_by], as_made))
        elif line.added_by is not None and any(line.added_by == each.added_by for each in known[0].lines):
            raise by_hand  # it was there, and somebody removed it
        elif line.added_by is not None:
            added.append(line)
    if any(pair is None for pair in pairs) or not all(_is_one_of(line, some) for line, some in may_be):
        raise by_hand
    changed = tuple((line.id, some[-1]) for line, some in may_be if not _is_one_of(line, some[-1:]))
    return Correction(changed=changed, added=tuple(added))


def _is_one_of(line: InvoicedLine, lines: Sequence[BilledLine]) -> bool:
    return any((line.units, line.unit_value) == (each.units, each.unit_value) for each in lines)


def _paired(services: Sequence[InvoicedLine], lines: Sequence[BilledLine]) -> list[BilledLine] | None:
    """Match an invoice's services with the rule's: they were written in its order, under its names."""
    if len(services) != len(lines):
        return None
    if all(
        (service.name is None or line.name is None or service.name == line.name)
        for service, line in zip(services, lines, strict=True)
    ):
        return list(lines)
    by_name = {line.name: line for line in lines}
    if len(by_name) != len(lines) or {service.name for service in services} != set(by_name):
        return None
    return [by_name[service.name] for service in services]
