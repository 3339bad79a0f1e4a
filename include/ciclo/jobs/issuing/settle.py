"""Settling: what became of the periods whose request got no answer, and what was at the vendor before we came.

Absence proves something only after the grace period: until then the vendor may still carry the request out. The
vendor is read after `now` is taken, so that whatever was there by then is seen.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from ciclo.billimatic.models import Invoice
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.invoice_request import InvoiceRequests
from ciclo.jobs.issuing.match import Place, Places, RemoteInvoices, Wanted
from ciclo.jobs.issuing.record import Found, record_issued
from ciclo.ledger.repositories import Scope
from ciclo.ledger.repositories.periods import Seen
from ciclo.ledger.tables import Period

CHUNK = 500
"""Periods settled in one transaction."""

LOOK_AT_ONCE = 5000
"""Planned periods looked for in one reading, and more only if they share a day."""

LONELY = timedelta(days=7)
"""Days without any period of interest that are not worth reading."""


class StillInDoubtError(Exception):
    """Something of the window has no known outcome yet: try again when the grace period is over."""

    def __init__(self, in_doubt: int, submitting: int, ready_at: datetime | None) -> None:
        self.ready_at = ready_at
        when = f"; it can be settled from {ready_at:%Y-%m-%d %H:%M:%S} UTC on" if ready_at else ""
        super().__init__(f"{in_doubt} periods are in doubt and {submitting} are being submitted{when}")


@dataclass(frozen=True, slots=True)
class StillOpen:
    """What a later run has to settle."""

    in_doubt: int
    submitting: int
    ready_at: datetime | None
    """When the last grace period or lease of them is over."""

    def __bool__(self) -> bool:
        return bool(self.in_doubt or self.submitting)


@dataclass(slots=True)
class Looked:
    """What a look found: what it adopted or parked, and the planned periods of which nothing is at the vendor."""

    outcome: IssueOutcome = field(default_factory=IssueOutcome)
    absent: list[Seen] = field(default_factory=list)


def settle(ctx: JobContext, scope: Scope, options: IssueOptions) -> IssueOutcome:
    """Find out what became of what is in doubt, and of claims whose lease has run out. Commits.

    One remote invoice: it is adopted. None, after the grace period: the period is planned again. Several: parked.
    However old a doubt is, it is settled: the scope's window has an end here and no beginning.
    """
    now = ctx.clock()
    outcome = IssueOutcome()
    rows = ctx.periods.unanswered(replace(scope, window=DateRange(date.min, scope.window.end)), now)
    for period in rows:
        if period.state == PeriodState.SUBMITTING:
            _abandon(ctx, period, options.grace, now)
    ctx.session.commit()
    failpoint("settle.abandoned")
    for start in range(0, len(rows), CHUNK):
        outcome.add(_settle_some(ctx, rows[start : start + CHUNK], now))
        failpoint("settle.settling")
        ctx.session.commit()
        failpoint("settle.settled")
    return outcome


def _abandon(ctx: JobContext, period: Period, grace: timedelta, now: datetime) -> None:
    """Take a claim from a run that is gone: its request may have been sent until the lease ended."""
    lease_until = period.lease_until or now
    reason = f"claimed by {period.owner}, which never came back"
    ctx.periods.doubt([period], reason=reason, until=lease_until + grace, at=now)


def _settle_some(ctx: JobContext, rows: Sequence[Period], now: datetime) -> IssueOutcome:
    outcome = IssueOutcome()
    wanted = _wanted(ctx, rows)
    kept = _read_remote(ctx, rows)
    failpoint("settle.looked")
    remote = _free(ctx, kept)
    found: list[Found] = []
    for period in rows:
        if period.state != PeriodState.IN_DOUBT:
            continue  # its run came back while we were about to take its claim
        match remote.candidates(wanted[period.id]):
            case [invoice]:
                remote.take(invoice)
                found.append(Found(period, invoice, adopted=True, reason=f"invoice {invoice.id} found at the vendor"))
            case [] if period.doubt_until is not None and now < period.doubt_until:
                outcome.in_doubt += 1
            case []:
                reason = "not at the vendor after the grace period: planned again"
                outcome.replanned += len(ctx.periods.replan([period], reason=reason, at=now))
            case several:
                outcome.parked += len(ctx.periods.park([period], reason=several_reason(period, several), at=now))
    outcome.adopted += record_issued(ctx, found)
    return outcome


def adopt_existing(ctx: JobContext, scope: Scope, *, owner: str, lease: timedelta) -> IssueOutcome:
    """Adopt what is at the vendor already for the scope's planned periods, before anything is created; see `look`."""
    return look(ctx, scope, owner=owner, lease=lease).outcome


def look(ctx: JobContext, scope: Scope, *, owner: str, lease: timedelta) -> Looked:
    """Look first: read the vendor's invoices for the scope's planned periods and adopt what is there. Commits.

    Reads the organization's invoices of those days once, a hundred a page. Several matches for a period: parked. What
    becomes planned while it reads is not in the result: nobody has looked for that.
    """
    looked = Looked()
    planned = ctx.periods.planned(scope)
    ctx.session.commit()
    for part in _by_days(planned):
        kept = _read_remote(ctx, part)
        failpoint("adopt.looked")
        matches = _matches(ctx, part, _free(ctx, kept))
        looked.outcome.add(_adopt(ctx, matches, owner=owner, lease=lease))
        looked.absent += [each for each in part if each.period_id not in matches]
        ctx.session.expunge_all()
    return looked


def _matches(ctx: JobContext, part: Sequence[Seen], remote: RemoteInvoices) -> dict[int, list[Invoice]]:
    """Return by period the invoices that may be its own; no invoice stands at two periods.

    Most days nothing is there yet: what a period's invoice would look like is asked only where something is.
    """
    matches: dict[int, list[Invoice]] = {}
    near = [each.period_id for each in part if remote.near(each, ctx.organization_id)]
    periods = ctx.periods.some(near)
    wanted = _wanted(ctx, periods)
    for period in periods:
        candidates = remote.candidates(wanted[period.id])
        for invoice in candidates:
            remote.take(invoice)
        if candidates:
            matches[period.id] = candidates
    return matches


def _adopt(ctx: JobContext, matches: dict[int, list[Invoice]], *, owner: str, lease: timedelta) -> IssueOutcome:
    now = ctx.clock()
    claimed = ctx.periods.claim_these(matches, owner=owner, lease_until=now + lease, at=now) if matches else []
    outcome = IssueOutcome()
    found: list[Found] = []
    for period in claimed:
        match matches[period.id]:
            case [invoice]:
                found.append(Found(period, invoice, adopted=True, reason=f"invoice {invoice.id} was there already"))
            case several:
                outcome.parked += len(ctx.periods.park([period], reason=several_reason(period, several), at=now))
    outcome.adopted += record_issued(ctx, found)
    failpoint("adopt.adopting")
    ctx.session.commit()
    failpoint("adopt.adopted")
    return outcome


def several_reason(period: Period, invoices: Sequence[Invoice]) -> str:
    """Say that a period has more than one invoice, and which."""
    ids = ", ".join(str(invoice.id) for invoice in invoices)
    return (
        f"contract {period.contract_id}, rule {period.rule_id}, period {period.issue_date}: "
        f"{len(invoices)} invoices at the vendor may be its own: {ids}"
    )


def _wanted(ctx: JobContext, periods: Iterable[Period]) -> dict[int, Wanted]:
    """Return by period what its invoice would look like; no transaction is left open."""
    rows = list(periods)
    book = InvoiceRequests(ctx, rows)
    wanted = {period.id: book.wanted(period) for period in rows}
    ctx.session.commit()
    return wanted


def _read_remote(ctx: JobContext, places: Sequence[Place]) -> list[Invoice]:
    """Read the invoices of the periods' days and keep those that may be one of theirs."""
    wanted = Places(ctx.organization_id, places)
    return [
        invoice
        for window in _windows(place.issue_date for place in places)
        for invoice in ctx.api.search_invoices(issue_date_from=window.start, issue_date_to=window.last_day).whole()
        if invoice in wanted
    ]


def _free(ctx: JobContext, invoices: Sequence[Invoice]) -> RemoteInvoices:
    """Return the invoices to match with, without those that belong to a period by now."""
    taken: set[int] = set()
    for start in range(0, len(invoices), LOOK_AT_ONCE):
        taken |= ctx.invoices.taken([invoice.id for invoice in invoices[start : start + LOOK_AT_ONCE]])
    return RemoteInvoices(invoices, taken=taken)


def _windows(days: Iterable[date]) -> Iterator[DateRange]:
    """Cover days by few windows: one that was left behind years ago does not make us read the years since."""
    start = last = None
    for day in sorted(set(days)):
        if start is None or last is None:
            start = day
        elif day - last > LONELY:
            yield DateRange.days(start, last)
            start = day
        last = day
    if start is not None and last is not None:
        yield DateRange.days(start, last)


def _by_days(planned: Sequence[Seen]) -> Iterator[list[Seen]]:
    """Split what is planned, which is in order of days, so that no day is read twice."""
    part: list[Seen] = []
    for each in planned:
        if len(part) >= LOOK_AT_ONCE and each.issue_date != part[-1].issue_date:
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def still_open(ctx: JobContext, scope: Scope) -> StillOpen:
    """Return what of the scope is sent or in doubt, and when it can be settled."""
    rows = ctx.periods.in_state(PeriodState.IN_DOUBT, PeriodState.SUBMITTING, scope=scope)
    ends = [end for row in rows if (end := row.doubt_until or row.lease_until) is not None]
    doubtful = sum(row.state == PeriodState.IN_DOUBT for row in rows)
    return StillOpen(doubtful, len(rows) - doubtful, max(ends, default=None))
