"""One invoice at the vendor against what its period should be: every disagreement, in a sentence that names it.

Pure comparison. What the ledger remembered of the last reading plays no part, so that a disagreement is
seen on every reading for as long as it lasts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ciclo.billimatic.models import Invoice, Receivable
from ciclo.domain.calendar import first_of_month, next_business_day
from ciclo.domain.findings import AT_REST, LATE_PAYMENT_SHOWN, FindingKind
from ciclo.domain.money import CENT, ZERO, brl, cents
from ciclo.domain.receivables import ReceivableState
from ciclo.jobs.rules.snapshot import ExpectedInvoice
from ciclo.ledger.repositories import Disagreement
from ciclo.ledger.tables import Period

INVOICE_KINDS = (
    FindingKind.AMOUNT_DIFFERS,
    FindingKind.DUE_DATE_CHANGED,
    FindingKind.DATE_MOVED,
    FindingKind.UNDER_PAID,
    FindingKind.OVER_PAID,
    FindingKind.PAID_LATE,
    FindingKind.FINANCE_SYSTEM_ERROR,
)
"""The kinds that `disagreements` decides about."""


@dataclass(frozen=True, slots=True)
class _Compared:
    invoice: Invoice
    period: Period
    expected: ExpectedInvoice
    today: date

    def about_invoice(self, kind: FindingKind, what: str, expected: object, found: object) -> Disagreement:
        return self._about("invoice", self.invoice.id, kind, what, (expected, found), cents(self.invoice.gross_value))

    def about(self, line: Receivable, kind: FindingKind, what: str, expected: object, found: object) -> Disagreement:
        return self._about("receivable", line.id, kind, what, (expected, found), owed(self.invoice, line))

    def _about(
        self,
        subject: str,
        subject_id: int,
        kind: FindingKind,
        what: str,
        values: tuple[object, object],
        amount: Decimal,
    ) -> Disagreement:
        expected, found = (_said(value) for value in values)
        part = f", receivable {subject_id}" if subject == "receivable" else ""
        return Disagreement(
            kind=kind,
            subject=subject,
            subject_id=subject_id,
            contract_id=self.invoice.contract_id,
            billing_month=first_of_month(self.period.issue_date),
            message=(
                f"contract {self.invoice.contract_id}, rule {self.period.rule_id}, period {self.period.issue_date}, "
                f"invoice {self.invoice.id}{part}: {what}: {found} at the vendor, {expected} expected"
            ),
            expected=expected,
            found=found,
            amount=amount,
        )


def disagreements(invoice: Invoice, period: Period, expected: ExpectedInvoice, today: date) -> Iterator[Disagreement]:
    """Yield what is different about a period's invoice; a cancelled one is only expected to be somebody's decision.

    Args:
        invoice: as the vendor answers it.
        period: the period it belongs to.
        expected: what the rule calls for.
        today: the day in São Paulo, for late payments.
    """
    compared = _Compared(invoice, period, expected, today)
    if invoice.state != ReceivableState.CANCELLED:
        yield from _of_invoice(compared)
        yield from _of_due_dates(compared)
    for line in invoice.receivables:
        yield from _of_receipt(compared, line)


def owed(invoice: Invoice, line: Receivable) -> Decimal:
    """What is to be paid of a receivable: its payment value where taxes are withheld, else its gross value. BRL."""
    value = line.payment_value or line.gross_value
    return cents(value if value is not None else invoice.gross_value)


def _of_invoice(compared: _Compared) -> Iterator[Disagreement]:
    invoice, expected = compared.invoice, compared.expected.gross_value
    found = cents(invoice.gross_value)
    if expected is not None and found != expected:
        yield compared.about_invoice(FindingKind.AMOUNT_DIFFERS, "the gross value differs", expected, found)
    elif expected is not None and _parts_total(invoice) != found:
        what = "its receivables do not total the gross value"
        yield compared.about_invoice(FindingKind.AMOUNT_DIFFERS, what, found, _parts_total(invoice))
    if invoice.planned_date != compared.period.issue_date:
        days = compared.period.issue_date, invoice.planned_date
        yield compared.about_invoice(FindingKind.DATE_MOVED, "the issue date changed", *days)


def _parts_total(invoice: Invoice) -> Decimal:
    whole = cents(invoice.gross_value)
    return sum(
        (cents(line.gross_value) if line.gross_value is not None else whole for line in invoice.receivables), ZERO
    )


def _of_due_dates(compared: _Compared) -> Iterator[Disagreement]:
    lines = sorted(compared.invoice.receivables, key=lambda line: (line.due_date, line.id))
    wanted = compared.expected
    if len(lines) != len(wanted.due_dates):
        counts = f"{len(wanted.due_dates)} receivables", f"{len(lines)} receivables"
        yield compared.about_invoice(FindingKind.DUE_DATE_CHANGED, "the due dates changed", *counts)
        return
    for line, due_date in zip(lines, wanted.due_dates, strict=True):
        if line.due_date != due_date and line.state not in AT_REST:
            days = due_date, line.due_date
            yield compared.about(line, FindingKind.DUE_DATE_CHANGED, "the due date changed", *days)
    yield from _of_parts(compared, lines)


def _of_parts(compared: _Compared, lines: list[Receivable]) -> Iterator[Disagreement]:
    """Compare the shares of an invoice that is right as a whole; a cent is the vendor's way of rounding them."""
    expected = compared.expected
    if expected.gross_value != cents(compared.invoice.gross_value):
        return
    for line, part in zip(lines, expected.parts, strict=True):
        found = cents(line.gross_value) if line.gross_value is not None else part
        if abs(found - part) > CENT:
            yield compared.about(line, FindingKind.AMOUNT_DIFFERS, "its share of the invoice differs", part, found)


def _of_receipt(compared: _Compared, line: Receivable) -> Iterator[Disagreement]:
    complaint = line.myfinance_errors or line.cobrato_errors
    if complaint and line.state not in AT_REST:
        what = "the finance system refused it, the money will not come until somebody acts"
        yield compared.about(line, FindingKind.FINANCE_SYSTEM_ERROR, what, "no error", complaint)
    if line.state == ReceivableState.RECEIVED:
        yield from _of_money(compared, line)


def _of_money(compared: _Compared, line: Receivable) -> Iterator[Disagreement]:
    due = owed(compared.invoice, line)
    received = cents(line.received_value) if line.received_value is not None else due
    if received < due:
        yield compared.about(line, FindingKind.UNDER_PAID, f"{brl(due - received)} too little was paid", due, received)
    elif received > due:
        yield compared.about(line, FindingKind.OVER_PAID, f"{brl(received - due)} too much was paid", due, received)
    if line.received_at is not None and _is_late_and_recent(compared, line, line.received_at):
        what = f"paid {(line.received_at - line.due_date).days} days late"
        yield compared.about(line, FindingKind.PAID_LATE, what, line.due_date, line.received_at)


def _is_late_and_recent(compared: _Compared, line: Receivable, received_at: date) -> bool:
    """Whether money came late; what falls due on a day without banking may be paid on the next (Law 7.089/1983)."""
    late = received_at > next_business_day(line.due_date)
    return late and (compared.today - received_at).days <= LATE_PAYMENT_SHOWN


def _said(value: object) -> str:
    return brl(value) if isinstance(value, Decimal) else str(value)
