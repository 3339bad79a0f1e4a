"""One invoice at the vendor against what its period should be: every disagreement, as a finding with its facts.

What the ledger remembered of the last reading plays no part, so that a disagreement is seen on every reading for as
long as it lasts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ciclo.billimatic.models import Invoice, Receivable
from ciclo.domain.calendar import next_business_day
from ciclo.domain.findings import AT_REST, LATE_PAYMENT_SHOWN, FindingKind
from ciclo.domain.money import CENT, ZERO, brl, cents
from ciclo.domain.receivables import InvoiceState, ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact
from ciclo.jobs.issuing.match import RemoteInvoice, WantedInvoice, differences
from ciclo.jobs.issuing.record import finding_of
from ciclo.jobs.rules.snapshot import ExpectedInvoice, RuleSnapshot
from ciclo.ledger.repositories import Disagreement
from ciclo.ledger.tables import Period

INVOICE_KINDS = (
    FindingKind.VALUE_EDITED,
    FindingKind.DATE_MOVED,
    FindingKind.ACCRUAL_DIFFERS,
    FindingKind.SPLIT,
    FindingKind.CUSTOMER_DIFFERS,
    FindingKind.DESCRIPTION_DIFFERS,
    FindingKind.CANCELLED_REMOTELY,
    FindingKind.AMOUNT_DIFFERS,
    FindingKind.DUE_DATE_CHANGED,
    FindingKind.UNDER_PAID,
    FindingKind.OVER_PAID,
    FindingKind.PAID_LATE,
    FindingKind.FINANCE_SYSTEM_ERROR,
)
"""The kinds that `disagreements` decides about."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The period that an invoice belongs to, and what its invoice should be."""

    period: Period
    wanted: WantedInvoice
    expected: ExpectedInvoice


@dataclass(frozen=True, slots=True)
class _Compared:
    invoice: Invoice
    owner: Owner
    today: date
    own_holidays: frozenset[date]

    @property
    def expected(self) -> ExpectedInvoice:
        return self.owner.expected

    def about_invoice(self, kind: FindingKind, expected: object, found: object) -> Disagreement:
        worth = cents(self.invoice.gross_value)
        return self._about("invoice", self.invoice.id, kind, (expected, found), worth)

    def about(self, line: Receivable, kind: FindingKind, expected: object, found: object) -> Disagreement:
        return self._about("receivable", line.id, kind, (expected, found), owed(self.invoice, line))

    def _about(
        self, subject: str, subject_id: int, kind: FindingKind, values: tuple[object, object], amount: Decimal
    ) -> Disagreement:
        facts: dict[str, Fact] = {
            "invoice_id": self.invoice.id,
            "expected": str(values[0]),
            "found": str(values[1]),
            "amount": str(amount),
        }
        if subject == "receivable":
            facts["receivable_id"] = subject_id
        return Disagreement.of_period(
            kind,
            (subject, subject_id),
            self.owner.period.identity,
            facts=facts,
            expected=_said(values[0]),
            found=_said(values[1]),
            amount=amount,
        )


def disagreements(
    invoice: Invoice, owner: Owner, today: date, own_holidays: frozenset[date] = frozenset()
) -> Iterator[Disagreement]:
    """Yield what is different about a period's invoice.

    Args:
        invoice: as the vendor answers it.
        owner: its period, and what its rule calls for.
        today: the day in São Paulo, for late payments.
        own_holidays: days besides the national ones on which nothing is paid.
    """
    compared = _Compared(invoice, owner, today, own_holidays)
    if invoice.state == InvoiceState.CANCELLED:
        yield compared.about_invoice(FindingKind.CANCELLED_REMOTELY, "an invoice", "cancelled")
    else:
        yield from _of_invoice(compared)
        yield from _of_due_dates(compared)
    for line in invoice.receivables:
        yield from _of_receipt(compared, line)


def is_as_terms_say(invoice: Invoice, period: Period, snapshot: RuleSnapshot) -> bool:
    """Whether an invoice is what the terms as last read call for, whatever they were when it was made."""
    day = DateRange.days(period.issue_date, period.issue_date)
    expected = next(snapshot.periods_by_newest_terms(day), None)
    return (
        expected is not None
        and expected.accrual_month == period.accrual_month
        and expected.gross_value == cents(invoice.gross_value)
        and list(expected.due_dates) == sorted(line.due_date for line in invoice.receivables if line.due_date)
    )


def owed(invoice: Invoice, line: Receivable) -> Decimal:
    """What is to be paid of a receivable: its payment value where taxes are withheld, else its gross value. BRL."""
    value = line.payment_value or line.gross_value
    return cents(value if value is not None else invoice.gross_value)


def _of_invoice(compared: _Compared) -> Iterator[Disagreement]:
    invoice = compared.invoice
    for each in differences(compared.owner.wanted, RemoteInvoice.of(invoice)):
        yield finding_of(compared.owner.wanted.key, invoice.contract_id, invoice.id, each)
    found = cents(invoice.gross_value)
    # what is cancelled by itself never comes in
    living = [line for line in invoice.receivables if line.state != ReceivableState.CANCELLED]
    parts = sum((found if line.gross_value is None else cents(line.gross_value) for line in living), ZERO)
    if parts != found:
        yield compared.about_invoice(FindingKind.AMOUNT_DIFFERS, found, parts)


def _of_due_dates(compared: _Compared) -> Iterator[Disagreement]:
    lines = sorted(compared.invoice.receivables, key=lambda line: (line.due_date or date.max, line.id))
    wanted = compared.expected
    if len(lines) != len(wanted.due_dates):
        return  # somebody split it: that is said of the whole invoice
    for line, due_date in zip(lines, wanted.due_dates, strict=True):
        if line.due_date != due_date and line.state not in AT_REST:
            yield compared.about(line, FindingKind.DUE_DATE_CHANGED, due_date, line.due_date)
    if wanted.gross_value != cents(compared.invoice.gross_value):
        return
    for line, part in zip(lines, wanted.parts, strict=True):
        found = cents(line.gross_value) if line.gross_value is not None else part
        if abs(found - part) > CENT:  # a cent is the vendor's way of rounding shares
            yield compared.about(line, FindingKind.AMOUNT_DIFFERS, part, found)


def _of_receipt(compared: _Compared, line: Receivable) -> Iterator[Disagreement]:
    complaint = line.myfinance_errors or line.cobrato_errors
    if complaint and line.state not in AT_REST:
        yield compared.about(line, FindingKind.FINANCE_SYSTEM_ERROR, "no error", complaint)
    if line.state != ReceivableState.RECEIVED:
        return
    due = owed(compared.invoice, line)
    received = cents(line.received_value) if line.received_value is not None else due
    if received < due:
        yield compared.about(line, FindingKind.UNDER_PAID, due, received)
    elif received > due:
        yield compared.about(line, FindingKind.OVER_PAID, due, received)
    if line.received_at is not None and line.due_date is not None:
        # what falls due on a day without banking may be paid on the next (Law 7.089/1983)
        last_day = next_business_day(line.due_date, compared.own_holidays)
        if line.received_at > last_day and (compared.today - line.received_at).days <= LATE_PAYMENT_SHOWN:
            yield compared.about(line, FindingKind.PAID_LATE, line.due_date, line.received_at)


def _said(value: object) -> str:
    return brl(value) if isinstance(value, Decimal) else str(value)
