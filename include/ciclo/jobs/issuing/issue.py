"""Issuing: the periods that are due become invoices, each exactly once (DESIGN, section 4).

The order is the protocol: look, claim, commit, POST, record, commit. Only what was looked for is claimed. A crash
between any two steps leaves rows that are `submitting` under a lease; `settle` finds out what became of them. No row is
sent twice on a guess.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from ciclo.billimatic import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
)
from ciclo.billimatic.models import Invoice
from ciclo.domain.money import brl
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.invoice_request import InvoiceRequest, InvoiceRequests, Unbillable
from ciclo.jobs.issuing.record import Found, record_issued
from ciclo.jobs.issuing.settle import StillInDoubtError, look, settle, still_open
from ciclo.ledger.repositories import Scope
from ciclo.ledger.repositories.periods import Seen
from ciclo.ledger.tables import Period

RECORDED_AT_ONCE = 50
"""Answers recorded and committed together: what a crash leaves to be settled, at most, beside what is under way."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back for one request."""

    request: InvoiceRequest
    invoice: Invoice | None = None
    error: ApiError | None = None
    unsent: str | None = None
    """Why the request was never made."""


@dataclass(slots=True)
class _Batch:
    """Answers by what they mean for their periods."""

    created: list[Found] = field(default_factory=list)
    refused: list[tuple[Period, str]] = field(default_factory=list)
    lost: list[tuple[Period, str]] = field(default_factory=list)
    unsent: list[tuple[Period, str]] = field(default_factory=list)
    stop: ApiError | None = None


def issue_due_periods(ctx: JobContext, scope: Scope, options: IssueOptions, *, owner: str) -> IssueOutcome:
    """Create the invoices of the scope's planned periods whose turn it is.

    Args:
        ctx: the run; its session is committed at every step of the protocol.
        scope: window of issue dates, contracts, shard.
        options: concurrency, lease and grace.
        owner: a name that no other process uses, for the claims.

    Raises:
        AuthenticationError: the token is not accepted; what was claimed is left in doubt and settled by the next run.
        LeaseTooShortError: the options and the connection do not fit together.
    """
    options.require_lease(ctx.api)
    outcome = IssueOutcome(waiting=hold_back(ctx, scope))
    looked = look(ctx, scope, owner=owner, lease=options.lease)
    outcome.add(looked.outcome)
    for start in range(0, len(looked.absent), options.batch):
        claimed = _claim(ctx, looked.absent[start : start + options.batch], options, owner)
        _issue_claimed(ctx, claimed, options, outcome)
        ctx.session.expunge_all()
    return outcome


def finish_issuing(ctx: JobContext, scope: Scope, options: IssueOptions, *, owner: str) -> IssueOutcome:
    """Settle the window, issue what was planned again, and refuse to end while something is in doubt.

    Raises:
        StillInDoubtError: a grace period or a lease is not over; a retry later goes on.
    """
    outcome = settle(ctx, scope, options)
    failpoint("finish.settled")
    outcome.add(issue_due_periods(ctx, scope, options, owner=owner))
    unknown = still_open(ctx, scope)
    if unknown:
        raise StillInDoubtError(unknown.in_doubt, unknown.submitting, unknown.ready_at)
    return outcome


def hold_back(ctx: JobContext, scope: Scope) -> int:
    """Let periods wait for unsettled price updates of their rule, and let go of those that need no longer. Commits."""
    now = ctx.clock()
    free = ctx.periods.free_again(scope)
    ctx.periods.replan(free, reason="the price updates of its rule are settled", at=now)
    held = ctx.periods.wait(ctx.periods.held_back(scope), reason="a price update of its rule is not settled", at=now)
    ctx.session.commit()
    return len(held)


def _claim(ctx: JobContext, looked_for: Sequence[Seen], options: IssueOptions, owner: str) -> list[Period]:
    now = ctx.clock()
    claimed = ctx.periods.claim_seen(looked_for, owner=owner, lease_until=now + options.lease, at=now)
    failpoint("issue.claiming")
    ctx.session.commit()  # before any POST: from here on nobody else may send these
    failpoint("issue.claimed")
    return claimed


def _issue_claimed(ctx: JobContext, claimed: Sequence[Period], options: IssueOptions, outcome: IssueOutcome) -> None:
    invoice_requests = InvoiceRequests(ctx, claimed)
    written = [_as_approved(invoice_requests.write(period), options) for period in claimed]
    unbillable = [entry for entry in written if isinstance(entry, Unbillable)]
    if unbillable:
        outcome.parked += _park(ctx, [(entry.period, entry.reason) for entry in unbillable])
        ctx.session.commit()
    requests = [entry for entry in written if isinstance(entry, InvoiceRequest)]
    ctx.session.commit()  # no transaction stays open while requests are under way
    stop: ApiError | None = None
    for answers in _post(ctx, requests, options):
        batch = _sort(answers)
        _record(ctx, batch, options, outcome)
        failpoint("issue.recording")
        ctx.session.commit()
        failpoint("issue.recorded")
        stop = stop or batch.stop
    if stop is not None:
        raise stop


def _as_approved(entry: InvoiceRequest | Unbillable, options: IssueOptions) -> InvoiceRequest | Unbillable:
    """Refuse a request whose amount is not the one that was approved."""
    if options.approved is None or isinstance(entry, Unbillable):
        return entry
    approved = options.approved.get(entry.period.id)
    if approved == entry.gross_value:
        return entry
    place = f"contract {entry.period.contract_id}, rule {entry.period.rule_id}, period {entry.period.issue_date}"
    was = brl(approved) if approved is not None else "no amount"
    return Unbillable(entry.period, f"{place}: {was} was approved, by now it is {brl(entry.gross_value)}")


def _post(ctx: JobContext, requests: Sequence[InvoiceRequest], options: IssueOptions) -> Iterator[list[_Answer]]:
    """Send requests with bounded concurrency and yield their answers in order, some at a time, while others are sent.

    Nothing more is sent once the API refuses the token, or the caller goes no further.
    """
    deadline = _deadline(ctx, requests, options)
    over = Event()
    with ThreadPoolExecutor(options.concurrency) as pool:
        sent = [pool.submit(_send, ctx, request, deadline, over) for request in requests]
        try:
            for start in range(0, len(sent), RECORDED_AT_ONCE):
                yield [future.result() for future in sent[start : start + RECORDED_AT_ONCE]]
        finally:
            over.set()


def _deadline(ctx: JobContext, requests: Sequence[InvoiceRequest], options: IssueOptions) -> datetime:
    """Return when the last POST may begin: whatever it takes, it ends with the claim."""
    ends = [request.period.lease_until for request in requests if request.period.lease_until is not None]
    return min(ends, default=ctx.clock() + options.lease) - timedelta(seconds=ctx.api.longest_request)


def _send(ctx: JobContext, request: InvoiceRequest, deadline: datetime, over: Event) -> _Answer:
    if over.is_set():
        return _Answer(request, unsent="the API refused the token, or the run ended")
    failpoint("issue.posting")
    try:
        time_left = (deadline - ctx.clock()).total_seconds()  # retries and pauses end with the claim, too
        invoice = ctx.api.create_invoice(request.period.contract_id, request.body, within=time_left)
        failpoint("issue.posted")
        return _Answer(request, invoice=invoice)
    except AuthenticationError as error:
        over.set()
        return _Answer(request, error=error)
    except ApiError as error:
        return _Answer(request, error=error)


def _sort(answers: Iterable[_Answer]) -> _Batch:
    batch = _Batch()
    for answer in answers:
        period = answer.request.period
        match answer:
            case _Answer(invoice=Invoice() as invoice):
                batch.created.append(Found(period, invoice, adopted=False, reason=f"invoice {invoice.id} created"))
            case _Answer(error=RejectedError() | NotFoundError() | BadRequestError() as error):
                batch.refused.append((period, _refusal(period, error)))
            case _Answer(error=AuthenticationError() as error):
                batch.stop = error
                batch.unsent.append((period, str(error)))
            case _Answer(error=OutcomeUnknownError() as error):
                batch.lost.append((period, f"sent, answer unknown: {error}"))
            case _Answer(error=ApiError() as error):
                batch.unsent.append((period, f"not sent: {error}"))
            case _Answer(unsent=reason):
                batch.unsent.append((period, f"not sent: {reason}"))
    return batch


def _refusal(period: Period, error: ApiError) -> str:
    place = f"contract {period.contract_id}, rule {period.rule_id}, period {period.issue_date}"
    if isinstance(error, NotFoundError):
        return f"{place}: contract {period.contract_id} is no longer at the vendor"
    fields = error.fields if isinstance(error, RejectedError) else {}
    messages = "; ".join(f"{name}: {message}" for name, message in sorted(fields.items()))
    return f"{place}: the API refused the invoice: {messages or error.reason}"


def _record(ctx: JobContext, batch: _Batch, options: IssueOptions, outcome: IssueOutcome) -> None:
    now = ctx.clock()
    if batch.created:
        outcome.created += record_issued(ctx, batch.created)
    outcome.parked += _park(ctx, batch.refused)
    for period, reason in batch.lost:
        outcome.in_doubt += len(ctx.periods.doubt([period], reason=reason, until=now + options.grace, at=now))
    for period, reason in batch.unsent:
        outcome.in_doubt += len(ctx.periods.doubt([period], reason=reason, until=now, at=now))


def _park(ctx: JobContext, refused: Iterable[tuple[Period, str]]) -> int:
    now = ctx.clock()
    return sum(len(ctx.periods.park([period], reason=reason, at=now)) for period, reason in refused)
