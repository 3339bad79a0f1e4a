"""Forecast: what the newest rehearsal of the account says of its coming months."""

from datetime import date
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Response

from ciclo.console import formats
from ciclo.console.charts import Chart, bars_and_line
from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, ViewDep, render
from ciclo.domain.money import total
from ciclo.ledger.repositories.plans import ForecastRepository
from ciclo.locale import N_, _

router = APIRouter()
SHOWN = 200
"""Rows of a table; the file has them all."""
_AMOUNTS = frozenset({"billed", "stopped", "what_if", "old", "new", "per_month"})
_DAYS = frozenset({"execution_date", "shown_on", "cleared_on", "planned_dates", "last_planned_date"})
COLUMNS = (
    Column(N_("Month"), lambda row: row["month"]),
    Column(N_("Contract"), lambda row: row["contract_id"]),
    Column(N_("Name"), lambda row: row["contract"]),
    Column(N_("Billed"), lambda row: row["billed"]),
    Column(N_("Stopped"), lambda row: row["stopped"]),
    Column(N_("What-if"), lambda row: row["what_if"]),
)


@router.get("/forecast")
def show_forecast(view: ViewDep, as_file: AsFile) -> Response:
    """Show the newest forecast, or give its revenue by contract and month as a file."""
    found = ForecastRepository(view.session, view.organization_id).newest()
    document: dict[str, Any] = _read(found.document) if found is not None else {}
    if as_file:
        return csv_response("forecast", COLUMNS, document.get("revenue", []))
    months = document.get("months", [])
    return render(
        view,
        "forecast.html",
        tab="forecast",
        found=found,
        document=document,
        chart=_chart(months) if months else None,
        totals={name: total(each[name] for each in months) for name in ("billed", "stopped", "what_if")},
        shown=SHOWN,
    )


def _read(value: Any, name: str = "") -> Any:
    """Return a part of the document with amounts and days as what they are, by the names of their fields."""
    if isinstance(value, dict):
        return {key: _read(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each, name) for each in value]
    if isinstance(value, str) and name in _AMOUNTS:
        return Decimal(value)
    return date.fromisoformat(value) if isinstance(value, str) and name in _DAYS else value


def _chart(months: list[dict[str, Any]]) -> Chart:
    titles = [
        _("{month}: {billed} billed, {stopped} stopped").format(
            month=formats.iso_month(each["month"]),
            billed=formats.brl(each["billed"]),
            stopped=formats.brl(each["stopped"]),
        )
        for each in months
    ]
    what_if = [each["what_if"] for each in months]
    return bars_and_line(
        [formats.iso_month(each["month"]) for each in months],
        [each["billed"] for each in months],
        what_if,
        titles=titles,
    )
