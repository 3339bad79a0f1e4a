"""A real Airflow for the tests of this folder: started once, ended by the watcher, its secrets easy to look for."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import make_url

from ciclo_sandbox.testing import SandboxControl, running_sandbox
from company import ORGANIZATION, TODAY, company, rule
from demo.airflow_api import AirflowApi
from demo.processes import Child, Processes
from demo.site import Site, airflow_environment, write_configuration
from demo.stack import COMPONENTS, HEALTH_NAMES, free_port, wait_until
from ledgers import administer, arm

PROJECT = Path(__file__).resolve().parents[2]
DAG_IDS = sorted(file.stem for file in (PROJECT / "dags").glob("*.py"))
TOKEN = "canary-token-6f1d"
PASSWORD = "canary-password-93ab"
START_SECONDS = 900

BILLED = [
    rule(1, 10, init_date="2025-01-05"),
    rule(2, 11, init_date="2025-01-31", charge={"day_number": 5, "parcel_number": 3}),
    rule(3, 12, init_date="2025-01-02", timing={"period_unit": "weekly", "month_quantity": None}),
    rule(4, 13, init_date="2025-02-10", timing={"month_quantity": 3, "accrual_month_quantity": "previous_month"}),
]
"""Rules of the backfill: monthly, at the month's end in three parts, weekly, quarterly."""

KILLED = [rule(100 + number, 50, init_date="2027-06-15") for number in range(12)]
"""Rules of the run that is killed: twelve periods on one day, far from the others."""

UNSCHEDULED = [rule(200 + number, 60, init_date="2028-06-15") for number in range(160)]
"""Rules of the runs whose scheduler is killed: 160 periods on the 15th of each month from June 2028 on."""

STATE = company(*BILLED, *KILLED, *UNSCHEDULED) | {"token": TOKEN}


@dataclass(frozen=True, slots=True)
class RealAirflow:
    """A running Airflow whose billing ledger is on PostgreSQL and whose vendor is a sandbox in this process."""

    site: Site
    processes: Processes
    children: dict[str, Child]
    environment: Mapping[str, str]
    api: AirflowApi
    vendor: SandboxControl
    ledger_url: str
    latch: Path
    """While it exists nothing is killed."""

    def run(self, name: str, *arguments: str, seconds: float = 400, **environment: str) -> str:
        """Run `python -m …arguments` to its end and return what it wrote."""
        child = self.processes.start(name, arguments, {**self.environment, **environment})
        self.processes.finish(child, seconds)
        return child.log.read_text(encoding="utf-8")

    def kill_scheduler(self, *, with_tasks: bool) -> None:
        """SIGKILL the scheduler, and with it, or without it, its executor's processes and the tasks they run."""
        scheduler = self.children.pop("Scheduler")
        self.processes._children.remove(scheduler)  # its end is no surprise
        tasks = psutil.Process(scheduler.process.pid).children(recursive=True)
        scheduler.process.kill()
        scheduler.process.wait()
        if with_tasks:
            for process in tasks:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def start_scheduler(self, **settings: str) -> None:
        """Start a scheduler and return once it says that it is alive."""
        scheduler = self.processes.start("Scheduler", COMPONENTS["Scheduler"], {**self.environment, **settings})
        self.children["Scheduler"] = scheduler
        since = datetime.now(UTC)
        wait_until(lambda: self._scheduler_beat() > since, scheduler, self.processes, START_SECONDS)

    def _scheduler_beat(self) -> datetime:
        answer = self.get("/api/v2/monitor/health")["scheduler"]["latest_scheduler_heartbeat"]
        return datetime.fromisoformat(answer)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run and return its id."""
        self.api.unpause(dag_id)
        return self.api.trigger(dag_id, conf)

    def wait_for(self, dag_id: str, run_id: str, seconds: float = 600) -> str:
        """Wait until a run is over and return its state."""
        deadline = time.monotonic() + seconds
        while (state := self.api.run_state(dag_id, run_id)) not in {"success", "failed"}:
            self.processes.check()
            assert time.monotonic() < deadline, f"{dag_id} {run_id} is still {state}"
            time.sleep(0.5)
        return state

    def get(self, path: str) -> Any:
        """Read from Airflow's REST API."""
        return self.api._get(path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Write to Airflow's REST API."""
        return self.api._client.post(path, json=dict(body)).raise_for_status().json()


@pytest.fixture(scope="session")
def airflow(
    postgres_server: str, airflow_metadata_on_postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealAirflow]:
    """Start the sandbox, the ledger and Airflow's components; end all of them with the session."""
    site = Site.laid_out(PROJECT, tmp_path_factory.mktemp("real-airflow"))
    latch = site.folder / "latch"
    latch.touch()
    with running_sandbox(STATE, today=TODAY) as vendor, Processes(site.logs) as processes:
        ledger_url = _database(postgres_server, "real_airflow_ledger", template="ciclo_template")
        arm(ledger_url)
        metadata_url = _database(postgres_server, "real_airflow_metadata", template=airflow_metadata_on_postgres)
        # tasks that outlive a killed scheduler keep its connection, and with it what its transaction had locked
        administer(
            postgres_server, "ALTER DATABASE real_airflow_metadata SET idle_in_transaction_session_timeout = '1min'"
        )
        port = free_port()
        write_configuration(site, port, by_schedule=False)  # today's runs would stand before the tests' own
        settings = {
            "CICLO_LEDGER_URL": ledger_url,
            "CICLO_SHARDS": "1",
            "CICLO_CONCURRENCY": "4",
            "CICLO_BATCH": "8",  # half a second each takes less than the lease
            "CICLO_LEASE_SECONDS": "6",  # the connection's time-out of 1 s makes a request last 4 s at most
            "CICLO_GRACE_SECONDS": "2",
            "CICLO_FAILPOINTS": f"issue.posted=kill@3:{latch}",
            # SQLite is too slow a metadata database for ninety runs at once
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url.replace("postgresql:", "postgresql+psycopg2:"),
            "AIRFLOW__CORE__PARALLELISM": "4",
        }
        environment = {**airflow_environment(site, vendor.url), **settings}
        del environment["AIRFLOW_CONN_BILLIMATIC_DEFAULT"]  # the connection is in the metadata database, encrypted
        with AirflowApi(f"http://127.0.0.1:{port}") as api:
            children = _started(processes, environment, api)
            running = RealAirflow(site, processes, children, environment, api, vendor, ledger_url, latch)
            _connect(running)
            yield running


def _database(server: str, name: str, *, template: str) -> str:
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    # the server trusts its socket: the password is there to be looked for
    return make_url(server).set(database=name, password=PASSWORD).render_as_string(hide_password=False)


def _started(processes: Processes, environment: Mapping[str, str], api: AirflowApi) -> dict[str, Child]:
    wanted = {name: command for name, command in COMPONENTS.items() if name != "Triggerer"}
    # the Dag processor is set up otherwise than the workers are: it must not matter
    apart = {"Dag processor": {**environment, "CICLO_SHARDS": "2"}}
    children = {name: processes.start(name, command, apart.get(name, environment)) for name, command in wanted.items()}
    for name, child in children.items():
        wait_until(partial(_is_healthy, api, name), child, processes, START_SECONDS)
    api.log_in()
    for dag_id in DAG_IDS:
        wait_until(partial(api.has_dag, dag_id), children["Dag processor"], processes, START_SECONDS)
    return children


def _is_healthy(api: AirflowApi, component: str) -> bool:
    return api.health().get(HEALTH_NAMES[component]) == "healthy"


def _connect(airflow: RealAirflow) -> None:
    extra = {"organization_id": ORGANIZATION, "requests_per_second": 0, "timeout": 1}
    connection = {
        "connection_id": "billimatic_default",
        "conn_type": "billimatic",
        "host": airflow.vendor.url,
        "password": TOKEN,
        "extra": json.dumps(extra),
    }
    airflow.post("/api/v2/connections", connection)
