"""A person's approval and the vendor's webhooks on somebody's Airflow: with whatever stands around it there.

Where nginx and PgBouncer are installed (Debian packages), Airflow is asked for below a path of a proxy, and both its
metadata database and the ledger are PostgreSQL behind a pooler that gives each transaction another session. Without
them the same happens directly, with the ledger on SQLite. Airflow's tracing is on, into a collector of the test's own.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.orm import Session

import pgbouncer
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import BillingPlan, Invoice
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY, TOKEN, company, rule
from console.test_browser import PATIENCE, browser  # noqa: F401 - the fixture
from demo.airflow_api import AirflowApi
from demo.processes import Processes
from demo.runs import may_be_answered
from demo.site import Site, airflow_environment, write_configuration
from demo.stack import COMPONENTS, HEALTH_NAMES, free_port, wait_until
from ledgers import administer, migrate
from reverse_proxy import below_a_path, nginx
from trace_collector import TraceCollector, collecting_traces

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PROJECT = Path(__file__).resolve().parents[2]
KEY = "s3cret-of-the-webhooks"
PASSWORD = "canary-of-the-databases"
START_SECONDS = 900
WITHIN_A_MINUTE = 60
PATH = "/finance/airflow"


class Surroundings(NamedTuple):
    """Where Airflow is asked for, where its database and the ledger are, and who collects its traces."""

    port: int
    url: str
    ledger_url: str
    settings: dict[str, str]
    traces: TraceCollector


@pytest.fixture(scope="module")
def surroundings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """What stands around Airflow, as much of it as this machine has."""
    port = free_port()
    with ExitStack() as stack:
        traces = stack.enter_context(collecting_traces())
        settings = traces.environment()
        ledger_url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
        url = f"http://127.0.0.1:{port}"
        if proxy := nginx():
            url = stack.enter_context(below_a_path(proxy, PATH, port))
            settings["AIRFLOW__API__BASE_URL"] = url
            # tasks ask the server itself, which then knows every path below its own alone
            settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"http://127.0.0.1:{port}{PATH}/execution/"
        if pgbouncer.program():
            server = request.getfixturevalue("postgres_server")
            pooler = stack.enter_context(pgbouncer.pgbouncer(server, servers=15)).set(password=PASSWORD)
            template = request.getfixturevalue("airflow_metadata_on_postgres")
            administer(server, "CREATE DATABASE somebodys_ledger")
            administer(server, f"CREATE DATABASE somebodys_metadata TEMPLATE {template}")
            ledger_url = pooler.set(database="somebodys_ledger").render_as_string(hide_password=False)
            metadata = pooler.set(database="somebodys_metadata", drivername="postgresql+psycopg2")
            settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = metadata.render_as_string(hide_password=False)
        yield Surroundings(port, url, ledger_url, settings, traces)


class RealAirflow:
    """A running Airflow, its vendor and its ledger."""

    def __init__(self, api, url, vendor, ledger_url, processes, logs):
        self.api, self.url, self.vendor, self.processes = api, url, vendor, processes
        self.logs = logs
        self._engine = open_engine(ledger_url, read_only=True)

    def rows(self, *columns):
        with Session(self._engine) as session:
            return [tuple(row) for row in session.execute(select(*columns))]

    def until(self, condition: Callable[[], bool], seconds: float = 600) -> None:
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
def airflow(surroundings, tmp_path_factory, airflow_metadata):
    site = Site.laid_out(PROJECT, tmp_path_factory.mktemp("people"))
    shutil.copy(airflow_metadata, site.airflow_database)
    ledger_url = surroundings.ledger_url
    migrate(ledger_url)
    with running_sandbox(company(rule(1)), today=TODAY) as vendor, Processes(site.logs) as processes:
        write_configuration(site, surroundings.port)
        environment = {
            **airflow_environment(site, vendor.url),
            **surroundings.settings,
            "AIRFLOW_CONN_BILLIMATIC_DEFAULT": _connection(vendor.url),
            "CICLO_LEDGER_URL": ledger_url,
            "CICLO_SHARDS": "1",
            "CICLO_WEBHOOK_SECRET": KEY,
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",  # nobody changes a Dag here
        }
        children = {name: processes.start(name, command, environment) for name, command in COMPONENTS.items()}
        with AirflowApi(surroundings.url) as api:
            for name, child in children.items():
                wait_until(partial(_is_healthy, api, name), child, processes, START_SECONDS)
            api.log_in()
            for dag_id in ("bill_range", "reconcile_receivables"):
                wait_until(partial(api.has_dag, dag_id), children["Dag processor"], processes, START_SECONDS)
                api.unpause(dag_id)
            _read_again(api, "reconcile_receivables")
            wait_until(lambda: _has_a_watcher(api), children["Dag processor"], processes, START_SECONDS)
            running = RealAirflow(api, surroundings.url, vendor, ledger_url, processes, site.logs)
            yield running
            running.close()


def _connection(host):
    extra = f'{{"organization_id": {ORGANIZATION}, "requests_per_second": 0}}'
    return f'{{"conn_type": "billimatic", "host": "{host}", "password": "{TOKEN}", "extra": {extra}}}'


def _read_again(api: AirflowApi, dag_id: str) -> None:
    """Let Airflow read a Dag's file now: it starts watching for a Dag that is switched on when it next reads it."""
    token = api._get(f"/api/v2/dags/{dag_id}")["file_token"]
    api._client.put(f"/api/v2/parseDagFile/{token}").raise_for_status()


def _has_a_watcher(api: AirflowApi) -> bool:
    return any(asset["watchers"] for asset in api._get("/api/v2/assets")["assets"])


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


def test_the_page_opens_below_the_proxy_s_path(airflow, browser):  # noqa: F811
    if nginx() is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    with browser.new_context() as person:
        person.set_default_timeout(PATIENCE)
        page, asked = person.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
        refused: list[str] = []
        page.goto(f"{airflow.url}/")
        page.get_by_role("link", name="Billing").click()
        frame = page.frame_locator("iframe")
        frame.get_by_role("link", name="Periods").first.click()
        expect(frame.locator("main")).to_contain_text("2025")
    ours = [url for url in asked if "/billing/" in url]
    assert any(".css" in url for url in ours), asked
    assert all(url.startswith(f"{airflow.url}/billing/") for url in ours), ours
    assert not [url for url in refused if "/billing/" in url]


def test_a_run_is_one_trace_from_airflow_s_tasks_to_the_vendor_and_the_ledger(airflow, surroundings):
    if not airflow.invoices_between("2025-01-01", "2025-03-31"):  # alone; else the plan's test has billed them
        assert airflow.backfill("Approve", from_date="2025-01-01", to_date="2025-03-31") == "success"

    def lineage():
        """Names of an invoice's POST, its step and Airflow's span of the task, as far as they have arrived."""
        by_id = {span.span_id: span for span in surroundings.traces.spans()}
        span = next((span for span in by_id.values() if span.name.startswith("POST /api/v1/contracts/")), None)
        found = []
        while span is not None:
            found.append(span)
            span = by_id.get(span.parent_span_id)
        return found

    airflow.until(lambda: len(lineage()) >= 3)
    post, step, worker = lineage()[:3]
    assert step.name == "bill_range.issue"
    assert worker.name.startswith("worker.issue")
    assert post.trace_id == step.trace_id == worker.trace_id
    statements = {span.name for span in surroundings.traces.spans() if span.parent_span_id == step.span_id}
    assert "UPDATE periods" in statements
    for secret in (TOKEN, KEY, PASSWORD):
        assert not any(secret.encode() in body for body in surroundings.traces.bodies)
