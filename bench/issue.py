"""Issuing: the whole job (look, claim, POST, record) against a loop that only sends the same requests.

The one rule: the loop is given everything ready: one client, bodies written beforehand, of the answer only its status.
Both have the same number of requests under way. The job is measured as a run of the Dag does it, in as many processes
as there are shards (two by default), and in one process; the time the processes take to start is Airflow's.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from threading import Barrier

import httpx

from bench.figures import Figure, InTurn
from bench.plan import Plan
from bench.portfolio import TOKEN, company
from bench.servers import Sandbox, fresh_ledger, job_on
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.http.json_bodies import written
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.invoice_request import InvoiceRequest, InvoiceRequests
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules, record_expansion
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope

MONTH = Scope(DateRange.days(date(2025, 3, 1), date(2025, 3, 31)))
SEEN_ON = date(2025, 3, 1)
OPTIONS = IssueOptions()
SHARDS = 2
"""As many as a run has unless `CICLO_SHARDS` says otherwise; their requests under way add up to the loop's."""

Request = tuple[str, bytes]
"""Path and body of a POST."""


def measure(plan: Plan) -> list[Figure]:
    """Measure on PostgreSQL, as a run does it and in one process, then on SQLite."""
    count = plan.size(4000)
    return [
        _compare(plan, "PostgreSQL", plan.postgres, count, shards=SHARDS, needed=0.8),
        _compare(plan, "PostgreSQL", plan.postgres, count),
        _compare(plan, "SQLite", None, count),
    ]


def _compare(
    plan: Plan, name: str, server: str | None, count: int, *, shards: int = 1, needed: float | None = None
) -> Figure:
    requests = _requests(plan.sandbox, server, count)
    pair = InTurn.measure(
        plan.runs,
        ours=lambda: _issue(plan.sandbox, server, count, shards),
        baseline=lambda: _post_only(plan.sandbox, count, requests),
    )
    title = f"{count:,} invoices on {name}, {shards} x {OPTIONS.concurrency // shards} at once"
    return Figure("issue", title, "/s", pair.ours, "bare httpx loop", pair.baseline, at_least=needed)


@contextmanager
def planned_month(sandbox: Sandbox, server: str | None, count: int) -> Iterator[str]:
    """Yield the URL of a ledger with one planned period for each of `count` rules, none of them at the vendor."""
    sandbox.put_state(company(count))
    with fresh_ledger(server) as url:
        with job_on(url, sandbox) as job:
            read_contract_list(job)
            expand_rules(job, MONTH, seen_on=SEEN_ON)
            record_expansion(job, MONTH)
        yield url


def _issue(sandbox: Sandbox, server: str | None, count: int, shards: int) -> float:
    """Return the invoices a second of the whole job, from the first shard's beginning to the last one's end."""
    with planned_month(sandbox, server, count) as url:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(shards, spawn, _wait_for_all, (spawn.Barrier(shards),)) as processes:
            tasks = [processes.submit(_issue_shard, sandbox, url, shard, shards) for shard in range(shards)]
            done = [task.result() for task in tasks]
    created = sum(each[2] for each in done)
    if created != count:
        raise AssertionError(f"{created} of {count} invoices were created")
    return count / (max(ended for _, ended, _ in done) - min(began for began, _, _ in done))


def _wait_for_all(everybody_is_up: Barrier) -> None:
    everybody_is_up.wait()


def _issue_shard(sandbox: Sandbox, url: str, shard: int, shards: int) -> tuple[float, float, int]:
    """Return when a shard began and ended, and how many invoices it created."""
    options = replace(OPTIONS, concurrency=OPTIONS.concurrency // shards)
    with job_on(url, sandbox) as job:
        began = time.perf_counter()  # one clock for all processes
        outcome = issue_due_periods(job, replace(MONTH, shard=shard, shards=shards), options, owner=f"bench {shard}")
        return began, time.perf_counter(), outcome.created


def _requests(sandbox: Sandbox, server: str | None, count: int) -> list[Request]:
    with planned_month(sandbox, server, count) as url:
        return requests_of(sandbox, url)


def requests_of(sandbox: Sandbox, url: str) -> list[Request]:
    """Return what the job would send for the ledger's planned month."""
    with job_on(url, sandbox) as job:
        periods = job.periods.in_state(PeriodState.PLANNED, scope=MONTH)
        entries = map(InvoiceRequests(job, periods).write, periods)
        return [
            (f"/api/v1/contracts/{entry.period.contract_id}/invoices", written({"invoice": entry.body}))
            for entry in entries
            if isinstance(entry, InvoiceRequest)
        ]


def _post_only(sandbox: Sandbox, count: int, requests: Sequence[Request]) -> float:
    """Return the invoices a second of a loop that does nothing else."""
    sandbox.put_state(company(count))
    headers = {"Authorization": f"Token token={TOKEN}", "Content-Type": "application/json"}
    with (
        httpx.Client(base_url=sandbox.url, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(OPTIONS.concurrency) as pool,
    ):
        began = time.perf_counter()
        for answer in pool.map(lambda request: client.post(request[0], content=request[1]), requests):
            answer.raise_for_status()
        return count / (time.perf_counter() - began)
