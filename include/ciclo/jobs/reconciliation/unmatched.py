"""Invoices at the vendor that belong to no period: taken over, one too many, unknown, or none of Ciclo's business.

A period has one invoice. A second one that is alive beside it is a duplicate, whoever made it; where the
period's own invoice is deleted or cancelled, the one beside it takes its place.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ciclo.billimatic.models import Invoice
from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import brl, cents
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.match import reference, reference_in
from ciclo.jobs.reconciliation.compare import disagreements
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.ledger import tables
from ciclo.ledger.repositories import Change, Disagreement

UNMATCHED_KINDS = (FindingKind.DUPLICATED_REMOTELY, FindingKind.UNEXPLAINED)
"""The kinds that `judge_unmatched` decides about."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A period that a unmatched invoice looks like, and the invoice that it has, if any."""

    period: tables.Period
    own: tables.Invoice | None

    @property
    def is_open(self) -> bool:
        """Whether the period will look for an invoice of its own, and adopt what it finds."""
        return self.period.state not in (PeriodState.ISSUED, PeriodState.CANCELLED)

    @property
    def is_vacant(self) -> bool:
        """Whether it was billed, and what was billed is deleted or cancelled."""
        if self.period.state != PeriodState.ISSUED:
            return False
        return self.own is None or self.own.gone_at is not None or self.own.state == InvoiceState.CANCELLED

    @property
    def is_billed(self) -> bool:
        """Whether it has an invoice that is alive."""
        return self.period.state == PeriodState.ISSUED and not self.is_vacant


def judge_unmatched(
    ctx: JobContext, unmatched: Iterable[Invoice], rules: RuleSnapshots, *, today: date
) -> list[Disagreement]:
    """Return what is wrong about invoices that belong to no period; one that stands in for another is taken over.

    Not wrong: what is cancelled, what a period will adopt, what is dated in the future, and what was issued before the
    month in which Ciclo began to bill the contract. Flushes; the caller commits.
    """
    alive = sorted((i for i in unmatched if i.state != InvoiceState.CANCELLED), key=lambda invoice: invoice.id)
    candidates = _candidates(ctx, alive, rules)
    began = ctx.reconciliation.first_period_of_contracts()
    taken: set[int] = set()
    wrong: list[Disagreement] = []
    for invoice in alive:
        fitting = candidates.get(invoice.id, [])
        free = next(
            (candidate for candidate in fitting if candidate.period.id not in taken and _is_free(candidate)), None
        )
        if free is not None:
            taken.add(free.period.id)
            if free.is_vacant:
                _stand_in(ctx, free, invoice)
                wrong += disagreements(invoice, free.period, rules[free.period.rule_id].invoice(free.period), today)
            continue
        twin = next((candidate for candidate in fitting if candidate.is_billed or candidate.period.id in taken), None)
        if twin is not None:
            wrong.append(_duplicate(invoice, twin.period))
        elif _is_ours(invoice, began.get(invoice.contract_id), today):
            wrong.append(_unknown(invoice, fitting))
    return wrong


def _is_free(candidate: _Candidate) -> bool:
    return candidate.is_open or candidate.is_vacant


def _is_ours(invoice: Invoice, began: date | None, today: date) -> bool:
    """Whether Ciclo should know the invoice: it bills the contract by then, or the invoice says so itself."""
    if reference_in(invoice.comments) is not None:
        return True
    return began is not None and first_of_month(began) <= invoice.issue_date <= today


def _candidates(ctx: JobContext, unmatched: list[Invoice], rules: RuleSnapshots) -> Mapping[int, list[_Candidate]]:
    """Return by invoice the periods that it may belong to: by its reference, else by likeness."""
    referred = {written for invoice in unmatched if (written := reference_in(invoice.comments))}
    days = {invoice.issue_date for invoice in unmatched} | {date.fromisoformat(each[-10:]) for each in referred}
    periods = ctx.reconciliation.periods_on({invoice.contract_id for invoice in unmatched}, days)
    rules.load(period.rule_id for period in periods)
    own = ctx.reconciliation.invoices(period.invoice_id for period in periods if period.invoice_id is not None)
    by_reference: dict[str, list[_Candidate]] = {}
    by_day: dict[tuple[int, date], list[_Candidate]] = {}
    for period in periods:
        candidate = _Candidate(period, own.get(period.invoice_id or 0))
        own_reference = reference(ctx.organization_id, period.rule_id, period.issue_date)
        by_reference.setdefault(own_reference, []).append(candidate)
        by_day.setdefault((period.contract_id, period.issue_date), []).append(candidate)
    found: dict[int, list[_Candidate]] = {}
    for invoice in unmatched:
        written_in = reference_in(invoice.comments)
        if written_in is not None:
            found[invoice.id] = by_reference.get(written_in, [])
        else:
            same_day = by_day.get((invoice.contract_id, invoice.issue_date), [])
            found[invoice.id] = list(_alike(invoice, same_day, rules))
    return found


def _alike(invoice: Invoice, candidates: Iterable[_Candidate], rules: RuleSnapshots) -> Iterator[_Candidate]:
    gross = cents(invoice.gross_value)
    for candidate in candidates:
        expected = rules[candidate.period.rule_id].invoice(candidate.period)
        amounts: set[Decimal | None] = {expected.gross_value, candidate.period.gross_value}
        if gross in amounts and invoice.description == expected.description:
            yield candidate


def _stand_in(ctx: JobContext, candidate: _Candidate, invoice: Invoice) -> None:
    """Let the period have this invoice instead of the one that is deleted or cancelled."""
    now = ctx.clock()
    period, before = candidate.period, candidate.period.invoice_id
    ctx.reconciliation.stand_in(period, before, invoice.id, now)
    lost = "cancelled" if candidate.own and candidate.own.gone_at is None else "deleted"
    reason = f"invoice {before} is {lost} at the vendor"
    change = Change(period.id, period.state, period.state, f"{reason}; invoice {invoice.id} stands in for it")
    ctx.audit.record("period", [change], now)


def _duplicate(invoice: Invoice, period: tables.Period) -> Disagreement:
    own = f"invoice {period.invoice_id}" if period.invoice_id is not None else "another invoice"
    return Disagreement(
        kind=FindingKind.DUPLICATED_REMOTELY,
        subject="invoice",
        subject_id=invoice.id,
        contract_id=invoice.contract_id,
        billing_month=first_of_month(period.issue_date),
        message=(
            f"contract {invoice.contract_id}, rule {period.rule_id}, period {period.issue_date}: invoice {invoice.id} "
            f"of {brl(invoice.gross_value)} is one too many beside {own}; cancel one of them at the vendor"
        ),
        expected=own,
        found=f"invoice {invoice.id} too",
        amount=cents(invoice.gross_value),
    )


def _unknown(invoice: Invoice, fitting: list[_Candidate]) -> Disagreement:
    cancelled = next((candidate.period for candidate in fitting), None)
    why = f"its period {cancelled.issue_date} was given up" if cancelled else "no period expects it"
    return Disagreement(
        kind=FindingKind.UNEXPLAINED,
        subject="invoice",
        subject_id=invoice.id,
        contract_id=invoice.contract_id,
        billing_month=first_of_month(invoice.issue_date),
        message=(
            f"contract {invoice.contract_id}: invoice {invoice.id} of {invoice.issue_date}, {brl(invoice.gross_value)} "
            f"({invoice.description or 'no description'}): {why}"
        ),
        expected="no invoice",
        found=f"{brl(invoice.gross_value)} on {invoice.issue_date}",
        amount=cents(invoice.gross_value),
    )
