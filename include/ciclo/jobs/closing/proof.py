"""The proof of a month: every expected period against its invoice, and every invoice against it.

What is expected comes from the rules and the calendar, not from what was planned. A period counts as
billed only by an invoice that is at the vendor; one that was given up counts only with a person's name or a reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import ZERO, brl
from ciclo.domain.receivables import ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.snapshot import ExpectedPeriod, RuleSnapshots
from ciclo.ledger.repositories import ACTIVE, Disagreement
from ciclo.ledger.tables import Contract, Invoice, Period, Receivable, Rule

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


class Verdict(StrEnum):
    """What a line of the proof comes to."""

    BILLED = "billed"
    MISSING = "missing"
    GIVEN_UP = "given up"
    NOT_BILLED = "not billed"
    WITHOUT_PERIOD = "without period"
    """An invoice that belongs to no period: a finding, or somebody's own from before Ciclo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthLine:
    """A period of the month with its invoice, or an invoice without a period. BRL."""

    contract_id: int
    rule_id: int | None
    issue_date: date
    verdict: Verdict
    reason: str = ""
    period_id: int | None = None
    state: str | None = None
    """State of the period in the ledger; None if it was never planned, or for an invoice without one."""
    expected: Decimal | None = None
    invoice_id: int | None = None
    invoice_state: str | None = None
    invoiced: Decimal = ZERO
    received: Decimal = ZERO
    to_receive: Decimal = ZERO

    def named(self) -> str:
        """Name the line in a sentence."""
        rule = f", rule {self.rule_id}" if self.rule_id is not None else ""
        worth = f", {brl(self.expected)}" if self.expected is not None else ""
        return f"contract {self.contract_id}{rule}, period {self.issue_date}{worth}: {self.reason}"


@dataclass(frozen=True, slots=True)
class MonthProof:
    """Every line of a month."""

    month: DateRange
    lines: tuple[MonthLine, ...]

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
    given_up: Mapping[int, str]
    skipped: frozenset[int]
    """Cancelled periods whose competence month nothing else bills, though their rule goes on."""


def prove_month(ctx: JobContext, month: DateRange, contract_ids: Sequence[int] = ()) -> MonthProof:
    """Compare what the rules expect in a month with what the ledger, just reconciled, knows to be at the vendor."""
    invoices = ctx.closings.invoices(month, contract_ids)
    rules = {rule.rule_id: (rule, contract) for rule, contract in ctx.closings.rules(contract_ids)}
    snapshots = RuleSnapshots(ctx, rules, kept=len(rules))
    ledger = _read(ctx, month, contract_ids, [invoice.invoice_id for invoice in invoices])
    ledger = replace(ledger, skipped=_skipped(ctx, ledger.periods.values(), rules, snapshots))
    expected = _expected(month, rules, snapshots)
    keys = sorted({*expected, *ledger.periods}, key=lambda key: (key[1], key[0]))
    periods = (_line(ledger.periods.get(key), expected.get(key), ledger) for key in keys)
    without_period = (_without_period(invoice, ledger) for invoice in invoices if invoice.period_id is None)
    return MonthProof(month, (*(line for line in periods if line is not None), *without_period))


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
                message=line.named(),
                expected=brl(line.expected) if line.expected is not None else "an invoice",
                found="no invoice",
                amount=line.expected,
            )


def _read(ctx: JobContext, month: DateRange, contract_ids: Sequence[int], without_period: Sequence[int]) -> _Ledger:
    periods = ctx.closings.periods(month, contract_ids)
    own = ctx.reconciliation.invoices(period.invoice_id for period in periods if period.invoice_id is not None)
    cancelled = [period.id for period in periods if period.state == PeriodState.CANCELLED]
    return _Ledger(
        {(period.rule_id, period.issue_date): period for period in periods},
        own,
        ctx.reconciliation.receivables([*own, *without_period]),
        ctx.closings.given_up_by(cancelled),
        frozenset(),
    )


_Rules = Mapping[int, tuple[Rule, Contract]]


def _expected(month: DateRange, rules: _Rules, snapshots: RuleSnapshots) -> dict[tuple[int, date], ExpectedPeriod]:
    alive = ((rule, _while_alive(rule, contract, month)) for rule, contract in rules.values())
    found = (
        each for rule, part in alive if rule.rule_id in snapshots for each in snapshots[rule.rule_id].periods(part)
    )
    return {each.key: each for each in found}


def _skipped(ctx: JobContext, periods: Iterable[Period], rules: _Rules, snapshots: RuleSnapshots) -> frozenset[int]:
    """Return the cancelled periods whose rule moved its dates in such a way that a competence month fell between."""
    moved = [each for each in periods if each.state == PeriodState.CANCELLED and _goes_on(each, rules, snapshots)]
    if not moved:
        return frozenset()
    days = [each.issue_date for each in moved]
    around = DateRange(add_months(first_of_month(min(days)), -1), add_months(first_of_month(max(days)), 2))
    alive = {
        (each.rule_id, each.accrual_month)
        for each in ctx.periods.of_rules({each.rule_id for each in moved}, around)
        if each.state != PeriodState.CANCELLED
    }
    return frozenset(each.id for each in moved if (each.rule_id, each.accrual_month) not in alive)


def _goes_on(period: Period, rules: _Rules, snapshots: RuleSnapshots) -> bool:
    """Whether the rule of a cancelled period still bills the same competence months, on other days."""
    if period.rule_id not in rules:
        return False
    rule, contract = rules[period.rule_id]
    if rule.gone_at is not None or contract.state != ACTIVE or contract.gone_at is not None:
        return False
    return snapshots[period.rule_id].keeps_its_months(period)


def _while_alive(rule: Rule, contract: Contract, month: DateRange) -> DateRange:
    """Return the part of the month in which a rule was there; of an inactive contract only what was planned counts."""
    if contract.state != ACTIVE and contract.gone_at is None:
        return DateRange(month.start, month.start)
    ends = [gone.astimezone(SAO_PAULO).date() for gone in (rule.gone_at, contract.gone_at) if gone is not None]
    return month.intersection(DateRange(date.min, min(ends, default=date.max)))


def _line(period: Period | None, expected: ExpectedPeriod | None, ledger: _Ledger) -> MonthLine | None:
    if period is None:
        return _never_planned(expected) if expected is not None else None
    invoice = ledger.own.get(period.invoice_id) if period.invoice_id is not None else None
    verdict, reason = _judge(period, expected, invoice, ledger)
    if verdict is None:
        return None
    line = MonthLine(
        contract_id=period.contract_id,
        rule_id=period.rule_id,
        issue_date=period.issue_date,
        verdict=verdict,
        reason=reason,
        period_id=period.id,
        state=period.state,
        expected=expected.gross_value if expected is not None else period.gross_value,
    )
    return _with_invoice(line, invoice, ledger) if verdict is Verdict.BILLED and invoice is not None else line


def _judge(
    period: Period, expected: ExpectedPeriod | None, invoice: Invoice | None, ledger: _Ledger
) -> tuple[Verdict | None, str]:
    """Return what a period comes to and why; nothing at all for one that its rule took back before it was due."""
    if period.state == PeriodState.ISSUED:
        if invoice is None or invoice.gone_at is not None:
            return Verdict.MISSING, f"invoice {period.invoice_id} is no longer at the vendor"
        return Verdict.BILLED, ""
    if expected is None and period.state in (PeriodState.PLANNED, PeriodState.WAITING):
        cure = "run expand_invoice_rules for its month"
        return Verdict.MISSING, f"{period.state}, though its rule no longer calls for it: {cure}"
    if period.state != PeriodState.CANCELLED:
        return Verdict.MISSING, f"{period.state}{f': {said(period.reason)}' if period.reason else ''}"
    return _judge_cancelled(period, expected, ledger)


def _judge_cancelled(period: Period, expected: ExpectedPeriod | None, ledger: _Ledger) -> tuple[Verdict | None, str]:
    if period.id in ledger.given_up:
        return Verdict.GIVEN_UP, ledger.given_up[period.id]
    was_due = period.issue_date <= period.changed_at.astimezone(SAO_PAULO).date()
    skipped = period.id in ledger.skipped
    if expected is None and not was_due and not skipped:
        return None, ""
    why = "its rule still calls for it" if expected is not None else "it was due when it was given up"
    if expected is None and not was_due:
        why = f"its rule goes on and nothing else bills {period.accrual_month:%m/%Y}"
    return Verdict.NOT_BILLED, f"cancelled ({said(period.reason, 'no reason given')}), but {why}"


def _never_planned(expected: ExpectedPeriod) -> MonthLine:
    return MonthLine(
        contract_id=expected.contract_id,
        rule_id=expected.rule_id,
        issue_date=expected.issue_date,
        verdict=Verdict.MISSING,
        reason="never planned; run bill_range for its day",
        expected=expected.gross_value,
    )


def _without_period(invoice: Invoice, ledger: _Ledger) -> MonthLine:
    line = MonthLine(
        contract_id=invoice.contract_id,
        rule_id=None,
        issue_date=invoice.issue_date,
        verdict=Verdict.WITHOUT_PERIOD,
        reason=invoice.description or "",
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
        invoice_state=invoice.state,
        invoiced=invoice.gross_value,
        received=sum(received, ZERO),
        to_receive=sum((part.gross_value for part in parts if part.state in waiting), ZERO),
    )
