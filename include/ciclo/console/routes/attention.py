"""Attention: what is parked, in doubt or found to disagree, with reason, age, amount at risk and what to do."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, ViewDep, render, table
from ciclo.console.routes.parameters import OptionalId, RowId, StateParam, TextParam
from ciclo.console.routes.periods import COLUMNS as PERIOD_COLUMNS
from ciclo.console.routes.price_updates import EXECUTED
from ciclo.domain.wording import kind_words, side_words, state_words
from ciclo.ledger.actions import NoSuchRow
from ciclo.ledger.queries.attention import (
    FindingFilter,
    KindCount,
    finding_listing,
    finding_page,
    findings_by_kind,
    stopped_periods,
    stopped_periods_by_kind,
    stopped_updates_by_kind,
)
from ciclo.ledger.queries.months import UPDATE_NEEDS_A_PERSON
from ciclo.ledger.queries.paging import Listing
from ciclo.ledger.queries.price_updates import UpdateFilter, execution_listing
from ciclo.locale import N_

router = APIRouter()
Show = Annotated[Literal["periods", "findings", "updates"], Query()]
Kind = Annotated[str, Query(max_length=40, pattern="^[a-z_]*$")]
FindingStatus = Annotated[Literal["open", "acknowledged", "closed"], Query()]
_FINDINGS = {
    "open": FindingFilter(),
    "acknowledged": FindingFilter(acknowledged=True),
    "closed": FindingFilter(closed=True, acknowledged=None),
}
FINDING_COLUMNS = (
    Column(N_("Finding"), lambda row: row.id),
    Column(N_("Kind"), lambda row: kind_words(row.kind)),
    Column(N_("About"), lambda row: f"{state_words(row.subject)} {row.subject_id}"),
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Contract name"), lambda row: row.contract_name),
    Column(N_("Month"), lambda row: row.billing_month),
    Column(N_("Message"), lambda row: row.message),
    Column(N_("Expected"), lambda row: row.expected and side_words(row.expected)),
    Column(N_("Found"), lambda row: row.found and side_words(row.found)),
    Column(N_("At risk (BRL)"), lambda row: row.amount),
    Column(N_("Opened"), lambda row: row.opened_at),
    Column(N_("Acknowledged by"), lambda row: row.acknowledged_by),
    Column(N_("Note"), lambda row: row.note),
    Column(N_("Closed"), lambda row: row.closed_at),
)


@dataclass(frozen=True, slots=True)
class AttentionQuery:
    """Which queue, narrowed to what, as it stands in the URL."""

    show: Show = "periods"
    state: StateParam = None
    seen: FindingStatus = "open"
    kind: Kind = ""
    contract: OptionalId = None
    q: TextParam = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """One of the queues: its list, its columns in a file, what a row is."""

    listing: Listing[Any]
    columns: tuple[Column, ...]
    what: str
    kinds: Callable[[], tuple[KindCount, ...]]
    """How many there are of each kind, whatever else the list is narrowed to."""


@router.get("/attention")
def show_attention(
    view: ViewDep, request: PageDep, query: Annotated[AttentionQuery, Depends()], as_file: AsFile
) -> Response:
    """Show one of the three queues, as a page or as a file."""
    queue = _QUEUES[query.show](view.session, view.organization_id, query)
    if as_file:
        return csv_response(f"attention-{query.show}", queue.columns, queue.listing.every(view.session, request))
    filters = {field.name: getattr(query, field.name) for field in fields(query)}
    filters["seen"] = query.seen if query.seen != "open" else None
    rows = table(view, queue.listing.page(view.session, request), "/attention", queue.what, filters)
    shown: dict[str, Any] = {"table": rows, "filters": filters, "show": query.show, "seen": query.seen}
    return render(view, "attention.html", tab="attention", kinds=queue.kinds(), **shown)


@router.get("/findings/{finding_id}")
def show_finding(view: ViewDep, finding_id: RowId) -> HTMLResponse:
    """Show one finding with its trail; what a person may do about it."""
    found = finding_page(view.session, view.organization_id, finding_id)
    if found is None:
        raise NoSuchRow("finding", finding_id)
    template = "_finding.html" if view.partial else "finding.html"
    return render(view, template, tab="attention", found=found, outcome=None)


def _periods(session: Session, organization_id: int, query: AttentionQuery) -> Queue:
    state = query.state.value if query.state else None
    listing = stopped_periods(session, organization_id, state=state, kind=query.kind, text=query.q.strip())
    return Queue(listing, PERIOD_COLUMNS, "period", lambda: stopped_periods_by_kind(session, organization_id))


def _findings(session: Session, organization_id: int, query: AttentionQuery) -> Queue:
    every = _FINDINGS[query.seen]
    wanted = replace(every, kind=query.kind, contract_id=query.contract, text=query.q.strip())
    listing = finding_listing(organization_id, wanted)
    return Queue(listing, FINDING_COLUMNS, "finding", lambda: findings_by_kind(session, organization_id, every))


def _updates(session: Session, organization_id: int, query: AttentionQuery) -> Queue:
    wanted = UpdateFilter(
        states=UPDATE_NEEDS_A_PERSON, contract_id=query.contract, reason_kind=query.kind, text=query.q.strip()
    )
    listing = execution_listing(organization_id, wanted)
    return Queue(listing, EXECUTED, "price update", lambda: stopped_updates_by_kind(session, organization_id))


_QUEUES: dict[str, Callable[[Session, int, AttentionQuery], Queue]] = {
    "periods": _periods,
    "findings": _findings,
    "updates": _updates,
}
