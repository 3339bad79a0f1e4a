"""Growth: what a month costs as rules grow in number, and as more of them exist than are due.

The one rule: every job is the whole one, in a process of its own, so that its memory is all that a task of a Dag holds.
To run one by hand: `python -m bench.growth expand|issue SANDBOX_URL LEDGER_URL`.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.figures import Figure
from bench.issue import MONTH, OPTIONS, SEEN_ON
from bench.plan import Plan
from bench.portfolio import Json, company
from bench.servers import Sandbox, fresh_ledger, job_on
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope

MEGABYTE = 1024 * 1024
DAY = Scope(DateRange.days(date(2025, 3, 10), date(2025, 3, 10)))
SMALL_RUNS = 3
"""Runs of the smallest size in a round: it takes half a second, which anything else on the machine can double."""
TOLERANCE = 1.15
MEMORY = 400
"""Megabytes that a month of 100,000 rules may take."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a job took: wall time and its own processor time in seconds, megabytes at the peak."""

    seconds: float
    processor: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Month:
    """A month of so many rules, expanded for the first time, then a day of it issued."""

    rules: int
    due: int
    """Rules that issue on `DAY`."""
    expansion: Spent
    issuing: Spent


def measure(plan: Plan) -> list[Figure]:
    """Measure three sizes in turn, each ten times the one before, on whose `DAY` equally many rules are due."""
    sizes = [plan.size(count) for count in (1_000, 10_000, 100_000)]
    rounds = [_round(plan, sizes) for _ in range(plan.runs)]
    small, middle, large, yearly = ([months[number] for months in rounds] for number in range(4))
    return [
        _linear(middle, small),
        _linear(large, middle),
        _by_rule("processor time", large, middle, lambda month: month.expansion.processor),
        *_memory(large, middle),
        _few_due(yearly, middle),
        _exists("s", large, small, lambda month: month.issuing.seconds),
        _exists("s of processor time", large, small, lambda month: month.issuing.processor),
        _exists("MB", large, small, lambda month: month.issuing.megabytes),
    ]


def _round(plan: Plan, sizes: Sequence[int]) -> list[Month]:
    """Measure each size, and the middle one again with only as many rules due in the month as on its `DAY`."""
    small, middle, large = sizes
    return [
        _typical(_month(plan, small, due=small) for _ in range(SMALL_RUNS)),
        _month(plan, middle, due=small),
        _month(plan, large, due=small),
        _month(plan, middle, due=small, others_yearly=True),
    ]


def _typical(months: Iterable[Month]) -> Month:
    """Return the month whose expansion took the median time."""
    by_time = sorted(months, key=lambda month: month.expansion.seconds)
    return by_time[len(by_time) // 2]


# -- figures ---------------------------------------------------------------------------------------------------------


def _linear(more: Sequence[Month], less: Sequence[Month]) -> Figure:
    return _by_rule("first month", more, less, lambda month: month.expansion.seconds)


def _by_rule(what: str, more: Sequence[Month], less: Sequence[Month], of: Callable[[Month], float]) -> Figure:
    factor = more[0].rules / less[0].rules
    return Figure(
        "growth", f"{more[0].rules:,} rules, {what}", "s", [of(month) for month in more],
        f"{less[0].rules:,} rules, by rule", [factor * of(month) for month in less], at_most=TOLERANCE,
    )  # fmt: skip


def _memory(more: Sequence[Month], less: Sequence[Month]) -> list[Figure]:
    title, peaks = f"{more[0].rules:,} rules, peak memory", [month.expansion.megabytes for month in more]
    tenth = [month.expansion.megabytes for month in less]
    return [
        Figure("growth", title, "MB", peaks, at_most=MEMORY),
        Figure("growth", title, "MB", peaks, f"{less[0].rules:,} rules", tenth, at_most=TOLERANCE),
    ]


def _few_due(yearly: Sequence[Month], monthly: Sequence[Month]) -> Figure:
    return Figure(
        "growth", f"{yearly[0].rules:,} rules, {yearly[0].due:,} due in the month", "s",
        [month.expansion.seconds for month in yearly],
        "all of them due", [month.expansion.seconds for month in monthly],
    )  # fmt: skip


def _exists(unit: str, more: Sequence[Month], less: Sequence[Month], of: Callable[[Month], float]) -> Figure:
    return Figure(
        "growth", f"a day's {more[0].due:,} invoices of {more[0].rules:,} rules", unit, [of(month) for month in more],
        f"of {less[0].rules:,} rules", [of(month) for month in less], at_most=TOLERANCE,
    )  # fmt: skip


# -- one month -------------------------------------------------------------------------------------------------------


def _month(plan: Plan, count: int, *, due: int, others_yearly: bool = False) -> Month:
    plan.sandbox.put_state(_company(count, due, others_yearly=others_yearly))
    with fresh_ledger(plan.postgres) as url:
        expansion = _in_a_process("expand", plan.sandbox, url, done=due if others_yearly else count)
        issuing = _in_a_process("issue", plan.sandbox, url, done=due)
    return Month(count, due, expansion, issuing)


def _company(count: int, due: int, *, others_yearly: bool) -> Json:
    """Return rules of which `due` issue on `DAY`, the others later in the month, or each January."""
    state = company(count)
    for number, rule in enumerate(state["invoice_rules"]):
        timing = rule["additional_information"]
        timing["init_date"] = f"2025-01-{10 if number < due else 11 + number % 18}"
        timing["month_quantity"] = 12 if number >= due and others_yearly else 1
    return state


def _in_a_process(job: str, sandbox: Sandbox, ledger_url: str, *, done: int) -> Spent:
    command = [sys.executable, "-W", "ignore", "-m", "bench.growth", job, sandbox.url, ledger_url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    found = json.loads(printed.splitlines()[-1])
    if found.pop("done") != done:
        raise AssertionError(f"{job} did not do {done}: {printed}")
    return Spent(**found)


# -- in the process --------------------------------------------------------------------------------------------------


def _expand(job: JobContext) -> int:
    read_contract_list(job)
    return expand_rules(job, MONTH, seen_on=SEEN_ON).planned


def _issue(job: JobContext) -> int:
    return issue_due_periods(job, DAY, OPTIONS, owner="bench").created


def _spent(name: str, sandbox_url: str, ledger_url: str) -> dict[str, float]:
    """Return what a job did and took in this process."""
    with job_on(ledger_url, Sandbox(sandbox_url)) as job:
        began, used = time.perf_counter(), time.process_time()
        done = {"expand": _expand, "issue": _issue}[name](job)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
    return {"done": done, "seconds": seconds, "processor": processor, "megabytes": _peak()}


def _peak() -> float:
    """Return the most memory that this process has held, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `ru_maxrss` begins with the peak of the process that started this one
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MEGABYTE if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_spent(*sys.argv[1:])) + "\n")
