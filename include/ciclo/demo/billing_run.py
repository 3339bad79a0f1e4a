"""One run of the Dag `bill_range` over the demonstration's year, watched until it ends.

The rule here: what is printed while it works comes from Airflow and the ledger; nothing is counted by hand.
"""

import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ciclo.demo.errors import StepFailed
from ciclo.demo.ledger_view import Counts, LedgerView
from ciclo.demo.screen import Screen, count, money
from ciclo.demo.stack import Stack

DAG_ID = "bill_range"
RUN_SECONDS = 600
POLL_SECONDS = 0.7
QUIET_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class BillingRun:
    """A finished run: its id, how long it took, what the ledger counts now, which invoices the vendor got from it."""

    run_id: str
    seconds: float
    counts: Counts
    created: frozenset[int]


def bill(stack: Stack, ledger: LedgerView, first: date, last: date, screen: Screen) -> BillingRun:
    """Trigger `bill_range` for `first` to `last` and return once it has succeeded.

    Raises:
        StepFailed: the run failed, or did not end in time; with the failed task's log.
    """
    before = stack.vendor.invoice_ids()
    began = time.monotonic()
    conf = {"from_date": first.isoformat(), "to_date": last.isoformat()}
    run_id = stack.airflow.trigger(DAG_ID, conf)
    _watch(stack, ledger, run_id, began, screen)
    created = stack.vendor.invoice_ids() - before
    return BillingRun(run_id, time.monotonic() - began, ledger.counts(), frozenset(created))


def _watch(stack: Stack, ledger: LedgerView, run_id: str, began: float, screen: Screen) -> None:
    printed, printed_at = "", began
    while (state := stack.airflow.run_state(DAG_ID, run_id)) not in {"success", "failed"}:
        stack.processes.check()
        if time.monotonic() - began > RUN_SECONDS:
            raise StepFailed(DAG_ID, f"still {state} after {RUN_SECONDS} seconds", _newest_log(stack, run_id, "**"))
        line = _progress(stack, ledger, run_id)
        if line != printed and time.monotonic() - printed_at >= QUIET_SECONDS:
            screen.event(line)
            printed, printed_at = line, time.monotonic()
        time.sleep(POLL_SECONDS)
    if state == "failed":
        raise _failure(stack, run_id)


def _progress(stack: Stack, ledger: LedgerView, run_id: str) -> str:
    tasks = stack.airflow.tasks(DAG_ID, run_id)
    current = next((task for task in tasks if task.active), None)
    counts = ledger.counts()
    invoices = f"{counts.issued:,} of {count(counts.periods, 'period')} invoiced"
    line = f"{current or 'between tasks'!s:<22} {invoices:<28} {money(counts.amount)}"
    if current and current.retrying:
        return f"{line}; {_last_error(stack, run_id, current.task_id)}"
    if current and current.waiting_for_a_person:
        return f"{line}; it waits for a person: {stack.airflow_url}/dags/{DAG_ID}/runs/{run_id}"
    return line


def _last_error(stack: Stack, run_id: str, task_id: str) -> str:
    """Return why a task is being tried again."""
    lines = StepFailed(task_id, "", _newest_log(stack, run_id, f"task_id={task_id}/**")).tail()
    return next((line.strip() for line in reversed(lines) if "Error" in line), "its log tells why")


def _failure(stack: Stack, run_id: str) -> StepFailed:
    failed = [task.task_id for task in stack.airflow.tasks(DAG_ID, run_id) if task.failed]
    logs = (_newest_log(stack, run_id, f"task_id={task}/**") for task in failed)
    log = next((log for log in logs if log), _newest_log(stack, run_id, "**"))
    return StepFailed(DAG_ID, f"failed in {', '.join(failed) or 'no task'}", log)


def _newest_log(stack: Stack, run_id: str, where: str) -> Path | None:
    folder = stack.site.airflow_home / "logs" / f"dag_id={DAG_ID}" / f"run_id={run_id}"
    return max(folder.glob(f"{where}/*.log"), key=lambda log: log.stat().st_mtime, default=None)
