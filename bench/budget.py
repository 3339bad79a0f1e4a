"""How much of the API's budget of requests is used while work is left, by tasks that share it over the ledger.

Each task is a process with a client of its own, as on a worker of any executor: what they share is the ledger. It reads
contracts, as many at once as its client allows; the first and the last moment do not count, when processes begin and
end.
"""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from threading import Barrier, Thread

from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, TOKEN, company, fresh_ledger
from ciclo.billimatic import BillimaticClient
from ciclo.http.retries import Budget, CallBudget
from ciclo.ledger.budget import RowStore, SharedBudget
from ciclo.ledger.database import open_engine

SECONDS, WARM = 6.0, 1.5
"""How long requests are counted, and how long tasks come up to speed before; a sixth of it where nothing is judged."""
EVERY = tuple(product((10, 50), (0.05, 0.2, 1.0), (1, 2, 4)))
SOME = ((10, 0.05, 2), (10, 1.0, 1), (50, 0.05, 2), (50, 0.2, 4), (50, 1.0, 2))
"""Requests a second, seconds an answer, tasks."""
NEEDED = 0.97
TOY = 0.1
"""Scale below which benchmarks show that they run, no more."""


def measure_budget(bench: Bench) -> Iterator[Figure]:
    """Count what is sent in some seconds beside what the budget allows in them; once, it is a count."""
    cases = EVERY if bench.full else SOME[: 1 if bench.scale < TOY else len(SOME)]
    for rate, answer, tasks in cases:
        yield _used(bench, rate, answer, tasks, refused=0.0)
    yield _used(bench, *cases[0], refused=0.05)


def _used(bench: Bench, rate: int, answer: float, tasks: int, *, refused: float) -> Figure:
    sandbox, share = bench.sandbox, 1.0 if bench.scale >= TOY else 1 / 6
    sandbox.control("PUT", "state", company(20))
    slow = {"path": "^/api/", "kind": "slow", "seconds": answer}
    throttled = {"path": "^/api/", "kind": "rate_limit", "probability": refused, "seed": 1}
    sandbox.control("PUT", "faults", [slow, *([throttled] if refused else [])])
    spawn = multiprocessing.get_context("spawn")
    with (
        fresh_ledger(bench.postgres) as url,
        ProcessPoolExecutor(tasks, spawn, _wait_for_all, (spawn.Barrier(tasks),)) as processes,
    ):
        sent = [
            at for some in processes.map(partial(_read_on, sandbox.url, url, rate, share), range(tasks)) for at in some
        ]
    sandbox.take_longer(0)
    title = f"{rate}/s allowed, answers after {answer * 1000:.0f} ms, tasks {tasks}"
    title += f", {refused:.0%} answered 429" if refused else ""
    begin, seconds = min(sent) + WARM * share, SECONDS * share
    counted = sum(begin <= at < begin + seconds for at in sent)
    return Figure("budget", title, "requests", [float(counted)], "allowed", [rate * seconds], at_least=NEEDED)


def _wait_for_all(everybody_is_up: Barrier) -> None:
    everybody_is_up.wait()


def _read_on(sandbox_url: str, ledger_url: str, rate: int, lasts: float, _task: int) -> list[float]:
    """Read contracts for as long as requests are counted, and a little longer; return when each was sent."""
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
        ends = time.monotonic() + (WARM + SECONDS + 1.0) * lasts

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
