"""Tax documents (NFS-e) of the invoices that are to have one: read what changed, and say what is missing or refused.

What changed since the last reading costs one search. An invoice that should have its document by now and of which
none is known is asked about by its id as well, a hundred at a time.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from ciclo.billimatic import (
    BadRequestError,
    NotFoundError,
    RejectedError,
    TransientApiError,
    UnreadableAnswerError,
)
from ciclo.billimatic.models import Nfse
from ciclo.billimatic.models.reading import id_in
from ciclo.domain.calendar import SAO_PAULO, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.nfse import NfseFault, NfseState, nfse_fault
from ciclo.domain.states import Fact
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.ask import has_other_answers
from ciclo.ledger import tables
from ciclo.ledger.repositories import Disagreement, TaxedInvoice
from ciclo.ledger.rows import in_parts
from ciclo.locale import N_

log = logging.getLogger("ciclo")

NFSE_KINDS = (FindingKind.NFSE_MISSING, FindingKind.NFSE_REFUSED, FindingKind.NFSE_CANCELLED)
"""The kinds that are decided about here."""

ASKED_AT_ONCE = 100
"""Invoices that one search of tax documents names."""


def read_nfses(ctx: JobContext, invoice_ids: Collection[int], *, today: date, changed: bool) -> set[int] | None:
    """Bring tax documents into the ledger. Commits.

    Args:
        ctx: the run.
        invoice_ids: invoices that the run has read.
        today: the day in São Paulo.
        changed: look for documents of all invoices that changed since the last time, too.

    Returns:
        The invoices about which something can be said now; None where the account's documents cannot be searched.
    """
    taxed = [
        each
        for each in ctx.nfses.taxed(invoice_ids)
        if not any(document.state == NfseState.ISSUED for document in each.documents)
    ]
    newest, organization = ctx.nfses.newest_change(), ctx.organizations.get()
    last_time = organization.reconciled_on if organization is not None else None
    ctx.session.commit()
    judged = set(invoice_ids)
    try:
        seen: set[int] = set()
        if changed and (taxed or newest is not None):
            # what is asked about by its id may be newer than a change that nobody has looked for yet
            days = [each.issue_date for each in taxed] if newest is None or last_time is None else [last_time]
            days += [newest.astimezone(SAO_PAULO).date()] if newest is not None else []
            seen = _store(ctx, {"updated_at_gteq": min(days) - timedelta(days=1)}, judged)
            judged |= seen
        # due since yesterday at least, and the invoice does not say that it is there
        late = [each for each in taxed if each.nfse_due is not None and each.nfse_due < today and not each.nfse_issued]
        wanting = [each.invoice_id for each in late if each.invoice_id not in seen]
        for start in range(0, len(wanting), ASKED_AT_ONCE):
            _store(ctx, {"invoice_id_in": wanting[start : start + ASKED_AT_ONCE]}, judged)
    except (BadRequestError, NotFoundError, RejectedError, TransientApiError, UnreadableAnswerError) as error:
        if isinstance(error, TransientApiError) and not has_other_answers(ctx.api, error):
            raise
        log.warning("tax documents could not be searched, nothing is said of them: %s", error)
        return None
    return judged


def nfse_disagreements(ctx: JobContext, invoice_ids: Iterable[int], *, today: date) -> list[Disagreement]:
    """Return what is missing, refused or cancelled of the tax documents of some invoices, as the ledger has them."""
    found = []
    for each in ctx.nfses.taxed(invoice_ids):
        match nfse_fault(each.documents, due=each.nfse_due, said_issued=each.nfse_issued, today=today):
            case NfseFault.REFUSED, tables.Nfse() as refused:
                error = refused.errors or refused.status or ""
                found.append(
                    _about(each, FindingKind.NFSE_REFUSED, error, {"nfse_id": refused.nfse_id, "error": error})
                )
            case NfseFault.CANCELLED, tables.Nfse() as cancelled:
                said = cancelled.status or NfseState.CANCELLED.value
                found.append(_about(each, FindingKind.NFSE_CANCELLED, said, {"nfse_id": cancelled.nfse_id}))
            case NfseFault.MISSING, _ if each.nfse_due is not None:
                due = {"due_date": each.nfse_due.isoformat()}
                found.append(_about(each, FindingKind.NFSE_MISSING, N_("no NFS-e"), due))
    return found


def _store(ctx: JobContext, filters: dict[str, Any], judged: set[int]) -> set[int]:
    """Store what a search finds; of an invoice whose document cannot be read, nothing is said."""
    search = ctx.api.search_nfses(filters)
    seen: set[int] = set()
    for part in in_parts(search):
        rows = [_row(ctx, nfse) for nfse in part if nfse.invoice_id is not None]
        seen |= {row["invoice_id"] for row in rows}
        ctx.nfses.store(rows)
        ctx.session.commit()
    for odd in search.odd:
        log.warning("tax document %s cannot be read: %s", odd.id, odd.problem)
        judged -= {id_in(odd.payload, "invoice_id")}
    return seen


def _row(ctx: JobContext, nfse: Nfse) -> dict[str, Any]:
    return {
        "organization_id": ctx.organization_id,
        "nfse_id": nfse.id,
        "invoice_id": nfse.invoice_id,
        "number": nfse.nfse_number,
        "state": nfse.state.value,
        "status": nfse.status,
        "errors": nfse.integration_errors,
        "pdf_url": nfse.pdf_url,
        "xml_url": nfse.xml_url,
        "generated_at": nfse.generated_at,
        "changed_at_vendor": nfse.updated_at or nfse.created_at,
        "seen_at": ctx.clock(),
    }


def _about(invoice: TaxedInvoice, kind: FindingKind, found: str, more: Mapping[str, Fact]) -> Disagreement:
    facts: dict[str, Fact] = {
        "contract_id": invoice.contract_id,
        **({"rule_id": invoice.rule_id} if invoice.rule_id is not None else {}),
        "issue_date": invoice.issue_date.isoformat(),
        "invoice_id": invoice.invoice_id,
        "amount": str(invoice.gross_value),
        **more,
    }
    return Disagreement(
        kind=kind,
        subject="invoice",
        subject_id=invoice.invoice_id,
        contract_id=invoice.contract_id,
        billing_month=first_of_month(invoice.issue_date),
        facts=facts,
        expected=N_("an NFS-e"),
        found=found,
        amount=invoice.gross_value,
    )
