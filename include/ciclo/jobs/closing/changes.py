"""Changes in a month that was closed: an invoice that came, went, was cancelled, or costs something else.

The measure is what the month held when it was last closed, not what the last reading saw. Money that
comes in is no change: a month is closed long before it is paid.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import brl
from ciclo.domain.receivables import InvoiceState
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import AsClosed, Disagreement
from ciclo.ledger.tables import Invoice

NOT_THERE = "not there"
DELETED = "deleted"


def changes_after_close(ctx: JobContext, invoice_ids: Iterable[int]) -> list[Disagreement]:
    """Return what is different about some invoices since their month was closed."""
    closed = ctx.closings.closed_months()
    if not closed:
        return []
    ids = set(invoice_ids)
    held = ctx.closings.as_closed(ids)
    wrong = (_change(row, held.get(row.invoice_id), closed) for row in ctx.reconciliation.each(ids))
    return [each for each in wrong if each is not None]


def _change(row: Invoice, held: AsClosed | None, closed: dict[date, int]) -> Disagreement | None:
    month = held.month if held is not None else first_of_month(row.planned_date)
    if month not in closed:
        return None
    before = NOT_THERE if held is None else standing(held.gross_value, cancelled=held.cancelled)
    now = DELETED if row.gone_at is not None else standing(row.gross_value, cancelled=_is_cancelled(row))
    if before == now or (held is None and (_is_cancelled(row) or row.gone_at is not None)):
        return None
    return Disagreement(
        kind=FindingKind.CHANGED_AFTER_CLOSE,
        subject="invoice",
        subject_id=row.invoice_id,
        contract_id=row.contract_id,
        billing_month=month,
        message=(
            f"contract {row.contract_id}, invoice {row.invoice_id}: {month:%m/%Y} was closed with it {before}, "
            f"now it is {now}; undo it at the vendor, or acknowledge it and close the month again"
        ),
        expected=before,
        found=now,
        amount=row.gross_value,
    )


def standing(gross_value: Decimal, *, cancelled: bool) -> str:
    """Say what an invoice is worth to its month."""
    return f"{brl(gross_value)}, cancelled" if cancelled else brl(gross_value)


def _is_cancelled(row: Invoice) -> bool:
    return row.state == InvoiceState.CANCELLED
