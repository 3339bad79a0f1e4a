"""The proof of a month: every expected period against its invoice, and every invoice against its period.

What is expected comes from the rules as they were just read, not from what was planned. A period counts as billed only
by an invoice that is at the vendor; one that was given up counts only with a person's name or a reason, unless other
periods pay for all of its time; one in a stretch in which its contract was inactive is not expected, and listed with
the stretch.

A month that was closed is the measure of what changes in it later: an invoice that came, went, was cancelled, or costs
something else. Money that comes in is no change: a month is closed long before it is paid.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from ciclo.domain.calendar import SAO_PAULO, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import ZERO, brl
from ciclo.domain.receivables import InvoiceState, ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.domain.wording import said_of_line
from ciclo.jobs.context import JobContext
from ciclo.jobs.periods.coverage import paid_by_others
from ciclo.jobs.rules.snapshot import ExpectedPeriod, RuleSnapshots
from ciclo.ledger.repositories import AsClosed, Disagreement
from ciclo.ledger.rows import in_parts, in_weighed_parts
from ciclo.ledger.tables import Finding, Invoice, Period, Receivable

Value = TypeVar("Value", bound=Hashable)


class Verdict(StrEnum):
    """What a line of the proof comes to."""

    BILLED = "billed"
    MISSING = "missing"
    GIVEN_UP = "given up"
    NOT_BILLED = "not billed"
    PAUSED = "paused"
    """Its contract was inactive."""
    WITHOUT_PERIOD = "without period"
    """An invoice that belongs to no period: a finding, or somebody's own from before Ciclo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthLine:
    """A period of the month with its invoice, or an invoice without a period. BRL."""

    contract_id: int
    rule_id: int | None
    issue_date: date
    verdict: Verdict
    reason: Reason | None = None
    period_id: int | None = None
    state: str | None = None
    """State of the period in the ledger; None if it was never planned, or for an invoice without one."""
    expected: Decimal | None = None
    invoice_id: int | None = None
    invoice_state: str | None = None
    invoiced: Decimal = ZERO
    received: Decimal = ZERO
    to_receive: Decimal = ZERO

    @property
    def fact(self) -> dict[str, Fact]:
        """The line as a document of the ledger holds it."""
        fact: dict[str, Fact] = {"contract_id": self.contract_id}
        if self.rule_id is not None:
            fact["rule_id"] = self.rule_id
        fact["issue_date"] = self.issue_date.isoformat()
        if self.expected is not None:
            fact["amount"] = str(self.expected)
        return fact | {"because": self.reason.fact if self.reason is not None else {"text": ""}}

    def named(self) -> str:
        """Name the line in a sentence."""
        return said_of_line(self.fact)


@dataclass(frozen=True, slots=True)
class MonthProof:
    """Every line of a month, or of the part of it that is over."""

    month: DateRange
    lines: tuple[MonthLine, ...]
    followed: tuple[int, ...]
    """Periods without a line: what their rule took back before they were due, or what another period pays for."""

    def of(self, verdict: Verdict) -> list[MonthLine]:
        """Return the lines of one verdict."""
        return [line for line in self.lines if line.verdict is verdict]


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What the ledger has of the month."""

    periods: Mapping[tuple[int, date], Period]
    own: Mapping[int, Invoice]
    """The periods' invoices by id, gone or not."""
    receivables: Mapping[int, list[Receivable]]
    given_up: Mapping[int, Reason]
    accepted: Mapping[int, Finding]
    """By invoice, its deletion that a person has taken on."""


def prove_month(
    ctx: JobContext, month: DateRange, contract_ids: Sequence[int] = (), *, with_pauses: bool = True
) -> MonthProof:
    """Compare what the rules expect in a month with what the ledger, just reconciled, knows to be at the vendor.

    Some contracts at a time: what is kept of a month is its lines. No change may be pending in the session.

    Args:
        ctx: the run.
        month: the month, or the part of it that is over.
        contract_ids: these alone; none for all.
        with_pauses: list what fell into a pause; without, contracts that have long ended cost nothing.
    """
    periods: list[MonthLine] = []
    paused: list[MonthLine] = []
    without: list[MonthLine] = []
    followed: list[int] = []
    deletions = ctx.findings.open_of_kind(FindingKind.DELETED_REMOTELY)
    accepted = {number: each for (_, number), each in deletions.items() if each.acknowledged_at is not None}
    rules_by_contract = ctx.closings.rules_by_contract(month, contract_ids, inactive=with_pauses)
    for some in in_weighed_parts(rules_by_contract, lambda each: max(1, len(each[1]))):
        _prove(ctx, month, dict(some), accepted, periods=periods, paused=paused, without=without, followed=followed)
        ctx.session.expunge_all()
    periods.sort(key=lambda line: (line.issue_date, line.rule_id or 0))
    paused.sort(key=lambda line: (line.rule_id or 0, line.issue_date))
    without.sort(key=lambda line: (line.issue_date, line.invoice_id or 0))
    return MonthProof(month, (*periods, *(paused if with_pauses else ()), *without), tuple(followed))


def _prove(
    ctx: JobContext,
    month: DateRange,
    rules: Mapping[int, Sequence[int]],
    accepted: Mapping[int, Finding],
    *,
    periods: list[MonthLine],
    paused: list[MonthLine],
    without: list[MonthLine],
    followed: list[int],
) -> None:
    """Add the lines of some contracts: of periods, of what fell into a pause, of invoices without a period."""
    invoices = ctx.closings.invoices_of_no_period(month, list(rules))
    ledger = _read(ctx, month, list(rules), [invoice.invoice_id for invoice in invoices], accepted)
    expected: dict[tuple[int, date], ExpectedPeriod] = {}
    rule_ids = [each for some in rules.values() for each in some]
    pauses = ctx.readings.pauses(rules, seen=True)
    for snapshot in RuleSnapshots(ctx, rule_ids, kept=len(rule_ids)):
        alive, stretches = snapshot.alive_in(month), pauses.get(snapshot.rule.contract_id, ())
        called_for = {each.key: each for each in snapshot.called_for(alive, stretches)}
        expected |= called_for
        if stretches:
            of_the_rule = [each for each in snapshot.periods(alive) if each.key not in called_for]
            paused += (line for each in of_the_rule if (line := _paused(each, stretches, ledger)) is not None)
    known = ledger.periods
    periods += (_never_planned(expected[key]) for key in expected.keys() - known.keys())
    lines = {key: _line(period, expected.get(key), ledger) for key, period in known.items()}
    late = [known[key] for key, line in lines.items() if line is not None and line.verdict is Verdict.NOT_BILLED]
    lines |= {(period.rule_id, period.issue_date): None for period in paid_by_others(ctx, late)}
    periods += (line for line in lines.values() if line is not None)
    followed += (known[key].id for key, line in lines.items() if line is None)
    without += (_without_period(invoice, ledger) for invoice in invoices)


def never_billed(proof: MonthProof) -> Iterator[Disagreement]:
    """Yield the findings about periods that were due and that no person gave up."""
    for line in proof.of(Verdict.NOT_BILLED):
        if line.period_id is not None:
            yield Disagreement(
                kind=FindingKind.NOT_BILLED,
                subject="period",
                subject_id=line.period_id,
                contract_id=line.contract_id,
                billing_month=proof.month.start,
                facts=line.fact,
                expected=brl(line.expected) if line.expected is not None else "an invoice",
                found="no invoice",
                amount=line.expected,
            )


def _read(
    ctx: JobContext,
    month: DateRange,
    contract_ids: Sequence[int],
    without: Sequence[int],
    accepted: Mapping[int, Finding],
) -> _Ledger:
    periods = ctx.closings.periods(month, contract_ids)
    own = ctx.reconciliation.invoices(period.invoice_id for period in periods if period.invoice_id is not None)
    cancelled = [period.id for period in periods if period.state == PeriodState.CANCELLED]
    return _Ledger(
        {(period.rule_id, period.issue_date): period for period in periods},
        own,
        ctx.reconciliation.receivables([*own, *without]),
        ctx.closings.given_up_by(cancelled),
        accepted,
    )


def _never_planned(expected: ExpectedPeriod) -> MonthLine:
    return MonthLine(
        contract_id=expected.contract_id,
        rule_id=expected.rule_id,
        issue_date=expected.issue_date,
        verdict=Verdict.MISSING,
        reason=Reason(ReasonKind.NEVER_PLANNED),
        expected=expected.gross_value,
    )


def _line(period: Period, expected: ExpectedPeriod | None, ledger: _Ledger) -> MonthLine | None:
    """Judge a period by itself; nothing at all comes of one that its rule took back before it was due."""
    line = MonthLine(
        contract_id=period.contract_id,
        rule_id=period.rule_id,
        issue_date=_one(period.issue_date),
        verdict=Verdict.MISSING,
        period_id=period.id,
        state=_one(period.state),
        expected=_one(expected.gross_value if expected is not None else period.gross_value),
    )
    match PeriodState(period.state):
        case PeriodState.ISSUED:
            return _billed(line, period, ledger)
        case PeriodState.CANCELLED if period.id in ledger.given_up:
            return replace(line, verdict=Verdict.GIVEN_UP, reason=ledger.given_up[period.id])
        case PeriodState.CANCELLED:
            return _not_billed(line, period, expected)
        case state:
            facts = {"state": state.value, "why": period.reason.fact if period.reason else None}
            return replace(line, reason=Reason(ReasonKind.NOT_ISSUED, facts))


def _billed(line: MonthLine, period: Period, ledger: _Ledger) -> MonthLine:
    invoice = ledger.own.get(period.invoice_id or 0)
    if invoice is not None and invoice.gone_at is None:
        return _with_invoice(replace(line, verdict=Verdict.BILLED), invoice, ledger)
    if (accepted := ledger.accepted.get(period.invoice_id or 0)) is not None:
        by = {"person": accepted.acknowledged_by, "note": accepted.note}
        return replace(line, verdict=Verdict.GIVEN_UP, reason=Reason(ReasonKind.DELETION_ACCEPTED, by))
    return replace(line, reason=Reason(ReasonKind.INVOICE_GONE, {"invoice_id": period.invoice_id}))


def _not_billed(line: MonthLine, period: Period, expected: ExpectedPeriod | None) -> MonthLine | None:
    given_up = period.changed_at.astimezone(SAO_PAULO).date()
    # a rule may be taken back on its day before it is billed; that a whole contract is gone may be a wrong answer
    was_due = period.issue_date < given_up or (
        period.issue_date == given_up and _is(ReasonKind.CONTRACT_GONE, period.reason)
    )
    was_paused = _is(ReasonKind.CONTRACT_INACTIVE, period.reason)
    if expected is None and (not was_due or was_paused):
        return None
    kind = ReasonKind.STILL_CALLED_FOR if expected is not None else ReasonKind.GIVEN_UP_LATE
    reason = Reason(kind, {"why": period.reason.fact if period.reason is not None else None})
    return replace(line, verdict=Verdict.NOT_BILLED, reason=reason)


def _is(kind: ReasonKind, reason: Reason | None) -> bool:
    return reason is not None and reason.kind is kind


def _paused(period: ExpectedPeriod, stretches: Sequence[DateRange], ledger: _Ledger) -> MonthLine | None:
    """List a period that fell into a stretch in which its contract was inactive, unless it was billed all the same."""
    stretch = next((each for each in stretches if period.issue_date in each), None)
    known = ledger.periods.get(period.key)
    if stretch is None or (known is not None and known.state != PeriodState.CANCELLED):
        return None
    days = [stretch.start.isoformat(), *([stretch.last_day.isoformat()] if stretch.end < date.max else [])]
    return MonthLine(
        contract_id=period.contract_id,
        rule_id=period.rule_id,
        issue_date=period.issue_date,
        verdict=Verdict.PAUSED,
        reason=Reason(ReasonKind.INACTIVE_MEANWHILE, {"stretch": days}),
        expected=period.gross_value,
    )


def _without_period(invoice: Invoice, ledger: _Ledger) -> MonthLine:
    line = MonthLine(
        contract_id=invoice.contract_id,
        rule_id=None,
        issue_date=invoice.planned_date,
        verdict=Verdict.WITHOUT_PERIOD,
        reason=Reason(ReasonKind.SAID, {"text": invoice.description or ""}),
    )
    return _with_invoice(line, invoice, ledger)


def _with_invoice(line: MonthLine, invoice: Invoice, ledger: _Ledger) -> MonthLine:
    parts = [part for part in ledger.receivables.get(invoice.invoice_id, []) if part.gone_at is None]
    received = [
        part.gross_value if part.received_value is None else part.received_value
        for part in parts
        if part.state == ReceivableState.RECEIVED
    ]
    waiting = (ReceivableState.TO_EMIT, ReceivableState.TO_RECEIVE)
    return replace(
        line,
        invoice_id=invoice.invoice_id,
        invoice_state=_one(invoice.state),
        invoiced=_one(invoice.gross_value),
        received=_one(sum(received, ZERO)),
        to_receive=_one(sum((part.gross_value for part in parts if part.state in waiting), ZERO)),
    )


@lru_cache(maxsize=8192, typed=True)
def _one(value: Value) -> Value:
    """Return the same object for equal values: a line says up to three times what it costs, a month has few days."""
    return value


NOT_THERE = "not there"
DELETED = "deleted"


def changes_after_close(ctx: JobContext, invoice_ids: Iterable[int]) -> list[Disagreement]:
    """Return what is different about some invoices since their month was closed."""
    closed = ctx.closings.closed_months()
    if not closed:
        return []
    ids = set(invoice_ids)
    wrong: list[tuple[Invoice, Disagreement]] = []
    for some in in_parts(sorted(ids)):
        held = ctx.closings.as_closed(some)
        rows = list(ctx.reconciliation.each(some))
        periods = ctx.reconciliation.periods(
            row.period_id for row in rows if row.invoice_id not in held and row.period_id is not None
        )
        for row in rows:
            before, own = held.get(row.invoice_id), periods.get(row.period_id or 0)
            planned = own.issue_date if own is not None else row.planned_date
            month = before.month if before is not None else first_of_month(planned)
            change = _change(row, before, month, closed)
            if change is not None:
                wrong.append((row, change))
    return _told_with_their_successors(ctx, wrong, ids)


def _told_with_their_successors(
    ctx: JobContext, wrong: Sequence[tuple[Invoice, Disagreement]], looked_at: Collection[int]
) -> list[Disagreement]:
    """Say of what was cancelled and billed again one thing, with both invoices."""
    again = ctx.closings.billed_again(row.contract_id for row, _ in wrong) if wrong else {}
    former = {row.invoice_id: again[row.period_id] for row, _ in wrong if row.period_id in again}
    replaced = {number for numbers in former.values() for number in numbers}
    held = ctx.closings.as_closed(replaced.intersection(looked_at))
    told = []
    for row, each in wrong:
        if row.invoice_id in replaced:
            continue
        if row.invoice_id in former:
            before = [number for number in former[row.invoice_id] if number in held]
            facts: dict[str, Fact] = {
                "contract_id": row.contract_id,
                "month": f"{each.billing_month:%Y-%m}",
                "invoice_id": row.invoice_id,
                "replaced": former[row.invoice_id],
                "closed_at": str(sum((held[number].gross_value for number in before), ZERO)),
                "amount": str(row.gross_value),
            }
            was = [_worth(held[number].gross_value, cancelled=held[number].cancelled) for number in before]
            each = replace(each, facts=facts, expected=", ".join(was) or NOT_THERE)  # noqa: PLW2901
        told.append(each)
    return told


def _change(row: Invoice, held: AsClosed | None, month: date, closed: dict[date, int]) -> Disagreement | None:
    """Return what is different about an invoice since its month was closed."""
    if month not in closed:
        return None
    before = NOT_THERE if held is None else _worth(held.gross_value, cancelled=held.cancelled)
    now = DELETED if row.gone_at is not None else _worth(row.gross_value, cancelled=_is_cancelled(row))
    if before == now or (held is None and (_is_cancelled(row) or row.gone_at is not None)):
        return None
    return Disagreement(
        kind=FindingKind.CHANGED_AFTER_CLOSE,
        subject="invoice",
        subject_id=row.invoice_id,
        contract_id=row.contract_id,
        billing_month=month,
        facts={
            "contract_id": row.contract_id,
            "invoice_id": row.invoice_id,
            "month": f"{month:%Y-%m}",
            "was": before,
            "found": now,
        },
        expected=before,
        found=now,
        amount=row.gross_value,
    )


def _worth(gross_value: Decimal, *, cancelled: bool) -> str:
    """Say what an invoice is worth to its month."""
    return f"{brl(gross_value)}, cancelled" if cancelled else brl(gross_value)


def _is_cancelled(row: Invoice) -> bool:
    return row.state == InvoiceState.CANCELLED
