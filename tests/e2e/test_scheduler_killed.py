"""The scheduler of a real Airflow is killed while invoices are being created, and another one is started.

The rule here: nobody clears or retries anything; the run comes to its end by Airflow's own means, and by the protocol.
"""

import time
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.periods import DateRange
from ciclo.ledger.engine import open_engine
from ciclo.ledger.tables import Period

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PERIODS = 160
SLOW = {"method": "POST", "path": "/invoices$", "kind": "slow", "probability": 1, "seconds": 0.5}
QUICK_TO_NOTICE = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}
"""So that the new scheduler takes the old one for dead after seconds, not minutes."""


@pytest.fixture
def slow_vendor(airflow):
    """The vendor takes half a second for each invoice; in the end a scheduler with the usual settings runs again."""
    airflow.vendor.faults([SLOW])
    yield airflow.vendor
    airflow.vendor.clear_faults()
    airflow.kill_scheduler(with_tasks=True)
    airflow.start_scheduler()


@pytest.mark.parametrize(
    ("day", "with_tasks"),
    [(date(2028, 6, 15), True), (date(2028, 7, 15), False)],
    ids=["with its tasks", "while its tasks live on"],
)
def test_a_killed_scheduler_leaves_every_period_with_exactly_one_invoice(airflow, slow_vendor, day, with_tasks):
    month = DateRange.month_of(day)
    window = {"from_date": str(month.start), "to_date": str(month.last_day)}
    expand = airflow.trigger("expand_invoice_rules", **window)
    assert airflow.wait_for("expand_invoice_rules", expand) == "success"

    run = airflow.trigger("issue_invoices", **window, contract_ids=[60])
    wait_until_posting(airflow, run, day)
    airflow.kill_scheduler(with_tasks=with_tasks)
    states = period_states(airflow, day)
    assert states["submitting"] > 0, states
    airflow.start_scheduler(**QUICK_TO_NOTICE)

    assert airflow.wait_for("issue_invoices", run, seconds=400) == "success"
    _, tries = instances(airflow, run)["issue"]
    assert tries > 1 or not with_tasks  # a task that lives on is stopped and tried again, unless it is through by then
    assert period_states(airflow, day) == {"issued": PERIODS}
    wanted = {f"ciclo:7:{number}:{day}": 1 for number in range(200, 200 + PERIODS)}
    assert Counter(invoices_of(airflow, day)) == wanted


def wait_until_posting(airflow, run, day):
    """Wait until some invoices are at the vendor and others are on their way."""
    deadline = time.monotonic() + 120
    while not 0 < len(invoices_of(airflow, day)) < PERIODS:
        assert airflow.api.run_state("issue_invoices", run) in {"queued", "running"}
        assert time.monotonic() < deadline, (instances(airflow, run), period_states(airflow, day))
        time.sleep(0.05)


def invoices_of(airflow, day):
    comments = (invoice["comments"] or "" for invoice in airflow.vendor.state()["invoices"])
    return [comment for comment in comments if comment.endswith(str(day))]


def period_states(airflow, day):
    engine = open_engine(airflow.ledger_url, read_only=True)
    with Session(engine) as session:
        states = session.scalars(select(Period.state).where(Period.issue_date == day, Period.contract_id == 60)).all()
    engine.dispose()
    return Counter(states)


def instances(airflow, run):
    found = airflow.get(f"/api/v2/dags/issue_invoices/dagRuns/{run}/taskInstances")["task_instances"]
    return {each["task_id"]: (each["state"], each["try_number"]) for each in found}
