"""The search box: contracts, rules, invoices and periods by id or name."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ciclo.ledger.queries.search import search
from ciclo.web.rendering import ViewDep, render
from ciclo.web.routes.parameters import TextParam

router = APIRouter()


@router.get("/search")
def show_hits(view: ViewDep, q: TextParam = "") -> HTMLResponse:
    """Show what was found."""
    hits = search(view.session, view.organization_id, q)
    return render(view, "search.html", tab="search", hits=hits, q=q.strip())
