"""Backfills and kills on a real Airflow: the ledger ends as if nothing had happened.

`CICLO_CHAOS=full` (`make chaos`) back-fills a whole quarter day by day; otherwise four days around a month's end.
"""

import json
import os
import shutil
import time
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Invoice, Period, Receivable
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY
from demo.airflow_api import AirflowApi
from ledgers import arm, migrate

FULL = os.environ.get("CICLO_CHAOS") == "full"
SECONDS = 3000 if FULL else 800
"""For a backfill: ninety runs take five minutes on two idle cores, and several times that on busy ones."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(SECONDS + 1800)]

QUARTER = date(2025, 1, 1), date(2025, 3, 31)
FOUR_DAYS = date(2025, 1, 29), date(2025, 2, 1)
ISSUED_DAYS = QUARTER if FULL else FOUR_DAYS
CATCH_UP = date(2025, 1, 1) if FULL else date(2025, 1, 22)
"""First day that the first daily run takes: it catches up on the seven days before its own."""


def books(url, first, last):
    """What a ledger says of some issue dates: periods, invoices and receivables, without the vendor's numbers."""
    engine = open_engine(url, read_only=True)
    with Session(engine) as session:
        days = DateRange.days(first, last)
        columns = Period.rule_id, Period.issue_date, Period.accrual_month, Period.state, Period.gross_value
        periods = session.execute(select(*columns).where(Period.issue_date >= days.start, Period.issue_date < days.end))
        found = select(Invoice).where(Invoice.issue_date >= days.start, Invoice.issue_date < days.end)
        references = {invoice.invoice_id: invoice.reference for invoice in session.scalars(found)}
        parts = session.scalars(select(Receivable).where(Receivable.invoice_id.in_(references)))
        result = {
            "periods": sorted(tuple(row) for row in periods),
            "invoices": sorted(references.values()),
            "receivables": sorted(
                (references[part.invoice_id], part.due_date, part.percentage, part.gross_value) for part in parts
            ),
        }
    engine.dispose()
    return result


def backfill(airflow, dag_id, first, last, *, most):
    """Let the command line create a backfill, and wait until all of its runs are over."""
    airflow.api.unpause(dag_id)
    days = "--from-date", str(first), "--to-date", f"{last}T23:00:00"
    command = "airflow", "backfill", "create", "--dag-id", dag_id, *days, "--max-active-runs", str(most)
    airflow.run(f"backfill {dag_id}", *command)
    deadline = time.monotonic() + SECONDS
    while True:
        airflow.processes.check()
        runs = airflow.get(f"/api/v2/dags/{dag_id}/dagRuns?limit=200&run_type=backfill")["dag_runs"]
        states = [run["state"] for run in runs]
        if states and not {"queued", "running"} & set(states):
            return states
        assert time.monotonic() < deadline, f"{dag_id}: {states}"
        time.sleep(1)


def bill_range(airflow, airflow_metadata, url, first, last):
    """Bill a range with `bill_range` in one process, at a vendor and on a ledger of its own."""
    migrate(url)
    arm(url)
    metadata = airflow.site.folder / "range-metadata.db"
    shutil.copy(airflow_metadata, metadata)
    with running_sandbox(airflow.vendor.state() | {"invoices": []}, today=TODAY) as vendor:
        connection = {
            "conn_type": "billimatic",
            "host": vendor.url,
            "password": vendor.token,
            "extra": {"organization_id": ORGANIZATION, "requests_per_second": 0, "timeout": 1},
        }
        environment = {
            "CICLO_LEDGER_URL": url,
            "AIRFLOW_CONN_BILLIMATIC_DEFAULT": json.dumps(connection),
            # a metadata database of its own, or the running scheduler takes the run's tasks as well
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{metadata}",
        }
        conf = json.dumps({"from_date": str(first), "to_date": str(last)})
        airflow.run("bill range", "airflow", "dags", "test", "bill_range", "--conf", conf, **environment)
    return books(url, first, last)


def test_a_backfill_month_by_month_and_day_by_day_gives_the_books_of_a_range(airflow, airflow_metadata, tmp_path):
    assert backfill(airflow, "expand_invoice_rules", *QUARTER, most=1) == ["success"] * 3
    states = backfill(airflow, "issue_invoices", *ISSUED_DAYS, most=8)
    assert states == ["success"] * ((ISSUED_DAYS[1] - ISSUED_DAYS[0]).days + 1)
    back_filled = books(airflow.ledger_url, CATCH_UP, ISSUED_DAYS[1])
    assert len(back_filled["invoices"]) == (20 if FULL else 3)
    ledger = f"sqlite:///{tmp_path / 'range.db'}"
    assert back_filled == bill_range(airflow, airflow_metadata, ledger, CATCH_UP, ISSUED_DAYS[1])


def test_a_killed_and_cleared_task_leaves_every_period_with_exactly_one_invoice(airflow):
    window = {"from_date": "2027-06-01", "to_date": "2027-06-30"}
    expand = airflow.trigger("expand_invoice_rules", **window)
    assert airflow.wait_for("expand_invoice_rules", expand) == "success"
    airflow.latch.unlink()  # from now on the third answer of the vendor kills its task, once
    run = airflow.trigger("issue_invoices", **window, contract_ids=[50])
    wait_until_killed(airflow, run)
    clear(airflow, "issue_invoices", run, "issue")
    assert airflow.wait_for("issue_invoices", run) == "success"
    assert tries(airflow.api, run, "issue") > 1
    june = books(airflow.ledger_url, date(2027, 6, 15), date(2027, 6, 15))
    assert [state for _, _, _, state, _ in june["periods"]] == ["issued"] * 12
    comments = [invoice["comments"] for invoice in airflow.vendor.state()["invoices"]]
    at_the_vendor = sorted(comment for comment in comments if comment.endswith("2027-06-15"))
    assert at_the_vendor == june["invoices"] == sorted(set(at_the_vendor))


def wait_until_killed(airflow, run):
    deadline = time.monotonic() + 400
    states = "failed", "up_for_retry"
    while not (airflow.latch.exists() and instance(airflow.api, run, "issue")["state"] in states):
        assert time.monotonic() < deadline, instance(airflow.api, run, "issue")
        time.sleep(0.3)


def instance(api: AirflowApi, run, task_id):
    found = api._get(f"/api/v2/dags/issue_invoices/dagRuns/{run}/taskInstances")["task_instances"]
    return next((each for each in found if each["task_id"] == task_id), {"state": None, "try_number": 0})


def tries(api: AirflowApi, run, task_id):
    return instance(api, run, task_id)["try_number"]


def clear(airflow, dag_id, run, task_id):
    body = {"dry_run": False, "dag_run_id": run, "task_ids": [task_id], "only_failed": False}
    airflow.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", {**body, "include_downstream": True})
