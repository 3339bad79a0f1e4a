"""A month of 160 invoices at a vendor that takes half a second for each: time enough to do harm while it is billed."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period
from company import ORGANIZATION

CONTRACT, FIRST_RULE, PERIODS = 60, 200, 160
SLOW = {"method": "POST", "path": "/invoices$", "kind": "slow", "probability": 1, "seconds": 0.5}


def plan_month(airflow: Any, day: date) -> Mapping[str, str]:
    """Expand the month of a day, and return it as the params of a run."""
    month = DateRange.month_of(day)
    window = {"from_date": str(month.start), "to_date": str(month.last_day)}
    expand = airflow.trigger("expand_invoice_rules", **window)
    assert airflow.wait_for("expand_invoice_rules", expand) == "success"
    return window


def start_billing(airflow: Any, window: Mapping[str, str], day: date) -> str:
    """Start issue_invoices; return its run once some invoices are at the vendor and others are on their way."""
    run: str = airflow.trigger("issue_invoices", **window, contract_ids=[CONTRACT])
    deadline = time.monotonic() + 400
    while not 0 < len(invoices_of(airflow, day)) < PERIODS:
        assert airflow.api.run_state("issue_invoices", run) in {"queued", "running"}
        assert time.monotonic() < deadline, (instances(airflow, run), period_states(airflow, day))
        time.sleep(0.3)
    return run


def invoices_of(airflow: Any, day: date) -> list[str]:
    """Return the references of the day's invoices at the vendor."""
    comments = (invoice["comments"] or "" for invoice in airflow.vendor.state()["invoices"])
    return [comment for comment in comments if comment.endswith(str(day))]


def every_reference(day: date) -> list[str]:
    """Return what `invoices_of` has to be in the end, sorted."""
    return [f"ciclo:{ORGANIZATION}:{rule}:{day}" for rule in range(FIRST_RULE, FIRST_RULE + PERIODS)]


def period_states(airflow: Any, day: date) -> Counter[str]:
    """Return how many of the day's periods the ledger has in each state."""
    engine = open_engine(airflow.ledger_url, read_only=True)
    with Session(engine) as session:
        of_day = select(Period.state).where(Period.issue_date == day, Period.contract_id == CONTRACT)
        states = Counter(session.scalars(of_day))
    engine.dispose()
    return states


def instances(airflow: Any, run: str) -> dict[str, tuple[str, int]]:
    """Return state and try of each task of a run of issue_invoices."""
    found = airflow.get(f"/api/v2/dags/issue_invoices/dagRuns/{run}/taskInstances")["task_instances"]
    return {each["task_id"]: (each["state"], each["try_number"]) for each in found}
