"""Why an invoice is different from the one before it, with a sentence for the customer."""

from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ciclo.console.pages import ViewDep, render
from ciclo.console.routes.parameters import RowId
from ciclo.domain.wording import said_of_comparison, said_of_difference
from ciclo.ledger.actions import NoSuchRow
from ciclo.ledger.queries.comparison import comparison_of

router = APIRouter(prefix="/invoices")


@router.get("/{invoice_id}/why")
def show_why(view: ViewDep, invoice_id: RowId) -> HTMLResponse:
    """Show line by line what changed since the invoice before, and why."""
    found = comparison_of(view.session, view.organization_id, invoice_id)
    if found is None:
        raise NoSuchRow("invoice", invoice_id)
    shown: dict[str, Any] = {
        "found": found,
        "sentence": said_of_comparison(found),
        "said_of": said_of_difference,
        "decimal_of": Decimal,
    }
    return render(view, "comparison.html", tab="periods", **shown)
