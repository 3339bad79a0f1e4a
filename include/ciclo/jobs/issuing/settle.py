"""Settling: what became of the periods whose request got no answer.

Absence proves something only after the grace period: until then the vendor may still carry the request out, and only
Ciclo's own reference proves that it did. The vendor is read after `now` is taken, so that whatever was there by then is
seen. What is certainly not there is planned again, once: a second lost answer for a period is for a person, because
somebody who cannot find what he sent must not go on sending.

What a window has come to is said here, too.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from ciclo.billimatic.models import Invoice
from ciclo.domain.money import brl
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.domain.wording import said
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.adopt import contest_reason, record_adopted, stamp
from ciclo.jobs.issuing.look import Look, look_at
from ciclo.jobs.issuing.match import PeriodKey, reference, references_in
from ciclo.jobs.issuing.record import Found, reason_about
from ciclo.ledger.repositories import Scope, StateCount
from ciclo.ledger.tables import Period
from ciclo.locale import _

LOST_AT_MOST = 2
"""Answers lost for one period after which a person looks before it is sent again."""


class StillInDoubtError(Exception):
    """Something of the window has no known outcome yet: try again when the grace period is over."""

    def __init__(self, in_doubt: int, submitting: int, ready_at: datetime | None) -> None:
        self.ready_at = ready_at
        text = _("{in_doubt} periods are in doubt and {submitting} are being submitted")
        said = text.format(in_doubt=in_doubt, submitting=submitting)
        if ready_at:
            when = _("it can be settled from {instant} UTC on").format(instant=f"{ready_at:%Y-%m-%d %H:%M:%S}")
            said = f"{said}; {when}"
        super().__init__(said)


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

    One remote invoice: it is adopted. Several: parked. None, after the grace period: the period is planned again the
    first time, and parked the second, or where a reconciliation has seen its invoice since. However old a doubt is, it
    is settled: the scope's window has an end here and no beginning.
    """
    now = ctx.clock()
    outcome = IssueOutcome()
    rows = ctx.periods.unanswered(replace(scope, window=DateRange(date.min, scope.window.end)), now)
    for period in rows:
        if period.state == PeriodState.SUBMITTING:
            _abandon(ctx, period, options.grace, now)
    ctx.session.commit()
    failpoint("settle.abandoned")
    doubtful = {PeriodKey(row.rule_id, row.issue_date) for row in rows if row.state == PeriodState.IN_DOUBT}
    in_doubt = [row for row in rows if PeriodKey(row.rule_id, row.issue_date) in doubtful]
    for look in look_at(ctx, in_doubt, reached="settle.looked") if in_doubt else ():
        some = [period for key, period in look.periods.items() if key in doubtful]
        outcome.add(_settle_some(ctx, look, some, now))
        failpoint("settle.settling")
        ctx.session.commit()
        failpoint("settle.settled")
        stamp(ctx, look, options)
    return outcome


def _abandon(ctx: JobContext, period: Period, grace: timedelta, now: datetime) -> None:
    """Take a claim from a run that is gone: its request may have been sent until the lease ended."""
    reason = Reason(ReasonKind.CLAIM_EXPIRED, {"owner": period.owner})
    until = (period.lease_until or now) + grace
    ctx.periods.doubt([period], reason=reason, until=until, at=now, answer_lost=True)


def _settle_some(ctx: JobContext, look: Look, periods: list[Period], now: datetime) -> IssueOutcome:
    outcome = IssueOutcome()
    found: list[Found] = []
    arrived = ctx.invoices.with_reference({_reference_of(period) for period in periods}, look.contract_ids)
    for period in periods:
        if period.state != PeriodState.IN_DOUBT:
            continue  # its run came back while we were about to take its claim
        key = PeriodKey(period.rule_id, period.issue_date)
        may_still_come = period.doubt_until is not None and now < period.doubt_until
        own = look.assignment.own.get(key)
        if own is not None and (not may_still_come or _is_marked(look.invoices[own.id], key)):
            found.append(look.found(period, look.invoices[own.id]))
        elif key in look.assignment.contested and not may_still_come:
            reason = contest_reason(period, look.assignment.contested[key])
            outcome.parked += len(ctx.periods.park([period], reason=reason, at=now))
        elif may_still_come:
            outcome.in_doubt += 1
        elif _reference_of(period) in arrived:  # a reconciliation has seen it since: somebody removed it
            reason = reason_about(period, ReasonKind.REMOVED_AT_VENDOR)
            outcome.parked += len(ctx.periods.park([period], reason=reason, at=now))
        elif period.lost_answers >= LOST_AT_MOST:
            reason = reason_about(period, ReasonKind.LOST_TWICE)
            outcome.parked += len(ctx.periods.park([period], reason=reason, at=now))
        else:
            reason = Reason(ReasonKind.NOT_AT_VENDOR)
            outcome.replanned += len(ctx.periods.replan([period], reason=reason, at=now))
    outcome.adopted += record_adopted(ctx, look, found)
    return outcome


def _reference_of(period: Period) -> str:
    return reference(period.organization_id, period.rule_id, period.issue_date, period.reference_sequence)


def _is_marked(invoice: Invoice, key: PeriodKey) -> bool:
    return any((found.rule_id, found.issue_date) == key for found in references_in(invoice.comments))


def still_open(ctx: JobContext, scope: Scope) -> StillOpen:
    """Return what of the scope is sent or in doubt, and when it can be settled."""
    rows = ctx.periods.in_state(PeriodState.IN_DOUBT, PeriodState.SUBMITTING, scope=scope)
    ends = [end for row in rows if (end := row.doubt_until or row.lease_until) is not None]
    doubtful = sum(row.state == PeriodState.IN_DOUBT for row in rows)
    return StillOpen(doubtful, len(rows) - doubtful, max(ends, default=None))


# -- how a window stands -----------------------------------------------------------------------------------------------

REASONS_SHOWN = 50


class NothingBilledError(Exception):
    """Periods were due and none of them became an invoice: a green run would hide it."""

    def __init__(self, parked: int, waiting: int, first_reason: str | None) -> None:
        text = _("nothing was billed: {parked} periods are parked and {waiting} wait")
        said = text.format(parked=parked, waiting=waiting)
        if first_reason:
            before = _("the first reason: {reason}").format(reason=first_reason)
            said = f"{said}; {before}"
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """The periods of a window by state."""

    totals: dict[PeriodState, StateCount]
    parked: list[str]
    """Reasons, the oldest first."""
    oldest_doubt: datetime | None = None
    """Since when the oldest of those in doubt is."""

    def counts(self) -> dict[str, int]:
        """Return how many periods are in each state."""
        return {state.value: total.periods for state, total in self.totals.items()}

    @property
    def billed(self) -> Decimal:
        """BRL of what is issued."""
        return self.totals[PeriodState.ISSUED].amount

    def lines(self) -> list[str]:
        """Return the summary as lines for a log."""
        table = [
            f"  {state.value:<11}{total.periods:>8} {brl(total.amount):>20}"
            for state, total in self.totals.items()
            if total.periods
        ]
        reasons = [f"  parked: {reason}" for reason in self.parked[:REASONS_SHOWN]]
        more = len(self.parked) - REASONS_SHOWN
        return [*table, *reasons, *([f"  … and {more} more"] if more > 0 else [])]


def summarize_window(ctx: JobContext, scope: Scope) -> WindowSummary:
    """Return how the window stands in the ledger."""
    parked = ctx.periods.in_state(PeriodState.PARKED, scope=scope)
    doubtful = ctx.periods.in_state(PeriodState.IN_DOUBT, scope=scope)
    return WindowSummary(
        ctx.periods.totals(scope),
        [said(period.reason, "no reason given") for period in parked],
        min((period.changed_at for period in doubtful), default=None),
    )


def require_billing(summary: WindowSummary) -> None:
    """Refuse a window in which something was due and nothing was billed.

    Raises:
        NothingBilledError: naming the first reason.
    """
    parked = summary.totals[PeriodState.PARKED].periods
    waiting = summary.totals[PeriodState.WAITING].periods
    if not summary.totals[PeriodState.ISSUED].periods and (parked or waiting):
        raise NothingBilledError(parked, waiting, summary.parked[0] if summary.parked else None)
