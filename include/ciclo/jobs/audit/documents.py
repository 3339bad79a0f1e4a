"""What hangs on an invoice: its tax document and its receivables, judged once it is in order itself."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from ciclo.billimatic.models import Invoice, InvoiceState, Nfse, Receivable
from ciclo.domain.calendar import NO_HOLIDAYS, add_business_days
from ciclo.domain.findings import AuditKind
from ciclo.domain.money import HUNDRED, ZERO, cents, multiply_to_cents, total
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
    if invoice.state not in ALIVE_AND_BILLED or any(nfse_is_issued(each) for each in known):
        return None
    refused = next((each for each in known if nfse_is_refused(each)), None)
    if refused is not None:
        return AuditKind.NFSE_REFUSED, {"error": refused.integration_errors or refused.status}
    if not invoice.issue_nfse or (invoice.nfe_issued and not known):
        return None
    due = _nfse_due(invoice)
    if due is None or due >= as_of:
        return None
    return AuditKind.NFSE_MISSING, {"due_date": due.isoformat()}


def nfse_is_issued(nfse: Nfse) -> bool:
    """Whether a tax document is valid; its status is a word, or the number that the search asks by."""
    return (nfse.status or "").strip().casefold() in ("emitida", "1") and nfse.cancelled_at is None


def nfse_is_refused(nfse: Nfse) -> bool:
    """Whether the city refused a tax document: it complains, or the status says so."""
    status = (nfse.status or "").strip().casefold()
    if "cancel" in status or status in ("2", "4", "6"):
        return False
    return bool(nfse.integration_errors) or any(word in status for word in _REFUSALS)


_REFUSALS = ("erro", "rejei", "recus", "negad", "inv", "falh", "refus", "denied", "error")


def _nfse_due(invoice: Invoice) -> date | None:
    """Return the day on which an invoice's tax document is to be issued; None: it cannot be told yet."""
    days = invoice.days_until_automatic_nfe_emission or 0
    if not days:
        return invoice.issue_date
    received = [each.received_at for each in invoice.receivables if each.state == InvoiceState.RECEIVED]
    if invoice.state != InvoiceState.RECEIVED or not received or None in received:
        return None
    return add_business_days(max(day for day in received if day is not None), days, NO_HOLIDAYS)


def _worth(receivable: Receivable, invoice: Invoice) -> Decimal:
    if receivable.gross_value is not None:
        return cents(receivable.gross_value)
    if receivable.value is not None:
        return multiply_to_cents(invoice.gross_value, receivable.value / HUNDRED)
    return cents(receivable.payment_value or ZERO)
