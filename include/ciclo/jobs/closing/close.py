"""Closing a month: reconcile it, prove it, record the attempt, write the report; fail unless the proof holds.

An attempt is recorded before it fails, and may be repeated as often as it takes. A closed month is never
opened again: what changes in it later is a finding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ciclo.domain.findings import FindingKind
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.proof import MonthProof, Verdict, never_billed, prove_month
from ciclo.jobs.closing.report import MonthReport, ReportFiles, contract_totals, write_report
from ciclo.jobs.context import JobContext
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list, read_in_batches

LINES_SHOWN = 50


class MonthNotOverError(Exception):
    """A month can be closed only when its last day has passed."""

    def __init__(self, month: date, today: date) -> None:
        super().__init__(f"{month:%m/%Y} is not over on {today:%d/%m/%Y}: it cannot be closed yet")


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


def refresh_rules(ctx: JobContext, *, seen_on: date, contract_ids: Sequence[int] = ()) -> None:
    """Read contracts and rules as they are now, so that the proof expects what the vendor's rules call for. Commits."""
    read_contract_list(ctx)
    contracts = ctx.catalogue.billable_contracts(contract_ids=contract_ids)
    for _ in read_in_batches(ctx, contracts, seen_on=seen_on):
        ctx.session.commit()
        ctx.session.expunge_all()


def close_month(
    ctx: JobContext,
    month: date,
    *,
    today: date,
    reports: Path | None,
    contract_ids: Sequence[int] = (),
) -> ClosingAttempt:
    """Try to close a month; the attempt is recorded and reported either way. Commits.

    Args:
        ctx: the run.
        month: first day of the month.
        today: the day in São Paulo.
        reports: folder of the report's files; None writes none.
        contract_ids: look at these contracts alone: a report, but no closing.

    Raises:
        MonthNotOverError: the month's last day is not past.
        TransientApiError: the vendor could not be read whole.
    """
    window = DateRange.month_of(month)
    if today < window.end:
        raise MonthNotOverError(window.start, today)
    reconcile(ctx, today=today, recheck_days=0, window=window, contract_ids=contract_ids)
    proof = prove_month(ctx, window, contract_ids)
    _settle_never_billed(ctx, proof)
    report = _report(ctx, proof, contract_ids)
    files = write_report(report, reports, _names(ctx)) if reports is not None else None
    if report.complete:
        document = report.document() | {"files": [str(path) for path in files or ()]}
        held = _held(proof)
        ctx.closings.record(window.start, closed=report.closed, report=document, held=held, at=ctx.clock())
    ctx.session.commit()
    return ClosingAttempt(report, files)


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


def _settle_never_billed(ctx: JobContext, proof: MonthProof) -> None:
    ctx.findings.settle(
        never_billed(proof),
        examined={"period": {line.period_id for line in proof.lines if line.period_id is not None}},
        kinds=(FindingKind.NOT_BILLED,),
        at=ctx.clock(),
    )
    ctx.session.commit()


def _report(ctx: JobContext, proof: MonthProof, contract_ids: Sequence[int]) -> MonthReport:
    wanted = set(contract_ids)
    findings = ctx.findings.of_month(proof.month.start)
    return MonthReport(
        organization_id=ctx.organization_id,
        proof=proof,
        findings=[each for each in findings if not wanted or each.contract_id in wanted],
        price_updates=ctx.closings.price_updates(proof.month, contract_ids),
        contracts=contract_totals(proof, _names(ctx)),
        made_at=ctx.clock(),
        complete=not contract_ids,
    )


def _names(ctx: JobContext) -> dict[int, str]:
    return {contract.contract_id: contract.name for contract in ctx.catalogue.contracts()}


def _held(proof: MonthProof) -> list[dict[str, object]]:
    """Return what the month's invoices are, to measure later changes against."""
    return [
        {
            "invoice_id": line.invoice_id,
            "contract_id": line.contract_id,
            "gross_value": line.invoiced,
            "cancelled": line.invoice_state == InvoiceState.CANCELLED,
        }
        for line in proof.lines
        if line.invoice_id is not None and line.verdict in (Verdict.BILLED, Verdict.WITHOUT_PERIOD)
    ]


def _said(attempt: ClosingAttempt) -> str:
    report = attempt.report
    lines = report.lines()
    more = [f"  … and {len(lines) - LINES_SHOWN} more"] if len(lines) > LINES_SHOWN else []
    return "\n".join(
        [f"{report.month:%m/%Y} is {report.verdict()}", *(f"  {line}" for line in lines[:LINES_SHOWN]), *more]
    )
