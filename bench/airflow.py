"""On a real Airflow: what a Dag adds to a job, and what one mapped task per invoice would cost.

LocalExecutor and PostgreSQL for both, the Dags as they ship; times are wall times from the trigger to the end of the
run, rows are those that a run leaves in all tables of Airflow's database. Each run has a month of its own to bill, all
of one ledger and one Airflow. The naive peer (`naive_dag.py`) is measured on a few invoices and compared per invoice.
"""

import gc
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from sqlalchemy import func, inspect, make_url, select, table

from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, TODAY, TOKEN, Sandbox, database, free_port, job_on
from bench.vendor import MONTH, OPTIONS, SHARDS, Request, invoice_requests, planned_month
from ciclo.domain.calendar import add_months
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import arm
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules, read_due, record_expansion
from ciclo.jobs.rules.read import ANEW
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Scope
from demo.airflow_api import AirflowApi
from demo.processes import Processes
from demo.site import Site, airflow_environment, project_folder, write_configuration

COMPONENTS = (
    ("airflow", "api-server"),
    ("airflow", "scheduler", "--skip-serve-logs"),
    ("airflow", "dag-processor"),
)
START_SECONDS = 120
RUN_SECONDS = 1800
INVOICES_OF_THE_PEER = 40


def measure(bench: Bench) -> list[Figure]:
    """Measure the job's own time, then the same on an Airflow and what the naive peer takes there, month by month."""
    count, few = bench.size(1_000, 5_000), bench.size(INVOICES_OF_THE_PEER)
    with planned_month(bench.sandbox, bench.postgres, count) as url:
        months = _plan_more(bench, url)
        own = [_own_seconds(bench.sandbox, url, count, next(months)) for _ in range(bench.runs)]
        invoices = invoice_requests(bench.sandbox, url)[:few]
        with database(bench.postgres, "airflow") as metadata, _airflow(bench, url, metadata, invoices) as airflow:
            rows = [_rows(metadata)]
            naive = [_seconds(airflow, "naive_invoices", {}) for _ in range(bench.runs)]
            rows.append(_rows(metadata))
            billed = list(islice(months, bench.runs))
            whole = [_whole_seconds(airflow, bench.sandbox, url, count, month) for month in billed]
            rows.append(_rows(metadata))
            for month in billed:  # of which nothing is left to be issued
                _seconds(airflow, "issue_invoices", _days(month))
            rows.append(_rows(metadata))
    of_peer, of_all, of_none = ((after - before) / bench.runs for before, after in pairwise(rows))
    return [
        Figure("naive peer", f"issue_invoices, {count:,} invoices", "/s", [count / seconds for seconds in whole],
               f"a mapped task each, {few} invoices", [few / seconds for seconds in naive], at_least=50),
        Figure("Dag", f"issue_invoices, {count:,} invoices, beside the job's {median(own):.0f} s", "s",
               [all_of_it - job for all_of_it, job in zip(whole, own, strict=True)], at_most=15),
        Figure("Dag", f"what issue_invoices leaves in Airflow's database, {count:,} invoices", "rows", [of_all],
               "of none", [of_none], at_most=1.1),
        Figure("naive peer", f"what it leaves there, {few} invoices", "rows", [of_peer]),
    ]  # fmt: skip


def _rows(metadata: str) -> int:
    """Return how many rows Airflow's database has."""
    engine = open_engine(metadata)
    with engine.connect() as connection:
        tables = [table(name) for name in inspect(connection).get_table_names()]
        found = sum(connection.scalar(select(func.count()).select_from(each)) or 0 for each in tables)
    engine.dispose()
    return found


def _plan_more(bench: Bench, url: str) -> Iterator[Scope]:
    """Plan the months after the planned one, two a run, and yield them: that one is the naive peer's."""
    starts = [add_months(MONTH.window.start, 1 + number) for number in range(2 * bench.runs)]
    whole = Scope(DateRange(starts[0], add_months(starts[-1], 1)))
    with job_on(url, bench.sandbox) as job:
        arm(job, TODAY, person="bench")
        expand_rules(job, whole, seen_on=TODAY)
        record_expansion(job, whole)
    return (Scope(DateRange.month_of(start)) for start in starts)


# -- the job's own time ----------------------------------------------------------------------------------------------


def _own_seconds(sandbox: Sandbox, url: str, count: int, month: Scope) -> float:
    """Return what the stages of the Dag take without Airflow, its shards in two processes as there."""
    shards = [Scope(month.window, (), shard, SHARDS) for shard in range(SHARDS)]
    with ProcessPoolExecutor(SHARDS, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(SHARDS)))
        began = time.perf_counter()
        with job_on(url, sandbox) as job:
            read_due(job, job.periods.open_contracts(month), today=TODAY, not_older_than=ANEW)
            settle(job, month, OPTIONS)
        created = sum(pool.map(_issue_shard, [sandbox.url] * SHARDS, [url] * SHARDS, shards))
        with job_on(url, sandbox) as job:
            finish_issuing(job, month, OPTIONS, owner="bench")
        seconds = time.perf_counter() - began
    if created != count:
        raise AssertionError(f"{created} of {count} invoices were created")
    return seconds


def _warm(shard: int) -> int:
    gc.freeze()  # as a task does before its step
    return shard  # the process has imported everything by now


def _issue_shard(sandbox_url: str, url: str, shard: Scope) -> int:
    with job_on(url, Sandbox(sandbox_url)) as job:
        return issue_due_periods(job, shard, OPTIONS, owner=f"bench {shard.shard}").created


# -- Airflow ---------------------------------------------------------------------------------------------------------


@contextmanager
def _airflow(bench: Bench, ledger_url: str, metadata: str, invoices: list[Request]) -> Iterator[AirflowApi]:
    """Yield a running Airflow that knows Ciclo's Dags and the naive one."""
    with tempfile.TemporaryDirectory(prefix="ciclo-bench-") as name:
        site = _site(Path(name), invoices)
        port = free_port()
        write_configuration(site, port, by_schedule=False)
        environment = airflow_environment(site, bench.sandbox.url) | _settings(site, bench, ledger_url, metadata)
        with Processes(site.logs) as processes, AirflowApi(f"http://127.0.0.1:{port}") as airflow:
            migration = processes.start("migrate", ("airflow", "db", "migrate"), environment)
            processes.finish(migration, START_SECONDS)
            for component in COMPONENTS:
                processes.start(component[1], component, environment)
            _await(lambda: airflow.health().get("scheduler") == "healthy", processes)
            airflow.log_in()
            _await(lambda: airflow.has_dag("issue_invoices") and airflow.has_dag("naive_invoices"), processes)
            yield airflow


def _site(folder: Path, invoices: list[Request]) -> Site:
    """Lay out a project whose Dag folder holds Ciclo's Dags and the naive one."""
    site = Site(folder, folder)
    site.logs.mkdir()
    site.airflow_home.mkdir()
    shutil.copytree(project_folder() / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("naive_dag.py"), folder / "dags" / "naive_invoices.py")
    ready = [{"path": path, "body": body} for path, body in invoices]
    (folder / "invoices.json").write_text(json.dumps(ready, default=str), encoding="utf-8")
    return site


def _settings(site: Site, bench: Bench, ledger_url: str, metadata: str) -> dict[str, str]:
    connection = {
        "conn_type": "billimatic",
        "host": bench.sandbox.url,
        "password": TOKEN,
        "extra": {"organization_id": ORGANIZATION, "requests_per_second": 0},
    }
    driver = make_url(metadata).set(drivername="postgresql+psycopg2")
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver.render_as_string(hide_password=False),
        "AIRFLOW_CONN_BILLIMATIC_DEFAULT": json.dumps(connection),
        "CICLO_LEDGER_URL": ledger_url,
        "CICLO_BENCH_INVOICES": str(site.folder / "invoices.json"),
    }


def _whole_seconds(airflow: AirflowApi, sandbox: Sandbox, url: str, count: int, month: Scope) -> float:
    """Return how long the Dag takes for a month."""
    seconds = _seconds(airflow, "issue_invoices", _days(month))
    with job_on(url, sandbox) as job:
        issued = job.periods.totals(month)[PeriodState.ISSUED].periods
    if issued != count:
        raise AssertionError(f"{issued} of {count} periods were issued")
    return seconds


def _days(month: Scope) -> dict[str, str]:
    return {"from_date": month.window.start.isoformat(), "to_date": month.window.last_day.isoformat()}


def _seconds(airflow: AirflowApi, dag_id: str, conf: Mapping[str, str]) -> float:
    """Return how long a run takes, from its trigger to its end."""
    airflow.unpause(dag_id)
    began = time.perf_counter()
    run_id = airflow.trigger(dag_id, conf)
    while (state := airflow.run_state(dag_id, run_id)) not in {"success", "failed"}:
        if time.perf_counter() - began > RUN_SECONDS:
            raise TimeoutError(f"{dag_id} is still {state}")
        time.sleep(0.2)
    if state == "failed":
        raise AssertionError(f"{dag_id} failed")
    return time.perf_counter() - began


def _await(condition: Callable[[], bool], processes: Processes) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        processes.check()
        if time.monotonic() > deadline:
            raise TimeoutError("Airflow did not come up")
        time.sleep(0.3)
