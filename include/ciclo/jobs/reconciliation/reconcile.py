"""Reconciliation: what was billed against what the vendor has and what was received.

Whole windows are read, compared and settled; what a webhook named is read by itself, and a webhook that was lost costs
nothing but time, because the daily run does not need it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from http import HTTPStatus

from ciclo.billimatic import ApiError, Search, TransientApiError, UnreadableAnswerError
from ciclo.billimatic.models import Invoice, OddRecord
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Reason, ReasonKind
from ciclo.jobs.closing.proof import changes_after_close
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.look import ask_for, note_unread
from ciclo.jobs.reconciliation.compare import INVOICE_KINDS
from ciclo.jobs.reconciliation.ingest import Ingest
from ciclo.jobs.reconciliation.nfses import NFSE_KINDS, nfse_disagreements, read_nfses
from ciclo.jobs.reconciliation.unmatched import UNMATCHED_KINDS, judge_unmatched
from ciclo.jobs.rules.ask import has_other_answers, invoices_by_contract
from ciclo.ledger.repositories import Change, Disagreement, MonthOfInvoices, Settled
from ciclo.ledger.tables import Invoice as LedgerInvoice
from ciclo.ledger.tables import Period, WebhookEvent
from ciclo.locale import N_, Text

KINDS = (
    *INVOICE_KINDS,
    *UNMATCHED_KINDS,
    FindingKind.ILLEGAL_TRANSITION,
    FindingKind.DELETED_REMOTELY,
    FindingKind.CHANGED_AFTER_CLOSE,
)
"""The kinds that a reconciliation decides about."""

ASKED_ONE_BY_ONE = 25
"""Invoices that are asked for by themselves, at most; more are read by their window."""


READ_THROUGH = 200
"""Invoices at rest between two months to read that cost no more than a search of its own (its last page twice)."""

FOR_EVER = date(9999, 12, 1)


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """What to read: windows of issue dates in full, and of all that is older what is open at the vendor."""

    windows: tuple[DateRange, ...]
    open_until: date | None = None
    """Last issue date of the older invoices; None if the ledger has none that the windows leave out."""


def reading_plan(
    months: Mapping[date, MonthOfInvoices], *, today: date, recheck_days: int, troubled: Collection[date] = ()
) -> ReadingPlan:
    """Choose what to read today.

    In full: every issue month from `recheck_days` ago on, every older month that has an invoice not at rest or an open
    finding, and what little lies between two such months. Of what is left, which is at rest, only what is open at the
    vendor again (a receipt or cancellation undone) matters: two searches by state find it.

    Args:
        months: the ledger's invoices by issue month.
        today: the day in São Paulo.
        recheck_days: how far back invoices at rest are read in full.
        troubled: months with open findings.
    """
    recheck = first_of_month(today - timedelta(days=recheck_days))
    known = {*months, *troubled}
    recent = max(recheck, min(known, default=recheck))
    wanted = {month for month in known if month < recent and (month in troubled or months[month].open)}
    windows = _windows(sorted(wanted), recent, months)
    left_out = [month for month in months if not any(month in window for window in windows)]
    return ReadingPlan(tuple(windows), add_months(max(left_out), 1) - timedelta(days=1) if left_out else None)


def _windows(older: list[date], recent: date, months: Mapping[date, MonthOfInvoices]) -> list[DateRange]:
    """Join months into windows; the last one, from `recent` on, has no end."""
    windows = [DateRange(recent, FOR_EVER)]
    for month in reversed(older):
        after = windows[0]
        end = add_months(month, 1)
        between = sum(entry.invoices for first, entry in months.items() if end <= first < after.start)
        if between <= READ_THROUGH:
            windows[0] = DateRange(month, after.end)
        else:
            windows.insert(0, DateRange(month, end))
    return windows


@dataclass(slots=True)
class ReconcileOutcome:
    """What a reconciliation found."""

    invoices: int = 0
    changed: int = 0
    deleted: int = 0
    opened: list[Disagreement] = field(default_factory=list)
    closed: int = 0
    stayed: int = 0
    events: int = 0
    """Webhook events that it took care of."""

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {
            "invoices": self.invoices,
            "changed": self.changed,
            "deleted": self.deleted,
            "opened": len(self.opened),
            "closed": self.closed,
            "open": self.stayed + len(self.opened),
            "events": self.events,
        }


def reconcile(
    ctx: JobContext,
    *,
    today: date,
    recheck_days: int,
    window: DateRange | None = None,
    contract_ids: Sequence[int] = (),
) -> ReconcileOutcome:
    """Read what may have changed, follow it in the ledger, and settle the findings. Commits as it goes.

    Args:
        ctx: the run.
        today: the day in São Paulo.
        recheck_days: how far back invoices at rest are read in full (see `reading_plan`).
        window: read exactly these issue dates instead.
        contract_ids: look at these contracts alone; none means all.

    Raises:
        TransientApiError: the vendor's pages did not fit together; what was read is recorded, no finding is settled.
    """
    events = ctx.webhooks.unhandled(ctx.organization_id)
    if window is not None:
        plan = ReadingPlan((window,))
    else:
        months, troubled = ctx.reconciliation.months(), ctx.findings.open_months()
        plan = reading_plan(months, today=today, recheck_days=recheck_days, troubled=troubled)
    ctx.session.commit()
    run = Ingest(ctx, today=today, contract_ids=contract_ids)
    for part in plan.windows:
        _take(ctx, run, _search(ctx, part))
    for state in ("to_receive", "to_emit") if plan.open_until is not None else ():
        _take(ctx, run, partial(ctx.api.search_invoices, issue_date_to=plan.open_until, state=state))
    _take_unread(ctx, run)
    if window is None:
        _take_touched(ctx, run, events)
    gone = _look_for_missing(ctx, run, plan.windows, contract_ids)
    taxed = read_nfses(ctx, run.seen.examined, today=today, changed=window is None and not contract_ids)
    examined = {number for each in plan.windows for number in ctx.reconciliation.all_ids(each, contract_ids)}
    examined |= run.seen.examined
    examined -= run.seen.unread
    outcome = _conclude(ctx, run, examined=examined, gone=gone, today=today, taxed=taxed)
    if window is None and not contract_ids:
        outcome.events = _handled(ctx, events)
        ctx.organizations.reconciled(today)
    ctx.session.commit()
    return outcome


def reconcile_touched(ctx: JobContext, *, today: date, recheck_days: int) -> ReconcileOutcome:
    """Reconcile just the invoices that webhooks named since the last time; very many of them make it a whole run."""
    events = ctx.webhooks.unhandled(ctx.organization_id)
    ctx.session.commit()
    if len(_touched(events)) > ASKED_ONE_BY_ONE * 4:
        return reconcile(ctx, today=today, recheck_days=recheck_days)
    run = Ingest(ctx, today=today)
    gone = _take_touched(ctx, run, events)
    taxed = read_nfses(ctx, run.seen.examined, today=today, changed=False)
    outcome = _conclude(ctx, run, examined=run.seen.examined | gone, gone=gone, today=today, taxed=taxed)
    outcome.events = _handled(ctx, events)
    ctx.session.commit()
    return outcome


Ask = Callable[..., Search[Invoice]]
"""Asks for some invoices of the organization; with `contract_id` for those of one contract."""


def _search(ctx: JobContext, window: DateRange) -> Ask:
    last = window.last_day if window.end < FOR_EVER else None
    return partial(ctx.api.search_invoices, issue_date_from=window.start, issue_date_to=last)


def _take(ctx: JobContext, run: Ingest, ask: Ask) -> None:
    """Take in what is found in the organization, or contract by contract where the vendor fails at that.

    A record that it cannot show, or that nothing can read, fails every search that has it: what was billed to all
    others is read all the same.
    """
    try:
        _take_in(ctx, run, ask())
    except (TransientApiError, UnreadableAnswerError) as error:
        failed = isinstance(error, UnreadableAnswerError) or (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
        if not failed or not has_other_answers(ctx.api, error):
            raise
        _take_one_by_one(ctx, run, ask, run.contracts)


def _take_one_by_one(ctx: JobContext, run: Ingest, ask: Ask, contract_ids: Collection[int]) -> None:
    """Take in what is found in some contracts; one at which the vendor only fails is a finding."""
    found = invoices_by_contract(
        ctx.api, lambda number: ask(contract_id=number), sorted(contract_ids), of=run.contracts
    )
    for contract_id, answer in found:
        if isinstance(answer, ApiError):
            run.seen.unanswered.add(contract_id)
            _pass_over(ctx, run, [OddRecord("invoices", None, contract_id, answer.reason)])
        else:
            run.take(answer[0])
            _pass_over(ctx, run, answer[1].odd)


def _take_unread(ctx: JobContext, run: Ingest) -> None:
    """Read again all that contracts have of which something could not be read, whenever it was billed. Commits."""
    subjects = ctx.findings.open_of_kind(FindingKind.UNREAD)
    contracts = {number for subject, number in subjects if subject == "invoices"} & run.contracts
    ctx.session.commit()
    _take_one_by_one(ctx, run, ctx.api.search_invoices, contracts - run.seen.partly_unread)
    note_unread(ctx, (), (), contracts - run.seen.partly_unread)


def _take_in(ctx: JobContext, run: Ingest, search: Search[Invoice]) -> None:
    """Take in what a search finds; an invoice that cannot be read is a finding, and not missing."""
    run.take(search)
    _pass_over(ctx, run, search.odd)


def _pass_over(ctx: JobContext, run: Ingest, odd: Sequence[OddRecord]) -> None:
    """Note which invoices are there and cannot be read: nothing is said of them but that. Commits."""
    ids = {each.id for each in odd if each.id is not None}
    run.seen.unread |= ids - run.seen.invoices
    run.seen.invoices |= ids
    run.seen.partly_unread |= {each.contract_id for each in odd if each.id is None and each.contract_id is not None}
    note_unread(ctx, odd, run.seen.invoices - run.seen.unread - ids, ())


# -- what webhooks named -----------------------------------------------------------------------------------------------


def _touched(events: Iterable[WebhookEvent]) -> dict[int, int | None]:
    """Return the invoices that events name, with the contract where the event says it."""
    return {event.invoice_id: event.contract_id for event in events if event.invoice_id is not None}


def _take_touched(ctx: JobContext, run: Ingest, events: Iterable[WebhookEvent]) -> set[int]:
    """Read the invoices that events name and that the run has not seen; return those that are gone."""
    wanted = {invoice: contract for invoice, contract in _touched(events).items() if invoice not in run.seen.invoices}
    known = ctx.reconciliation.invoices(wanted)
    ctx.session.commit()
    contracts = {invoice: known[invoice].contract_id if invoice in known else wanted[invoice] for invoice in wanted}
    absent = _ask_for(ctx, run, contracts)
    return _mark_gone(ctx, absent & set(known))


def _ask_for(ctx: JobContext, run: Ingest, contracts: dict[int, int | None]) -> set[int]:
    """Read invoices one by one; return those that are not there. One that cannot be read stops no other."""
    # an event that names no contract, or a stranger's: the daily run finds what is Ciclo's
    mine = {number: each for number, each in contracts.items() if each is not None and each in run.contracts}
    answer = ask_for(ctx, mine)
    run.take(answer.found)
    _pass_over(ctx, run, answer.odd)
    return answer.absent


def _handled(ctx: JobContext, events: Sequence[WebhookEvent]) -> int:
    ctx.webhooks.handled([event.id for event in events], at=ctx.clock())
    return len(events)


# -- what is not there any more ----------------------------------------------------------------------------------------


def _look_for_missing(
    ctx: JobContext, run: Ingest, windows: Sequence[DateRange], contract_ids: Sequence[int]
) -> set[int]:
    """Return the invoices that are certainly deleted, marked so: not in their window, and not when asked for again.

    Raises:
        TransientApiError: very many are missing from the search, and some of them are there.
    """
    missed: set[int] = set()
    for window in windows:
        missed |= ctx.reconciliation.present_ids(window, contract_ids)
    missed -= run.seen.invoices
    known = ctx.reconciliation.invoices(missed)
    ctx.session.commit()
    run.seen.unread |= {number for number in missed if known[number].contract_id in run.seen.unanswered}
    missed -= run.seen.unread
    if not missed:
        return set()
    if len(missed) <= ASKED_ONE_BY_ONE:
        return _mark_gone(ctx, _ask_for(ctx, run, {number: known[number].contract_id for number in missed}))
    # without an end: a page may have shifted while it was read, and what is billed late moves out of its window
    first = min(invoice.issue_date for invoice in known.values())
    _take(ctx, run, _search(ctx, DateRange(first, FOR_EVER)))
    missed -= run.seen.invoices
    some = sorted(missed)[:: len(missed) // ASKED_ONE_BY_ONE + 1]  # of all ages: they say whether the search is right
    absent = _ask_for(ctx, run, {number: known[number].contract_id for number in some})
    if set(some) - absent - run.seen.unread:
        reason = Text(N_("the search leaves out invoices that are there: {number} are missing"), number=len(missed))
        raise TransientApiError(reason, method="GET", path="invoices/search")
    return _mark_gone(ctx, missed - run.seen.unread)


def _mark_gone(ctx: JobContext, invoice_ids: Iterable[int]) -> set[int]:
    now = ctx.clock()
    invoices = [row for row in ctx.reconciliation.invoices(invoice_ids).values() if row.gone_at is None]
    lines = ctx.reconciliation.receivables(row.invoice_id for row in invoices)
    for invoice in invoices:
        invoice.gone_at = now
        for line in lines.get(invoice.invoice_id, []):
            line.gone_at = line.gone_at or now
    ctx.session.flush()
    changes = [Change(row.invoice_id, row.state, "deleted", Reason(ReasonKind.SEEN_GONE)) for row in invoices]
    ctx.audit.record("invoice", changes, now)
    ctx.session.commit()
    return {row.invoice_id for row in invoices}


# -- findings ----------------------------------------------------------------------------------------------------------


def _conclude(
    ctx: JobContext, run: Ingest, *, examined: set[int], gone: set[int], today: date, taxed: set[int] | None
) -> ReconcileOutcome:
    """Judge what belongs to no period and what is gone, then settle the findings about all that was examined.

    `taxed` are the invoices whose tax documents were looked at; None where that could not be done.
    """
    seen, known = run.seen, examined | gone
    unmatched = judge_unmatched(ctx, run, today=today)  # first: what stands in takes back what was said of the other
    wrong = [*seen.disagreements, *unmatched]
    wrong += _deleted(ctx, known)
    wrong += changes_after_close(ctx, known)
    lines = ctx.reconciliation.receivable_ids(known)
    settled = ctx.findings.settle(
        wrong,
        examined={"invoice": known, "receivable": lines | seen.receivables},
        kinds=KINDS,
        at=ctx.clock(),
    )
    agreed = ctx.findings.settle(
        [], examined={"period": seen.as_terms_say}, kinds=(FindingKind.TERMS_CHANGED,), at=ctx.clock()
    )
    documents = Settled()
    if taxed is not None:
        documents = ctx.findings.settle(
            nfse_disagreements(ctx, taxed - gone, today=today),
            examined={"invoice": taxed | gone},
            kinds=NFSE_KINDS,
            at=ctx.clock(),
        )
    return ReconcileOutcome(
        invoices=len(seen.examined),
        changed=seen.changed,
        deleted=len(gone),
        opened=[*settled.opened, *documents.opened],
        closed=settled.closed + agreed.closed + documents.closed,
        stayed=settled.stayed + documents.stayed,
    )


def _deleted(ctx: JobContext, examined: set[int]) -> list[Disagreement]:
    """Return the findings about periods whose invoice is gone, whenever it went."""
    rows = [row for row in ctx.reconciliation.gone(examined) if row.period_id is not None]
    periods = ctx.reconciliation.periods(row.period_id for row in rows if row.period_id is not None)
    return [_deletion(row, periods[row.period_id]) for row in rows if row.period_id in periods]


def _deletion(row: LedgerInvoice, period: Period) -> Disagreement:
    return Disagreement.of_period(
        FindingKind.DELETED_REMOTELY,
        ("invoice", row.invoice_id),
        period.identity,
        facts={"invoice_id": row.invoice_id, "amount": str(row.gross_value), "state": row.state},
        expected=f"invoice {row.invoice_id}",
        found="no invoice",
        amount=row.gross_value,
    )
