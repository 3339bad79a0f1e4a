"""Closed months: which were proved, and the report of every attempt."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse

from ciclo.console.csv_export import Column, csv_response
from ciclo.console.rendering import ViewDep, render, render_message
from ciclo.console.tables import AsFile, PageDep, table
from ciclo.ledger.queries.months import closing_listing, closings_of

router = APIRouter(prefix="/months")
COLUMNS = (
    Column("Month", lambda row: row.billing_month),
    Column("Closed", lambda row: row.closed),
    Column("Dag run", lambda row: row.run_id),
    Column("At", lambda row: row.created_at),
)
MonthPath = Annotated[str, Path(pattern=r"^(19|20|21)\d\d-(0[1-9]|1[0-2])$")]


@router.get("")
def list_closings(
    view: ViewDep,
    request: PageDep,
    as_file: AsFile,
) -> Response:
    """List the newest attempt of each month, as a page or as a file."""
    listing = closing_listing(view.organization_id)
    if as_file:
        return csv_response("closed-months", COLUMNS, listing.every(view.session, request))
    months = table(view, listing.page(view.session, request), "/months", "month")
    return render(view, "closings.html", tab="closings", table=months)


@router.get("/{month}")
def show_closing(view: ViewDep, month: MonthPath) -> HTMLResponse:
    """Show the report of a month's newest attempt, and the earlier attempts."""
    start = date.fromisoformat(f"{month}-01")
    attempts = closings_of(view.session, view.organization_id, start)
    if not attempts:
        return render_message(view.request, 404, "Not closed", f"Nobody has tried to close {start:%m/%Y} yet.")
    return render(view, "closing.html", tab="closings", month=start, attempts=attempts)
