"""The demonstration's company on one morning, and as much of Airflow as its console asks: no process beside the test's.

The year is billed by the Dags' own steps at the sandbox, over HTTP, as a rehearsal plays them. The console is mounted
where the plugin mounts it, and a run that somebody starts through Airflow's API is played to its end at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

from ciclo.console import create_app
from ciclo.jobs.rehearsal.play import Rehearsal, rehearsing
from ciclo.jobs.rehearsal.scenario import DagRun, Scenario
from ciclo.jobs.stages import STAGES
from console.conftest import can_act, current_user
from demo.company import ORGANIZATION_ID, WRITTEN_FOR, as_written, year_until
from demo.history import account
from demo.ledger_view import LedgerView
from demo.people import cancel_invoice

YEAR = year_until(WRITTEN_FOR)
MORNING = date(2026, 1, 5)
"""The Monday on which somebody looks at the year: most customers have paid by then."""


class NewRun(BaseModel):
    """What Airflow's API is told to start a run."""

    logical_date: None
    conf: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlayedAirflow:
    """The company's morning: its ledger and vendor, and the app that serves console and API."""

    rehearsal: Rehearsal
    app: FastAPI
    ledger: LedgerView


@contextmanager
def played_airflow() -> Iterator[PlayedAirflow]:
    """Bill the company's year, let somebody cancel what has the wrong CNPJ, and close the months that can be closed."""
    scenario = Scenario(state=account(WRITTEN_FOR).state, today=WRITTEN_FOR, until=MORNING)
    with rehearsing(scenario) as rehearsal, closing(_ledger(rehearsal)) as ledger:
        rehearsal.move(WRITTEN_FOR, time(18))
        whole_year = {"from_date": YEAR.start.isoformat(), "to_date": YEAR.last_day.isoformat()}
        for _ in range(2):  # what price updates held back is billed by the second
            _play(rehearsal, "bill_range", whole_year)
        for wrong in as_written()["billed_again"]:
            period = ledger.period(wrong["rule_id"], date.fromisoformat(wrong["period"]))
            cancel_invoice(rehearsal.vendor.url, period.invoice_id or 0)
        rehearsal.move(MORNING, time(8))
        for dag_id in ("reconcile_receivables", "close_billing_month"):
            _play(rehearsal, dag_id, whole_year)
        yield PlayedAirflow(rehearsal, _airflow(rehearsal), ledger)


def _url(rehearsal: Rehearsal) -> str:
    return rehearsal.engine.url.render_as_string(hide_password=False)


def _ledger(rehearsal: Rehearsal) -> LedgerView:
    return LedgerView(_url(rehearsal), ORGANIZATION_ID, YEAR.start, YEAR.last_day)


def _airflow(rehearsal: Rehearsal) -> FastAPI:
    app = FastAPI()

    @app.post("/api/v2/dags/{dag_id}/dagRuns")
    def start(dag_id: str, run: NewRun, request: Request) -> dict[str, str]:
        if not can_act(request):
            raise HTTPException(403, "Forbidden")
        _play(rehearsal, dag_id, run.conf)
        return {"dag_run_id": f"manual__{len(rehearsal.runs)}"}

    console = create_app(
        current_user=current_user,
        can_act=can_act,
        secret="known",
        ledger_url=_url(rehearsal),
        clock=rehearsal.clock.now,
    )
    app.mount("/billing", console)
    return app


def _play(rehearsal: Rehearsal, dag_id: str, conf: Mapping[str, Any]) -> None:
    """Play a run that a person starts, who approves what it asks."""
    rehearsal.run(STAGES[dag_id], DagRun(dag_id=dag_id, params=dict(conf), approve=True), scheduled_at=None)
