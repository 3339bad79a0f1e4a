"""On a real Airflow: what a Dag adds to a job, what one mapped task per invoice would cost, and a day of all Dags.

LocalExecutor and PostgreSQL for all, the Dags as they ship; times are wall times from the trigger to the end of the
run, rows are those that a run leaves in all tables of Airflow's database. Each run has a month of its own to bill, all
of one ledger and one Airflow. The naive peer (`naive_dag.py`) is measured on a few invoices and compared per invoice.

A day is what every daily Dag does at the time of its schedule, in a small ledger and in a large one. In both the same
rules are due, and at the vendor. What the large one has besides is of contracts that have ended, each with a year of
paid invoices: nothing of the day asks for them, so that the vendor need not hold them.
"""

import gc
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import func, inspect, make_url, select, table

from bench.figures import Bench, Figure
from bench.growth import multiply
from bench.servers import ORGANIZATION, TODAY, TOKEN, Sandbox, company, database, free_port, fresh_ledger, job_on
from bench.vendor import MONTH, OPTIONS, SHARDS, Request, expand, invoice_requests, planned_month
from ciclo.domain.calendar import SAO_PAULO, add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import arm
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules, read_due, record_expansion
from ciclo.jobs.stages import STAGES
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
START_SECONDS = 300
RUN_SECONDS = 1800
INVOICES_OF_THE_PEER = 20


def measure(bench: Bench) -> Iterator[Figure]:
    """Measure the job's own time, then the same on an Airflow and what the naive peer takes there, month by month.

    Then days of all Dags on the same Airflow, each on a ledger of its own, which has the address of the one before.
    """
    count, few = bench.size(1_000, 5_000), bench.size(INVOICES_OF_THE_PEER)
    with database(bench.postgres, "airflow") as metadata, ExitStack() as running:
        with planned_month(bench.sandbox, bench.postgres, count) as url:
            months = _plan_more(bench, url)
            own = [_own_seconds(bench.sandbox, url, count, next(months)) for _ in range(bench.runs)]
            invoices = invoice_requests(bench.sandbox, url)[:few]
            airflow = running.enter_context(_airflow(bench, url, metadata, invoices))
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
        ours, theirs = [count / seconds for seconds in whole], [few / seconds for seconds in naive]
        yield Figure("naive peer", f"issue_invoices, {count:,} invoices", "/s", ours,
                     f"a mapped task each, {few} invoices", theirs, at_least=50)  # fmt: skip
        yield Figure("Dag", f"issue_invoices, {count:,} invoices, beside the job's {median(own):.0f} s", "s",
                     [all_of_it - job for all_of_it, job in zip(whole, own, strict=True)], at_most=15)  # fmt: skip
        yield Figure("Dag", f"what issue_invoices leaves in Airflow's database, {count:,} invoices", "rows", [of_all],
                     "of none", [of_none], at_most=1.1)  # fmt: skip
        yield Figure("naive peer", f"what it leaves there, {few} invoices", "rows", [of_peer])
        yield from _measure_days(bench, airflow, metadata)


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
        with job_on(url, sandbox, day=month.window.start) as job:  # so that contracts are read anew, as there
            read_due(job, job.periods.open_contracts(month), today=job.today)
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


# -- a day of all Dags -------------------------------------------------------------------------------------------------

DAILY: Final = tuple(
    stage.dag_id for stage in STAGES.values() if any(each.day_of_month is None for each in stage.schedules)
)
"""The Dags that run every day, in the order in which they do."""


@dataclass(frozen=True, slots=True)
class Day:
    """What the runs of a day took: task instances, seconds, and rows that they left in Airflow's database."""

    tasks: int
    seconds: float
    rows: int


def _measure_days(bench: Bench, airflow: AirflowApi, metadata: str) -> Iterator[Figure]:
    """Measure days in a small ledger and in a large one in turn; no Dag runs a second time for the same day."""
    due, more = bench.size(1_000, 10_000), bench.size(10_000, 1_000_000)
    today = datetime.now(SAO_PAULO).date()
    before = (today - timedelta(number) for number in range(1, 1 + 2 * bench.runs))
    measured = partial(_day, bench, airflow, metadata)
    rounds = [[measured(next(before), due, rules) for rules in (due, more)] for _ in range(bench.runs)]
    small, large = ([days[number] for days in rounds] for number in range(2))
    for name, unit, most in (("tasks", "tasks", 1.1), ("rows", "rows", 1.1), ("seconds", "s", None)):
        mine, theirs = ([float(getattr(day, name)) for day in days] for days in (large, small))
        title = f"a day of all Dags, {due:,} invoices, in a ledger of {more:,} rules"
        yield Figure("Dag", title, unit, mine, f"of {due:,} rules", theirs, at_most=most)


def _day(bench: Bench, airflow: AirflowApi, metadata: str, day: date, due: int, rules: int) -> Day:
    """Run each daily Dag to its end, one after the other, for a day on which `due` of the ledger's rules are due."""
    tasks, seconds = 0, 0.0
    for dag_id in DAILY:
        airflow.unpause(dag_id)
    with day_ledger(bench.sandbox, bench.postgres, day, due=due, rules=rules) as url:
        before = _rows(metadata)
        for dag_id in DAILY:
            runs = airflow.backfill(dag_id, day)
            began = time.perf_counter()
            for run_id in runs:
                _await_end(airflow, dag_id, run_id)
            seconds += time.perf_counter() - began
            tasks += sum(task.total for run_id in runs for task in airflow.tasks(dag_id, run_id))
        rows = _rows(metadata) - before
        with job_on(url, bench.sandbox) as job:
            issued = job.periods.totals(Scope(DateRange.days(day, day)))[PeriodState.ISSUED].periods
    if issued != due:
        raise AssertionError(f"{issued} of {due} periods were issued")
    return Day(tasks, seconds, rows)


@contextmanager
def day_ledger(sandbox: Sandbox, server: str, day: date, *, due: int, rules: int) -> Iterator[str]:
    """Yield the URL of a ledger of about `rules` rules, of which `due` are due on a day, a recent one, in real time.

    The others are of contracts that ended long ago. The vendor has those that are due, and nothing has been billed.
    """
    state, today = company(due), datetime.now(SAO_PAULO).date()
    for rule in state["invoice_rules"]:
        rule["additional_information"]["init_date"] = f"{TODAY.year}-01-{day.day:02}"
    sandbox.take_longer(0)
    sandbox.control("PUT", "state", state)
    months = Scope(DateRange(first_of_month(day), DateRange.month_of(today).end))
    with fresh_ledger(server) as url:
        with job_on(url, sandbox) as job:
            expand(job)  # a month long ago, of which copies are made
        multiply(url, due, rules, ended=True)
        with job_on(url, sandbox, day=day) as job:
            arm(job, day, person="bench")
            expand_rules(job, months, seen_on=day)
            record_expansion(job, months)
        yield url


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
            _await(lambda: all(map(airflow.has_dag, ("naive_invoices", *DAILY))), processes)
            yield airflow


def _site(folder: Path, invoices: list[Request]) -> Site:
    """Lay out a project whose Dag folder holds Ciclo's Dags and the naive one."""
    site = Site.laid_out(folder, folder)
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
    _await_end(airflow, dag_id, airflow.trigger(dag_id, conf))
    return time.perf_counter() - began


def _await_end(airflow: AirflowApi, dag_id: str, run_id: str) -> None:
    began = time.perf_counter()
    while (state := airflow.run_state(dag_id, run_id)) not in {"success", "failed"}:
        if time.perf_counter() - began > RUN_SECONDS:
            raise TimeoutError(f"{dag_id} is still {state}")
        time.sleep(0.2)
    if state == "failed":
        raise AssertionError(f"{dag_id} failed")


def _await(condition: Callable[[], bool], processes: Processes) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        processes.check()
        if time.monotonic() > deadline:
            raise TimeoutError("Airflow did not come up")
        time.sleep(0.3)
