"""Closing a month: reconcile it, prove it, record the attempt, write the report; fail unless the proof holds.

An attempt is recorded before it fails, and may be repeated as often as it takes. A closed month is never opened again:
what changes in it later is a finding. The running month is proved every day as far as it is over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ciclo.domain.calendar import SAO_PAULO, add_days, add_months, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import month_words
from ciclo.jobs.closing.proof import MonthProof, Verdict, never_billed, prove_month
from ciclo.jobs.closing.report import MonthReport, ReportFiles, contract_totals, write_report
from ciclo.jobs.context import JobContext, responsible_from
from ciclo.jobs.periods.expand import plan_without_billing
from ciclo.jobs.periods.plan import plan_periods
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.reports import ReportsPath
from ciclo.jobs.rules.read import read_contract_list, read_in_batches
from ciclo.ledger.queries.months import add_up_periods
from ciclo.ledger.repositories import Scope
from ciclo.locale import _

LINES_SHOWN = 50
CLOSING_DAY = 2
"""Of the next month: on it, a month is closed."""


class MonthNotOverError(Exception):
    """A month can be closed only when its last day has passed."""

    def __init__(self, month: date, today: date) -> None:
        text = _("{month} is not over on {day}: it cannot be closed yet")
        super().__init__(text.format(month=month_words(month), day=f"{today:%d/%m/%Y}"))


class NotClosedError(Exception):
    """The proof of at least one month does not hold; the message names what is missing."""

    def __init__(self, attempts: Sequence["ClosingAttempt"]) -> None:
        self.attempts = tuple(attempts)
        parts = [_said(attempt) for attempt in attempts]
        super().__init__("\n".join(parts))


@dataclass(frozen=True, slots=True)
class ClosingAttempt:
    """What an attempt to close a month came to, and where its report is."""

    report: MonthReport
    files: ReportFiles | None

    @property
    def closed(self) -> bool:
        """Whether the proof held."""
        return self.report.closed


@dataclass(frozen=True, slots=True)
class RunningMonth:
    """How the proof of a running month came out, and whether it stopped holding with it."""

    report: MonthReport
    complete_until: date | None
    """Last day up to which nothing is missing and nothing differs; None where not even the first is complete."""
    stopped_holding: bool
    """Whether it does not hold, and did when it was proved before, or was not proved before."""


def refresh_rules(ctx: JobContext, window: DateRange, *, seen_on: date, contract_ids: Sequence[int] = ()) -> None:
    """Read contracts and rules as they are now, and bring the periods of a window to what they call for. Commits.

    So the proof expects what the vendor's rules say, and what nobody bills (a gap, a rule made for days past) is shown.
    """
    read_contract_list(ctx)
    contracts = ctx.contracts.billable(contract_ids=contract_ids)
    window = window.intersection(DateRange(responsible_from(ctx) or date.min, date.max))
    for readings in read_in_batches(ctx, contracts, seen_on=seen_on):
        if window:
            plan_periods(ctx, readings.read, window)
        ctx.session.commit()
        ctx.session.expunge_all()
    if window:
        plan_without_billing(ctx, Scope(window, tuple(contract_ids)), contracts)


def close_month(
    ctx: JobContext,
    month: date,
    *,
    today: date,
    reports: ReportsPath | None,
    contract_ids: Sequence[int] = (),
) -> ClosingAttempt:
    """Try to close a month; the attempt is recorded and reported either way. Commits.

    Args:
        ctx: the run.
        month: first day of the month.
        today: the day in São Paulo.
        reports: folder of the report's files, on a disk or in an object store; None writes none.
        contract_ids: look at these contracts alone: a report, but no closing.

    Raises:
        MonthNotOverError: the month's last day is not past.
        TransientApiError: the vendor could not be read whole.
    """
    window = DateRange.month_of(month)
    if today < window.end:
        raise MonthNotOverError(window.start, today)
    issued = DateRange(window.start, min(add_months(window.end, 1), add_days(today, 1)))  # it may be billed late
    reconcile(ctx, today=today, recheck_days=0, window=issued, contract_ids=contract_ids)
    proof = prove_month(ctx, window, contract_ids)
    _settle_never_billed(ctx, proof)
    names = ctx.contracts.names()
    report = _report(ctx, proof, contract_ids, names)
    files = write_report(report, reports, names) if reports is not None else None
    if report.complete:
        document = report.document() | {"files": [str(path) for path in files or ()]}
        held = _held(proof)
        ctx.closings.record(window.start, closed=report.closed, report=document, held=held, at=ctx.clock())
    ctx.session.commit()
    return ClosingAttempt(report, files)


def prove_running_month(ctx: JobContext, *, today: date) -> RunningMonth:
    """Prove the month of yesterday up to yesterday, from the day's readings; the vendor is not asked again. Commits.

    What is missing fails nobody: it is in the report, and in the ledger as how far the month is complete. What periods
    come to by day is added up, should nobody have asked for the figures.
    """
    window = DateRange(first_of_month(add_days(today, -1)), today)
    proof = prove_month(ctx, window, with_pauses=False)
    _settle_never_billed(ctx, proof)
    report = _report(ctx, proof)
    until, before = _complete_until(report), ctx.closings.progress(window.start)
    stopped_holding = not report.closed and not (before is not None and before.report["lines"])
    document = report.outcome() | {"lines": report.facts()}
    ctx.closings.record_progress(window.start, complete_until=until, report=document, at=ctx.clock())
    ctx.session.commit()
    add_up_periods(ctx.session)
    ctx.session.commit()
    return RunningMonth(report, until, stopped_holding)


def _complete_until(report: MonthReport) -> date | None:
    """Return the last day up to which nothing is missing and nothing differs; None where not even the first is."""
    days = [line.issue_date for line in report.missing]
    for finding in report.obstacles:
        day = finding.facts.get("issue_date")
        days.append(date.fromisoformat(str(day)) if day else report.month)
    last = add_days(min([*days, report.proof.month.end]), -1)
    return last if last >= report.month else None


def require_closed(attempts: Sequence[ClosingAttempt]) -> None:
    """Refuse months whose proof does not hold.

    Raises:
        NotClosedError: naming what is missing in each.
    """
    failed = [attempt for attempt in attempts if not attempt.closed]
    if failed:
        raise NotClosedError(failed)


def months_of(window: DateRange) -> list[date]:
    """Return the first days of the months that a window touches."""
    months = []
    month = DateRange.month_of(window.start)
    while month.start < window.end:
        months.append(month.start)
        month = DateRange.month_of(month.end)
    return months


def missed_months(ctx: JobContext, *, today: date) -> list[date]:
    """Return the first days of the months, oldest first, that no run has tried to close though their day has passed.

    So it is after an outage. What the same run has tried already, before one of its tasks was tried again, counts too;
    a month that was due for closing before the organization was armed is a person's to close.
    """
    organization = ctx.organizations.get()
    if organization is None or organization.armed_at is None:
        return []
    armed_on = organization.armed_at.astimezone(SAO_PAULO).date()
    first, end = (first_of_month(add_days(day, -CLOSING_DAY)) for day in (armed_on, today))
    first = max(first, organization.responsible_from or first)
    tried = ctx.closings.tried_by_others()
    months = months_of(DateRange(first, end)) if first < end else []
    return [month for month in months if month not in tried]


def _settle_never_billed(ctx: JobContext, proof: MonthProof) -> None:
    ctx.findings.settle(
        never_billed(proof),
        examined={"period": {*proof.followed, *(line.period_id for line in proof.lines if line.period_id is not None)}},
        kinds=(FindingKind.NOT_BILLED,),
        at=ctx.clock(),
    )
    ctx.session.commit()


def _report(
    ctx: JobContext, proof: MonthProof, contract_ids: Sequence[int] = (), names: Mapping[int, str] | None = None
) -> MonthReport:
    wanted = set(contract_ids)
    findings = ctx.findings.bearing_on(proof.month.start)
    return MonthReport(
        organization_id=ctx.organization_id,
        proof=proof,
        findings=[each for each in findings if not wanted or each.contract_id in wanted],
        price_updates=ctx.closings.price_updates(proof.month, contract_ids),
        contracts=contract_totals(proof, names or {}),
        made_at=ctx.clock(),
        complete=not contract_ids,
    )


def _held(proof: MonthProof) -> Iterator[dict[str, object]]:
    """Yield what the month's invoices are, to measure later changes against."""
    return (
        {
            "invoice_id": line.invoice_id,
            "contract_id": line.contract_id,
            "gross_value": line.invoiced,
            "cancelled": line.invoice_state == InvoiceState.CANCELLED,
        }
        for line in proof.lines
        if line.invoice_id is not None and line.verdict in (Verdict.BILLED, Verdict.WITHOUT_PERIOD)
    )


def _said(attempt: ClosingAttempt) -> str:
    report = attempt.report
    lines = report.lines()
    rest = len(lines) - LINES_SHOWN
    further = _("… and {number} more").format(number=rest)
    more = [f"  {further}"] if rest > 0 else []
    head = _("{month} is {verdict}").format(month=month_words(report.month), verdict=report.verdict())
    return "\n".join([head, *(f"  {line}" for line in lines[:LINES_SHOWN]), *more])
