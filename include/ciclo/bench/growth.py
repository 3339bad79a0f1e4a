"""Growth: a month's expansion of ever more rules, each size in a process of its own, with its time and peak memory.

The one rule: the job is the whole one (contracts and rules from the API, versions, prices, periods), so that memory
counts everything a task of a Dag holds. To run one size: `python -m ciclo.bench.growth SANDBOX_URL LEDGER_URL`.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

from ciclo.bench.figures import Figure
from ciclo.bench.issue import MONTH, SEEN_ON
from ciclo.bench.plan import Plan
from ciclo.bench.portfolio import company
from ciclo.bench.servers import Sandbox, fresh_ledger, job_on
from ciclo.jobs.expand import expand_rules
from ciclo.jobs.sync import sync_contracts

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """One size: rules, seconds, megabytes at the peak."""

    rules: int
    seconds: float
    megabytes: float


def measure(plan: Plan) -> list[Figure]:
    """Measure three sizes, each ten times the one before, and expand the largest again over what is there."""
    sizes = [plan.size(count) for count in (1_000, 10_000, 100_000)]
    small, middle, large = (_run(plan, size) for size in sizes)
    figures = [
        Figure("growth", f"{run.rules:,} rules, first month", "s", [run.seconds], "time a rule: a tenth of them",
               [less.seconds * run.rules / less.rules], at_most=1.15)
        for less, run in ((small, middle), (middle, large))
    ]  # fmt: skip
    figures.append(Figure("growth", f"{large.rules:,} rules, peak memory", "MB", [large.megabytes], at_most=400))
    figures.append(
        Figure("growth", f"{large.rules:,} rules, peak memory", "MB", [large.megabytes], "a tenth of them",
               [middle.megabytes], at_most=10 * 1.15)
    )  # fmt: skip
    return figures


def _run(plan: Plan, count: int) -> Run:
    plan.sandbox.put_state(company(count))
    with fresh_ledger(plan.postgres) as url:
        command = [sys.executable, "-W", "ignore", "-m", "ciclo.bench.growth", plan.sandbox.url, url]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    found = json.loads(printed.splitlines()[-1])
    if found["planned"] != count:
        raise AssertionError(f"{found['planned']} of {count} periods were planned")
    return Run(count, found["seconds"], found["megabytes"])


def _expand(sandbox_url: str, ledger_url: str) -> dict[str, float]:
    """Return what an expansion took in this process."""
    with job_on(ledger_url, Sandbox(sandbox_url)) as job:
        began = time.perf_counter()
        sync_contracts(job)
        outcome = expand_rules(job, MONTH, seen_on=SEEN_ON)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"planned": outcome.planned, "seconds": seconds, "megabytes": peak / MEGABYTE}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_expand(*sys.argv[1:])) + "\n")
