"""A person's approval and the vendor's webhooks on a real Airflow: scheduler, API server, Dag processor, triggerer."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine, upgrade
from ciclo.ledger.tables import BillingPlan, Invoice
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY, TOKEN, company, rule
from demo.airflow_api import AirflowApi
from demo.processes import Processes
from demo.runs import may_be_answered
from demo.site import Site, airflow_environment, write_configuration
from demo.stack import COMPONENTS, HEALTH_NAMES, free_port, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PROJECT = Path(__file__).resolve().parents[2]
KEY = "s3cret-of-the-webhooks"
START_SECONDS = 120
WITHIN_A_MINUTE = 60


class RealAirflow:
    """A running Airflow, its vendor and its ledger."""

    def __init__(self, api, url, vendor, ledger_url, processes, logs):
        self.api, self.url, self.vendor, self.processes = api, url, vendor, processes
        self.logs = logs
        self._engine = open_engine(ledger_url, read_only=True)

    def rows(self, *columns):
        with Session(self._engine) as session:
            return [tuple(row) for row in session.execute(select(*columns))]

    def until(self, condition: Callable[[], bool], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.processes.check()
            assert time.monotonic() < deadline
            time.sleep(0.5)

    def backfill(self, answer: str, **conf) -> str:
        """Run bill_range above its ceiling, answer the question, and return the state in which it ends."""
        run_id = self.api.trigger("bill_range", conf | {"max_invoices": 1})
        path = f"/api/v2/dags/bill_range/dagRuns/{run_id}/taskInstances"
        self.until(lambda: self._state(f"{path}/approve") == "awaiting_input")
        self.until(lambda: may_be_answered(self.logs, "bill_range", run_id, "approve"))
        assert self.invoices_between(conf["from_date"], conf["to_date"]) == 0
        body = {"chosen_options": [answer], "params_input": {}}
        self.api._client.patch(f"{path}/approve/-1/hitlDetails", json=body).raise_for_status()
        self.until(lambda: self.api.run_state("bill_range", run_id) in {"success", "failed"})
        return self.api.run_state("bill_range", run_id)

    def _state(self, path: str) -> str | None:
        answer = self.api._client.get(path)
        return answer.json()["state"] if answer.is_success else None

    def invoices_between(self, first: str, last: str) -> int:
        days = (invoice["issue_date"].split("/") for invoice in self.vendor.state()["invoices"])
        return sum(first <= f"{year}-{month}-{day}" <= last for day, month, year in days)

    def close(self):
        self._engine.dispose()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    site = Site(PROJECT, tmp_path_factory.mktemp("people"))
    site.logs.mkdir()
    site.airflow_home.mkdir()
    engine = open_engine(site.ledger_url)
    upgrade(engine)
    engine.dispose()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_sandbox(company(rule(1)), today=TODAY) as vendor, Processes(site.logs) as processes:
        write_configuration(site, port)
        environment = {
            **airflow_environment(site, vendor.url),
            "AIRFLOW_CONN_BILLIMATIC_DEFAULT": _connection(vendor.url),
            "CICLO_SHARDS": "1",
            "CICLO_WEBHOOK_SECRET": KEY,
        }
        processes.finish(processes.start("Database", ("airflow", "db", "migrate"), environment), START_SECONDS)
        children = {name: processes.start(name, command, environment) for name, command in COMPONENTS.items()}
        with AirflowApi(url) as api:
            for name, child in children.items():
                wait_until(partial(_is_healthy, api, name), child, processes, START_SECONDS)
            api.log_in()
            for dag_id in ("bill_range", "reconcile_receivables"):
                wait_until(partial(api.has_dag, dag_id), children["Dag processor"], processes, START_SECONDS)
                api.unpause(dag_id)
            running = RealAirflow(api, url, vendor, site.ledger_url, processes, site.logs)
            yield running
            running.close()


def _connection(host):
    extra = f'{{"organization_id": {ORGANIZATION}, "requests_per_second": 0}}'
    return f'{{"conn_type": "billimatic", "host": "{host}", "password": "{TOKEN}", "extra": {extra}}}'


def _is_healthy(api, component):
    return api.health().get(HEALTH_NAMES[component]) == "healthy"


def test_a_plan_above_the_ceiling_waits_is_approved_and_billed(airflow):
    assert airflow.backfill("Approve", from_date="2025-01-01", to_date="2025-03-31") == "success"
    assert airflow.invoices_between("2025-01-01", "2025-03-31") == 3
    ((approver, needed),) = airflow.rows(BillingPlan.approved_by, BillingPlan.needs_approval)
    assert approver
    assert needed


def test_a_rejected_plan_bills_nothing(airflow):
    airflow.backfill("Reject", from_date="2025-07-01", to_date="2025-09-30")
    assert airflow.invoices_between("2025-07-01", "2025-09-30") == 0


def test_a_webhook_reaches_the_ledger_within_a_minute(airflow):
    assert httpx.post(f"{airflow.url}/webhooks/billimatic", json={"test": True}, trust_env=False).status_code == 200
    airflow.vendor.webhook(url=f"{airflow.url}/webhooks/billimatic", secret=KEY)
    number = airflow.vendor.state()["invoices"][0]["id"]
    airflow.vendor.cancel(number)
    airflow.until(lambda: (number, "cancelled") in airflow.rows(Invoice.invoice_id, Invoice.state), WITHIN_A_MINUTE)
    assert {delivery["outcome"] for delivery in airflow.vendor.deliveries()} == {"delivered"}
