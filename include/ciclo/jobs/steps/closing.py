"""Steps that prove a month, the running one too, and close it."""

import logging
from datetime import date

from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import month_words
from ciclo.jobs.closing.close import (
    ClosingAttempt,
    RunningMonth,
    close_month,
    missed_months,
    months_of,
    prove_running_month,
    refresh_rules,
    require_closed,
)
from ciclo.jobs.context import JobContext, responsible_from
from ciclo.jobs.rules.read import require_known
from ciclo.jobs.runs import Notice, Run, Trigger
from ciclo.locale import _

log = logging.getLogger("ciclo")


SHOWN = 100
"""Findings that a log lists before it only counts them."""


def read_rules(job: JobContext, run: Run) -> None:
    """Read contracts and rules as they are now; the running month is proved by what was read today."""
    months = _to_close(job, run)
    if months:
        window = DateRange(months[0], DateRange.month_of(months[-1]).end)
        refresh_rules(job, window, seen_on=run.today, contract_ids=run.contract_ids)
        require_known(job, run.contract_ids)


def close_months(job: JobContext, run: Run) -> dict[str, str]:
    """Try to close each month of the run; return by month how it ended. Fails unless all are closed.

    Of the running month it says how far it is complete, tells people once when that stops, and fails for nothing; what
    it closes is a month whose day fell into an outage. What was billed before Ciclo became responsible is not its to
    prove.
    """
    before = [month for month in months_of(run.window) if _is_before_ciclo(job, month)]
    verdicts = {f"{month:%Y-%m}": "before Ciclo is responsible" for month in before}
    if before:
        said = "%s to %s: Ciclo answers for later months; nothing is proved (ciclo audit looks at any)"
        log.info(said, month_words(before[0]), month_words(before[-1]))
    if _is_running(run) and not before:
        verdicts |= _prove_running(job, run)
    attempts = []
    for month in _to_close(job, run):
        reports = None if run.dry_run else run.reports
        attempts.append(close_month(job, month, today=run.today, reports=reports, contract_ids=run.contract_ids))
        _report_attempt(attempts[-1])
    require_closed(attempts)
    return verdicts | {f"{attempt.report.month:%Y-%m}": attempt.report.verdict() for attempt in attempts}


def _to_close(job: JobContext, run: Run) -> list[date]:
    """Return the months that a run is to close: its own; of a run about the running month those that were missed."""
    if _is_running(run):
        missed = missed_months(job, today=run.day)
        for month in missed:
            log.info("%s was not closed on its day: no run has tried to, so this one does", month_words(month))
        return missed
    return [month for month in months_of(run.window) if not _is_before_ciclo(job, month)]


def _prove_running(job: JobContext, run: Run) -> dict[str, str]:
    proved = prove_running_month(job, today=run.day)
    report = proved.report
    if proved.stopped_holding:
        run.tell(_no_longer_complete(proved))
    lines = "".join(f"\n  {line}" for line in report.lines())
    log.log(logging.WARNING if lines else logging.INFO, "%s so far: %s%s", month_words(report.month),
            "complete" if not lines else "not complete", lines)  # fmt: skip
    return {f"{report.month:%Y-%m}": "complete" if not lines else "not complete"}


def _is_before_ciclo(job: JobContext, month: date) -> bool:
    """Whether a month ended before Ciclo became responsible, and nobody billed it by Ciclo afterwards either."""
    since = responsible_from(job)
    return since is not None and month < since and not job.closings.has_periods(DateRange.month_of(month))


def _no_longer_complete(proved: RunningMonth) -> Notice:
    month, until, lines = month_words(proved.report.month), proved.complete_until, proved.report.lines()
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
    log.log(level, "%s: %s%s", month_words(report.month), report.verdict(), lines)
    for path in attempt.files or ():
        log.info("report: %s", path)
