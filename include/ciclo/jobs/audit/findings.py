"""What an audit says: findings, each of one fault; what people did that is in order; what could not be judged.

Amounts are BRL to cents and absolute; only `lost_so_far` has a sign, negative where the customer paid too much. Below:
what is wrong at the end of rules that never end, and with what hangs on an invoice that is in order itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ciclo.billimatic.models import Invoice, InvoiceState, Nfse, Receivable
from ciclo.domain.calendar import add_days, month_end
from ciclo.domain.findings import AuditKind, Normality, Unjudged
from ciclo.domain.money import HUNDRED, ZERO, cents, multiply_to_cents, total
from ciclo.domain.nfse import NfseFault, nfse_fault
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact
from ciclo.domain.wording.audit import said_of_audit


@dataclass(frozen=True, slots=True)
class AuditRange:
    """The months that are audited, and the day on which.

    Attributes:
        first: first planned date that is judged.
        last: last planned date that is judged, if it is over by then.
        today: the day in São Paulo of the audit.
    """

    first: date
    last: date
    today: date

    @property
    def as_of(self) -> date:
        """The day as of which everything is judged: today, or the end of a range that is over."""
        return min(self.today, self.last)

    @property
    def expected(self) -> DateRange:
        """The days whose invoices have to be there: what is planned for today may still come."""
        end = add_days(self.last, 1) if self.last < self.today else self.today
        return DateRange(self.first, max(self.first, end))

    @property
    def judged(self) -> DateRange:
        """The planned dates whose invoices are judged."""
        return DateRange.days(self.first, max(self.first, self.as_of))

    @property
    def last_full_month(self) -> date:
        """The last day of the last month that is over."""
        end = month_end(self.as_of)
        return end if end == self.as_of else add_days(self.as_of.replace(day=1), -1)

    def document(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat(), "as_of": self.as_of.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One fault.

    Attributes:
        planned_date: of the period or invoice; of a readjustment its execution date; of a gap its first day.
        expected: what it should be, as text: money with two decimals, a customer.
        found: what it is.
        per_month: what is lost, or stops, per month from now on; None where that says nothing.
        lost_so_far: of a readjustment what was lost until the last full month.
        facts: for the sentence.
    """

    kind: AuditKind
    contract_id: int | None
    rule_id: int | None = None
    invoice_ids: tuple[int, ...] = ()
    planned_date: date | None = None
    expected: str | None = None
    found: str | None = None
    amount: Decimal = ZERO
    per_month: Decimal | None = None
    lost_so_far: Decimal | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """Say it in one sentence, in the reader's language."""
        return said_of_audit(self.kind, {**self._own_facts(), **self.facts})

    def _own_facts(self) -> dict[str, Fact]:
        return {
            "invoice_ids": list(self.invoice_ids),
            "planned_date": self.planned_date.isoformat() if self.planned_date else None,
            "expected": self.expected,
            "found": self.found,
            "amount": money(self.amount),
            "per_month": money(self.per_month),
            "lost_so_far": money(self.lost_so_far),
        }

    def document(self) -> dict[str, Any]:
        """Return it as JSON values, money as decimal strings."""
        return {
            "kind": self.kind.value,
            "contract_id": self.contract_id,
            "rule_id": self.rule_id,
            **self._own_facts(),
            "message": self.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that people did which is in order, or something that could not be judged."""

    kind: Normality | Unjudged
    contract_id: int | None
    rule_id: int | None = None
    invoice_ids: tuple[int, ...] = ()
    day: date | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """Say it in one sentence, in the reader's language."""
        own: dict[str, Fact] = {"invoice_ids": list(self.invoice_ids), "day": self.day.isoformat() if self.day else ""}
        return said_of_audit(self.kind, {**own, **self.facts})

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": self.kind.value,
            "contract_id": self.contract_id,
            "rule_id": self.rule_id,
            "invoice_ids": list(self.invoice_ids),
            "day": self.day.isoformat() if self.day else None,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """A unit value as it would be, had every readjustment been made: a person may apply it. BRL."""

    contract_id: int
    rule_id: int
    service_id: int
    service: str
    unit_value: Decimal
    new_unit_value: Decimal
    since: date


@dataclass(slots=True)
class Audit:
    """What was found in an account, or in a part of it."""

    findings: list[AuditFinding] = field(default_factory=list)
    normal: list[Note] = field(default_factory=list)
    unjudged: list[Note] = field(default_factory=list)
    prices: list[NewPrice] = field(default_factory=list)

    def add(self, other: "Audit") -> None:
        """Take in another part's."""
        self.findings += other.findings
        self.normal += other.normal
        self.unjudged += other.unjudged
        self.prices += other.prices

    def sort(self) -> None:
        """Put the findings into the order of their kinds, contracts and days."""
        order = list(AuditKind)
        self.findings.sort(
            key=lambda each: (
                order.index(each.kind),
                each.contract_id or 0,
                each.rule_id or 0,
                each.planned_date or date.min,
                each.invoice_ids,
            )
        )

    def totals(self) -> dict[str, dict[str, Any]]:
        """Return count and amount by kind, of the kinds that were found."""
        found: dict[str, dict[str, Any]] = {}
        for kind in AuditKind:
            amounts = [each.amount for each in self.findings if each.kind is kind]
            if amounts:
                found[kind.value] = {"count": len(amounts), "amount": money(total(amounts))}
        return found

    def largest(self, count: int) -> list[AuditFinding]:
        """Return the findings of the largest amounts, the largest first."""
        return sorted(self.findings, key=lambda each: -each.amount)[:count]


def money(amount: Decimal | None) -> str | None:
    """Write an amount as JSON has it: two decimals, a point."""
    return None if amount is None else f"{cents(amount):.2f}"


ENDS_SOON = 90
"""Days before its end from which a rule runs out."""
TAIL = 2
"""Periods in a row without an invoice at the end of a rule that never ends: nobody makes them any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endless:
    """A rule without end, as far as its invoices reach: whether it runs out is a question of the whole account.

    Attributes:
        last: the last date that has an invoice.
        following: the first date after it, which has none.
        is_ahead: whether several of its invoices were made ahead.
        ends: the finding, if it runs out.
        tail: the periods without an invoice from there on, as findings, if it does not.
    """

    last: date
    following: date
    is_ahead: bool
    ends: AuditFinding
    tail: Sequence[AuditFinding]


def running_out(endless: Sequence[Endless], audited: AuditRange) -> Iterator[AuditFinding]:
    """Yield what is wrong at the end of the rules without end of an account.

    A rule runs out whose invoices were made ahead and end within `ENDS_SOON` days, or end before those of others do.
    Where none are made ahead, nothing follows from that: only several periods without an invoice in a row do.
    """
    horizon = add_days(audited.as_of, ENDS_SOON)
    last = max((each.last for each in endless), default=audited.as_of)
    reached = min(horizon, last) if last > audited.as_of else date.min
    for each in endless:
        is_short = each.following <= (horizon if each.is_ahead else reached)
        if is_short or len(each.tail) >= TAIL:
            yield each.ends
        else:
            yield from each.tail


LATE = 30
"""Days past due from which a receivable is late."""

ALIVE_AND_BILLED = frozenset({InvoiceState.TO_RECEIVE.value, InvoiceState.RECEIVED.value})


def document_faults(
    invoice: Invoice, nfses: Sequence[Nfse], as_of: date
) -> Iterator[tuple[AuditKind, Decimal, dict[str, Fact]]]:
    """Yield what is wrong with an invoice's tax document and receivables: kind, amount and facts.

    Args:
        invoice: that is a period's own.
        nfses: its tax documents that were looked at.
        as_of: the day as of which it is judged.
    """
    if (fault := _nfse_fault(invoice, nfses, as_of)) is not None:
        kind, facts = fault
        yield kind, cents(invoice.gross_value), facts
    overdue: list[Receivable] = []
    for receivable in invoice.receivables:
        if receivable.state not in (InvoiceState.TO_EMIT, InvoiceState.TO_RECEIVE):
            continue
        error = receivable.myfinance_errors or receivable.cobrato_errors
        if error:
            facts = {"receivable_id": receivable.id, "error": error, "due_date": receivable.due_date.isoformat()}
            yield AuditKind.RECEIVABLE_ERROR, _worth(receivable, invoice), facts
        elif receivable.state == InvoiceState.TO_RECEIVE and as_of - receivable.due_date > timedelta(days=LATE):
            overdue.append(receivable)
    if overdue:
        due = min(each.due_date for each in overdue)
        facts = {"due_date": due.isoformat(), "days": (as_of - due).days}
        yield AuditKind.LATE, total(_worth(each, invoice) for each in overdue), facts


def _nfse_fault(invoice: Invoice, known: Sequence[Nfse], as_of: date) -> tuple[AuditKind, dict[str, Fact]] | None:
    if invoice.state not in ALIVE_AND_BILLED:
        return None
    due = invoice.nfse_due if invoice.issue_nfse else None
    match nfse_fault(known, due=due, said_issued=bool(invoice.nfe_issued) and not known, today=as_of):
        case NfseFault.REFUSED, Nfse() as refused:
            return AuditKind.NFSE_REFUSED, {"error": refused.integration_errors or refused.status}
        case (NfseFault.MISSING | NfseFault.CANCELLED, _) if due is not None and due < as_of:
            return AuditKind.NFSE_MISSING, {"due_date": due.isoformat()}
        case _:
            return None


def _worth(receivable: Receivable, invoice: Invoice) -> Decimal:
    if receivable.gross_value is not None:
        return cents(receivable.gross_value)
    if receivable.value is not None:
        return multiply_to_cents(invoice.gross_value, receivable.value / HUNDRED)
    return cents(receivable.payment_value or ZERO)
