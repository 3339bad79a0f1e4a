"""Which remote invoice is a period's: by reference, else by contract, issue date, gross value and description.

A remote invoice that carries any of Ciclo's references can only be matched by it; a cancelled one only by it, too.
Each remote invoice is given to at most one period.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from ciclo.billimatic.models import Invoice, InvoiceState

REFERENCE = re.compile(r"\bciclo:\d+:\d+:\d{4}-\d{2}-\d{2}\b")

Likeness = tuple[int, date, Decimal, str]
"""Contract, issue date, gross value, description."""


def reference(organization_id: int, rule_id: int, issue_date: date) -> str:
    """Return the reference that an invoice carries in `comments`."""
    return f"ciclo:{organization_id}:{rule_id}:{issue_date.isoformat()}"


def reference_in(comments: str | None) -> str | None:
    """Return Ciclo's reference in an invoice's comments, if there is one."""
    found = REFERENCE.search(comments or "")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a period's invoice would look like."""

    reference: str
    contract_id: int
    issue_date: date
    gross_value: Decimal | None
    description: str


class Place(Protocol):
    """A period of the ledger, of which no more is known than where its invoice would be."""

    @property
    def contract_id(self) -> int:
        """The contract's id."""

    @property
    def rule_id(self) -> int:
        """The rule's id."""

    @property
    def issue_date(self) -> date:
        """The day on which it is issued."""


class Places:
    """Where something is looked for: says of an invoice, as it comes, whether it may be one of the wanted."""

    def __init__(self, organization_id: int, places: Iterable[Place]) -> None:
        """Index the places by reference, and by contract and day."""
        self._references: set[str] = set()
        self._days: set[tuple[int, date]] = set()
        for place in places:
            self._references.add(reference(organization_id, place.rule_id, place.issue_date))
            self._days.add((place.contract_id, place.issue_date))

    def __contains__(self, invoice: Invoice) -> bool:
        found = reference_in(invoice.comments)
        return found in self._references if found is not None else _day(invoice) in self._days


def _day(invoice: Invoice) -> tuple[int, date]:
    return (invoice.contract_id, invoice.issue_date)


def _likeness(invoice: Invoice) -> Likeness:
    return (invoice.contract_id, invoice.issue_date, invoice.gross_value, invoice.description)


class RemoteInvoices:
    """The remote invoices of a window, to be looked up by what a period's invoice would look like."""

    def __init__(self, invoices: Iterable[Invoice], *, taken: Collection[int] = ()) -> None:
        """Sort the invoices by reference and likeness; those in `taken` belong to a period already."""
        self._by_reference: dict[str, list[Invoice]] = {}
        self._by_likeness: dict[Likeness, list[Invoice]] = {}
        self._days: set[tuple[int, date]] = set()
        self._taken = set(taken)
        for invoice in invoices:
            if invoice.id not in self._taken:
                self._sort_in(invoice)

    def _sort_in(self, invoice: Invoice) -> None:
        found = reference_in(invoice.comments)
        if found is not None:
            self._by_reference.setdefault(found, []).append(invoice)
        elif invoice.state != InvoiceState.CANCELLED:
            self._by_likeness.setdefault(_likeness(invoice), []).append(invoice)
            self._days.add(_day(invoice))

    def near(self, place: Place, organization_id: int) -> bool:
        """Whether any invoice may be the period's, whatever it would look like."""
        by_reference = reference(organization_id, place.rule_id, place.issue_date) in self._by_reference
        return by_reference or (place.contract_id, place.issue_date) in self._days

    def candidates(self, wanted: Wanted) -> list[Invoice]:
        """Return the free invoices that may be the period's: none, one, or several for a person to choose from."""
        by_reference = self._free(self._by_reference.get(wanted.reference, []))
        if by_reference or wanted.gross_value is None:
            return by_reference
        likeness = (wanted.contract_id, wanted.issue_date, wanted.gross_value, wanted.description)
        return self._free(self._by_likeness.get(likeness, []))

    def take(self, invoice: Invoice) -> None:
        """Give the invoice to a period: no other gets it."""
        self._taken.add(invoice.id)

    def _free(self, invoices: list[Invoice]) -> list[Invoice]:
        return [invoice for invoice in invoices if invoice.id not in self._taken]
