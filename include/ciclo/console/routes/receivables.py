"""Receivables: ageing, what was collected and how fast, and the list behind both."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, ViewDep, render, table
from ciclo.console.routes.parameters import DayParam, MonthParam, OptionalId, TextParam
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.receivables import AgeingBucket, ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import state_words
from ciclo.ledger.queries.months import Share
from ciclo.ledger.queries.receivables import (
    NOT_CANCELLED,
    ReceivableFilter,
    ageing,
    collected,
    receivable_listing,
)
from ciclo.locale import N_

router = APIRouter(prefix="/receivables")
_MONTHS_BACK = 6


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


BucketParam = Annotated[AgeingBucket | Literal["late"] | None, BeforeValidator(_none_if_empty), Query()]
ReceivableStateParam = Annotated[
    ReceivableState | Literal["not_cancelled"] | None, BeforeValidator(_none_if_empty), Query()
]

COLUMNS = (
    Column(N_("Receivable"), lambda row: row.receivable_id),
    Column(N_("Invoice"), lambda row: row.invoice_id),
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Contract name"), lambda row: row.contract_name),
    Column(N_("Due date"), lambda row: row.due_date),
    Column(N_("Days late"), lambda row: row.days_late),
    Column(N_("Gross value (BRL)"), lambda row: row.gross_value),
    Column(N_("State"), lambda row: state_words(row.state)),
    Column(N_("Received at"), lambda row: row.received_at),
    Column(N_("Received (BRL)"), lambda row: row.received_value),
    Column(N_("Refused by finance"), lambda row: row.finance_errors),
)


@dataclass(frozen=True, slots=True)
class ReceivableQuery:
    """What the view can be narrowed to, as it stands in its URL."""

    as_of: DayParam = None
    bucket: BucketParam = None
    state: ReceivableStateParam = None
    contract: OptionalId = None
    refused: Annotated[bool, Query()] = False
    due: MonthParam = None
    issued: MonthParam = None
    on_time: Annotated[bool, Query()] = False
    q: TextParam = ""

    @property
    def shown_state(self) -> str | None:
        """The state shown: what is owed, unless something else was asked for."""
        narrowed = self.bucket or self.refused or self.due or self.issued or self.on_time
        return self.state or (None if narrowed else ReceivableState.TO_RECEIVE)

    def filter(self, today: date) -> ReceivableFilter:
        """Return the filter as of a day."""
        return ReceivableFilter(
            today,
            self.shown_state,
            self.bucket,
            self.contract,
            self.refused,
            self.q.strip(),
            due=DateRange.month_of(self.due) if self.due else None,
            issued=DateRange.month_of(self.issued) if self.issued else None,
            on_time=self.on_time,
        )

    def shown(self) -> dict[str, Any]:
        """Return the parameters as they are written in a URL."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return given | {"due": self.due and f"{self.due:%Y-%m}", "issued": self.issued and f"{self.issued:%Y-%m}"}


@router.get("")
def show_receivables(
    view: ViewDep, request: PageDep, query: Annotated[ReceivableQuery, Depends()], as_file: AsFile
) -> Response:
    """Show what is owed as of a day, as a page or as a file."""
    today = query.as_of or view.known_on
    listing = receivable_listing(view.organization_id, query.filter(today))
    if as_file:
        return csv_response("receivables", COLUMNS, listing.every(view.session, request))
    filters = query.shown()
    buckets = ageing(view.session, view.organization_id, today)
    return render(
        view,
        "receivables.html",
        tab="receivables",
        table=table(view, listing.page(view.session, request), "/receivables", "receivable", filters),
        filters=filters,
        as_of=today,
        buckets=buckets,
        owed=sum(buckets.values(), Share()),
        late=sum((share for name, share in buckets.items() if name != AgeingBucket.NOT_DUE), Share()),
        shown=query.shown_state,
        states=(NOT_CANCELLED, *ReceivableState),
    )


@router.get("/collected")
def show_collected(view: ViewDep, as_of: DayParam = None) -> HTMLResponse:
    """Show what was collected of what was due in the last months; the page of receivables asks for it by itself."""
    this_month = first_of_month(as_of or view.known_on)
    window = DateRange(add_months(this_month, 1 - _MONTHS_BACK), add_months(this_month, 1))
    months = collected(view.session, view.organization_id, window)
    template = "_collected.html" if view.partial else "collected.html"
    return render(view, template, tab="receivables", collected=months, as_of=as_of)
