"""A remote invoice into the ledger's rows, and how it differs from its rule into findings.

What the vendor answered is recorded as it is, not as it was asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ciclo.billimatic.models import Invoice, Receivable
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import cents
from ciclo.domain.receivables import MadeBy
from ciclo.domain.states import Fact, Reason, ReasonKind, period_facts
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.match import Difference, PeriodKey, RemoteInvoice, reference_in
from ciclo.ledger.repositories import Disagreement, Issued
from ciclo.ledger.tables import Period


@dataclass(frozen=True, slots=True)
class Found:
    """A period and the remote invoice it has become."""

    period: Period
    invoice: Invoice
    adopted: bool
    made_by: MadeBy = MadeBy.CICLO
    reason: Reason | None = None
    adjustment_ids: tuple[int, ...] = ()
    """What of it is known to differ from its rule, because it was sent so."""


def record_issued(ctx: JobContext, found: Sequence[Found]) -> int:
    """Record that periods are invoices now, and return of how many. Flushes; the caller commits.

    A period that another run has settled meanwhile keeps what that run found; the invoice is stored without a period,
    for the reconciliation to show, unless it is the very one.
    """
    now = ctx.clock()
    issued = [
        Issued(each.period.id, each.invoice.id, cents(each.invoice.gross_value), each.period.state, each.reason)
        for each in found
    ]
    held = ctx.periods.issued(issued, at=now)
    ours = {entry.invoice.id: entry for entry in found if entry.period.id in held}
    store_invoices(ctx, [entry.invoice for entry in found], ours, now)
    for entry in ours.values():
        use = entry.period.id, entry.period.reference_sequence
        ctx.adjustments.used(use, entry.period.issue_date, entry.adjustment_ids, entry.invoice.id, at=now)
    return len(held)


def store_invoices(ctx: JobContext, invoices: Iterable[Invoice], found: dict[int, Found], now: datetime) -> None:
    """Insert or update remote invoices with their receivables; `found` says to which period one belongs, if any."""
    rows = list(invoices)
    ctx.invoices.store(
        [invoice_row(ctx.organization_id, invoice, found.get(invoice.id), now) for invoice in rows],
        [receivable_row(ctx.organization_id, invoice, part, now) for invoice in rows for part in invoice.receivables],
    )


def invoice_row(organization_id: int, invoice: Invoice, found: Found | None, now: datetime) -> dict[str, Any]:
    """Return the row of a remote invoice; `found` says to which period it belongs, if to any."""
    return {
        "organization_id": organization_id,
        "invoice_id": invoice.id,
        "contract_id": invoice.contract_id,
        "period_id": found.period.id if found else None,
        "customer_id": invoice.customer_id,
        "issue_date": invoice.issue_date,
        "planned_date": invoice.planned_date,
        "gross_value": cents(invoice.gross_value),
        "state": str(invoice.state),
        "description": invoice.description,
        "reference": reference_in(invoice.comments),
        "adopted": found.adopted if found else False,
        "made_by": found.made_by.value if found else None,
        "created_at_vendor": invoice.created_at,
        "fatura_url": invoice.fatura_url,
        "approval_status": invoice.approval_status,
        "nfse_wanted": bool(invoice.issue_nfse),
        "nfse_issued": bool(invoice.nfe_issued),
        "nfse_due": invoice.nfse_due,
        "first_seen_at": now,
        "seen_at": now,
        "gone_at": None,
    }


def receivable_row(organization_id: int, invoice: Invoice, part: Receivable, now: datetime) -> dict[str, Any]:
    """Return the row of one of an invoice's receivables."""
    return {
        "organization_id": organization_id,
        "receivable_id": part.id,
        "invoice_id": invoice.id,
        "contract_id": invoice.contract_id,
        "issue_date": invoice.issue_date,
        "due_date": part.due_date,
        "percentage": part.value if part.value is not None else Decimal(100),
        "gross_value": cents(part.gross_value if part.gross_value is not None else invoice.gross_value),
        "state": str(part.state),
        "received_value": cents(part.received_value) if part.received_value is not None else None,
        "received_at": part.received_at,
        "finance_errors": part.myfinance_errors or part.cobrato_errors,
        "boleto_url": part.billet_url,
        "first_seen_at": now,
        "seen_at": now,
        "gone_at": None,
    }


def reason_about(period: Period, kind: ReasonKind, **facts: Fact) -> Reason:
    """Return a reason that names contract, rule and planned date of a period beside its own facts."""
    return Reason(kind, period_facts(*period.identity) | facts)


def finding_of(key: PeriodKey, contract_id: int, invoice_id: int, difference: Difference) -> Disagreement:
    """Return a difference as a finding about the invoice, of the month of its period."""
    facts: dict[str, Fact] = {"invoice_id": invoice_id, "expected": difference.expected, "found": difference.found}
    if difference.amount is not None:
        facts["amount"] = str(difference.amount)
    return Disagreement.of_period(
        difference.kind,
        ("invoice", invoice_id),
        (contract_id, *key),
        facts=facts,
        expected=difference.expected,
        found=difference.found,
        amount=difference.amount,
    )


def one_too_many(key: PeriodKey, own_id: int, second: RemoteInvoice) -> Disagreement:
    """Return that an invoice is alive beside a period's own."""
    said = f"invoice {own_id}", f"invoice {second.id} too"
    twice = Difference(FindingKind.DUPLICATED_REMOTELY, *said, second.gross_value)
    return finding_of(key, second.contract_id, second.id, twice)
