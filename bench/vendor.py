"""What asks the vendor: issuing and reconciling against bare loops, and requests against the fewest that do.

A loop is given everything ready: one client, bodies written beforehand, of the answer only its status. The vendor is
the sandbox, which answers at once or after 50 ms, as an API across the internet does.
"""

import gc
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from threading import Barrier
from typing import Final

import httpx

from bench.figures import Bench, Figure
from bench.servers import TODAY, TOKEN, Json, Sandbox, bill_beforehand, company, fresh_ledger, job_on
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.closing.close import close_month, refresh_rules, require_closed
from ciclo.jobs.context import IssueOptions, IssueOutcome, JobContext, is_armed
from ciclo.jobs.issuing.invoice_request import InvoiceRequest, InvoiceRequests
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.look import worth_sharing
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules, read_due, record_expansion
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope

MONTH: Final = Scope(DateRange.month_of(TODAY))
OPTIONS: Final = IssueOptions(concurrency=8)
SHARDS: Final = 2
"""As many as a run has unless `CICLO_SHARDS` says otherwise; their requests under way add up to the loop's."""
ACROSS_THE_INTERNET: Final = 0.05
"""Seconds an answer."""
PAGE: Final = 100
"""Invoices a page of the vendor's search."""

Request = tuple[str, Json]
"""Path and body of a POST."""


@contextmanager
def planned_month(sandbox: Sandbox, server: str | None, count: int) -> Iterator[str]:
    """Yield the URL of a ledger with one planned period for each of `count` rules, none of them at the vendor."""
    sandbox.take_longer(0)
    sandbox.control("PUT", "state", company(count))
    with fresh_ledger(server) as url:
        with job_on(url, sandbox) as job:
            expand(job)
            record_expansion(job, MONTH)
        yield url


def expand(job: JobContext) -> int:
    """Read contracts and rules and plan the month; return how many periods are new."""
    read_contract_list(job)
    return expand_rules(job, MONTH, seen_on=TODAY).planned


def invoice_requests(sandbox: Sandbox, url: str) -> list[Request]:
    """Return what the job would send for the ledger's planned month."""
    with job_on(url, sandbox) as job:
        periods = job.periods.in_state(PeriodState.PLANNED, scope=MONTH)
        entries = map(InvoiceRequests(job, periods).write, periods)
        return [
            (f"/api/v1/contracts/{entry.period.contract_id}/invoices", {"invoice": entry.body})
            for entry in entries
            if isinstance(entry, InvoiceRequest)
        ]


# -- issuing -----------------------------------------------------------------------------------------------------------


def measure_issuing(bench: Bench) -> Iterator[Figure]:
    """Measure the whole job (look, claim, POST, record) at a vendor that takes 50 ms, and at one that does not."""
    count = bench.size(2_000)
    with planned_month(bench.sandbox, bench.postgres, count) as url:
        ready = [(path, json.dumps(body, default=str).encode()) for path, body in invoice_requests(bench.sandbox, url)]
    yield _issuing(bench, ready, ACROSS_THE_INTERNET, at_least=0.95)
    yield _issuing(bench, ready, 0, at_least=0.65)


def _issuing(bench: Bench, ready: Sequence[tuple[str, bytes]], seconds: float, *, at_least: float) -> Figure:
    count = len(ready)
    ours, theirs = bench.in_turn(
        partial(_issue, bench.sandbox, bench.postgres, count, seconds),
        partial(_post_only, bench.sandbox, count, ready, seconds),
    )
    bench.sandbox.take_longer(0)
    at_once = f"{SHARDS} x {OPTIONS.concurrency // SHARDS} at once"
    title = f"{count:,} invoices, {at_once}, answers after {_milliseconds(seconds)}"
    return Figure("issue", title, "/s", ours, "bare httpx loop", theirs, at_least=at_least)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds else "< 1 ms"


def _issue(sandbox: Sandbox, server: str, count: int, seconds: float) -> float:
    """Return the invoices a second of the whole job, from the first shard's beginning to the last one's end."""
    with planned_month(sandbox, server, count) as url:
        sandbox.take_longer(seconds)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(SHARDS, spawn, _wait_for_all, (spawn.Barrier(SHARDS),)) as processes:
            done = list(processes.map(partial(_issue_shard, sandbox, url), range(SHARDS)))
    if sum(created for _, _, created in done) != count:
        raise AssertionError(f"not all of {count} invoices were created: {done}")
    return count / (max(ended for _, ended, _ in done) - min(began for began, _, _ in done))


def _wait_for_all(everybody_is_up: Barrier) -> None:
    gc.freeze()  # as a task does before its step
    everybody_is_up.wait()  # the time that processes take to start is Airflow's


def _issue_shard(sandbox: Sandbox, url: str, shard: int) -> tuple[float, float, int]:
    """Return when a shard began and ended, and how many invoices it created."""
    options = replace(OPTIONS, concurrency=OPTIONS.concurrency // SHARDS)
    with job_on(url, sandbox) as job:
        is_armed(job)  # as a run asks before: it has the ledger open
        began = time.perf_counter()  # one clock for all processes
        outcome = issue_due_periods(job, replace(MONTH, shard=shard, shards=SHARDS), options, owner=f"bench {shard}")
        return began, time.perf_counter(), outcome.created


def _post_only(sandbox: Sandbox, count: int, requests: Sequence[tuple[str, bytes]], seconds: float) -> float:
    """Return the invoices a second of a loop that does nothing else."""
    sandbox.take_longer(0)
    sandbox.control("PUT", "state", company(count))
    sandbox.take_longer(seconds)
    headers = {"Authorization": f"Token token={TOKEN}", "Content-Type": "application/json"}
    gc.freeze()  # as the other side does
    with (
        httpx.Client(base_url=sandbox.url, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(OPTIONS.concurrency) as pool,
    ):
        began = time.perf_counter()
        for answer in pool.map(lambda request: client.post(request[0], content=request[1]), requests):
            answer.raise_for_status()
        return count / (time.perf_counter() - began)


# -- requests ----------------------------------------------------------------------------------------------------------

FEBRUARY: Final = DateRange.month_of(date(2025, 2, 1))
BOTH: Final = Scope(DateRange(FEBRUARY.start, MONTH.window.end))
BEFORE: Final = DateRange.days(FEBRUARY.start, date(2025, 3, 7))
GENERATED: Final = Scope(DateRange.days(date(2025, 3, 8), date(2025, 3, 9)))
DUE: Final = Scope(DateRange.days(date(2025, 3, 10), date(2025, 3, 10)))
WHAT_DOES: Final = "the least that does it"
MOST: Final = 1.05


def measure_requests(bench: Bench) -> Iterator[Figure]:
    """Count, once, what each Dag of a day asks of the vendor, beside the least that does the work.

    A rule a contract; the month before and the first days of this one are billed, and two days more by the vendor.
    """
    contracts, sandbox = bench.size(10_000), bench.sandbox
    state = company(contracts, rules_a_contract=1)
    sandbox.take_longer(0)
    sandbox.control("PUT", "state", state)
    with fresh_ledger(bench.postgres) as url:
        sandbox.control("DELETE", "requests")
        with job_on(url, sandbox) as job:
            read_contract_list(job)
            expand_rules(job, BOTH, seen_on=TODAY)
            record_expansion(job, BOTH)
        yield _asked(sandbox, f"a day's readings of {contracts:,} contracts", contracts + 1)
        known = bill_beforehand(url, BEFORE)
        foreign = bill_beforehand(url, GENERATED.window, stamped=False)
        sandbox.control("PUT", "state", {**state, "invoices": known + foreign})
        sandbox.control("PUT", "clock", {"today": DUE.window.start.isoformat()})
        pages = -(-len(known + foreign) // PAGE)
        adopted = _day_of(sandbox, url, GENERATED).adopted
        title = f"{adopted} invoices adopted and stamped of {contracts:,} contracts"
        yield _asked(sandbox, title, 1 + 2 * len(foreign) + pages)
        created = _day_of(sandbox, url, DUE).created
        pages = -(-(len(known + foreign)) // PAGE)
        yield _asked(sandbox, f"{created} invoices created of {contracts:,} contracts", 2 * created + pages)
        day, pages = date(2025, 3, 11), -(-(len(known + foreign) + created) // PAGE)
        with job_on(url, sandbox, day=day) as job:
            sandbox.control("DELETE", "requests")
            reconcile(job, today=day, recheck_days=31)
            yield _asked(sandbox, f"reconciling {pages} pages of invoices", pages)
            sandbox.control("DELETE", "requests")
            refresh_rules(job, FEBRUARY, seen_on=day)
            attempt = close_month(job, FEBRUARY.start, today=day, reports=None)
            require_closed([attempt])
        yield _asked(sandbox, f"closing a month of {contracts:,} contracts", contracts + 1 + pages)


def _asked(sandbox: Sandbox, title: str, least: int) -> Figure:
    made = float(sandbox.control("GET", "requests/count")["total"])
    return Figure("requests", title, "requests", [made], WHAT_DOES, [least], at_most=MOST)


def _day_of(sandbox: Sandbox, url: str, scope: Scope) -> IssueOutcome:
    """Read, settle, issue and finish as the Dag of a day does, one shard after the other; count what it asks."""
    day, total = scope.window.last_day, IssueOutcome()
    sandbox.control("DELETE", "requests")
    with job_on(url, sandbox, day=day) as job:
        read_due(job, job.periods.open_contracts(scope), today=day)
        settle(job, scope, OPTIONS)
        for shard in range(SHARDS):
            part = worth_sharing(job, replace(scope, shard=shard, shards=SHARDS))
            if part is not None:
                total.add(issue_due_periods(job, part, OPTIONS, owner=f"bench {shard}"))
        total.add(finish_issuing(job, scope, OPTIONS, owner="bench"))
    return total


# -- reconciliation ----------------------------------------------------------------------------------------------------


def measure_reconciliation(bench: Bench) -> list[Figure]:
    """Measure a month's invoices, a hundred a page, compared and recorded, against asking for each by itself."""
    count, sandbox = bench.size(2_000, 10_000), bench.sandbox
    with planned_month(sandbox, bench.postgres, count) as url:
        invoices = bill_beforehand(url, MONTH.window)
        sandbox.control("PUT", "state", {**company(count), "invoices": invoices})
        with job_on(url, sandbox, day=MONTH.window.end) as job:  # the first reading brings the receivables
            reconcile(job, today=MONTH.window.end, recheck_days=7, window=MONTH.window)
        paths = [f"/api/v1/contracts/{each['contract_id']}/invoices/{each['id']}" for each in invoices[:PAGE]]
        sandbox.take_longer(ACROSS_THE_INTERNET)
        ours, theirs = bench.in_turn(partial(_reconcile, sandbox, url, count), partial(_ask_one_by_one, sandbox, paths))
        sandbox.take_longer(0)
    title = f"{count:,} invoices, answers after {_milliseconds(ACROSS_THE_INTERNET)}"
    return [Figure("reconcile", title, "/s", ours, "one GET each", theirs, at_least=20)]


def _reconcile(sandbox: Sandbox, url: str, count: int) -> float:
    over = MONTH.window.end
    with job_on(url, sandbox, day=over) as job:
        began = time.perf_counter()
        outcome = reconcile(job, today=over, recheck_days=7, window=MONTH.window)
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
