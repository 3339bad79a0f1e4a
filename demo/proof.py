"""The proof: the vendor's own data, held against the periods that the rules call for, both ways, and their prices.

The rule here: only what the vendor holds counts as an invoice. A period without one is missing unless it was held back
with a reason (parked for a person, waiting for a price update); a period with two is a duplicate; an invoice that no
period called for is unexpected; one that is not at the price in force on its issue date is mispriced.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from demo.oracle import ExpectedPeriod, expected_periods
from demo.price_oracle import PriceOracle

Json = dict[str, Any]

REFERENCE: Final = re.compile(r"ciclo:(?P<organization>\d+):(?P<rule>\d+):(?P<issue_date>\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Mispriced:
    """An invoice that is not worth what its rule costs on its issue date. BRL."""

    invoice_id: int
    period: ExpectedPeriod
    found: Decimal
    expected: Decimal

    def __str__(self) -> str:
        return f"invoice {self.invoice_id} ({self.period}): {self.found:.2f} instead of {self.expected:.2f}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the comparison found; amounts in BRL. `parked` and `waiting` map a period held back to its reason."""

    expected: int
    invoices: int
    total: Decimal
    adopted: tuple[int, ...]
    missing: tuple[ExpectedPeriod, ...]
    duplicates: tuple[ExpectedPeriod, ...]
    unexpected: tuple[int, ...]
    unbalanced: tuple[int, ...]
    mispriced: tuple[Mispriced, ...]
    parked: Mapping[ExpectedPeriod, str]
    waiting: Mapping[ExpectedPeriod, str]

    @property
    def holds(self) -> bool:
        """True if every expected period has one right invoice or is parked for a person, and nothing else is there."""
        wrong = self.missing or self.duplicates or self.unexpected or self.unbalanced or self.mispriced
        return not wrong and not self.waiting


Reasons = Mapping[tuple[int, date], str]
"""Why there is no invoice, per rule id and issue date."""


def prove(state: Json, before: Json, first: date, last: date, *, parked: Reasons, waiting: Reasons) -> Proof:
    """Compare the sandbox's `state` with the periods expected from `first` to `last`, both included.

    Args:
        state: everything the vendor holds, in the state file's shape.
        before: what it held before the first of the prices to be checked was readjusted.
        first: first issue date.
        last: last issue date.
        parked: what Ciclo stopped for a person.
        waiting: what Ciclo holds back until a price update of the rule is settled.
    """
    expected = expected_periods(state, first, last)
    worth = _worth(before, expected)
    found, unexpected = _invoices_by_period(state, worth, first, last)
    absent = [period for period in expected if not found[period]]
    are_parked, are_waiting = _explained(absent, parked), _explained(absent, waiting)
    invoices = [invoice for period in expected for invoice in found[period]]
    return Proof(
        expected=len(expected),
        invoices=len(invoices),
        total=sum((Decimal(invoice["gross_value"]) for invoice in invoices), Decimal(0)),
        adopted=tuple(invoice["id"] for invoice in invoices if _reference(invoice) is None),
        missing=tuple(period for period in absent if period not in are_parked | are_waiting),
        duplicates=tuple(period for period in expected if len(found[period]) > 1),
        unexpected=tuple(unexpected),
        unbalanced=tuple(invoice["id"] for invoice in invoices if not _is_balanced(invoice)),
        mispriced=tuple(_mispriced(found, worth)),
        parked=are_parked,
        waiting=are_waiting,
    )


def _explained(absent: list[ExpectedPeriod], reasons: Reasons) -> dict[ExpectedPeriod, str]:
    return {period: reason for period in absent if (reason := reasons.get((period.rule_id, period.issue_date)))}


Worth = Mapping[ExpectedPeriod, Decimal]
"""What each expected period costs, in BRL."""


def _worth(before: Json, expected: list[ExpectedPeriod]) -> Worth:
    prices = PriceOracle(before)
    return {period: prices.gross_value(period.rule_id, period.issue_date) for period in expected}


def _mispriced(found: Mapping[ExpectedPeriod, list[Json]], worth: Worth) -> Iterator[Mispriced]:
    for period, invoices in found.items():
        for invoice in invoices:
            value = Decimal(invoice["gross_value"])
            if value != worth[period]:
                yield Mispriced(invoice["id"], period, value, worth[period])


def _invoices_by_period(
    state: Json, worth: Worth, first: date, last: date
) -> tuple[dict[ExpectedPeriod, list[Json]], list[int]]:
    """Put every invoice of the window to its period; return also the ids of those that no period called for."""
    organization_id = state["organizations"][0]["id"]
    by_reference = {f"ciclo:{organization_id}:{p.rule_id}:{p.issue_date.isoformat()}": p for p in worth}
    by_likeness = _periods_by_likeness(state, worth)
    found: dict[ExpectedPeriod, list[Json]] = defaultdict(list)
    unexpected: list[int] = []
    for invoice in state["invoices"]:
        if not first <= _issue_date(invoice) <= last:
            continue
        reference = _reference(invoice)
        period = by_reference.get(reference) if reference else by_likeness.get(_likeness(invoice))
        if period is None or (period.contract_id, period.issue_date) != (invoice["contract_id"], _issue_date(invoice)):
            unexpected.append(invoice["id"])
        else:
            found[period].append(invoice)
    return found, unexpected


Likeness = tuple[int, date, Decimal, str]


def _periods_by_likeness(state: Json, worth: Worth) -> dict[Likeness, ExpectedPeriod]:
    """Index the periods by what an invoice typed in by hand has in common with them."""
    rules = {rule["id"]: rule for rule in state["invoice_rules"]}
    return {(p.contract_id, p.issue_date, value, rules[p.rule_id]["description"]): p for p, value in worth.items()}


def _likeness(invoice: Json) -> Likeness:
    return (
        invoice["contract_id"],
        _issue_date(invoice),
        Decimal(invoice["gross_value"]),
        invoice["description"],
    )


def _reference(invoice: Json) -> str | None:
    match = REFERENCE.search(invoice["comments"] or "")
    return match.group() if match else None


def _issue_date(invoice: Json) -> date:
    return datetime.strptime(invoice["issue_date"], "%d/%m/%Y").date()  # noqa: DTZ007 - a calendar day has no zone


def _is_balanced(invoice: Json) -> bool:
    """Tell whether the receivables' shares total the invoice's gross value, to the cent."""
    shares = sum((Decimal(receivable["gross_value"]) for receivable in invoice["receivables"]), Decimal(0))
    return shares == Decimal(invoice["gross_value"])
