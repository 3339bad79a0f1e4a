"""The tasks of `close_billing_month`: refresh the rules, try each month, fail if one of them does not close.

The one rule: every month of the run is tried and reported before the task fails for any of them.
"""

import logging
from typing import Any

from airflow.sdk import Asset, RetryAction, RetryRule, get_current_context

from ciclo.domain.calendar import add_days, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.close import (
    ClosingAttempt,
    MonthNotOverError,
    NotClosedError,
    close_month,
    months_of,
    refresh_rules,
)
from ciclo.jobs.closing.close import require_closed as require_all_closed
from ciclo.tasks.retries import BILLING_RETRIES, RETRYING, BillingRetries
from ciclo.tasks.runs import Context, DefaultWindow, open_job, run_day, today, window_of
from ciclo.tasks.settings import settings

log = logging.getLogger("ciclo")

CLOSED_MONTHS = Asset("ciclo://closed-months")

CLOSING: dict[str, Any] = RETRYING | {
    "retry_policy": BillingRetries(
        rules=[
            RetryRule(
                exception=NotClosedError,
                action=RetryAction.FAIL,
                reason="Something is missing or differs: a person cures it and runs the closing again.",
            ),
            RetryRule(
                exception=MonthNotOverError,
                action=RetryAction.FAIL,
                reason="The month is not over: waiting a few minutes does not help.",
            ),
            *BILLING_RETRIES.rules,
        ]
    )
}
"""Arguments of the closing's tasks: what is not closed is not tried again by itself."""


def closing_window(context: Context) -> DateRange:
    """Return the run's window: its dates where they are given, else the month before the run's day."""
    params = context["params"]
    if params["from_date"] or params["to_date"]:
        return window_of(context, DefaultWindow("month"))
    return DateRange.month_of(add_days(first_of_month(run_day(context)), -1))


def refresh() -> None:
    """Read contracts and rules as they are now."""
    context = get_current_context()
    with open_job(context, discard=context["params"]["dry_run"]) as job:
        refresh_rules(job, seen_on=today(), contract_ids=_contracts(context))


def close_months() -> dict[str, str]:
    """Try to close each month of the run; return by month how it ended. Fails unless all are closed."""
    context = get_current_context()
    attempts = []
    for month in months_of(closing_window(context)):
        with open_job(context, discard=context["params"]["dry_run"]) as job:
            reports = None if context["params"]["dry_run"] else settings().reports_folder
            attempts.append(close_month(job, month, today=today(), reports=reports, contract_ids=_contracts(context)))
        _report(attempts[-1])
    require_all_closed(attempts)
    return {f"{attempt.report.month:%Y-%m}": attempt.report.verdict() for attempt in attempts}


def _contracts(context: Context) -> tuple[int, ...]:
    return tuple(context["params"]["contract_ids"] or ())


def _report(attempt: ClosingAttempt) -> None:
    report = attempt.report
    lines = "".join(f"\n  {line}" for line in report.lines())
    log.log(
        logging.INFO if attempt.closed else logging.WARNING,
        "%s: %s%s",
        f"{report.month:%m/%Y}",
        report.verdict(),
        lines,
    )
    for path in attempt.files or ():
        log.info("report: %s", path)
