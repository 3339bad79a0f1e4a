"""Price updates: the calendar of what is coming, proposals, what was applied with its evidence, the index."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse

from ciclo.console import formats
from ciclo.console.charts import Chart, bars_and_line, steps_over_time
from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, View, ViewDep, render, table
from ciclo.console.routes.parameters import IndexParam, MonthParam, OptionalId, RowId, TextParam
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.price_index import PriceIndex, accumulate
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said, state_words
from ciclo.ledger.actions import ActionOutcome, NoSuchRow, late_readjustment
from ciclo.ledger.queries import price_updates as queries
from ciclo.ledger.queries.paging import Listing
from ciclo.ledger.tables import PriceUpdateExecution
from ciclo.locale import N_, _

router = APIRouter(prefix="/price-updates")
Show = Annotated[Literal["coming", "open", "done"], Query()]
_CALENDAR_MONTHS = 12
_CHART_MONTHS = 24

_COMMON = (
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Contract name"), lambda row: row.contract_name),
    Column(N_("Rule"), lambda row: row.rule_id),
    Column(N_("Rule title"), lambda row: row.rule_title),
    Column(N_("Index"), lambda row: row.price_index),
    Column(N_("Execution date"), lambda row: row.execution_date),
)
COMING = (
    Column(N_("Scheduled update"), lambda row: row.scheduled_update_id),
    *_COMMON,
    Column(N_("Every (months)"), lambda row: row.month_quantity),
    Column(N_("Reminder"), lambda row: row.remind_at),
)
EXECUTED = (
    Column(N_("Execution"), lambda row: row.id),
    *_COMMON,
    Column(N_("State"), lambda row: state_words(row.state)),
    Column(N_("Factor"), lambda row: row.factor),
    Column(N_("Reason"), lambda row: said(row.reason)),
    Column(N_("Changed"), lambda row: row.changed_at),
)


@dataclass(frozen=True, slots=True)
class UpdateQuery:
    """What the view can be narrowed to, as it stands in its URL."""

    show: Show = "coming"
    month: MonthParam = None
    index: IndexParam = None
    contract: OptionalId = None
    rule: OptionalId = None
    overdue: Annotated[bool, Query()] = False
    q: TextParam = ""

    def filter(self, today: date) -> queries.UpdateFilter:
        """Return what the page asks the ledger for; what is overdue lies before the month of `today`."""
        window = DateRange.month_of(self.month) if self.month else None
        if self.overdue:
            window = DateRange(date.min, first_of_month(today))
        states: dict[str, tuple[str, ...]] = {"open": queries.OPEN_STATES, "done": queries.DONE_STATES}
        wanted = states.get(self.show, ())
        return queries.UpdateFilter(window, wanted, self.index, self.contract, self.rule, self.q.strip())


@router.get("")
def show_updates(
    view: ViewDep, request: PageDep, query: Annotated[UpdateQuery, Depends()], as_file: AsFile
) -> Response:
    """Show what is coming, open or done, as a page or as a file."""
    listing: Listing[Any]
    columns: tuple[Column, ...]
    if query.show == "coming":
        listing, columns = queries.coming_listing(view.organization_id, query.filter(view.today)), COMING
    else:
        listing, columns = queries.execution_listing(view.organization_id, query.filter(view.today)), EXECUTED
    if as_file:
        return csv_response(f"price-updates-{query.show}", columns, listing.every(view.session, request))
    filters = {field.name: getattr(query, field.name) for field in fields(query)}
    filters["month"] = query.month and f"{query.month:%Y-%m}"
    return render(
        view,
        "price_updates.html",
        tab="price_updates",
        table=table(view, listing.page(view.session, request), "/price-updates", "price update", filters),
        filters=filters,
        show=query.show,
        calendar=_calendar(view),
        **_index_chart(view, query.index),
    )


@router.get("/{execution_id}")
def show_execution(view: ViewDep, execution_id: RowId) -> HTMLResponse:
    """Show one execution with its evidence; what a person may do about it."""
    return execution_view(view, execution_id)


@router.get("/{execution_id}/passport")
def show_passport(view: ViewDep, execution_id: RowId) -> HTMLResponse:
    """Show the passport of an execution that is in the prices, to be printed."""
    document = _passport(view, execution_id)
    months = [date.fromisoformat(f"{used['month']}-01") for used in document["months"]]
    window = DateRange(months[0], add_months(months[-1], 1)) if months else DateRange(date.min, date.min)
    indices = {document["index"], *(used["index"] for used in document["months"] if used.get("index"))}
    newest = {index: queries.index_series(view.session, index, window) for index in indices}
    shown: dict[str, Any] = {
        "passport": document,
        "execution_id": execution_id,
        "execution_date": date.fromisoformat(document["execution_date"]),
        "newest": {
            index: {f"{month:%Y-%m}": value for month, value in values.items()} for index, values in newest.items()
        },
        "decimal_of": Decimal,
    }
    return render(view, "passport.html", tab="price_updates", **shown)


@router.get("/{execution_id}/passport.json")
def keep_passport(view: ViewDep, execution_id: RowId) -> Response:
    """Answer the passport as a file, to be kept and verified."""
    text = json.dumps(_passport(view, execution_id), indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": f'attachment; filename="passport-{execution_id}.json"'}
    return Response(text, media_type="application/json", headers=headers)


def _passport(view: View, execution_id: int) -> dict[str, Any]:
    document = queries.passport(view.session, view.organization_id, execution_id)
    if document is None:
        raise NoSuchRow("price update", execution_id)
    return document


def execution_view(view: View, execution_id: int, outcome: ActionOutcome | None = None) -> HTMLResponse:
    """Show one execution as it is now, and what came of an action on it."""
    found = queries.execution_page(view.session, view.organization_id, execution_id)
    if found is None:
        raise NoSuchRow("price update", execution_id)
    prices = queries.prices_of(view.session, view.organization_id, found.execution.rule_id)
    charts = price_charts(prices, view.today)
    months = tuple(zip(queries.evidence_months(found.evidence), found.evidence.get("months", ()), strict=True))
    row = view.session.get(PriceUpdateExecution, execution_id) if found.evidence.get("late") else None
    shown: dict[str, Any] = {
        "found": found,
        "late": late_readjustment(view.session, row) if row is not None else None,
        "charts": charts,
        "months": months,
        "decimal_of": Decimal,
        "outcome": outcome,
    }
    return render(view, "price_update.html", tab="price_updates", **shown)


def price_charts(prices: Sequence[queries.PricePoint], today: date) -> dict[int, Chart]:
    """Draw each service's price over time, by service."""
    by_service: dict[int, list[tuple[date, Decimal, str]]] = {}
    for point in prices:
        title = _("{amount} from {day} ({source})").format(
            amount=formats.brl(point.unit_value),
            day=formats.day(point.effective_from),
            source=state_words(point.source),
        )
        by_service.setdefault(point.service_id, []).append((point.effective_from, point.unit_value, title))
    return {service: steps_over_time(points, today) for service, points in by_service.items()}


def _calendar(view: View) -> dict[str, Any]:
    """Months across, indices down, how many executions in each cell; what is overdue has a column of its own."""
    this_month = first_of_month(view.today)
    earlier = add_months(this_month, -1)  # the query counts everything before the window in the window's first month
    window = DateRange(earlier, add_months(this_month, _CALENDAR_MONTHS))
    counts = queries.coming_calendar(view.session, view.organization_id, window)
    overdue = any(count.month == earlier for count in counts)
    months = [add_months(earlier if overdue else this_month, number) for number in range(_CALENDAR_MONTHS)]
    return {
        "earlier": earlier,
        "months": months,
        "counts": {(count.price_index, count.month): count.count for count in counts},
        "totals": {month: sum(count.count for count in counts if count.month == month) for month in months},
    }


def _index_chart(view: View, index: PriceIndex | None) -> dict[str, Any]:
    """Monthly variation as bars, twelve months compounded as a line."""
    chosen = index or PriceIndex.IGPM
    newest = queries.newest_month(view.session, chosen)
    if newest is None:
        return {"chosen": chosen, "chart": None, "series": ()}
    first = add_months(newest, 1 - _CHART_MONTHS)
    values = queries.index_series(view.session, chosen, DateRange(add_months(first, -11), add_months(newest, 1)))
    months = [month for month in sorted(values) if month >= first]
    yearly = [_twelve_months(chosen, values, month) for month in months]
    series = tuple(zip(months, [values[month] for month in months], yearly, strict=True))
    chart = bars_and_line(
        [formats.month(month) for month in months],
        [values[month] for month in months],
        yearly,
        titles=[
            _("{month}: {value} %, twelve months {year} %").format(
                month=formats.month(month), value=formats.decimal(value, 2), year=formats.decimal(year, 2)
            )
            for month, value, year in series
        ],
        unit=" %",
        tones=["down" if value < 0 else "" for _, value, _ in series],
    )
    return {"chosen": chosen, "chart": chart, "series": series}


def _twelve_months(index: PriceIndex, values: dict[date, Decimal], last: date) -> Decimal | None:
    months = [add_months(last, -back) for back in range(12)]
    if not all(month in values for month in months):
        return None
    return accumulate(index, values, months).percent
