"""The search box: contracts, rules, invoices and periods by id or name."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ciclo.console.pages import ViewDep, render
from ciclo.console.routes.parameters import TextParam
from ciclo.ledger.queries.search import search

router = APIRouter()


@router.get("/search")
def show_hits(view: ViewDep, q: TextParam = "") -> HTMLResponse:
    """Show what was found."""
    hits = search(view.session, view.organization_id, q)
    return render(view, "search.html", tab="search", hits=hits, q=q.strip())
