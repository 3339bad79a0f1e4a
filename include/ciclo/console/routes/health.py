"""For machines: whether the console can read its ledger, and the ledger's figures in Prometheus' text format.

These are behind the same door as every page; a probe brings a token.
"""

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from ciclo.console.database import LedgerDep, SessionDep
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.states import PeriodState
from ciclo.ledger.queries.months import Measures, add_up_periods, measures, read_a_period

router = APIRouter()


@router.get("/healthz")
def healthz(session: SessionDep) -> JSONResponse:
    """Answer 200 if the ledger can be read; the error page's 503 if not."""
    read_a_period(session)
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
def metrics(request: Request, session: SessionDep, ledger: LedgerDep) -> PlainTextResponse:
    """Answer the ledger's figures; what changed since the last time is added up and kept for the next."""
    with ledger.writing() as sums:
        add_up_periods(sums)
        sums.commit()
    now: datetime = request.app.state.clock()
    found = measures(session, today=now.astimezone(SAO_PAULO).date())
    age = (now - found.oldest_doubt).total_seconds() if found.oldest_doubt else 0
    lines = [*_states(found), *_gauge("ciclo_oldest_doubt_seconds", "Age of the oldest doubt.", f"{age:.0f}")]
    lines += _gauge("ciclo_overdue_periods", "Planned periods whose issue date is over.", str(found.overdue))
    lines += ["# HELP ciclo_price_updates Price updates not at rest, by state.", "# TYPE ciclo_price_updates gauge"]
    lines += [f'ciclo_price_updates{{state="{state}"}} {count}' for state, count in found.price_updates.items()]
    lines += _gauge("ciclo_open_findings", "Findings that are not closed.", str(found.open_findings))
    name = "ciclo_days_not_complete"
    lines += [f"# HELP {name} Days up to yesterday that no daily proof calls complete.", f"# TYPE {name} gauge"]
    lines += [f'{name}{{organization="{each.organization_id}"}} {each.days}' for each in found.incomplete]
    return PlainTextResponse("\n".join([*lines, ""]), media_type="text/plain; version=0.0.4; charset=utf-8")


def _states(found: Measures) -> list[str]:
    lines = ["# HELP ciclo_periods Periods by state.", "# TYPE ciclo_periods gauge"]
    for entry in found.states:
        labels = f'organization="{entry.organization_id}",state="{PeriodState(entry.state).value}"'
        lines.append(f"ciclo_periods{{{labels}}} {entry.periods}")
    lines += ["# HELP ciclo_periods_brl What they amount to, in BRL.", "# TYPE ciclo_periods_brl gauge"]
    for entry in found.states:
        labels = f'organization="{entry.organization_id}",state="{PeriodState(entry.state).value}"'
        lines.append(f"ciclo_periods_brl{{{labels}}} {entry.amount:f}")
    return lines


def _gauge(name: str, text: str, value: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]
