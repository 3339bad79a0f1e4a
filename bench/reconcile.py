"""Reconciling: whole windows a hundred a page, against asking for every invoice by itself.

The one rule: the peer only asks: one connection, answers thrown away; the job compares, records and decides. An API
across the internet does not answer in a millisecond: the figure that counts is taken at 20 ms, for both alike.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial

import httpx

from bench.figures import Figure, InTurn
from bench.issue import MONTH, OPTIONS, planned_month
from bench.plan import Plan
from bench.portfolio import TOKEN
from bench.servers import Sandbox, job_on
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.reconciliation.reconcile import reconcile

TODAY = date(2025, 4, 2)
RECHECK_DAYS = 7


def measure(plan: Plan) -> list[Figure]:
    """Measure a month of 10,000 invoices on PostgreSQL, at a server that takes its time and at one that does not."""
    count = plan.size(10_000)
    with _issued_month(plan, count) as (url, paths):
        return [
            _compare(plan, url, count, paths[:100], milliseconds=20, needed=20),
            _compare(plan, url, count, paths[:1000], milliseconds=0),
        ]


def _compare(
    plan: Plan, url: str, count: int, asked: Sequence[str], *, milliseconds: int, needed: float | None = None
) -> Figure:
    plan.sandbox.take_longer(milliseconds / 1000)
    pair = InTurn.measure(
        plan.runs,
        ours=partial(_reconcile, plan.sandbox, url, count),
        baseline=partial(_ask_one_by_one, plan.sandbox, asked),
    )
    title = f"{count:,} invoices, answers after {milliseconds or '< 1'} ms"
    return Figure("reconcile", title, "/s", pair.ours, "one GET each", pair.baseline, at_least=needed)


@contextmanager
def _issued_month(plan: Plan, count: int) -> Iterator[tuple[str, list[str]]]:
    with planned_month(plan.sandbox, plan.postgres, count) as url:
        with job_on(url, plan.sandbox) as job:
            issue_due_periods(job, MONTH, OPTIONS, owner="bench")
        invoices = plan.sandbox.state()["invoices"]
        yield url, [f"/api/v1/contracts/{each['contract_id']}/invoices/{each['id']}" for each in invoices]


def _reconcile(sandbox: Sandbox, url: str, count: int) -> float:
    with job_on(url, sandbox) as job:
        began = time.perf_counter()
        outcome = reconcile(job, today=TODAY, recheck_days=RECHECK_DAYS, window=MONTH.window)
        seconds = time.perf_counter() - began
    if outcome.invoices != count:
        raise AssertionError(f"{outcome.invoices} of {count} invoices were seen")
    return count / seconds


def _ask_one_by_one(sandbox: Sandbox, paths: Sequence[str]) -> float:
    headers = {"Authorization": f"Token token={TOKEN}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=30) as client:
        began = time.perf_counter()
        for path in paths:
            client.get(path).raise_for_status().json()
        return len(paths) / (time.perf_counter() - began)
