"""Stamping: an adopted invoice gets Ciclo's reference behind what stands in its comments, so that it is told at once.

What was lost is not repeated: the next look reads the comments, and stamps what has no reference then.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ciclo.billimatic import ApiError, AuthenticationError
from ciclo.billimatic.models import Invoice, InvoiceState
from ciclo.domain.receivables import MadeBy
from ciclo.domain.states import PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.look import Look
from ciclo.jobs.issuing.match import Reference, reference, references_in

log = logging.getLogger(__name__)


class _Unstamped(NamedTuple):
    invoice: Invoice
    reference: str


def stamp(ctx: JobContext, look: Look, options: IssueOptions) -> int:
    """Write Ciclo's reference into the living invoices of a look that are a period's own and do not have it. Commits.

    Returns:
        How many were stamped. What the vendor refuses, or does not answer, is left for the next look.

    Raises:
        AuthenticationError: the token is not accepted.
    """
    unstamped = list(_unstamped(ctx, look)) if options.stamp else []
    ctx.session.commit()
    if not unstamped:
        return 0

    def send(each: _Unstamped) -> Invoice | ApiError:
        failpoint("stamp.patching")
        try:
            return _append(ctx, each)
        except AuthenticationError:
            raise
        except ApiError as error:
            return error

    with ThreadPoolExecutor(options.concurrency) as pool:
        answers = list(pool.map(send, unstamped))
    failpoint("stamp.patched")
    stamped = {}
    for each, answer in zip(unstamped, answers, strict=True):
        if isinstance(answer, ApiError):
            log.warning("invoice %d was not stamped: %s", each.invoice.id, answer)
        else:
            stamped[each.invoice.id] = each.reference
    ctx.invoices.stamped(stamped)
    ctx.session.commit()
    return len(stamped)


def _append(ctx: JobContext, each: _Unstamped) -> Invoice:
    there = (each.invoice.comments or "").rstrip()
    comments = f"{there}\n{each.reference}" if there else each.reference
    return ctx.api.update_invoice(each.invoice.contract_id, each.invoice.id, {"comments": comments})


def _unstamped(ctx: JobContext, look: Look) -> Iterator[_Unstamped]:
    fresh = {(p.rule_id, p.issue_date): p for p in ctx.periods.some([p.id for p in look.periods.values()])}
    makers = ctx.invoices.makers(p.invoice_id for p in fresh.values() if p.invoice_id is not None)
    for period in fresh.values():
        invoice = look.invoices.get(period.invoice_id or 0)
        if period.state != PeriodState.ISSUED or invoice is None or invoice.state == InvoiceState.CANCELLED:
            continue
        wanted = Reference(period.rule_id, period.issue_date, period.reference_sequence)
        if makers.get(invoice.id) is MadeBy.VENDOR and wanted not in references_in(invoice.comments):
            yield _Unstamped(invoice, reference(ctx.organization_id, *wanted))
