"""The month at a glance: tiles, amounts, progress, what waits for a person."""

from datetime import date

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ciclo.console import formats
from ciclo.console.charts import Chart, bars_and_line
from ciclo.console.rendering import View, ViewDep, render
from ciclo.console.routes.parameters import MonthParam
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.queries.months import MonthGlance, month_glance, waiting_for_a_person
from ciclo.ledger.queries.search import newest_issue_date

router = APIRouter()


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
    if view.partial:
        waiting = waiting_for_a_person(view.session, view.organization_id)
        return render(view, "_month.html", tab="month", glance=glance, month=start, chart=chart, waiting=waiting)
    around = add_months(start, -1), add_months(start, 1)
    return render(view, "month.html", tab="month", glance=glance, month=start, chart=chart, around=around)


def _chart(glance: MonthGlance) -> Chart:
    days = glance.days
    return bars_and_line(
        [f"{entry.day:%d}" for entry in days],
        [entry.expected.amount for entry in days],
        titles=[
            f"{formats.day(entry.day)}: {formats.count(entry.expected.count, 'period')} expected, "
            f"{formats.brl(entry.expected.amount)}; {formats.integer(entry.issued.count)} issued"
            for entry in days
        ],
        tones=["success" if entry.issued.count == entry.expected.count else "planned" for entry in days],
    )
