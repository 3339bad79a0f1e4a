"""How much of the API's budget of requests is used while work is left, by tasks that share it over the ledger.

Each task is a process with a client of its own, as on a worker of any executor: what they share is the ledger. It reads
one contract after the other, as many at once as its client allows; the first and the last moment do not count, when
processes begin and end.
"""

import multiprocessing
import time
from collections.abc import Iterator
from itertools import product
from threading import Barrier, Thread

from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, TOKEN, Sandbox, company, fresh_ledger
from ciclo.billimatic import BillimaticClient
from ciclo.http.retries import Budget, CallBudget
from ciclo.ledger.budget import RowStore, SharedBudget
from ciclo.ledger.database import open_engine

SECONDS = 6.0
"""How long requests are counted, after a second in which the tasks come up to speed."""
EVERY = tuple(product((10, 50), (0.05, 0.2, 1.0), (1, 2, 4)))
SOME = ((10, 0.05, 2), (10, 1.0, 1), (50, 0.05, 2), (50, 0.2, 4), (50, 1.0, 2))
"""Requests a second, seconds an answer, tasks."""
NEEDED = 0.97


def measure_budget(bench: Bench) -> Iterator[Figure]:
    """Count what is sent in some seconds beside what the budget allows in them; once, it is a count."""
    cases = EVERY if bench.full else SOME[: 1 if bench.scale < 0.1 else len(SOME)]
    for rate, answer, tasks in cases:
        yield _used(bench, rate, answer, tasks, refused=0.0)
    yield _used(bench, *cases[0], refused=0.05)


def _used(bench: Bench, rate: int, answer: float, tasks: int, *, refused: float) -> Figure:
    sandbox = bench.sandbox
    sandbox.control("PUT", "state", company(20))
    slow = {"path": "^/api/", "kind": "slow", "seconds": answer}
    throttled = {"path": "^/api/", "kind": "rate_limit", "probability": refused, "seed": 1}
    sandbox.control("PUT", "faults", [slow, *([throttled] if refused else [])])
    spawn = multiprocessing.get_context("spawn")
    with fresh_ledger(bench.postgres) as url:
        ready = spawn.Barrier(tasks + 1)
        processes = [spawn.Process(target=_read_on, args=(sandbox.url, url, rate, ready)) for _ in range(tasks)]
        for process in processes:
            process.start()
        ready.wait()
        time.sleep(1.0)
        before, began = _count(sandbox), time.perf_counter()
        time.sleep(SECONDS)
        after, ended = _count(sandbox), time.perf_counter()
        for process in processes:
            process.join()
    sandbox.take_longer(0)
    title = f"{rate}/s allowed, answers after {answer * 1000:.0f} ms, tasks {tasks}"
    title += f", {refused:.0%} answered 429" if refused else ""
    allowed = rate * (ended - began)
    return Figure("budget", title, "requests", [float(after - before)], "allowed", [allowed], at_least=NEEDED)


def _count(sandbox: Sandbox) -> int:
    return int(sandbox.control("GET", "requests/count")["total"])


def _read_on(sandbox_url: str, ledger_url: str, rate: int, ready: Barrier) -> None:
    """Read contracts for as long as requests are counted, and a little longer."""
    engine = open_engine(ledger_url)

    def share(alone: CallBudget, rate: float) -> Budget:
        return SharedBudget(RowStore(engine, ORGANIZATION), rate, alone)

    with BillimaticClient(
        base_url=sandbox_url, token=TOKEN, organization_id=ORGANIZATION, requests_per_second=rate, share_budget=share
    ) as api:
        ready.wait()
        ends = time.monotonic() + SECONDS + 2.5

        def read() -> None:
            while time.monotonic() < ends:
                api.contract(1)

        threads = [Thread(target=read) for _ in range(api.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    engine.dispose()
