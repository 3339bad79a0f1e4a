"""Steps that hold what was billed against what the vendor has: reconciliation, ageing, closing a month."""

import logging

from ciclo.domain.money import brl
from ciclo.jobs.closing.close import (
    ClosingAttempt,
    RunningMonth,
    close_month,
    months_of,
    prove_running_month,
    refresh_rules,
    require_closed,
)
from ciclo.jobs.context import JobContext
from ciclo.jobs.reconciliation.reconcile import reconcile, reconcile_touched
from ciclo.jobs.runs import Counts, Notice, Run, Trigger
from ciclo.ledger.queries.receivables import ageing, days_to_receive
from ciclo.locale import _

log = logging.getLogger("ciclo")

SHOWN = 100
"""Findings that a log lists before it only counts them."""


def reconcile_receivables(job: JobContext, run: Run) -> Counts:
    """Reconcile what webhooks named, the run's dates where a person gave them, or all that may have changed."""
    days = run.settings.recheck_days
    if run.trigger is Trigger.ASSET:
        outcome = reconcile_touched(job, today=run.today, recheck_days=days)
    else:
        window = run.window if run.dated else None
        outcome = reconcile(job, today=run.today, recheck_days=days, window=window, contract_ids=run.contract_ids)
    log.info("reconciled: %s", outcome.counts())
    for finding in outcome.opened[:SHOWN]:
        log.warning("%s: %s", finding.kind.value.replace("_", " "), finding.sentence)
    if len(outcome.opened) > SHOWN:
        log.warning("… and %d more findings; the console lists them", len(outcome.opened) - SHOWN)
    return outcome.counts()


def age_receivables(job: JobContext, run: Run) -> dict[str, str]:
    """Say what is owed and since when; return the amounts by age."""
    aged = ageing(job.session, job.organization_id, run.today)
    days = days_to_receive(job.session, job.organization_id)
    rows = [f"  {bucket.value:<10}{owed.count:>8} {brl(owed.amount):>20}" for bucket, owed in aged.items()]
    taken = f"  received in {days} days on average" if days is not None else "  nothing was received yet"
    log.info("owed on %s:\n%s\n%s", run.today, "\n".join(rows), taken)
    return {bucket.value: str(owed.amount) for bucket, owed in aged.items()}


def read_rules(job: JobContext, run: Run) -> None:
    """Read contracts and rules as they are now; the running month is proved by what was read today."""
    if _is_running(run):
        return
    refresh_rules(job, run.window, seen_on=run.today, contract_ids=run.contract_ids)


def close_months(job: JobContext, run: Run) -> dict[str, str]:
    """Try to close each month of the run; return by month how it ended. Fails unless all are closed.

    Of the running month it says how far it is complete, tells people once when that stops, and fails for nothing.
    """
    if _is_running(run):
        proved = prove_running_month(job, today=run.day)
        report = proved.report
        if proved.stopped_holding:
            run.tell(_no_longer_complete(proved))
        lines = "".join(f"\n  {line}" for line in report.lines())
        log.log(logging.WARNING if lines else logging.INFO, "%s so far: %s%s", f"{report.month:%m/%Y}",
                "complete" if not lines else "not complete", lines)  # fmt: skip
        return {f"{report.month:%Y-%m}": "complete" if not lines else "not complete"}
    attempts = []
    for month in months_of(run.window):
        reports = None if run.dry_run else run.reports
        attempts.append(close_month(job, month, today=run.today, reports=reports, contract_ids=run.contract_ids))
        _report_attempt(attempts[-1])
    require_closed(attempts)
    return {f"{attempt.report.month:%Y-%m}": attempt.report.verdict() for attempt in attempts}


def _no_longer_complete(proved: RunningMonth) -> Notice:
    month, until, lines = f"{proved.report.month:%m/%Y}", proved.complete_until, proved.report.lines()
    if until is None:
        subject = _("Ciclo: {month} is not complete from its first day on").format(month=month)
    else:
        subject = _("Ciclo: {month} is complete only until {day}").format(month=month, day=f"{until:%d/%m/%Y}")
    more = [_("… and {number} more; the console lists them").format(number=len(lines) - SHOWN)]
    return Notice(subject=subject, lines=(*lines[:SHOWN], *(more if len(lines) > SHOWN else ())))


def _is_running(run: Run) -> bool:
    """Whether a run is about the month of the day before its own, which nobody closes yet."""
    return run.trigger is Trigger.SCHEDULE and not run.dated and run.window.end == run.day


def _report_attempt(attempt: ClosingAttempt) -> None:
    report = attempt.report
    lines = "".join(f"\n  {line}" for line in report.lines())
    level = logging.INFO if attempt.closed else logging.WARNING
    log.log(level, "%s: %s%s", f"{report.month:%m/%Y}", report.verdict(), lines)
    for path in attempt.files or ():
        log.info("report: %s", path)
