"""Looking: what is at the vendor near some periods, whose each invoice is, and what the vendor itself has made.

The invoices of the periods' coverage are read, and one coverage either side: by the organization's search, or contract
by contract where that takes fewer requests. No transaction is open while the vendor is asked; the ledger is read after
the vendor, so that what another run has recorded meanwhile is known.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from ciclo.billimatic import ApiError, NotFoundError, Search, TransientApiError, UnreadableAnswerError
from ciclo.billimatic.models import Invoice, InvoiceState, OddRecord
from ciclo.billimatic.models.reading import in_brasilia, read_timestamp
from ciclo.domain.adjustments import Adjustment
from ciclo.domain.calendar import add_days, first_of_month
from ciclo.domain.coverage import coverage
from ciclo.domain.errors import DomainError
from ciclo.domain.findings import FindingKind
from ciclo.domain.receivables import MadeBy
from ciclo.domain.recurrence import DateRange, accrual_month, issue_dates
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.domain.texts import begins_alike, plain
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.match import (
    Assignment,
    PeriodKey,
    RemoteInvoice,
    WantedInvoice,
    assign,
    came_with_its_rule,
    made_by,
)
from ciclo.jobs.issuing.record import Found
from ciclo.jobs.rules.ask import answers_about, has_other_answers, invoices_by_contract, too_many
from ciclo.jobs.rules.snapshot import RULES_KEPT, RuleSnapshot, RuleSnapshots
from ciclo.ledger.actions.periods import invoices_in
from ciclo.ledger.repositories import Disagreement, Scope, UseState
from ciclo.ledger.repositories.contracts import version_on
from ciclo.ledger.repositories.periods import PlannedPeriod
from ciclo.ledger.tables import Invoice as LedgerInvoice
from ciclo.ledger.tables import Period, Rule
from ciclo.ledger.terms import RuleTerms, customer_of

PAGE = 100
"""Invoices of a page."""

PAGES_OF_A_SEARCH = 3
"""Requests that a search takes beside its full pages: its last page twice, and the empty one after it."""

READ_TWICE_AT_MOST = 0.03
"""Share of a day's requests (a reading and a POST each) that the same pages, read by several shards, may come to."""

SHORT = timedelta(days=100)
"""A span of three months or less; rules that bill more months at a time are looked at by themselves."""


@dataclass(slots=True)
class Look:
    """What was seen of some contracts."""

    contract_ids: list[int]
    periods: dict[PeriodKey, Period]
    """The contracts' periods in the ledger that are not given up."""
    wanted: dict[PeriodKey, WantedInvoice] = field(default_factory=dict)
    """Those periods and what else the contracts' rules call for."""
    invoices: dict[int, Invoice] = field(default_factory=dict)
    assignment: Assignment = field(default_factory=Assignment)
    generated: dict[int, DateRange] = field(default_factory=dict)
    """By rule, the days between the first and the last invoice that the vendor has made of it."""
    customers: dict[int, int | None] = field(default_factory=dict)
    """By contract, its own customer."""

    def found(self, period: Period, invoice: Invoice) -> Found:
        """Return that an invoice which was there is a period's own."""
        wanted = self.wanted[PeriodKey(period.rule_id, period.issue_date)]
        reason = Reason(ReasonKind.ADOPTED, {"invoice_id": invoice.id})
        return Found(period, invoice, adopted=True, made_by=made_by(wanted, RemoteInvoice.of(invoice)), reason=reason)


def look_at(ctx: JobContext, periods: Sequence[Period | PlannedPeriod], *, reached: str) -> Iterator[Look]:
    """Read the vendor's invoices near some periods and yield whose they are: `spans_of`, `read_near`, `looks`.

    Args:
        ctx: the run.
        periods: those to look for.
        reached: name of the failpoint that says that the vendor was read.
    """
    spans = spans_of(ctx, periods)
    yield from looks(ctx, spans, read_near(ctx, spans, reached=reached))


def worth_sharing(ctx: JobContext, scope: Scope) -> Scope | None:
    """Return what a shard takes of a window: fewer shards share it where each would read nearly the same pages.

    All shards have one budget of requests, so that one task alone loses no time. What a shard leaves to another that
    counted otherwise, because something was planned in between, is left to the end of the run.

    Returns:
        The scope's part; None where the others take it all.
    """
    due = sum(count.periods for count in ctx.periods.totals(scope.whole()).values())
    around = DateRange(add_days(scope.window.start, -SHORT.days // 2), add_days(scope.window.end, SHORT.days // 2))
    worth = READ_TWICE_AT_MOST * 2 * due  # pages; where there are more, one shard takes it all
    pages = ctx.invoices.count(around, at_most=PAGE * (1 + int(worth))) // PAGE + PAGES_OF_A_SEARCH
    ctx.session.commit()
    shards = min(scope.shards, 1 + int(worth / pages))
    return replace(scope, shards=shards) if scope.shard < shards else None


def looks(ctx: JobContext, spans: Mapping[int, DateRange], reading: "Reading") -> Iterator[Look]:
    """Yield whose the invoices that were read are, a batch of contracts at a time.

    A contract of which an invoice cannot be read is left out.

    A transaction is open while the caller has a look in hand; he commits it before he asks for the next.
    """
    for some in ctx.contracts.in_batches(spans.keys() - reading.unread, rules=RULES_KEPT):
        yield _assign(ctx, {number: spans[number] for number in some}, reading.invoices)
        ctx.session.expunge_all()


def look_at_contract(ctx: JobContext, contract_id: int, window: DateRange) -> Look | None:
    """Read one contract's invoices of a window and say whose they are; None where one of them cannot be read.

    A transaction is open while the caller has the look in hand.
    """
    ctx.session.commit()
    invoices, search = _search(ctx, window, contract_id=contract_id)
    note_unread(ctx, search.odd, [invoice.id for invoice in invoices], [contract_id])
    mine = {invoice.id: invoice for invoice in invoices if invoice.contract_id == contract_id}
    return None if search.odd else _assign(ctx, {contract_id: window}, {contract_id: mine})


def note_unread(ctx: JobContext, odd: Iterable[OddRecord], read: Iterable[int], contract_ids: Iterable[int]) -> None:
    """Open a finding for each invoice that cannot be read, and close those of invoices that can be again. Commits.

    Of those without an id there is one finding a contract, until all of its invoices that are read have one.
    """
    month = first_of_month(ctx.today)
    seen = [
        Disagreement(
            kind=FindingKind.UNREAD,
            subject="invoice" if each.id is not None else "invoices",
            subject_id=each.id if each.id is not None else each.contract_id or 0,
            contract_id=each.contract_id,
            billing_month=month,
            facts={
                "contract_id": each.contract_id,
                "error": f"invoice{'' if each.id is None else f' {each.id}'}: {each.problem}",
            },
            found=each.problem,
        )
        for each in odd
    ]
    examined = {"invoice": set(read), "invoices": set(contract_ids)}
    ctx.findings.settle(seen, examined=examined, kinds=(FindingKind.UNREAD,), at=ctx.clock())
    ctx.session.commit()


def spans_of(ctx: JobContext, periods: Sequence[Period | PlannedPeriod]) -> dict[int, DateRange]:
    """Return by contract the days to read: the coverage of its periods, and one coverage either side. Commits."""
    versions = ctx.contracts.versions({period.rule_id for period in periods})
    spans: dict[int, DateRange] = {}
    for period in periods:
        terms = RuleTerms.read(version_on(versions[period.rule_id], period.issue_date).terms)
        covered = coverage(terms.recurrence, terms.accrual, period.issue_date).issued
        length = covered.end - covered.start
        span = DateRange(covered.start - length, covered.end + length)
        spans[period.contract_id] = spans.get(period.contract_id, span).span(span)
    ctx.session.commit()
    return spans


# -- reading the vendor ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reading:
    """What the vendor has near some periods."""

    invoices: dict[int, dict[int, Invoice]]
    """By contract and id."""
    odd: list[OddRecord] = field(default_factory=list)
    requests: int = 0
    """What it cost."""

    @property
    def unread(self) -> set[int | None]:
        """The contracts of which an invoice cannot be read."""
        return {odd.contract_id for odd in self.odd}


def read_near(ctx: JobContext, spans: Mapping[int, DateRange], *, reached: str) -> Reading:
    """Read the invoices of the spans, by whichever search takes fewer requests; one that cannot be read is a finding.

    Searched is by the day of billing, up to today: what was planned in a span that is over may be billed since. Commits
    before it asks and at the end.

    Args:
        ctx: the run.
        spans: by contract, the days to read.
        reached: name of the failpoint that says that the vendor was read.
    """
    short = {number: span for number, span in spans.items() if span.end - span.start <= SHORT}
    long = {number: span for number, span in spans.items() if number not in short}
    reading = Reading({number: {} for number in spans})
    for part in (short, long):
        end = max((span.end for span in part.values()), default=date.min)
        billed = {number: _until(add_days(ctx.today, 1), span) for number, span in part.items()}
        windows = list(_merged(billed.values()))
        one_by_one = PAGES_OF_A_SEARCH * len(part)
        known = [ctx.invoices.count(window, at_most=PAGE * (1 + one_by_one)) for window in windows]
        pages = sum(number // PAGE + PAGES_OF_A_SEARCH for number in known)
        ctx.session.commit()
        found = []
        if one_by_one >= pages:
            try:
                found = [_search(ctx, window, of=spans) for window in windows]
            except (TransientApiError, UnreadableAnswerError) as error:
                # a contract's own rows are few and fit on a page, mostly; about one of them the vendor may fail alone
                if not has_other_answers(ctx.api, error):
                    raise
        if not found or any(each.contract_id is None for _, search in found for each in search.odd):
            # an invoice that does not say whose it is would stop nobody, and may be the one that is looked for
            found = list(_search_one_by_one(ctx, billed, reading))
        for invoices, search in found:
            reading.requests += search.requests
            reading.odd += search.odd
            for invoice in invoices:
                if min(invoice.planned_date, invoice.issue_date) < end:
                    reading.invoices[invoice.contract_id][invoice.id] = invoice
    _read_billed_early(ctx, spans, reading)
    failpoint(reached)
    note_unread(ctx, reading.odd, [number for found in reading.invoices.values() for number in found], spans)
    return reading


def _search_one_by_one(
    ctx: JobContext, billed: Mapping[int, DateRange], reading: Reading
) -> Iterator[tuple[list[Invoice], Search[Invoice]]]:
    """Search contract by contract; one about which the vendor only fails is noted as unread."""
    found = invoices_by_contract(ctx.api, lambda number: _asked(ctx, billed[number], number), billed, of=billed)
    for number, answer in found:
        if isinstance(answer, ApiError):
            reading.odd.append(OddRecord("invoices", None, number, answer.reason))
        else:
            yield answer


def _read_billed_early(ctx: JobContext, spans: Mapping[int, DateRange], reading: Reading) -> None:
    """Add what the ledger knows to be planned in the spans and billed before them: paid in advance, say. Commits."""
    first = min((span.start for span in spans.values()), default=date.max)
    early = ctx.invoices.billed_before(spans, DateRange(first, max((s.end for s in spans.values()), default=first)))
    ctx.session.commit()
    wanted = {
        row.invoice_id: row.contract_id
        for row in early
        if row.planned_date in spans[row.contract_id] and row.issue_date not in spans[row.contract_id]
        if row.invoice_id not in reading.invoices[row.contract_id]
    }
    answer = ask_for(ctx, wanted)
    reading.requests += len(wanted)
    reading.odd += answer.odd
    for invoice in answer.found:
        reading.invoices[invoice.contract_id][invoice.id] = invoice


@dataclass(slots=True)
class AskedFor:
    """What became of invoices that were asked for one by one."""

    found: list[Invoice] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    odd: list[OddRecord] = field(default_factory=list)
    """Those that are not answered for, or cannot be read."""


def ask_for(ctx: JobContext, contracts: Mapping[int, int]) -> AskedFor:
    """Read invoices one by one, each of a contract; one that cannot be read stops no other.

    Raises:
        ApiError: what concerns more than one: the token is refused, the API does not answer, or asks for a pause.
    """
    result = AskedFor()
    unanswered: set[int] = set()
    for number, answer in answers_about(ctx.api, lambda number: ctx.api.invoice(contracts[number], number), contracts):
        if isinstance(answer, TransientApiError):
            unanswered.add(contracts[number])  # all invoices of one contract may be what the vendor fails at
            if too_many(unanswered, set(contracts.values())):
                raise answer
        if isinstance(answer, Invoice):
            result.found.append(answer)
        elif isinstance(answer, NotFoundError):
            result.absent.add(number)
        else:
            result.odd.append(OddRecord.of_one("invoice", number, contracts[number], answer))
    return result


def _search(
    ctx: JobContext, window: DateRange, *, contract_id: int | None = None, of: Collection[int] | None = None
) -> tuple[list[Invoice], Search[Invoice]]:
    search = _asked(ctx, window, contract_id, of)
    return list(search), search


def _asked(
    ctx: JobContext, window: DateRange, contract_id: int | None, of: Collection[int] | None = None
) -> Search[Invoice]:
    return ctx.api.search_invoices(
        issue_date_from=window.start, issue_date_to=window.last_day, contract_id=contract_id, of_contracts=of
    )


def _until(end: date, span: DateRange) -> DateRange:
    """Return a span that goes on until a day, if it ends before."""
    return DateRange(span.start, max(end, span.end))


def _merged(spans: Iterable[DateRange]) -> Iterator[DateRange]:
    """Cover spans by as few windows as do not reach beyond them."""
    current: DateRange | None = None
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if current is None:
            current = span
        elif span.start <= current.end:
            current = DateRange(current.start, max(current.end, span.end))
        else:
            yield current
            current = span
    if current is not None:
        yield current


# -- whose they are ----------------------------------------------------------------------------------------------------


def _assign(ctx: JobContext, spans: Mapping[int, DateRange], remote: Mapping[int, Mapping[int, Invoice]]) -> Look:
    window = DateRange(min(s.start for s in spans.values()), max(s.end for s in spans.values()))
    periods = {PeriodKey(p.rule_id, p.issue_date): p for p in ctx.periods.of_contracts(spans, window)}
    look = Look(list(spans), periods)
    look.invoices = {number: invoice for contract_id in spans for number, invoice in remote[contract_id].items()}
    rules = rules_with_invoices(ctx, spans)
    rule_ids = {rule.rule_id for rule in rules} | {key.rule_id for key in periods}
    snapshots = RuleSnapshots(ctx, rule_ids, kept=len(rule_ids) + 1)
    not_own = ctx.invoices.not_own(rule_ids)
    unowned = ctx.invoices.unowned(spans, window)
    visited = {number for number in spans if remote[number]} | {row.contract_id for row in unowned}
    look.customers = {contract.contract_id: contract.customer_id for contract in ctx.contracts.some(spans)}

    def add(snapshot: RuleSnapshot, key: PeriodKey, row: Period | None) -> None:
        customer = look.customers.get(snapshot.rule.contract_id)
        look.wanted[key] = wanted_invoice(
            snapshot, key.issue_date, customer, row, not_own.get(key.rule_id, frozenset())
        )

    for key, row in periods.items():
        if key.rule_id in snapshots:
            add(snapshots[key.rule_id], key, row)
    # where nothing is or was at the vendor, nothing could be a neighbouring period's
    for snapshot, key in called_for(rules, snapshots, {number: spans[number] for number in visited}):
        if key not in look.wanted:
            add(snapshot, key, None)
    taken = ctx.invoices.taken(look.invoices) - {row.invoice_id for row in periods.values()}
    seen = [RemoteInvoice.of(invoice) for invoice in look.invoices.values() if invoice.id not in taken]
    look.assignment = assign(look.wanted.values(), seen)
    look.generated = _generated(ctx, look, snapshots, unowned)
    return look


def rules_with_invoices(ctx: JobContext, contract_ids: Iterable[int]) -> list[Rule]:
    """Return the rules whose invoices may be there: those that are gone, too, while none has come after them.

    One wrong answer may have said that a rule is gone; its invoices are not another one's for that. One that was first
    seen after it may have been made anew from it, and takes over what is left.
    """
    rules = ctx.contracts.rules_of(contract_ids)
    newest: dict[int, datetime] = {}
    for rule in rules:
        newest[rule.contract_id] = max(rule.first_seen_at, newest.get(rule.contract_id, rule.first_seen_at))
    return [rule for rule in rules if rule.gone_at is None or newest[rule.contract_id] <= rule.seen_at]


def called_for(
    rules: Iterable[Rule], snapshots: RuleSnapshots, spans: Mapping[int, DateRange]
) -> Iterator[tuple[RuleSnapshot, PeriodKey]]:
    """Yield the periods that the rules' newest terms call for in the spans of their contracts, planned or not."""
    for rule in rules:
        if rule.contract_id in spans and rule.rule_id in snapshots:
            snapshot = snapshots[rule.rule_id]
            for issue_date in issue_dates(snapshot.newest.recurrence, spans[rule.contract_id]):
                yield snapshot, PeriodKey(rule.rule_id, issue_date)


def wanted_invoice(
    snapshot: RuleSnapshot,
    issue_date: date,
    customer_id: int | None,
    row: Period | None = None,
    not_own: frozenset[int] = frozenset(),
) -> WantedInvoice:
    """Return what a period's invoice would look like, also where its price is unknown.

    Args:
        snapshot: its rule.
        issue_date: its planned date.
        customer_id: the contract's customer: the rule's, where it names none of its own.
        row: the period in the ledger, if it is there.
        not_own: invoices that a person said are not the rule's.
    """
    terms, rule = snapshot.terms_on(issue_date), snapshot.rule
    gross, may_be_worth = _worth(snapshot, issue_date, row)
    planned = snapshot.coverage_of(row) if row is not None else coverage(terms.recurrence, terms.accrual, issue_date)
    return WantedInvoice(
        rule_id=rule.rule_id,
        contract_id=rule.contract_id,
        issue_date=issue_date,
        coverage=planned.issued,
        accrual_month=row.accrual_month if row is not None else accrual_month(issue_date, terms.accrual),
        gross_value=gross,
        may_be_worth=may_be_worth,
        description=terms.invoice.get("description") or "",
        customer_id=customer_of(rule) or customer_id,
        services=frozenset(line.name for line in terms.services if line.name),
        parcels=terms.charge.parcels,
        rule_created_at=in_brasilia(read_timestamp(rule.payload.get("created_at"))),
        sequence=row.reference_sequence if row is not None else 1,
        invoice_id=row.invoice_id if row is not None else None,
        not_own=not_own,
        said_own=frozenset(_said_own(row)),
        answer_lost=row is not None and bool(row.lost_answers) and row.invoice_id is None,
    )


def _said_own(row: Period | None) -> Sequence[int]:
    """Return the invoice of which a person said that it is a planned period's own, if one did."""
    if row is None or row.reason is None or row.state != PeriodState.PLANNED:
        return ()
    return invoices_in(row.reason) if row.reason.kind is ReasonKind.ITS_OWN else ()


def _worth(snapshot: RuleSnapshot, issue_date: date, row: Period | None) -> tuple[Decimal | None, frozenset[Decimal]]:
    """Return what a period's invoice should be, and what it may be while its adjustments are on their way."""
    issued = row is not None and row.state == PeriodState.ISSUED
    every = snapshot.adjustments_of(issue_date, row)
    if not every:
        return _total(snapshot, issue_date, ()), frozenset()
    if row is not None and issued:
        known = snapshot.adjustments_in(row)
        others = [snapshot.adjustments_in(row, UseState.USED, UseState.SENDING)]
    else:
        known, others = every, [()]
    totals = {total for some in others if (total := _total(snapshot, issue_date, some)) is not None}
    return _total(snapshot, issue_date, known), frozenset(totals)


def _total(snapshot: RuleSnapshot, issue_date: date, adjustments: Sequence[Adjustment]) -> Decimal | None:
    try:
        return snapshot.bill(issue_date, adjustments).total
    except DomainError:
        return None


# -- what the vendor makes ---------------------------------------------------------------------------------------------


def _generated(
    ctx: JobContext, look: Look, snapshots: RuleSnapshots, unowned: Sequence[LedgerInvoice]
) -> dict[int, DateRange]:
    """Return by rule what the vendor has generated, by this look and by what earlier ones remember; remember it.

    What was made in the same second as the rule was made from its first day on: a first invoice that is missing was
    removed like any other. So was what the ledger has seen and this look has not, and what was cancelled before anybody
    adopted it, at either end of what is there, and where nothing else is. What was moved to where it is no period's own
    may still be that of the period for which it was planned at first.
    """
    makers = ctx.invoices.makers(invoice.id for invoice in look.assignment.own.values())
    seen: dict[int, DateRange] = {}
    for key, invoice in look.assignment.own.items():
        wanted = look.wanted[key]
        if makers.get(invoice.id, made_by(wanted, invoice)) is MadeBy.CICLO:
            continue
        first = last = key.issue_date
        if came_with_its_rule(wanted, invoice):
            first = min(first, snapshots[key.rule_id].newest.recurrence.init_date)
        known = seen.get(key.rule_id, DateRange.days(first, last))
        seen[key.rule_id] = DateRange.days(min(first, known.start), max(last, known.last_day))
    generated = ctx.invoices.remember_generated(seen, {key.rule_id for key in look.wanted}, at=ctx.clock())
    removed: dict[int, DateRange] = {}
    moved = {row.invoice_id for row in unowned if _lies_elsewhere(row, look)}
    for key, invoice in _removed(ctx, look, unowned):
        days = removed.get(key.rule_id) or generated.get(key.rule_id)
        if days is None and not begins_alike(plain(look.wanted[key].description), plain(invoice.description)):
            continue  # of a rule of which nothing else was generated, a value alone says nothing
        days = days or DateRange.days(key.issue_date, key.issue_date)
        removed[key.rule_id] = DateRange.days(min(days.start, key.issue_date), max(days.last_day, key.issue_date))
        if invoice.id in moved:
            others = (each for each in look.assignment.near.get(key, ()) if each.id != invoice.id)
            look.assignment.near[key] = (*others, invoice)
    return generated | ctx.invoices.remember_generated(removed, removed, at=ctx.clock())


def _removed(
    ctx: JobContext, look: Look, unowned: Sequence[LedgerInvoice]
) -> Iterator[tuple[PeriodKey, RemoteInvoice]]:
    """Yield the periods without an invoice whose own was deleted, cancelled or moved before anybody adopted it."""
    absent = [period for key, period in look.wanted.items() if key not in look.assignment.own]
    if not absent:
        return
    own = {invoice.id for invoice in look.assignment.own.values()}
    elsewhere = [
        RemoteInvoice(
            id=row.invoice_id,
            contract_id=row.contract_id,
            planned_date=row.first_planned,
            gross_value=row.gross_value,
            description=row.description or "",
            customer_id=row.customer_id,
            created_at=row.created_at_vendor,
        )
        for row in unowned
        if row.invoice_id not in own and (row.invoice_id not in look.invoices or _lies_elsewhere(row, look))
    ]
    unsigned = [RemoteInvoice.of(each) for each in look.invoices.values() if each.state == InvoiceState.CANCELLED]
    adopted = ctx.invoices.makers(each.id for each in unsigned)
    cancelled = [
        replace(each, is_cancelled=False) for each in unsigned if not each.references and each.id not in adopted
    ]
    yield from assign(absent, [*elsewhere, *cancelled]).own.items()


def _lies_elsewhere(row: LedgerInvoice, look: Look) -> bool:
    """Whether an invoice is alive on another day than at first, by this look or, beyond it, by the ledger."""
    seen = look.invoices.get(row.invoice_id)
    planned, state = (row.planned_date, row.state) if seen is None else (seen.planned_date, seen.state)
    return row.gone_at is None and state != InvoiceState.CANCELLED and planned != row.first_planned
