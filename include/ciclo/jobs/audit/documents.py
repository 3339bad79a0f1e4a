"""What hangs on an invoice: its tax document and its receivables, judged once it is in order itself."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from ciclo.billimatic.models import Invoice, InvoiceState, Nfse, Receivable
from ciclo.domain.findings import AuditKind
from ciclo.domain.money import HUNDRED, ZERO, cents, multiply_to_cents, total
from ciclo.domain.nfse import NfseState
from ciclo.domain.states import Fact

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
    if invoice.state not in ALIVE_AND_BILLED or any(each.state is NfseState.ISSUED for each in known):
        return None
    refused = next((each for each in known if each.state is NfseState.REFUSED), None)
    if refused is not None:
        return AuditKind.NFSE_REFUSED, {"error": refused.integration_errors or refused.status}
    if not invoice.issue_nfse or (invoice.nfe_issued and not known):
        return None
    due = invoice.nfse_due
    if due is None or due >= as_of:
        return None
    return AuditKind.NFSE_MISSING, {"due_date": due.isoformat()}


def _worth(receivable: Receivable, invoice: Invoice) -> Decimal:
    if receivable.gross_value is not None:
        return cents(receivable.gross_value)
    if receivable.value is not None:
        return multiply_to_cents(invoice.gross_value, receivable.value / HUNDRED)
    return cents(receivable.payment_value or ZERO)
