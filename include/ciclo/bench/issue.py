"""Issuing: the whole job (look, claim, POST, record) against a loop that only sends the same requests.

The one rule: the loop is given everything ready: one client, bodies written beforehand, of the answer only its status.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date

import httpx

from ciclo.api._json import written
from ciclo.bench.figures import Figure, InTurn
from ciclo.bench.plan import Plan
from ciclo.bench.portfolio import TOKEN, company
from ciclo.bench.servers import Sandbox, fresh_ledger, job_on
from ciclo.domain.period_states import PeriodState
from ciclo.domain.periods import DateRange
from ciclo.jobs.coverage import record_expansion
from ciclo.jobs.expand import expand_rules
from ciclo.jobs.issue import IssueOptions, issue_due_periods
from ciclo.jobs.orders import Order, OrderBook
from ciclo.jobs.sync import sync_contracts
from ciclo.ledger.repositories import Scope

MONTH = Scope(DateRange.days(date(2025, 3, 1), date(2025, 3, 31)))
SEEN_ON = date(2025, 3, 1)
OPTIONS = IssueOptions()

Request = tuple[str, bytes]
"""Path and body of a POST."""


def measure(plan: Plan) -> list[Figure]:
    """Measure on PostgreSQL, then on SQLite."""
    count = plan.size(2000)
    return [_compare(plan, "PostgreSQL", plan.postgres, count, needed=0.8), _compare(plan, "SQLite", None, count)]


def _compare(plan: Plan, name: str, server: str | None, count: int, needed: float | None = None) -> Figure:
    requests = _requests(plan.sandbox, server, count)
    pair = InTurn.measure(
        plan.runs,
        ours=lambda: _issue(plan.sandbox, server, count),
        baseline=lambda: _post_only(plan.sandbox, count, requests),
    )
    title = f"{count:,} invoices on {name}, {OPTIONS.concurrency} at once"
    return Figure("issue", title, "/s", pair.ours, "bare httpx loop", pair.baseline, at_least=needed)


@contextmanager
def planned_month(sandbox: Sandbox, server: str | None, count: int) -> Iterator[str]:
    """Yield the URL of a ledger with one planned period for each of `count` rules, none of them at the vendor."""
    sandbox.put_state(company(count))
    with fresh_ledger(server) as url:
        with job_on(url, sandbox) as job:
            sync_contracts(job)
            expand_rules(job, MONTH, seen_on=SEEN_ON)
            record_expansion(job, MONTH)
        yield url


def _issue(sandbox: Sandbox, server: str | None, count: int) -> float:
    """Return the invoices a second of the whole job."""
    with planned_month(sandbox, server, count) as url, job_on(url, sandbox) as job:
        began = time.perf_counter()
        outcome = issue_due_periods(job, MONTH, OPTIONS, owner="bench")
        seconds = time.perf_counter() - began
    if outcome.created != count:
        raise AssertionError(f"{outcome.created} of {count} invoices were created")
    return count / seconds


def _requests(sandbox: Sandbox, server: str | None, count: int) -> list[Request]:
    with planned_month(sandbox, server, count) as url:
        return requests_of(sandbox, url)


def requests_of(sandbox: Sandbox, url: str) -> list[Request]:
    """Return what the job would send for the ledger's planned month."""
    with job_on(url, sandbox) as job:
        periods = job.periods.in_state(PeriodState.PLANNED, scope=MONTH)
        orders = [order for order in map(OrderBook(job, periods).order, periods) if isinstance(order, Order)]
        return [
            (f"/api/v1/contracts/{order.period.contract_id}/invoices", written({"invoice": order.body}))
            for order in orders
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
