"""The proof: the vendor's own data, held against the periods that the rules call for, both ways.

The rule here: only what the vendor holds counts as an invoice. A period without one is missing unless it was held back
with a reason (parked for a person, waiting for a price update); a period with two is a duplicate; an invoice that no
period called for is unexpected.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from ciclo.demo.oracle import ExpectedPeriod, expected_periods

Json = dict[str, Any]

REFERENCE: Final = re.compile(r"ciclo:(?P<organization>\d+):(?P<rule>\d+):(?P<issue_date>\d{4}-\d{2}-\d{2})")


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
    parked: Mapping[ExpectedPeriod, str]
    waiting: Mapping[ExpectedPeriod, str]

    @property
    def holds(self) -> bool:
        """True if every expected period has exactly one invoice or a reason to have none, and nothing else is there."""
        return not (self.missing or self.duplicates or self.unexpected or self.unbalanced)


Reasons = Mapping[tuple[int, date], str]
"""Why there is no invoice, per rule id and issue date."""


def prove(state: Json, first: date, last: date, *, parked: Reasons, waiting: Reasons) -> Proof:
    """Compare the sandbox's `state` with the periods expected from `first` to `last`, both included.

    Args:
        state: everything the vendor holds, in the state file's shape.
        first: first issue date.
        last: last issue date.
        parked: what Ciclo stopped for a person.
        waiting: what Ciclo holds back until a price update of the rule is settled.
    """
    expected = expected_periods(state, first, last)
    found, unexpected = _invoices_by_period(state, expected, first, last)
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
        parked=are_parked,
        waiting=are_waiting,
    )


def _explained(absent: list[ExpectedPeriod], reasons: Reasons) -> dict[ExpectedPeriod, str]:
    return {period: reason for period in absent if (reason := reasons.get((period.rule_id, period.issue_date)))}


def _invoices_by_period(
    state: Json, expected: list[ExpectedPeriod], first: date, last: date
) -> tuple[dict[ExpectedPeriod, list[Json]], list[int]]:
    """Put every invoice of the window to its period; return also the ids of those that no period called for."""
    organization_id = state["organizations"][0]["id"]
    by_reference = {f"ciclo:{organization_id}:{p.rule_id}:{p.issue_date.isoformat()}": p for p in expected}
    by_likeness = _periods_by_likeness(state, expected)
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


def _periods_by_likeness(state: Json, expected: list[ExpectedPeriod]) -> dict[Likeness, ExpectedPeriod]:
    """Index the periods by what an invoice typed in by hand has in common with them."""
    rules = {rule["id"]: rule for rule in state["invoice_rules"]}
    return {
        (p.contract_id, p.issue_date, Decimal(rules[p.rule_id]["gross_value"]), rules[p.rule_id]["description"]): p
        for p in expected
    }


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
