"""The scheduler of a real Airflow is killed while invoices are being created, and another one is started.

Nobody clears or retries anything; the run comes to its end by Airflow's own means, and by the protocol.
"""

from datetime import date

import pytest

from e2e.slow_billing import (
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

QUICK_TO_NOTICE = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}
"""So that the new scheduler takes the old one for dead after seconds, not minutes."""


@pytest.fixture(scope="module")
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
    window = plan_month(airflow, day)
    run = start_billing(airflow, window, day)
    airflow.kill_scheduler(with_tasks=with_tasks)
    states = period_states(airflow, day)
    assert states["submitting"] > 0, states
    airflow.start_scheduler(**QUICK_TO_NOTICE)

    assert airflow.wait_for("issue_invoices", run, seconds=600) == "success"
    _, tries = instances(airflow, run)["issue"]
    assert tries > 1 or not with_tasks  # a task that lives on is stopped and tried again, unless it is through by then
    assert period_states(airflow, day) == {"issued": PERIODS}
    assert sorted(invoices_of(airflow, day)) == every_reference(day)
