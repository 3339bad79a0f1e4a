"""Adopting: what is at the vendor for planned periods is taken over; what cannot be told is parked; the rest is absent.

Looking comes before anything is created, and again as shortly before a batch is sent as the budget of requests allows.
An adopted invoice is stamped: it gets Ciclo's reference behind what stands in its comments, so that it is told at once.
A stamp that was lost is not repeated: the next look reads the comments, and stamps what has no reference then.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from threading import Event
from typing import NamedTuple

from ciclo.billimatic import ApiError, concerns_all
from ciclo.billimatic.models import Invoice, InvoiceState
from ciclo.domain.receivables import MadeBy
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.failpoints import failpoint
from ciclo.jobs.context import Gaps, IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.look import Look, Reading, looks, read_near, spans_of
from ciclo.jobs.issuing.match import (
    Contest,
    PeriodKey,
    Reference,
    RemoteInvoice,
    differences,
    reference,
    references_in,
)
from ciclo.jobs.issuing.record import Found, finding_of, one_too_many, reason_about, record_issued
from ciclo.ledger.repositories import Scope
from ciclo.ledger.repositories.periods import PlannedPeriod
from ciclo.ledger.tables import Period

log = logging.getLogger(__name__)

POSTS_OF_A_LOOK = 30
"""Invoices created for each request that looking again costs: the vendor is looked at as late as that allows."""

SENT_FIRST = 8
"""Absent periods for each connection that come first after a look, so that the connections are busy soon."""

LOOK_AT_ONCE = 5000
"""Planned periods looked for in one reading, and more only if they share a day."""

DECIDED_BY_A_PERSON = frozenset(
    {
        ReasonKind.RELEASED,
        ReasonKind.PLANNED_AGAIN,
        ReasonKind.BILLED_AGAIN,
        ReasonKind.NOT_ITS_OWN,
        ReasonKind.ITS_OWN,
    }
)
"""A period that is planned for one of these was looked at by a person: nobody is asked again whether it was removed."""
TO_BE_BILLED = frozenset({ReasonKind.PLANNED_AGAIN, ReasonKind.BILLED_AGAIN})
"""Said of a period for good, whatever lies beside it. A release answers no question about another invoice."""


def adopt_existing(ctx: JobContext, scope: Scope, options: IssueOptions, *, owner: str) -> IssueOutcome:
    """Adopt what is at the vendor already for the scope's planned periods, and park what cannot be told. Commits."""
    outcome = IssueOutcome()
    planned = ctx.periods.planned(scope)
    ctx.session.commit()
    for part in _by_days(planned):
        spans = spans_of(ctx, part)
        _take(ctx, part, spans, _read(ctx, spans), options, owner, outcome)
    return outcome


class Absent:
    """The planned periods of which nothing is at the vendor, batch by batch; adopts and parks the others on the way.

    A contract is judged when its turn comes, and all that is left is read anew as often as `POSTS_OF_A_LOOK` allow.
    What becomes planned meanwhile is not in it: nobody has looked for that.

    Attributes:
        outcome: what was adopted and parked by now.
    """

    def __init__(self, ctx: JobContext, planned: Sequence[PlannedPeriod], options: IssueOptions, *, owner: str) -> None:
        """Read nothing yet.

        Args:
            ctx: the run.
            planned: what to look for.
            options: how the run issues.
            owner: a name that no other process uses, for the claims.
        """
        self.outcome = IssueOutcome()
        self._ctx = ctx
        self._options = options
        self._owner = owner
        self._parts = _by_days(planned)
        self._unjudged: deque[list[PlannedPeriod]] = deque()
        """Of one part, by contract."""
        self._absent: deque[PlannedPeriod] = deque()
        """Of the contracts that were judged last."""
        self._spans: dict[int, DateRange] = {}
        self._reading = Reading({})
        self._good_for = 0
        """Periods for which the reading is not too old yet."""
        self._at_once = options.batch

    @property
    def is_to_look(self) -> bool:
        """Whether the vendor is read for the next batch."""
        return self._good_for == 0 or not (self._unjudged or self._absent)

    def next_batch(self) -> list[PlannedPeriod]:
        """Return the next absent periods, at most as many as are claimed at once; none at the end. Commits."""
        while self._unjudged or self._absent or self._begin():
            if self._good_for == 0:
                self._look()
            count = min(self._at_once, self._good_for)
            if self._at_once < self._good_for < 2 * self._at_once:
                count = -(-self._good_for // 2)  # the next look begins while enough is under way to keep it company
            while self._unjudged and len(self._absent) < count:
                self._judge(count - len(self._absent))
            if self._absent:
                batch = [self._absent.popleft() for _ in range(min(count, len(self._absent)))]
                self._good_for -= len(batch)
                self._at_once = self._options.batch
                return batch
        return []

    def _begin(self) -> bool:
        """Go on to the next days, if there are any. Commits."""
        part = next(self._parts, None)
        if part is None:
            return False
        self._spans = spans_of(self._ctx, part)
        self._unjudged = deque(_by_contract(part))
        self._good_for = 0
        return True

    def _look(self) -> None:
        """Read the vendor, for all that is left. Commits."""
        self._unjudged.extendleft(reversed(_by_contract(self._absent)))
        self._absent.clear()
        spans = {own[0].contract_id: self._spans[own[0].contract_id] for own in self._unjudged}
        self._reading = _read(self._ctx, spans)
        self._good_for = max(self._reading.requests * POSTS_OF_A_LOOK, self._options.batch)
        self._at_once = min(SENT_FIRST * self._options.concurrency, self._options.batch)

    def _judge(self, count: int) -> None:
        """Judge the next contracts, with so many planned periods or more. Commits."""
        some: list[PlannedPeriod] = []
        while self._unjudged and len(some) < count:
            some += self._unjudged.popleft()
        spans = {each.contract_id: self._spans[each.contract_id] for each in some}
        self._absent += _take(self._ctx, some, spans, self._reading, self._options, self._owner, self.outcome)


def _by_contract(planned: Iterable[PlannedPeriod]) -> list[list[PlannedPeriod]]:
    in_order = sorted(planned, key=lambda each: (each.contract_id, each.issue_date, each.period_id))
    return [list(own) for _, own in groupby(in_order, key=attrgetter("contract_id"))]


def _read(ctx: JobContext, spans: Mapping[int, DateRange]) -> Reading:
    """Read what is at the vendor near planned periods; nothing is changed yet."""
    return read_near(ctx, spans, reached="adopt.looked")


def _take(
    ctx: JobContext,
    planned: Sequence[PlannedPeriod],
    spans: Mapping[int, DateRange],
    reading: Reading,
    options: IssueOptions,
    owner: str,
    outcome: IssueOutcome,
) -> list[PlannedPeriod]:
    """Adopt and park what was read of planned periods; return those that are absent. Commits."""
    by_key = {PeriodKey(each.rule_id, each.issue_date): each for each in planned}
    absent: list[PlannedPeriod] = []
    for look in looks(ctx, spans, reading):
        mine = [by_key[key] for key in look.periods if key in by_key]
        absent += _decide(ctx, look, mine, options, owner, outcome)
    return absent


def _decide(
    ctx: JobContext,
    look: Look,
    planned: Sequence[PlannedPeriod],
    options: IssueOptions,
    owner: str,
    outcome: IssueOutcome,
) -> list[PlannedPeriod]:
    """Adopt and park what a look has found of planned periods; return those that are to be created."""
    now = ctx.clock()
    absent: list[PlannedPeriod] = []
    own: dict[int, Invoice] = {}
    for each in planned:
        key = PeriodKey(each.rule_id, each.issue_date)
        period = look.periods[key]
        if period.state != PeriodState.PLANNED or period.attempts != each.attempts:
            continue  # another run has it
        if key in look.assignment.own:
            own[period.id] = look.invoices[look.assignment.own[key].id]
        elif (reason := why_parked(look, period, options)) is not None:
            outcome.parked += len(ctx.periods.park([period], reason=reason, at=now))
        else:
            absent.append(each)
    foreign = [each for each in absent if _bills_another(look, each)]
    claimed = ctx.periods.claim_these(own, owner=owner, lease_until=now + options.lease, at=now) if own else []
    found = [look.found(period, own[period.id]) for period in claimed]
    outcome.adopted += record_adopted(ctx, look, found)
    failpoint("adopt.adopting")
    ctx.session.commit()
    failpoint("adopt.adopted")
    stamp(ctx, look, options)
    outcome.parked += _park_foreign(ctx, look, foreign)
    return [each for each in absent if each not in foreign]


def _bills_another(look: Look, planned: PlannedPeriod) -> bool:
    """Whether a rule names another customer than its contract: the API creates invoices for the contract's only."""
    ours = look.customers.get(planned.contract_id)
    theirs = look.wanted[PeriodKey(planned.rule_id, planned.issue_date)].customer_id
    return None not in (ours, theirs) and ours != theirs


def _park_foreign(ctx: JobContext, look: Look, foreign: Sequence[PlannedPeriod]) -> int:
    """Park periods whose rule bills another customer, with the names of both. Commits."""
    names: dict[int | None, str] = {}
    parked = 0
    for each in foreign:
        key = PeriodKey(each.rule_id, each.issue_date)
        pair = look.wanted[key].customer_id, look.customers[each.contract_id]
        for customer_id in pair:
            if customer_id not in names:
                names[customer_id] = _name_of(ctx, customer_id or 0)
        facts = {"rule_customer": names[pair[0]], "contract_customer": names[pair[1]]}
        reason = reason_about(look.periods[key], ReasonKind.OTHER_CUSTOMER, **facts)
        parked += len(ctx.periods.park([look.periods[key]], reason=reason, at=ctx.clock()))
        ctx.session.commit()
    return parked


def _name_of(ctx: JobContext, customer_id: int) -> str:
    """Return a customer's name and number; companies and people are numbered apart, and nothing says which it is."""
    for ask in (ctx.api.company, ctx.api.person):
        try:
            return f"{ask(customer_id).name} ({customer_id})"
        except ApiError:  # a name less is no reason to stop
            continue
    return f"customer {customer_id}"


def record_adopted(ctx: JobContext, look: Look, found: Sequence[Found]) -> int:
    """Record that invoices which were there are periods' own, with what differs as findings; return of how many."""
    adopted = record_issued(ctx, found)
    seen = [
        finding_of(key, entry.invoice.contract_id, entry.invoice.id, difference)
        for entry in found
        for key in [PeriodKey(entry.period.rule_id, entry.period.issue_date)]
        for difference in differences(look.wanted[key], RemoteInvoice.of(entry.invoice))
    ]
    for key, further in look.assignment.seconds.items():
        own = look.assignment.own[key]
        seen += [one_too_many(key, own.id, second) for second in further]
    ctx.findings.settle(seen, examined={}, kinds=(), at=ctx.clock())
    return adopted


# -- stamping ----------------------------------------------------------------------------------------------------------


class _Unstamped(NamedTuple):
    invoice: Invoice
    reference: str


def stamp(ctx: JobContext, look: Look, options: IssueOptions) -> int:
    """Write Ciclo's reference into the living invoices of a look that are a period's own and do not have it. Commits.

    Returns:
        How many were stamped. What the vendor refuses, or does not answer, is left for the next look.

    Raises:
        ApiError: the token is not accepted, or the vendor wants a pause; what was stamped is recorded.
    """
    over = Event()
    unstamped = list(_unstamped(ctx, look)) if options.stamp else []
    ctx.session.commit()
    if not unstamped:
        return 0

    def send(each: _Unstamped) -> Invoice | ApiError | None:
        if over.is_set():
            return None
        failpoint("stamp.patching")
        try:
            there = (each.invoice.comments or "").rstrip()
            comments = f"{there}\n{each.reference}" if there else each.reference
            return ctx.api.update_invoice(each.invoice.contract_id, each.invoice.id, {"comments": comments})
        except ApiError as error:
            if concerns_all(error):
                over.set()
            return error

    with ThreadPoolExecutor(options.concurrency) as pool:
        answers = list(pool.map(send, unstamped))
    failpoint("stamp.patched")
    stamped, stop = {}, None
    for each, answer in zip(unstamped, answers, strict=True):
        if isinstance(answer, Invoice):
            stamped[each.invoice.id] = each.reference
        elif answer is not None:
            log.warning("invoice %d was not stamped: %s", each.invoice.id, answer)
            stop = answer if concerns_all(answer) else stop
    ctx.invoices.stamped(stamped)
    ctx.session.commit()
    if stop is not None:
        raise stop
    return len(stamped)


def _unstamped(ctx: JobContext, look: Look) -> Iterator[_Unstamped]:
    fresh = ctx.periods.some([period.id for key, period in look.periods.items() if key in look.assignment.own])
    makers = ctx.invoices.makers(period.invoice_id for period in fresh if period.invoice_id is not None)
    for period in fresh:
        invoice = look.invoices.get(period.invoice_id or 0)
        if period.state != PeriodState.ISSUED or invoice is None or invoice.state == InvoiceState.CANCELLED:
            continue
        wanted = Reference(period.rule_id, period.issue_date, period.reference_sequence)
        if makers.get(invoice.id) is MadeBy.VENDOR and wanted not in references_in(invoice.comments):
            yield _Unstamped(invoice, reference(ctx.organization_id, *wanted))


# -- why a person is asked ---------------------------------------------------------------------------------------------


def why_parked(look: Look, period: Period, options: IssueOptions) -> Reason | None:
    """Return why a period without an invoice of its own is not created; None if it is."""
    key = PeriodKey(period.rule_id, period.issue_date)
    if key in look.assignment.contested:
        return contest_reason(period, look.assignment.contested[key])
    to_be_billed = period.reason is not None and period.reason.kind in TO_BE_BILLED
    near = look.assignment.near.get(key)
    if near and key.rule_id in look.generated and not to_be_billed:
        amount = sum((invoice.gross_value for invoice in near), Decimal(0))
        return reason_about(period, ReasonKind.MAY_BE_ITS_OWN, invoice_ids=[i.id for i in near], amount=str(amount))
    was_generated = period.issue_date in look.generated.get(key.rule_id, ())
    unasked = was_generated and options.gaps is Gaps.ASK and not _is_decided(look, period)
    if unasked or look.wanted[key].said_own:  # what a person said is its own is not there any more
        return reason_about(period, ReasonKind.REMOVED_AT_VENDOR)
    return None


def _is_decided(look: Look, period: Period) -> bool:
    """Whether a person looked at the period, or at an invoice of its time, and nothing is left to ask."""
    wanted = look.wanted[PeriodKey(period.rule_id, period.issue_date)]
    judged = [look.invoices[number] for number in wanted.not_own if number in look.invoices]
    by_a_person = period.reason is not None and period.reason.kind in DECIDED_BY_A_PERSON
    return by_a_person or any(wanted.covers(invoice.planned_date) for invoice in judged)


def contest_reason(period: Period, contest: Contest) -> Reason:
    """Say that a period's invoice cannot be told, and between which invoices and periods."""
    ids = list(contest.invoice_ids)
    if len(contest.periods) == 1:
        return reason_about(period, ReasonKind.SEVERAL_MATCHES, invoice_ids=ids)
    days = [f"{key.issue_date.isoformat()} of rule {key.rule_id}" for key in contest.periods]
    return reason_about(period, ReasonKind.ONE_INVOICE_FOR_SEVERAL, invoice_ids=ids, issue_dates=days)


def _by_days(planned: Sequence[PlannedPeriod]) -> Iterator[list[PlannedPeriod]]:
    """Split what is planned, which is in order of days, so that no day is read twice."""
    part: list[PlannedPeriod] = []
    for each in planned:
        if len(part) >= LOOK_AT_ONCE and each.issue_date != part[-1].issue_date:
            yield part
            part = []
        part.append(each)
    if part:
        yield part
