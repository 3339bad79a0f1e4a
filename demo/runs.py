"""Runs of Dags, started over Airflow's API and watched until they end.

What is printed while a run works comes from Airflow and the ledger; a failed run ends the demonstration
with the failed task's log.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.airflow_api import TaskProgress
from demo.screen import Screen, duration
from demo.site import StepFailed
from demo.stack import Stack

RUN_SECONDS: Final = 600
POLL_SECONDS: Final = 0.7
QUIET_SECONDS: Final = 2.0
APPROVE: Final = "Approve"
"""The answer that lets a plan be carried out."""

Figures = Callable[[], str]
"""What to say of the ledger beside the task at work."""


def nothing_more() -> str:
    """Say nothing beside the task at work."""
    return ""


@dataclass(frozen=True, slots=True)
class DagRun:
    """A run of a Dag, and since when it is under way (by the monotonic clock)."""

    dag_id: str
    run_id: str
    began: float


def run_dag(
    stack: Stack,
    dag_id: str,
    run_id: str,
    conf: Mapping[str, Any],
    screen: Screen,
    figures: Figures = nothing_more,
    *,
    answer: str | None = None,
    reading: Callable[[], None] | None = None,
) -> None:
    """Start a run of a Dag with `conf` under the name `run_id` and return once it has succeeded.

    Where the run asks a person, `answer` is given, after what `reading` makes the person do; without an answer it waits
    for somebody at the screen.

    Raises:
        StepFailed: it failed, or did not end in time; with the failed task's log.
    """
    stack.airflow.unpause(dag_id)
    run = DagRun(dag_id, run_id, time.monotonic())
    stack.airflow.trigger(dag_id, conf, run_id=run_id)
    _watch(stack, run, screen, figures, answer, reading)
    screen.event(f"Done in {duration(time.monotonic() - run.began)}")


def _watch(
    stack: Stack,
    run: DagRun,
    screen: Screen,
    figures: Figures,
    answer: str | None,
    reading: Callable[[], None] | None,
) -> None:
    printed, printed_at = "", run.began
    while (state := stack.airflow.run_state(run.dag_id, run.run_id)) not in {"success", "failed"}:
        stack.processes.check()
        if time.monotonic() - run.began > RUN_SECONDS:
            raise StepFailed(run.dag_id, f"still {state} after {RUN_SECONDS} seconds", _newest_log(stack, run))
        current = next((task for task in stack.airflow.tasks(run.dag_id, run.run_id) if task.active), None)
        asked = current if current and current.waiting_for_a_person else None
        if answer and asked and may_be_answered(stack.site.logs, run.dag_id, run.run_id, asked.task_id):
            if reading is not None:
                reading()
            stack.airflow.answer(run.dag_id, run.run_id, asked.task_id, answer)
            screen.event(f"{asked.task_id}: a person has read it and answers {answer!r}")
            answer = None
            continue
        line = _progress(stack, run, current, figures)
        if line != printed and time.monotonic() - printed_at >= QUIET_SECONDS:
            screen.event(line)
            printed, printed_at = line, time.monotonic()
        time.sleep(POLL_SECONDS)
    if state == "failed":
        raise _failure(stack, run)


def may_be_answered(logs: Path, dag_id: str, run_id: str, task_id: str) -> bool:
    """Whether a scheduler has taken note that the process which asks a person has ended.

    Airflow 3.3.2 fails a task that is answered before; that it has is said in its log alone.
    """
    noted = f"TaskInstance Finished: dag_id={dag_id}, task_id={task_id}, run_id={run_id},"
    return any(noted in log.read_text(encoding="utf-8", errors="replace") for log in logs.glob("*scheduler.log"))


def _progress(stack: Stack, run: DagRun, current: TaskProgress | None, figures: Figures) -> str:
    line = f"{current or 'between tasks'!s:<22} {figures()}".rstrip()
    return f"{line}; {remark}" if current and (remark := _remark(stack, run, current)) else line


def _remark(stack: Stack, run: DagRun, task: TaskProgress) -> str:
    """Say why a task does not go on."""
    if task.retrying:
        return _last_error(stack, run, task.task_id)
    if task.waiting_for_a_person:
        return f"it waits for a person: {stack.airflow_url}/dags/{run.dag_id}/runs/{run.run_id}"
    return ""


def _last_error(stack: Stack, run: DagRun, task_id: str) -> str:
    """Return why a task is being tried again."""
    lines = StepFailed(task_id, "", _newest_log(stack, run, f"task_id={task_id}/**")).tail()
    return next((line.strip() for line in reversed(lines) if "Error" in line), "its log tells why")


def _failure(stack: Stack, run: DagRun) -> StepFailed:
    failed = [task.task_id for task in stack.airflow.tasks(run.dag_id, run.run_id) if task.failed]
    logs = (_newest_log(stack, run, f"task_id={task}/**") for task in failed)
    log = next((log for log in logs if log), _newest_log(stack, run))
    return StepFailed(run.dag_id, f"failed in {', '.join(failed) or 'no task'}", log)


def _newest_log(stack: Stack, run: DagRun, where: str = "**") -> Path | None:
    folder = stack.site.airflow_home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
    return max(folder.glob(f"{where}/*.log"), key=lambda log: log.stat().st_mtime, default=None)
