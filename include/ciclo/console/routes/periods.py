"""Periods: the grid of rules and months, the list, and one period's page."""

from dataclasses import dataclass, fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, ViewDep, render, table
from ciclo.console.routes.months import chosen_month
from ciclo.console.routes.parameters import (
    IndexParam,
    ListedState,
    MonthParam,
    Months,
    NfseParam,
    OptionalId,
    RowId,
    TextParam,
)
from ciclo.domain.calendar import add_months
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said, state_words
from ciclo.ledger.actions import NoSuchRow
from ciclo.ledger.queries.periods import GridFilter, PeriodFilter, grid, period_listing, period_page
from ciclo.locale import N_

router = APIRouter(prefix="/periods")

COLUMNS = (
    Column(N_("Period"), lambda row: row.id),
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Contract name"), lambda row: row.contract_name),
    Column(N_("Rule"), lambda row: row.rule_id),
    Column(N_("Rule title"), lambda row: row.rule_title),
    Column(N_("Issue date"), lambda row: row.issue_date),
    Column(N_("Accrual month"), lambda row: row.accrual_month),
    Column(N_("First due date"), lambda row: row.first_due_date),
    Column(N_("Gross value (BRL)"), lambda row: row.gross_value),
    Column(N_("State"), lambda row: state_words(row.state)),
    Column(N_("Invoice"), lambda row: row.invoice_id),
    Column(N_("Reason"), lambda row: said(row.reason)),
    Column(N_("Changed"), lambda row: row.changed_at),
)


@dataclass(frozen=True, slots=True)
class PeriodQuery:
    """What the views of periods can be narrowed to, as it stands in their URLs."""

    month: MonthParam = None
    until: MonthParam = None
    months: Months = 12
    contract: OptionalId = None
    rule: OptionalId = None
    state: ListedState = None
    index: IndexParam = None
    nfse: NfseParam = None
    q: TextParam = ""

    def shown(self) -> dict[str, Any]:
        """Return the parameters as they are written in a URL."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        months = {"month": self.month and f"{self.month:%Y-%m}", "until": self.until and f"{self.until:%Y-%m}"}
        return given | months | {"months": self.months if self.months != 12 else None}

    @property
    def states(self) -> tuple[str, ...]:
        """The states that are shown; none means all."""
        if self.state == "not_cancelled":
            return tuple(state.value for state in PeriodState if state != PeriodState.CANCELLED)
        return (self.state,) if self.state else ()

    @property
    def window(self) -> DateRange | None:
        """The months that a list shows; None for all time."""
        first, last = self.month or self.until, self.until or self.month
        if first is None or last is None:
            return None
        return DateRange(min(first, last), add_months(max(first, last), 1))


QueryDep = Annotated[PeriodQuery, Depends()]


@router.get("")
def show_grid(view: ViewDep, request: PageDep, query: QueryDep) -> HTMLResponse:
    """Show rules by month, up to and with a month."""
    last = chosen_month(view, query.month)
    columns = [add_months(last, number) for number in range(1 - query.months, 1)]
    window = DateRange(columns[0], add_months(last, 1))
    wanted = GridFilter(window, query.contract, query.states, query.index, query.q.strip())
    page, rows = grid(view.session, view.organization_id, wanted, request)
    filters = query.shown()
    rules = table(view, page, "/periods", "rule", filters, exports=False)
    template = "periods_grid.html"
    return render(view, template, tab="periods", table=rules, rows=rows, columns=columns, filters=filters, last=last)


@router.get("/list")
def list_periods(view: ViewDep, request: PageDep, query: QueryDep, as_file: AsFile) -> Response:
    """List periods, of all time or of some months, as a page or as a file."""
    wanted = PeriodFilter(
        query.window, query.contract, query.rule, query.states, query.index, query.q.strip(), nfse=query.nfse
    )
    listing = period_listing(view.session, view.organization_id, wanted)
    if as_file:
        return csv_response("periods", COLUMNS, listing.every(view.session, request))
    filters = query.shown()
    periods = table(view, listing.page(view.session, request), "/periods/list", "period", filters)
    return render(view, "periods_list.html", tab="periods", table=periods, filters=filters)


@router.get("/{period_id}")
def show_period(view: ViewDep, period_id: RowId) -> HTMLResponse:
    """Show one period: price, due dates, invoice, receivables, audit trail; what a person may do about it."""
    found = period_page(view.session, view.organization_id, period_id)
    if found is None:
        raise NoSuchRow("period", period_id)
    template = "_period.html" if view.partial else "period.html"
    return render(view, template, tab="periods", found=found, outcome=None)
