"""Issuing: the periods that are due become invoices, each exactly once.

The order is the protocol: read the contracts that are due, look, claim, commit, POST, record, commit. Only what was
read and looked for is claimed. A crash between any two steps leaves rows that are `submitting` under a lease; `settle`
finds out what became of them. No row is sent twice on a guess.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from ciclo.billimatic import (
    ApiError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    concerns_all,
)
from ciclo.billimatic.models import Invoice
from ciclo.domain.states import Reason, ReasonKind
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.adopt import Absent
from ciclo.jobs.issuing.invoice_request import InvoiceRequest, InvoiceRequests, Unbillable
from ciclo.jobs.issuing.match import Reference, references_in
from ciclo.jobs.issuing.record import Found, reason_about, record_issued
from ciclo.jobs.issuing.settle import StillInDoubtError, settle, still_open
from ciclo.jobs.periods.expand import read_due
from ciclo.jobs.runs import require_no_pause
from ciclo.ledger.actions import skip_periods
from ciclo.ledger.repositories import Scope
from ciclo.ledger.repositories.periods import PlannedPeriod
from ciclo.ledger.tables import Period
from ciclo.locale import N_, Text

RECORDED_AT_ONCE = 50
"""Answers recorded and committed together: what a crash leaves to be settled, at most, beside what is under way."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back for one request: an invoice, an error, or neither, where it was never made."""

    request: InvoiceRequest
    invoice: Invoice | None = None
    error: ApiError | None = None


@dataclass(slots=True)
class _Batch:
    """Answers by what they mean for their periods."""

    created: list[Found] = field(default_factory=list)
    refused: list[tuple[Period, Reason]] = field(default_factory=list)
    lost: list[tuple[Period, Reason]] = field(default_factory=list)
    unsent: list[tuple[Period, Reason]] = field(default_factory=list)
    stop: ApiError | None = None


def issue_due_periods(ctx: JobContext, scope: Scope, options: IssueOptions, *, owner: str) -> IssueOutcome:
    """Create the invoices of the scope's planned periods whose turn it is, by the contracts' terms as they are now.

    Args:
        ctx: the run; its session is committed at every step of the protocol.
        scope: window of issue dates, contracts, shard.
        options: concurrency, lease and grace.
        owner: a name that no other process uses, for the claims.

    Raises:
        AuthenticationError: the token is not accepted; what was claimed is left in doubt and settled by the next run.
        LeaseTooShortError: the options and the connection do not fit together.
        VendorPausedError: the vendor has asked another task for a pause; what is claimed by then is settled later.
    """
    options.require_lease(ctx.api)
    due = ctx.periods.open_contracts(scope)
    if not due:  # as on most days; what is parked may be given up all the same
        skip_periods(ctx.session, ctx.organization_id, ctx.actor, scope, at=ctx.clock())
        ctx.session.commit()
        return IssueOutcome()
    ctx.session.commit()
    asked_for = scope.window if scope.plan_id is not None else None
    read = set(read_due(ctx, due, today=ctx.today, asked_for=asked_for).read)
    outcome = IssueOutcome(waiting=hold_back(ctx, scope))
    planned = [each for each in ctx.periods.planned(scope) if each.contract_id in read]
    ctx.session.commit()
    absent = Absent(ctx, planned, options, owner=owner)
    _create(ctx, absent, options, owner, outcome)
    outcome.add(absent.outcome)
    return outcome


def _create(ctx: JobContext, absent: Absent, options: IssueOptions, owner: str, outcome: IssueOutcome) -> None:
    """Claim, send and record what is absent at the vendor, batch by batch.

    The next batch is looked for and claimed while the last answers of the one before are under way. Nothing more is
    sent once the API refuses the token or wants a long pause, or the run goes no further.
    """
    over = Event()
    under_way: deque[Future[_Answer]] = deque()
    with ThreadPoolExecutor(options.concurrency) as pool:
        try:
            while batch := absent.next_batch():
                require_no_pause(ctx)  # another shard may have been asked for one meanwhile
                requests = _written(ctx, _claim(ctx, batch, options, owner), options, outcome)
                deadline = _deadline(ctx, requests, options)
                under_way += [pool.submit(_send, ctx, request, deadline, over) for request in requests]
                while len(under_way) > (options.batch if absent.is_to_look else options.batch // 2):
                    _record_next(ctx, under_way, options, outcome)
            while under_way:
                _record_next(ctx, under_way, options, outcome)
        except ApiError:  # what is under way is recorded all the same
            over.set()
            while under_way:
                with suppress(ApiError):
                    _record_next(ctx, under_way, options, outcome)
            raise
        finally:
            over.set()


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
    """Give up what is not to be billed, let periods wait for price updates or quantities, let go of others. Commits."""
    now = ctx.clock()
    skip_periods(ctx.session, ctx.organization_id, ctx.actor, scope, at=now)
    for period in ctx.periods.free_again(scope):
        measured = period.reason is not None and period.reason.kind is ReasonKind.QUANTITIES_MISSING
        why = ReasonKind.QUANTITIES_CAME if measured else ReasonKind.UPDATE_SETTLED
        ctx.periods.replan([period], reason=Reason(why), at=now)
    held = ctx.periods.held_back(scope)
    updates = ctx.scheduled_updates.of_rules({period.rule_id for period in held})
    waiting = 0
    for period in held:
        unsettled = sorted(
            (update.next_execution_date, update.price_index)
            for update in updates.get(period.rule_id, ())
            if update.next_execution_date is not None and update.next_execution_date <= period.issue_date
        )
        reason = reason_about(period, ReasonKind.QUANTITIES_MISSING)
        if unsettled:
            facts = {"execution_date": unsettled[0][0].isoformat(), "price_index": unsettled[0][1]}
            reason = Reason(ReasonKind.UPDATE_UNSETTLED, facts)
        waiting += len(ctx.periods.wait([period], reason=reason, at=now))
    ctx.session.commit()
    return waiting


def _claim(ctx: JobContext, looked_for: Sequence[PlannedPeriod], options: IssueOptions, owner: str) -> list[Period]:
    now = ctx.clock()
    claimed = ctx.periods.claim_planned(looked_for, owner=owner, lease_until=now + options.lease, at=now)
    failpoint("issue.claiming")
    ctx.session.commit()  # before any POST: from here on nobody else may send these
    failpoint("issue.claimed")
    return claimed


def _written(
    ctx: JobContext, claimed: Sequence[Period], options: IssueOptions, outcome: IssueOutcome
) -> list[InvoiceRequest]:
    """Write the requests of what was claimed, and park what cannot be billed. Commits."""
    invoice_requests = InvoiceRequests(ctx, claimed)
    written = [_as_approved(invoice_requests.write(period), options) for period in claimed]
    unbillable = [(entry.period, entry.reason) for entry in written if isinstance(entry, Unbillable)]
    outcome.parked += _park(ctx, unbillable)
    if unbillable:
        ctx.session.commit()
    requests = [entry for entry in written if isinstance(entry, InvoiceRequest)]
    bound = [((each.period.id, each.period.reference_sequence), each.adjustment_ids) for each in requests]
    ctx.adjustments.bind([(use, ids) for use, ids in bound if ids], at=ctx.clock())
    ctx.session.commit()  # no transaction stays open while requests are under way
    ctx.session.expunge_all()  # what was claimed stays as it was then, whatever is read meanwhile
    return requests


def _record_next(
    ctx: JobContext, under_way: "deque[Future[_Answer]]", options: IssueOptions, outcome: IssueOutcome
) -> None:
    """Record the next answers, in the order in which they were asked for. Commits.

    Raises:
        ApiError: one of them concerns every further request, or another task was asked for a pause; these are recorded.
    """
    answers = [under_way.popleft().result() for _ in range(min(RECORDED_AT_ONCE, len(under_way)))]
    batch = _sort(answers, _of_others(ctx, answers))
    _record(ctx, batch, options, outcome)
    failpoint("issue.recording")
    ctx.session.commit()
    failpoint("issue.recorded")
    ctx.session.expunge_all()
    if batch.stop is not None:
        raise batch.stop
    require_no_pause(ctx)  # what was not sent yet is taken back, as at a pause of one's own


def _as_approved(entry: InvoiceRequest | Unbillable, options: IssueOptions) -> InvoiceRequest | Unbillable:
    """Refuse a request whose amount is not the one that was approved."""
    if options.approved is None or isinstance(entry, Unbillable):
        return entry
    approved = options.approved.get(entry.period.id)
    if approved == entry.gross_value:
        return entry
    amounts = {"approved": str(approved) if approved is not None else None, "amount": str(entry.gross_value)}
    return Unbillable(entry.period, reason_about(entry.period, ReasonKind.ANOTHER_AMOUNT_APPROVED, **amounts))


def _deadline(ctx: JobContext, requests: Sequence[InvoiceRequest], options: IssueOptions) -> datetime:
    """Return when the last POST may begin: whatever it takes, it ends with the claim."""
    ends = [request.period.lease_until for request in requests if request.period.lease_until is not None]
    return min(ends, default=ctx.clock() + options.lease) - timedelta(seconds=ctx.api.longest_request)


def _send(ctx: JobContext, request: InvoiceRequest, deadline: datetime, over: Event) -> _Answer:
    if over.is_set():
        return _Answer(request)
    failpoint("issue.posting")
    try:
        time_left = (deadline - ctx.clock()).total_seconds()  # retries and pauses end with the claim, too
        invoice = ctx.api.create_invoice(request.period.contract_id, request.body, within=time_left)
        failpoint("issue.posted")
        return _Answer(request, invoice=invoice)
    except ApiError as error:
        if concerns_all(error):
            over.set()
        return _Answer(request, error=error)


def _sort(answers: Iterable[_Answer], of_others: Collection[int]) -> _Batch:
    batch = _Batch()
    for answer in answers:
        period = answer.request.period
        match answer:
            case _Answer(invoice=Invoice() as invoice) if _is_anothers(invoice, period, of_others):
                what = Text(N_("the answer is about something else: {what} {id}"), what="invoice", id=invoice.id)
                batch.lost.append((period, Reason(ReasonKind.NO_ANSWER, {"error": what.fact})))
            case _Answer(invoice=Invoice() as invoice):
                reason = Reason(ReasonKind.CREATED, {"invoice_id": invoice.id})
                ids = answer.request.adjustment_ids
                batch.created.append(Found(period, invoice, adopted=False, reason=reason, adjustment_ids=ids))
            case _Answer(error=NotFoundError()):
                batch.refused.append((period, reason_about(period, ReasonKind.CONTRACT_GONE)))
            case _Answer(error=RejectedError() as error):
                messages = "; ".join(f"{name}: {message}" for name, message in sorted(error.fields.items()))
                refusal = reason_about(period, ReasonKind.REFUSED, error=messages or error.stated)
                batch.refused.append((period, refusal))
            case _Answer(error=BadRequestError() as error):
                batch.refused.append((period, reason_about(period, ReasonKind.REFUSED, error=error.stated)))
            case _Answer(error=OutcomeUnknownError() as error):
                batch.stop = batch.stop or (error if concerns_all(error) else None)
                batch.lost.append((period, Reason(ReasonKind.NO_ANSWER, {"error": error.fact})))
            case _Answer(error=ApiError() as error):
                batch.stop = batch.stop or (error if concerns_all(error) else None)
                batch.unsent.append((period, Reason(ReasonKind.NOT_SENT, {"error": error.fact})))
            case _:
                why = Text(N_("the vendor refuses the token or wants a pause, or the run ended")).fact
                batch.unsent.append((period, Reason(ReasonKind.NOT_SENT, {"error": why})))
    return batch


def _of_others(ctx: JobContext, answers: Collection[_Answer]) -> set[int]:
    """Return the invoices without a reference that the ledger knew before they were answered, or that came twice."""
    times = Counter(each.invoice.id for each in answers if each.invoice is not None)
    named = {each.invoice.id for each in answers if each.invoice is not None and references_in(each.invoice.comments)}
    known = ctx.reconciliation.invoices(times.keys() - named)
    return {*known, *(number for number, often in times.items() if often > 1)}


def _is_anothers(invoice: Invoice, period: Period, of_others: Collection[int]) -> bool:
    """Whether an answer is that to another request: by its references, or without any where it is no new invoice."""
    named = references_in(invoice.comments)
    if not named:
        return invoice.id in of_others
    return Reference(period.rule_id, period.issue_date, period.reference_sequence) not in named


def _record(ctx: JobContext, batch: _Batch, options: IssueOptions, outcome: IssueOutcome) -> None:
    now = ctx.clock()
    if batch.created:
        outcome.created += record_issued(ctx, batch.created)
    outcome.parked += _park(ctx, batch.refused)
    for period, reason in batch.lost:
        until = now + options.grace
        outcome.in_doubt += len(ctx.periods.doubt([period], reason=reason, until=until, at=now, answer_lost=True))
    for period, reason in batch.unsent:
        outcome.in_doubt += len(ctx.periods.doubt([period], reason=reason, until=now, at=now))


def _park(ctx: JobContext, refused: Iterable[tuple[Period, Reason]]) -> int:
    now = ctx.clock()
    return sum(len(ctx.periods.park([period], reason=reason, at=now)) for period, reason in refused)
