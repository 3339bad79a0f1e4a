"""What a Dag, a Dag run or a task instance touched: where Airflow's own pages link to."""

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, ViewDep, render, table
from ciclo.console.routes.parameters import NameParam, OptionalName
from ciclo.domain.wording import said, state_words
from ciclo.ledger.queries.trail import RunFilter, run_counts, run_listing
from ciclo.locale import N_

router = APIRouter()
OptionalWord = Annotated[str | None, Query(max_length=40, pattern="^[a-z_]*$")]
A_DAGS_TIME = timedelta(days=30)
"""How far back a Dag's own page looks; a run's page shows all of the run."""
COLUMNS = (
    Column(N_("At"), lambda row: row.at),
    Column(N_("What"), lambda row: state_words(row.subject)),
    Column(N_("Id"), lambda row: row.subject_id),
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Contract name"), lambda row: row.contract_name),
    Column(N_("Issue date"), lambda row: row.issue_date),
    Column(N_("From"), lambda row: row.from_state and state_words(row.from_state)),
    Column(N_("To"), lambda row: state_words(row.to_state)),
    Column(N_("Reason"), lambda row: said(row.reason)),
    Column(N_("Dag run"), lambda row: row.run_id),
    Column(N_("Task"), lambda row: row.task_id),
)


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Whose changes, and which of them are listed, as it stands in the URL; `bare` without the console's own tabs."""

    dag_id: NameParam
    run_id: OptionalName = None
    task_id: OptionalName = None
    map_index: Annotated[int | None, Query(ge=-1, le=1_000_000)] = None
    subject: OptionalWord = None
    to_state: OptionalWord = None
    bare: Annotated[bool, Query()] = False


@router.get("/runs")
def show_run(view: ViewDep, request: PageDep, as_file: AsFile, query: Annotated[RunQuery, Depends()]) -> Response:
    """Show what changed, newest first, as a page or as a file; the counts are of all, whatever of it is listed."""
    mapped = query.map_index if query.map_index is not None and query.map_index >= 0 else None
    since = None if query.run_id else view.now - A_DAGS_TIME
    wanted = RunFilter(query.dag_id, query.run_id or None, query.task_id or None, mapped, since)
    listed = replace(wanted, subject=query.subject or None, to_state=query.to_state or None)
    listing = run_listing(view.organization_id, listed)
    if as_file:
        return csv_response("changes", COLUMNS, listing.every(view.session, request))
    filters = {field.name: getattr(query, field.name) for field in fields(query)} | {"map_index": mapped}
    changes = table(view, listing.page(view.session, request), "/runs", "change", filters)
    counts = run_counts(view.session, view.organization_id, wanted)
    return render(
        view, "run.html", tab="run", table=changes, filters=filters, counts=counts, bare=query.bare, since=since
    )
