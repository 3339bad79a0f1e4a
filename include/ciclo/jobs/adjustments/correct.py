"""Correcting: invoices that are there already and still `to_emit` get the adjustments that they lack.

The order is the protocol: read the invoice, claim, commit, PATCH, record, commit. What is sent is the difference
between what the invoice was made as and what it should be. A changed quantity or value is sent as it should be, so that
sending it twice changes nothing; a line that is added carries its adjustment's mark, and what was sent without an
answer is settled by reading the invoice once nothing of it can arrive any more. What a person changed by hand stays as
it is, and so does what has left `to_emit`: both are findings.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any

from ciclo.billimatic import (
    ApiError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    concerns_all,
)
from ciclo.billimatic.models import Invoice, InvoiceState
from ciclo.domain.adjustments import AdjustmentKind, Bill
from ciclo.domain.corrections import ChangedByHand, Correction, InvoicedLine, correction
from ciclo.domain.errors import DomainError
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import ZERO, cents, service_value
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.record import store_invoices
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.periods.coverage import rules_before
from ciclo.jobs.periods.expand import read_due
from ciclo.jobs.periods.plan import plan_periods
from ciclo.jobs.rules.snapshot import RuleSnapshot, RuleSnapshots
from ciclo.ledger.repositories import Disagreement, Scope, UseState
from ciclo.ledger.tables import Adjustment, Period

ADJUSTMENT = "adjustment"
"""What a finding is about that no invoice has."""

LOOKED_AHEAD = 3
"""Days before its planned date from which an invoice that the vendor made is corrected: it issues it by itself."""


@dataclass(slots=True)
class CorrectionOutcome:
    """What became of invoices that lack adjustments, by number."""

    corrected: int = 0
    there: int = 0
    """Those that had them: an answer was lost."""
    left_out: int = 0
    """Those that a person has to correct."""
    in_doubt: int = 0
    ready_at: datetime | None = None
    """When what is in doubt can be settled."""

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts."""
        names = ("corrected", "there", "left_out", "in_doubt")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A period's invoice, what it may have been made as, and what it should be."""

    period: Period
    invoice_id: int
    known: tuple[Bill, ...]
    wanted: Bill
    used: frozenset[int]
    pending: frozenset[int]

    @property
    def use(self) -> tuple[int, int]:
        return self.period.id, self.period.reference_sequence


@dataclass(slots=True)
class _Batch:
    """The invoices of one turn."""

    read: list[tuple[_Lacking, Invoice]] = field(default_factory=list)
    claimed: list[tuple[_Lacking, Invoice, Correction]] = field(default_factory=list)
    seen: list[Disagreement] = field(default_factory=list)
    examined: set[int] = field(default_factory=set)


class CorrectionsInDoubtError(StillInDoubtError):
    """Corrections of invoices were sent and not answered: try again when their grace period is over."""

    def __init__(self, ready_at: datetime) -> None:
        self.ready_at = ready_at
        when = f"{ready_at:%Y-%m-%d %H:%M:%S} UTC"
        Exception.__init__(self, f"corrections of invoices are in doubt; they can be settled from {when} on")


def adopt_adjusted(ctx: JobContext, scope: Scope, options: IssueOptions, *, owner: str) -> IssueOutcome:
    """Take over what the vendor has made already for periods that have adjustments, before it issues it. Commits.

    Looks `LOOKED_AHEAD` days ahead; the contracts are read first, and the periods of those days planned.
    """
    last = ctx.today + timedelta(days=LOOKED_AHEAD)
    near = ctx.adjustments.to_come(DateRange.days(ctx.today, last), scope)
    ctx.session.commit()
    if not near:
        return IssueOutcome()
    read = read_due(ctx, near, today=ctx.today).read
    days = DateRange.days(ctx.today, last)
    plan_periods(ctx, read, days)
    return adopt_existing(ctx, Scope(days, tuple(read)), options, owner=owner) if read else IssueOutcome()


def correct_invoices(ctx: JobContext, scope: Scope, options: IssueOptions) -> CorrectionOutcome:
    """Bring the invoices of a shard's issued periods to what their adjustments say. Commits, sends PATCHes.

    Of the scope its contracts and shard count: an adjustment may be for an invoice of any day. What no invoice will
    have is shown to a person.

    Raises:
        ApiError: the token is not accepted, or the vendor wants a pause; what was sent is recorded.
    """
    options.require_lease(ctx.api)
    outcome = CorrectionOutcome()
    lacking = ctx.adjustments.lacking(scope)
    standing = ctx.findings.open_of_kind(FindingKind.ADJUSTMENT_LEFT_OUT).values()
    cured = {
        finding.subject_id
        for finding in standing
        if scope.holds(finding.contract_id or 0) and finding.facts.get("period_id") not in lacking
    }
    _settle_findings(ctx, [], cured)
    _tell_unbilled(ctx, scope)
    ctx.session.commit()
    for start in range(0, len(lacking), options.batch):
        _correct_some(ctx, lacking[start : start + options.batch], options, outcome)
        ctx.session.expunge_all()
    return outcome


def _correct_some(
    ctx: JobContext, period_ids: Sequence[int], options: IssueOptions, outcome: CorrectionOutcome
) -> None:
    batch = _Batch()
    lacking = _lacking(ctx, period_ids, batch, outcome)
    ctx.session.commit()
    with ThreadPoolExecutor(options.concurrency) as pool:
        found = list(pool.map(lambda each: _read(ctx, each), lacking))
    failpoint("adjust.read")
    batch.read = [(each, there) for each, there in zip(lacking, found, strict=True) if there is not None]
    until = ctx.clock() + options.lease
    for each, invoice in batch.read:
        _decide(ctx, each, invoice, until + options.grace, batch, outcome)
    failpoint("adjust.claiming")
    ctx.session.commit()  # before any PATCH: from here on nobody else corrects these
    failpoint("adjust.claimed")
    deadline = until - timedelta(seconds=ctx.api.longest_request)
    over = Event()
    with ThreadPoolExecutor(options.concurrency) as pool:
        sent = list(pool.map(lambda each: _send(ctx, *each, deadline=deadline, over=over), batch.claimed))
    stop: ApiError | None = None
    for (each, invoice, _), answer in zip(batch.claimed, sent, strict=True):
        _record(ctx, each, invoice, answer, options, batch, outcome)
        stop = answer if isinstance(answer, ApiError) and concerns_all(answer) else stop
    _settle_findings(ctx, batch.seen, batch.examined)
    failpoint("adjust.recording")
    ctx.session.commit()
    failpoint("adjust.recorded")
    if stop is not None:
        raise stop


def _lacking(ctx: JobContext, period_ids: Sequence[int], batch: _Batch, outcome: CorrectionOutcome) -> list[_Lacking]:
    """Return what is to be corrected now: not what may still arrive, nor what cannot be carried out."""
    now, found = ctx.clock(), []
    periods = [each for each in ctx.periods.some(period_ids) if each.state == PeriodState.ISSUED and each.invoice_id]
    snapshots = RuleSnapshots(ctx, {each.rule_id for each in periods}, kept=len(periods) + 1)
    for period in periods:
        may_arrive = ctx.adjustments.doubtful(period.id, now)
        if may_arrive is not None:
            outcome.in_doubt += 1
            outcome.ready_at = max(may_arrive, outcome.ready_at or may_arrive)
            continue
        try:
            each = _as_it_should_be(period, snapshots[period.rule_id])
        except (DomainError, KeyError) as error:
            outcome.left_out += 1
            batch.examined.add(period.invoice_id or 0)
            ids = [each.id for each in snapshots[period.rule_id].adjustments if each.is_for(period.issue_date)]
            batch.seen.append(_left_out(period, ids, None, None, str(error)))
            continue
        if each.pending:
            found.append(each)
    return found


def _as_it_should_be(period: Period, snapshot: RuleSnapshot) -> _Lacking:
    """Return a period's invoice with its adjustments.

    Raises:
        DomainError: an adjustment cannot be carried out.
    """
    day, terms = period.issue_date, snapshot.terms_of(period)
    used = snapshot.adjustments_in(period)
    sent = snapshot.adjustments_in(period, UseState.USED, UseState.SENDING)
    every = snapshot.adjustments_of(day, period)
    bills = [snapshot.bill(day, some, terms=terms) for some in (used, sent, every)]
    ids = frozenset(each.id for each in used)
    pending = frozenset(each.id for each in every) - ids
    return _Lacking(period, period.invoice_id or 0, tuple(bills[:2]), bills[2], ids, pending)


def _read(ctx: JobContext, each: _Lacking) -> Invoice | None:
    """Return an invoice as it is now, None where it is gone or cannot be read: that is said elsewhere."""
    try:
        return ctx.api.invoice(each.period.contract_id, each.invoice_id)
    except ApiError as error:
        if concerns_all(error):
            raise
        return None


def _decide(
    ctx: JobContext, each: _Lacking, invoice: Invoice, until: datetime, batch: _Batch, outcome: CorrectionOutcome
) -> None:
    """Record what an invoice has already, claim what it lacks, note what cannot be done."""
    now = ctx.clock()
    if invoice.state == InvoiceState.CANCELLED:
        return
    batch.examined.add(invoice.id)
    try:
        lacks = what_lacks(invoice, each.known, each.wanted)
    except ChangedByHand:
        _leave_out(each, invoice, "somebody changed it", batch, outcome)
        return
    if not lacks:
        ctx.adjustments.used(each.use, each.period.issue_date, each.pending, invoice.id, at=now)
        _as_it_is(ctx, each, invoice, now)
        outcome.there += 1
    elif invoice.state != InvoiceState.TO_EMIT:
        _leave_out(each, invoice, f"it was {invoice.state} when they came", batch, outcome)
    elif ctx.adjustments.claim(each.use, each.pending, used=each.used, until=until, at=now):
        batch.claimed.append((each, invoice, lacks))


def what_lacks(invoice: Invoice, known: Sequence[Bill], wanted: Bill) -> Correction:
    """Return what an invoice at the vendor lacks to be as wanted; see `ciclo.domain.adjustments.correction`.

    Raises:
        ChangedByHand: a person changed it.
    """
    lines = [
        InvoicedLine(
            id=line.id, units=line.units, unit_value=line.unit_value, name=line.name, description=line.description
        )
        for line in invoice.services
    ]
    return correction(lines, cents(invoice.gross_value), invoice.description, known, wanted)


def _send(
    ctx: JobContext, each: _Lacking, invoice: Invoice, lacks: Correction, *, deadline: datetime, over: Event
) -> Invoice | ApiError | None:
    """Send what an invoice lacks; None where nothing is sent any more."""
    if over.is_set():
        return None
    failpoint("adjust.patching")
    try:
        time_left = (deadline - ctx.clock()).total_seconds()
        changed = ctx.api.update_invoice(
            each.period.contract_id, invoice.id, fields_of(invoice, lacks), within=time_left
        )
    except ApiError as error:
        if concerns_all(error):
            over.set()
        return error
    failpoint("adjust.patched")
    return changed


def fields_of(invoice: Invoice, lacks: Correction) -> dict[str, Any]:
    """Return the fields that give an invoice what it lacks; empty if that is nothing."""
    change: dict[str, Any] = {}
    if lacks.flat is not None:
        change["gross_value"] = lacks.flat
    if lacks.texts:
        change["description"] = "\n".join([invoice.description, *lacks.texts]).strip()
    if lacks.changed or lacks.added:
        change["services"] = [
            *({"id": number, "units": line.units, "unit_value": line.unit_value} for number, line in lacks.changed),
            *(
                {
                    "service_item_id": line.service_item_id,
                    "description": line.description,
                    "units": line.units,
                    "unit_value": line.unit_value,
                }
                for line in lacks.added
            ),
        ]
    return change


def _record(
    ctx: JobContext,
    each: _Lacking,
    invoice: Invoice,
    answer: Invoice | ApiError | None,
    options: IssueOptions,
    batch: _Batch,
    outcome: CorrectionOutcome,
) -> None:
    now = ctx.clock()
    match answer:
        case Invoice():
            _record_answer(ctx, each, answer, batch, outcome, now)
        case RejectedError() | NotFoundError() | BadRequestError():
            ctx.adjustments.not_sent(each.use, at=now)
            _leave_out(each, invoice, f"the API refused it ({answer})", batch, outcome)
        case OutcomeUnknownError():
            ctx.adjustments.doubt(each.use, until=now + options.grace)
            outcome.in_doubt += 1
            outcome.ready_at = max(now + options.grace, outcome.ready_at or now)
        case _:
            ctx.adjustments.not_sent(each.use, at=now)


def _record_answer(
    ctx: JobContext, each: _Lacking, answer: Invoice, batch: _Batch, outcome: CorrectionOutcome, now: datetime
) -> None:
    try:
        is_whole = not what_lacks(answer, each.known, each.wanted)
    except ChangedByHand:
        is_whole = False
    if is_whole:
        ctx.adjustments.used(each.use, each.period.issue_date, each.pending, answer.id, at=now)
        outcome.corrected += 1
    else:
        ctx.adjustments.not_sent(each.use, at=now)
        _leave_out(each, answer, "the vendor made something else of it", batch, outcome)
    _as_it_is(ctx, each, answer, now)


def _as_it_is(ctx: JobContext, each: _Lacking, invoice: Invoice, now: datetime) -> None:
    """Keep an invoice as the vendor shows it, and its period at that value."""
    store_invoices(ctx, [invoice], {}, now)
    each.period.gross_value = cents(invoice.gross_value)
    ctx.session.add(each.period)
    ctx.session.flush()


def _leave_out(each: _Lacking, invoice: Invoice, why: str, batch: _Batch, outcome: CorrectionOutcome) -> None:
    outcome.left_out += 1
    batch.seen.append(
        _left_out(each.period, each.pending, str(cents(invoice.gross_value)), str(each.wanted.total), why)
    )


def _left_out(period: Period, ids: Iterable[int], found: str | None, expected: str | None, why: str) -> Disagreement:
    """Return the finding that adjustments of a period are in no invoice. Amounts are BRL, as text."""
    numbers = sorted(ids)
    return Disagreement.of_period(
        FindingKind.ADJUSTMENT_LEFT_OUT,
        ("invoice", period.invoice_id or 0),
        period.identity,
        facts={
            "period_id": period.id,
            "invoice_id": period.invoice_id,
            "adjustment_ids": numbers,
            "expected": expected,
            "found": found,
            "why": why,
        },
        expected=expected,
        found=f"{found} without {numbers}",
    )


def _settle_findings(ctx: JobContext, seen: Iterable[Disagreement], examined: Collection[int]) -> None:
    kinds = (FindingKind.ADJUSTMENT_LEFT_OUT,)
    ctx.findings.settle(seen, examined={"invoice": examined}, kinds=kinds, at=ctx.clock())


def _tell_unbilled(ctx: JobContext, scope: Scope) -> None:
    """Show what no invoice will have: its days are over without one, or another rule bills on in place of its own."""
    kind, rows = FindingKind.ADJUSTMENT_UNBILLED, ctx.adjustments.unbilled(scope, today=ctx.today)
    seen = [_unbilled(each, each.from_date) for each in rows]
    seen += [_unbilled(*each) for each in _followed(ctx, ctx.adjustments.outlasting(scope, today=ctx.today))]
    told = {finding.subject_id for finding in ctx.findings.open_of_kind(kind).values()
            if scope.holds(finding.contract_id or 0)}  # fmt: skip
    ctx.findings.settle(seen, examined={ADJUSTMENT: told}, kinds=(kind,), at=ctx.clock())


def _followed(ctx: JobContext, outlasting: Sequence[Adjustment]) -> Iterator[tuple[Adjustment, date]]:
    """Yield what another rule goes on without, and the day from which it does."""
    contracts = {each.contract_id: each for each in ctx.contracts.some({each.contract_id for each in outlasting})}
    rule_ids = [rule.rule_id for rule in ctx.contracts.rules_of(contracts)]
    snapshots = RuleSnapshots(ctx, rule_ids, kept=len(rule_ids) + 1)
    going_on: dict[int, date] = {}
    for rule_id, former in rules_before(snapshots, contracts, ctx.today).items():
        rule = snapshots[rule_id].rule
        if rule.gone_at is None:
            going_on |= {each.rule.rule_id: max(rule.init_date, rule.new_since or date.min) for each in former}
    for each in outlasting:
        if each.rule_id in going_on:
            yield each, max(each.from_date, going_on[each.rule_id])


def _unbilled(row: Adjustment, since: date) -> Disagreement:
    """Return the finding that an adjustment is in no invoice from a day on; what a line is worth, it is worth."""
    units = Decimal(1) if row.quantity is None else row.quantity
    value = service_value(units, row.unit_value or ZERO) if row.kind == AdjustmentKind.LINE else None
    return Disagreement.of_period(
        FindingKind.ADJUSTMENT_UNBILLED,
        (ADJUSTMENT, row.id),
        (row.contract_id, row.rule_id or 0, since),
        facts={"adjustment_id": row.id},
        expected="an invoice",
        found="none",
        amount=value,
    )
