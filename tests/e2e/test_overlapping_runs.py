"""Two schedulers, a daily run and a range over the same days, a task cleared while it works: one invoice each."""

import time
from contextlib import suppress
from datetime import date

import psutil
import pytest

from demo.runs import may_be_answered
from demo.stack import COMPONENTS
from e2e.slow_billing import (
    CONTRACT,
    PERIODS,
    SLOW,
    every_reference,
    instances,
    invoices_of,
    period_states,
    plan_month,
    start_billing,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

DAY = date(2028, 9, 15)


@pytest.fixture
def slow_vendor(airflow):
    airflow.vendor.faults([SLOW])
    yield airflow.vendor
    airflow.vendor.clear_faults()


@pytest.fixture
def second_scheduler(airflow):
    """Another scheduler on the same Airflow, for the time of a test."""
    before = schedulers(airflow)
    child = airflow.processes.start("Second scheduler", COMPONENTS["Scheduler"], airflow.environment)
    deadline = time.monotonic() + 400
    while not schedulers(airflow) - before:
        airflow.processes.check()
        assert time.monotonic() < deadline
        time.sleep(0.3)
    yield child
    airflow.processes._children.remove(child)
    for process in [*psutil.Process(child.process.pid).children(recursive=True), child.process]:
        with suppress(psutil.NoSuchProcess):  # a task that has ended by itself
            process.terminate()
    child.process.wait(120)


def schedulers(airflow):
    jobs = airflow.get("/api/v2/jobs?job_type=SchedulerJob&is_alive=true")["jobs"]
    return {job["id"] for job in jobs}


def test_whatever_runs_at_once_each_period_gets_one_invoice(airflow, second_scheduler, slow_vendor):
    window = plan_month(airflow, DAY)
    ranged = airflow.trigger("bill_range", **window, contract_ids=[CONTRACT])
    approve(airflow, ranged)
    daily = start_billing(airflow, window, DAY)
    wait_until_running(airflow, daily)
    body = {"dry_run": False, "dag_run_id": daily, "task_ids": ["issue"], "only_failed": False}
    airflow.post("/api/v2/dags/issue_invoices/clearTaskInstances", body)

    assert airflow.wait_for("issue_invoices", daily, seconds=600) == "success"
    assert airflow.wait_for("bill_range", ranged, seconds=600) == "success"
    _, tries = instances(airflow, daily)["issue"]
    assert tries > 1
    assert period_states(airflow, DAY) == {"issued": PERIODS}
    assert sorted(invoices_of(airflow, DAY)) == every_reference(DAY)


def approve(airflow, run):
    """Answer the question that a range of days to come asks."""
    deadline = time.monotonic() + 400
    while not may_be_answered(airflow.site.logs, "bill_range", run, "approve"):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    airflow.api.answer("bill_range", run, "approve", "Approve")


def wait_until_running(airflow, run):
    deadline = time.monotonic() + 400
    while instances(airflow, run).get("issue", ("", 0))[0] != "running":
        assert time.monotonic() < deadline, instances(airflow, run)
        time.sleep(0.3)
