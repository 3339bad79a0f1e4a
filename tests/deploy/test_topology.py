"""The deployment of docker-compose.yaml, on this machine: it bills a month and survives the loss of a worker."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period
from ciclo_sandbox.testing import SandboxControl
from company import ORGANIZATION, TOKEN, company, rule
from deploy import compose_file
from deploy.local_stack import LocalStack
from ledgers import arm

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

RULES = 60
MONTH = {"from_date": "2025-03-01", "to_date": "2025-03-31"}
RUN_SECONDS = 600

CONNECTION = {
    "conn_type": "billimatic",
    "host": "http://sandbox:8400",
    "password": TOKEN,
    "extra": {"organization_id": ORGANIZATION, "requests_per_second": 0, "timeout": 2, "allow_http": True},
}


def variables(state_file: Path) -> dict[str, str]:
    """A .env: every secret, one task at a time a worker, and patience that suits a test."""
    secrets = {name: f"{name.lower()}0123456789abcdef" for name in compose_file.required_variables()}
    return secrets | {
        "AIRFLOW_FERNET_KEY": "bm90LWEtc2VjcmV0LWJ1dC0zMi1ieXRlcy1sb25nISE=",
        "AIRFLOW_CONN_BILLIMATIC_DEFAULT": json.dumps(CONNECTION),
        "SANDBOX_STATE": str(state_file),
        "WORKER_CONCURRENCY": "1",
        "TASK_HEARTBEAT_TIMEOUT": "15",
        "CICLO_CONCURRENCY": "2",
        "CICLO_BATCH": "10",
        "CICLO_LEASE_SECONDS": "20",
        "CICLO_GRACE_SECONDS": "3",
    }


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    # not below pytest's own folder: every pytest that starts takes it away from PostgreSQL's user
    with tempfile.TemporaryDirectory(prefix="ciclo-topology-") as name:
        folder = Path(name)
        state_file = folder / "company.json"
        rules = [rule(number, 10 + number // 2, init_date="2025-01-10") for number in range(1, RULES + 1)]
        state_file.write_text(json.dumps(company(*rules)))
        with LocalStack(compose_file.read(variables(state_file)), folder, profiles=["sandbox"]) as running:
            yield running


class Airflow:
    """The API server's public API, as the administrator that `init` made."""

    def __init__(self, http: httpx.Client, password: str) -> None:
        self._http = http
        answer = http.post("/auth/token", json={"username": "admin", "password": password}).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def bill(self) -> str:
        """Switch `bill_range` on as soon as it is known, and start it."""
        wait_until(lambda: self._http.get("/api/v2/dags/bill_range").status_code == 200, 300, lambda: "no bill_range")
        self._http.patch("/api/v2/dags/bill_range", json={"is_paused": False}).raise_for_status()
        body = {"logical_date": None, "conf": MONTH}
        run = self._http.post("/api/v2/dags/bill_range/dagRuns", json=body).raise_for_status().json()
        return str(run["dag_run_id"])

    def state(self, run_id: str) -> str:
        return str(self._get(f"/api/v2/dags/bill_range/dagRuns/{run_id}")["state"])

    def tasks(self, run_id: str, task_id: str) -> list[dict[str, Any]]:
        every = self._get(f"/api/v2/dags/bill_range/dagRuns/{run_id}/taskInstances")["task_instances"]
        return [each for each in every if each["task_id"] == task_id]

    def stand(self, run_id: str) -> str:
        """Say in a line a task how far a run is."""
        every = self._get(f"/api/v2/dags/bill_range/dagRuns/{run_id}/taskInstances")["task_instances"]
        told = ("task_id", "map_index", "state", "try_number", "hostname", "queued_when", "start_date", "end_date")
        return "\n".join(" ".join(f"{name}={task[name]}" for name in told) for task in every)

    def _get(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()


def wait_until(condition: Any, seconds: float, otherwise: Callable[[], str]) -> None:
    """Wait for a condition; if it does not come, fail with what is said then."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(otherwise())
        time.sleep(0.3)


@pytest.fixture
def airflow(stack: LocalStack) -> Iterator[Airflow]:
    password = stack.replicas["init"][0].environment["ADMIN_PASSWORD"]
    with httpx.Client(base_url=f"http://{stack.address('api-server', 8080)}", timeout=120, trust_env=False) as http:
        yield Airflow(http, password)


def test_a_month_is_billed_once_each_although_a_worker_is_killed_in_the_middle(
    stack: LocalStack, airflow: Airflow
) -> None:
    sandbox = SandboxControl(f"http://{stack.address('sandbox', 8400)}", TOKEN)
    sandbox.faults([{"method": "POST", "path": "/invoices$", "kind": "slow", "seconds": 0.4}])
    arm(stack.replicas["worker"][1].environment["CICLO_LEDGER_URL"])
    run_id = airflow.bill()

    def both_workers_issue() -> bool:
        running = [task for task in airflow.tasks(run_id, "issue") if task["state"] == "running"]
        return len(running) == 2 and len(sandbox.requests(method="POST", path="/invoices$", status=201)) >= 6

    wait_until(both_workers_issue, 400, lambda: f"not two shards at once:\n{airflow.stand(run_id)}")
    stack.replicas["worker"][0].kill()
    sandbox.clear_faults()
    wait_until(
        lambda: airflow.state(run_id) in {"success", "failed"},
        RUN_SECONDS,
        lambda: (
            f"the run does not end:\n{airflow.stand(run_id)}\n{stack.replicas['worker'][1].log.read_text()[-5000:]}"
        ),
    )

    assert airflow.state(run_id) == "success"
    assert max(task["try_number"] for task in airflow.tasks(run_id, "issue")) > 1, "no task was interrupted"
    assert {task["pool"] for task in airflow.tasks(run_id, "issue")} == {"billimatic"}
    references = Counter(invoice["comments"] for invoice in sandbox.state()["invoices"])
    assert len(references) == RULES
    assert set(references.values()) == {1}
    assert issued_periods(stack) == RULES


def issued_periods(stack: LocalStack) -> int:
    """How many periods of the ledger are invoices; any that is not fails here."""
    engine = open_engine(stack.replicas["worker"][1].environment["CICLO_LEDGER_URL"])
    with Session(engine) as session:
        periods = list(session.scalars(select(Period)))
    engine.dispose()
    assert {period.state for period in periods} == {"issued"}
    assert len({period.invoice_id for period in periods}) == len(periods)
    return len(periods)
