"""Settling: what became of the periods whose request got no answer, and what was at the vendor before we came.

Absence proves something only after the grace period: until then the vendor may still carry the request out. The
vendor is read after `now` is taken, so that whatever was there by then is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ciclo.api.models import Invoice
from ciclo.domain.period_states import PeriodState
from ciclo.domain.periods import DateRange
from ciclo.jobs.context import JobContext
from ciclo.jobs.issue import IssueOptions, IssueOutcome
from ciclo.jobs.matching import RemoteInvoices
from ciclo.jobs.orders import OrderBook
from ciclo.jobs.recording import Found, record_issued
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Period

CHUNK = 500
"""Periods settled or adopted in one transaction."""


@dataclass(frozen=True, slots=True)
class StillOpen:
    """What a later run has to settle."""

    in_doubt: int
    submitting: int
    ready_at: datetime | None
    """When the last grace period or lease of them is over."""

    def __bool__(self) -> bool:
        return bool(self.in_doubt or self.submitting)


def settle(ctx: JobContext, scope: Scope, options: IssueOptions) -> IssueOutcome:
    """Find out what became of what is in doubt, and of claims whose lease has run out. Commits.

    One remote invoice: it is adopted. None, after the grace period: the period is planned again. Several: parked.
    """
    now = ctx.clock()
    outcome = IssueOutcome()
    rows = ctx.periods.unanswered(scope, now)
    for period in rows:
        if period.state == PeriodState.SUBMITTING:
            _abandon(ctx, period, options.grace, now)
    ctx.session.commit()
    for start in range(0, len(rows), CHUNK):
        outcome.add(_settle_some(ctx, rows[start : start + CHUNK], now))
        ctx.session.commit()
    return outcome


def _abandon(ctx: JobContext, period: Period, grace: timedelta, now: datetime) -> None:
    """Take a claim from a run that is gone: its request may have been sent until the lease ended."""
    lease_until = period.lease_until or now
    reason = f"claimed by {period.owner}, which never came back"
    ctx.periods.doubt([period], reason=reason, until=lease_until + grace, at=now)


def _settle_some(ctx: JobContext, rows: Sequence[Period], now: datetime) -> IssueOutcome:
    outcome = IssueOutcome()
    remote = _read_remote(ctx, rows)
    book = OrderBook(ctx, rows)
    found: list[Found] = []
    for period in rows:
        candidates = remote.candidates(book.wanted(period))
        match candidates:
            case [invoice]:
                remote.take(invoice)
                found.append(Found(period, invoice, adopted=True, reason=f"invoice {invoice.id} found at the vendor"))
            case [] if period.doubt_until is not None and now < period.doubt_until:
                outcome.in_doubt += 1
            case []:
                reason = "not at the vendor after the grace period: planned again"
                ctx.periods.replan([period], reason=reason, at=now)
                outcome.replanned += 1
            case several:
                ctx.periods.park([period], reason=several_reason(period, several), at=now)
                outcome.parked += 1
    record_issued(ctx, found)
    outcome.adopted += len(found)
    return outcome


def adopt_existing(ctx: JobContext, scope: Scope, *, owner: str, lease: timedelta) -> IssueOutcome:
    """Look first: adopt what is at the vendor already for the scope's planned periods, before anything is created.

    Reads the organization's invoices of the window once, a hundred a page. Several matches for a period: parked.
    """
    outcome = IssueOutcome()
    planned = ctx.periods.in_state(PeriodState.PLANNED, scope=scope)
    ctx.session.commit()
    for start in range(0, len(planned), CHUNK * 10):
        part = planned[start : start + CHUNK * 10]
        remote = _read_remote(ctx, part)
        outcome.add(_adopt_some(ctx, part, remote, owner=owner, lease=lease))
    return outcome


def _adopt_some(
    ctx: JobContext, planned: Sequence[Period], remote: RemoteInvoices, *, owner: str, lease: timedelta
) -> IssueOutcome:
    book = OrderBook(ctx, planned)
    matches: dict[int, list[Invoice]] = {}
    for period in planned:
        candidates = remote.candidates(book.wanted(period))
        if candidates:
            matches[period.id] = candidates
            for invoice in candidates:
                remote.take(invoice)
    now = ctx.clock()
    claimed = ctx.periods.claim_these(matches, owner=owner, lease_until=now + lease, at=now) if matches else []
    outcome = IssueOutcome()
    found: list[Found] = []
    for period in claimed:
        match matches[period.id]:
            case [invoice]:
                found.append(Found(period, invoice, adopted=True, reason=f"invoice {invoice.id} was there already"))
            case several:
                ctx.periods.park([period], reason=several_reason(period, several), at=now)
                outcome.parked += 1
    record_issued(ctx, found)
    ctx.session.commit()
    outcome.adopted += len(found)
    return outcome


def several_reason(period: Period, invoices: Sequence[Invoice]) -> str:
    """Say that a period has more than one invoice, and which."""
    ids = ", ".join(str(invoice.id) for invoice in invoices)
    return (
        f"contract {period.contract_id}, rule {period.rule_id}, period {period.issue_date}: "
        f"{len(invoices)} invoices at the vendor may be its own: {ids}"
    )


def _read_remote(ctx: JobContext, periods: Sequence[Period]) -> RemoteInvoices:
    days = [period.issue_date for period in periods]
    window = DateRange.days(min(days), max(days))
    invoices = list(ctx.api.search_invoices(issue_date_from=window.start, issue_date_to=window.last_day))
    return RemoteInvoices(invoices, taken=ctx.invoices.taken([invoice.id for invoice in invoices]))


def still_open(ctx: JobContext, scope: Scope) -> StillOpen:
    """Return what of the scope is sent or in doubt, and when it can be settled."""
    rows = ctx.periods.in_state(PeriodState.IN_DOUBT, PeriodState.SUBMITTING, scope=scope)
    ends = [end for row in rows if (end := row.doubt_until or row.lease_until) is not None]
    doubtful = sum(row.state == PeriodState.IN_DOUBT for row in rows)
    return StillOpen(doubtful, len(rows) - doubtful, max(ends, default=None))
