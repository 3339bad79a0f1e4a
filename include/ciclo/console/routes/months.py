"""Billing months: one at a glance, and the attempts to close them with their reports."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse

from ciclo.console import formats
from ciclo.console.charts import Chart, bars_and_line
from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, View, ViewDep, render, render_message, table
from ciclo.console.routes.parameters import MonthParam
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import month_words
from ciclo.ledger.queries.attention import FindingRow, findings_against_closing
from ciclo.ledger.queries.months import MonthGlance, closing_listing, closings_of, month_glance, waiting_for_a_person
from ciclo.ledger.queries.search import newest_issue_date
from ciclo.locale import N_, _

router = APIRouter()

FINDINGS_SHOWN = 10
NOT_BILLED = tuple(state for state in PeriodState if state not in (PeriodState.ISSUED, PeriodState.CANCELLED))


@dataclass(frozen=True, slots=True)
class Closing:
    """What a person who wants to close a month that is over sees of it: what keeps it open, as the ledger knows it."""

    states: tuple[PeriodState, ...]
    """States of periods that are not billed, as far as the month has such."""
    findings: tuple[FindingRow, ...]
    more: bool
    """Whether there are further findings."""


def chosen_month(view: View, month: date | None) -> date:
    """Return the month that was asked for, else the newest with a period up to today."""
    if month is not None:
        return month
    return first_of_month(newest_issue_date(view.session, view.organization_id, view.today) or view.today)


@router.get("/")
def show_month(view: ViewDep, month: MonthParam = None) -> HTMLResponse:
    """Show one billing month."""
    start = chosen_month(view, month)
    glance = month_glance(view.session, view.organization_id, DateRange.month_of(start))
    chart = _chart(glance) if glance.expected.amount else None
    shown: dict[str, Any] = {"glance": glance, "month": start, "chart": chart, "closing": _closing(view, glance)}
    if view.partial:
        waiting = waiting_for_a_person(view.session, view.organization_id)
        return render(view, "_month.html", tab="month", waiting=waiting, **shown)
    around = add_months(start, -1), add_months(start, 1)
    return render(view, "month.html", tab="month", around=around, **shown)


def _closing(view: View, glance: MonthGlance) -> Closing | None:
    """Return what keeps a month open; None of one that is not over, which nobody can close."""
    if view.today < glance.month.end:
        return None
    states = tuple(state for state in NOT_BILLED if glance.states[state].count)
    found = findings_against_closing(view.session, view.organization_id, glance.month.start, FINDINGS_SHOWN + 1)
    return Closing(states, found[:FINDINGS_SHOWN], more=len(found) > FINDINGS_SHOWN)


def _chart(glance: MonthGlance) -> Chart:
    days = glance.days
    return bars_and_line(
        [f"{entry.day:%d}" for entry in days],
        [entry.expected.amount for entry in days],
        titles=[
            _("{day}: {periods} expected, {amount}; {issued} issued").format(
                day=formats.day(entry.day),
                periods=formats.counted(entry.expected.count, "period"),
                amount=formats.brl(entry.expected.amount),
                issued=formats.integer(entry.issued.count),
            )
            for entry in days
        ],
        tones=["success" if entry.issued.count == entry.expected.count else "planned" for entry in days],
    )


COLUMNS = (
    Column(N_("Month"), lambda row: row.billing_month),
    Column(N_("Closed"), lambda row: row.closed),
    Column(N_("Dag run"), lambda row: row.run_id),
    Column(N_("At"), lambda row: row.created_at),
)
MonthPath = Annotated[str, Path(pattern=r"^(19|20|21)\d\d-(0[1-9]|1[0-2])$")]


@router.get("/months")
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


@router.get("/months/{month}")
def show_closing(view: ViewDep, month: MonthPath) -> HTMLResponse:
    """Show the report of a month's newest attempt, and the earlier attempts."""
    start = date.fromisoformat(f"{month}-01")
    attempts = closings_of(view.session, view.organization_id, start)
    if not attempts:
        return render_message(
            view.request,
            404,
            _("Not closed"),
            _("Nobody has tried to close {month} yet.").format(month=month_words(start)),
        )
    return render(view, "closing.html", tab="closings", month=start, attempts=attempts)
