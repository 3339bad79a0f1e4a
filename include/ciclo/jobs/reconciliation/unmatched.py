"""Invoices at the vendor that belong to no period: taken over, one too many, unexplained, or none of Ciclo's business.

A period has one invoice. A second one that is alive beside it is a duplicate, whoever made it; where the period's own
invoice is deleted or cancelled, the one beside it takes its place. Whose they are is told as when invoices are issued,
by all periods of a contract together.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from ciclo.billimatic.models import Invoice, InvoiceState
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import cents
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.look import called_for, rules_with_invoices, wanted_invoice
from ciclo.jobs.issuing.match import Assignment, PeriodKey, RemoteInvoice, WantedInvoice, assign, reference_in
from ciclo.jobs.issuing.record import one_too_many
from ciclo.jobs.reconciliation.compare import disagreements
from ciclo.jobs.reconciliation.ingest import Ingest
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.ledger import tables
from ciclo.ledger.repositories import Change, Disagreement

UNMATCHED_KINDS = (FindingKind.DUPLICATED_REMOTELY, FindingKind.UNEXPLAINED)
"""The kinds that `judge_unmatched` decides about."""

LONGEST_PERIOD = 12
"""Months around the invoices in which a period may lie that they belong to."""


@dataclass(frozen=True, slots=True)
class _Around:
    """The periods of the unmatched invoices' contracts, and whose the invoices are."""

    periods: Mapping[PeriodKey, tables.Period]
    """Those of the ledger; `assignment` may know others, whose own invoices are no other period's."""
    own: Mapping[int, tables.Invoice]
    """The periods' invoices by id, as the ledger knows them."""
    assignment: Assignment


def judge_unmatched(ctx: JobContext, run: Ingest, *, today: date) -> list[Disagreement]:
    """Return what is wrong about invoices that belong to no period; one that stands in for another is taken over.

    Not wrong: what is cancelled, what a period will adopt, be it not planned yet, what a person is asked about already,
    what is planned for a later day, and what was issued before the month in which Ciclo began to bill the contract.
    Flushes; the caller commits.
    """
    alive = {each.id: each for each in run.seen.unmatched.values() if each.state != InvoiceState.CANCELLED}
    if not alive:
        return []
    around = _look_around(ctx, alive.values(), run.rules)
    assignment, periods = around.assignment, around.periods
    own = {found.id: periods[key] for key, found in assignment.own.items() if found.id in alive and key in periods}
    second = {
        found.id: (key, found) for key, further in assignment.seconds.items() if key in periods for found in further
    }
    open_periods = [key for key in periods if periods[key].state != PeriodState.ISSUED]
    contests = [assignment.contested[key] for key in open_periods if key in assignment.contested]
    asked = {number for contest in contests for number in contest.invoice_ids}  # issuing parks them, and names these
    asked |= {
        near.id
        for key in open_periods
        if periods[key].state == PeriodState.PARKED
        for near in assignment.near.get(key, ())
    }
    to_come = {found.id for key, found in assignment.own.items() if key not in periods and key.issue_date > today}
    began = ctx.reconciliation.first_period_of_contracts()
    wrong: list[Disagreement] = []
    for invoice in alive.values():
        if invoice.id in own:
            wrong += _take_over(ctx, run, around, invoice, own[invoice.id], today)
        elif invoice.id in second:
            key, found = second[invoice.id]
            wrong.append(one_too_many(key, assignment.own[key].id, found))
        elif invoice.id not in asked | to_come:
            # Ciclo should know it where it bills the contract by then, or where the invoice says so itself
            first = began.get(invoice.contract_id)
            is_billed = first is not None and first_of_month(first) <= invoice.planned_date <= today
            if is_billed or reference_in(invoice.comments) is not None:
                wrong.append(_unexplained(invoice))
    return wrong


def _take_over(
    ctx: JobContext, run: Ingest, around: _Around, invoice: Invoice, period: tables.Period, today: date
) -> Iterator[Disagreement]:
    """Let an invoice stand in for one that is deleted or cancelled; what an open period will adopt is left to that."""
    if _is_vacant(period, around.own):
        run.forget(period.invoice_id)
        _stand_in(ctx, period, around.own.get(period.invoice_id or 0), invoice.id)
        owner = run.owner(invoice, period, invoice.customer_id, adopted=True)
        yield from disagreements(invoice, owner, today, ctx.own_holidays)


def _look_around(ctx: JobContext, alive: Collection[Invoice], rules: RuleSnapshots) -> _Around:
    days = [invoice.planned_date for invoice in alive]
    window = DateRange(
        add_months(first_of_month(min(days)), -LONGEST_PERIOD), add_months(first_of_month(max(days)), LONGEST_PERIOD)
    )
    contracts = {invoice.contract_id for invoice in alive}
    periods = {PeriodKey(p.rule_id, p.issue_date): p for p in ctx.periods.of_contracts(contracts, window)}
    own = ctx.reconciliation.invoices(p.invoice_id for p in periods.values() if p.invoice_id is not None)
    rules.load(key.rule_id for key in periods)
    wanted = _wanted(ctx, rules, periods, own)
    remote = [*map(RemoteInvoice.of, alive), *(_as_remote(invoice) for invoice in own.values() if _lives(invoice))]
    assignment = assign(wanted, remote)
    # what may stand in for a lost invoice, or be one too many, may be that of a period which is not planned yet
    unsure = {period.contract_id for period in periods.values() if _is_vacant(period, own)}
    unsure |= {periods[key].contract_id for key in assignment.seconds}
    if unsure:
        known = rules_with_invoices(ctx, unsure)
        rules.load({key.rule_id for key in periods} | {rule.rule_id for rule in known})
        others = {key: None for _, key in called_for(known, rules, dict.fromkeys(unsure, window)) if key not in periods}
        assignment = assign([*wanted, *_wanted(ctx, rules, others, own)], remote)
    return _Around(periods, own, assignment)


def _wanted(
    ctx: JobContext,
    rules: RuleSnapshots,
    periods: Mapping[PeriodKey, tables.Period | None],
    own: Mapping[int, tables.Invoice],
) -> list[WantedInvoice]:
    """Return what the invoices of periods would look like; one that is deleted or cancelled is theirs no more."""
    known = {key: rules[key.rule_id] for key in periods if key.rule_id in rules}
    contracts = {snapshot.rule.contract_id for snapshot in known.values()}
    customers = {contract.contract_id: contract.customer_id for contract in ctx.contracts.some(contracts)}
    not_own = ctx.invoices.not_own({key.rule_id for key in known})
    wanted: list[WantedInvoice] = []
    for key, snapshot in known.items():
        period, customer = periods[key], customers.get(snapshot.rule.contract_id)
        like = wanted_invoice(snapshot, key.issue_date, customer, period, not_own.get(key.rule_id, frozenset()))
        if not _lives(own.get(like.invoice_id or 0)):
            like = replace(like, invoice_id=None, lost_its_own=period is not None and _is_vacant(period, own))
        wanted.append(like)
    return wanted


def _is_vacant(period: tables.Period, own: Mapping[int, tables.Invoice]) -> bool:
    """Whether a period was billed, and what was billed is deleted or cancelled."""
    return period.state == PeriodState.ISSUED and not _lives(own.get(period.invoice_id or 0))


def _lives(invoice: tables.Invoice | None) -> bool:
    return invoice is not None and invoice.gone_at is None and invoice.state != InvoiceState.CANCELLED


def _as_remote(invoice: tables.Invoice) -> RemoteInvoice:
    return RemoteInvoice(
        id=invoice.invoice_id,
        contract_id=invoice.contract_id,
        planned_date=invoice.planned_date,
        gross_value=invoice.gross_value,
        description=invoice.description or "",
        customer_id=invoice.customer_id,
    )


def _stand_in(ctx: JobContext, period: tables.Period, before: tables.Invoice | None, invoice_id: int) -> None:
    """Let the period have this invoice instead of the one that is deleted or cancelled."""
    now = ctx.clock()
    lost = period.invoice_id
    ctx.reconciliation.stand_in(period, lost, invoice_id, now)
    facts: dict[str, Fact] = {
        "invoice_id": invoice_id,
        "lost_id": lost,
        "lost": "cancelled" if before is not None and before.gone_at is None else "deleted",
    }
    change = Change(period.id, period.state, period.state, Reason(ReasonKind.STANDS_IN, facts))
    ctx.audit.record("period", [change], now)


def _unexplained(invoice: Invoice) -> Disagreement:
    amount = cents(invoice.gross_value)
    return Disagreement(
        kind=FindingKind.UNEXPLAINED,
        subject="invoice",
        subject_id=invoice.id,
        contract_id=invoice.contract_id,
        billing_month=first_of_month(invoice.planned_date),
        facts={
            "contract_id": invoice.contract_id,
            "invoice_id": invoice.id,
            "amount": str(amount),
            "planned_date": invoice.planned_date.isoformat(),
            "description": invoice.description or "no description",
        },
        expected="no invoice",
        found=f"{amount} on {invoice.planned_date}",
        amount=amount,
    )
