"""How much of the API's budget of requests is used while work is left, by tasks that share it over the ledger.

Each task is a process with a client of its own, or runs on a Celery worker of its own: what they share is the ledger.
It reads contracts, as many at once as its client allows; the first and the last moment do not count, when tasks begin
and end.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from multiprocessing.pool import Pool
from threading import Thread

from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, TOKEN, company, fresh_ledger
from bench.workers import app, running_workers
from ciclo.billimatic import BillimaticClient
from ciclo.http.retries import Budget, CallBudget
from ciclo.ledger.budget import RowStore, SharedBudget
from ciclo.ledger.database import open_engine

SECONDS, WARM = 5.0, 1.5
"""How long requests are counted, and how long tasks come up to speed before; a sixth of it where nothing is judged."""
Case = tuple[int, float, int]
"""Requests a second, seconds an answer, tasks."""
EVERY: tuple[Case, ...] = tuple(product((10, 50), (0.05, 0.2, 1.0), (1, 2, 4)))
SOME: tuple[Case, ...] = ((10, 0.05, 2), (10, 1.0, 1), (50, 0.05, 2), (50, 0.2, 4), (50, 1.0, 2))
NEEDED = 0.97
TOY = 0.1
"""Scale below which benchmarks show that they run, no more."""


Given = tuple[str, str, int, float]
"""Addresses of vendor and ledger, requests a second, and the share of the time for which is asked."""
Tasks = Callable[[int, Given], Iterator[list[float]]]
"""Runs as many tasks at once; returns when each of them sent its requests."""


def measure_budget(bench: Bench) -> Iterator[Figure]:
    """Count what is sent in some seconds beside what the budget allows in them; once, it is a count."""
    cases = EVERY if bench.full else SOME[: 1 if bench.scale < TOY else len(SOME)]
    few = cases if bench.full else cases[:1]
    spawn, most = multiprocessing.get_context("spawn"), max(tasks for *_, tasks in cases)
    with spawn.Pool(most, spawn.Barrier(most).wait) as processes:  # every one is up before the first is counted
        yield from _all_used(bench, "tasks", partial(_in_processes, processes), cases, few)
    with running_workers(max(tasks for *_, tasks in few)) as workers:
        yield from _all_used(bench, "Celery workers", partial(_on_workers, workers), few, few)


def _all_used(bench: Bench, name: str, run: Tasks, cases: Sequence[Case], refused: Sequence[Case]) -> Iterator[Figure]:
    for case in cases:
        yield _used(bench, *case, name=name, run=run, refused=0.0)
    for case in refused:
        yield _used(bench, *case, name=name, run=run, refused=0.05)


def _used(bench: Bench, rate: int, answer: float, tasks: int, *, name: str, run: Tasks, refused: float) -> Figure:
    sandbox, share = bench.sandbox, 1.0 if bench.scale >= TOY else 1 / 6
    sandbox.control("PUT", "state", company(20))
    slow = {"path": "^/api/", "kind": "slow", "seconds": answer}
    throttled = {"path": "^/api/", "kind": "rate_limit", "probability": refused, "seed": 1}
    sandbox.control("PUT", "faults", [slow, *([throttled] if refused else [])])
    with fresh_ledger(bench.postgres) as url:
        sent = [at for some in run(tasks, (sandbox.url, url, rate, share)) for at in some]
    sandbox.take_longer(0)
    title = f"{rate}/s allowed, answers after {answer * 1000:.0f} ms, {name} {tasks}"
    title += f", {refused:.0%} answered 429" if refused else ""
    begin, seconds = min(sent) + WARM * share, SECONDS * share
    counted = sum(begin <= at < begin + seconds for at in sent)
    return Figure("budget", title, "requests", [float(counted)], "allowed", [rate * seconds], at_least=NEEDED)


def _in_processes(processes: Pool, tasks: int, given: Given) -> Iterator[list[float]]:
    yield from processes.starmap(_read_on, [given] * tasks, chunksize=1)


def _on_workers(queues: Sequence[str], tasks: int, given: Given) -> Iterator[list[float]]:
    answers = [on_worker.apply_async(given, queue=queue) for queue in queues[:tasks]]
    for answer in answers:
        yield answer.get()


def _read_on(sandbox_url: str, ledger_url: str, rate: int, lasts: float) -> list[float]:
    """Read contracts for as long as requests are counted; return when each was sent.

    What waits for its turn when that time is over is sent all the same: so there is work left until the last moment.
    """
    sent: list[float] = []
    engine = open_engine(ledger_url)

    def share(alone: CallBudget, rate: float) -> Budget:
        return SharedBudget(RowStore(engine, ORGANIZATION), rate, alone)

    with BillimaticClient(
        base_url=sandbox_url,
        token=TOKEN,
        organization_id=ORGANIZATION,
        requests_per_second=rate,
        share_budget=share,
        observer=lambda _method, _path, _status, seconds: sent.append(time.monotonic() - seconds),
    ) as api:
        ends = time.monotonic() + (WARM + SECONDS) * lasts

        def read() -> None:
            while time.monotonic() < ends:
                api.contract(1)

        threads = [Thread(target=read) for _ in range(api.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    engine.dispose()
    return sent


on_worker = app.task(_read_on, name="read_on")
