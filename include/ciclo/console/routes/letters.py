"""Letters to the customer about a readjustment: what was sent to whom, how one reads, and asking for one."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from ciclo.console.pages import View, ViewDep, render
from ciclo.console.routes.actions import PerformDep
from ciclo.console.routes.parameters import RowId
from ciclo.domain.letter import LetterKind
from ciclo.domain.states import IN_PRICES, UNSENT
from ciclo.ledger.actions import ActionOutcome, NoSuchRow
from ciclo.ledger.letters import ask_letter, letter_page, letters_of
from ciclo.ledger.queries.price_updates import execution_page

router = APIRouter(prefix="/price-updates/{execution_id}/letters")
SHUT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""What a letter may do: a company's own template is shown, and runs nothing."""


@router.get("")
def show_letters(view: ViewDep, execution_id: RowId) -> HTMLResponse:
    """Show the letters about a readjustment, and a form that asks for one."""
    return _page(view, execution_id)


@router.get("/{kind}.html")
def show_letter(view: ViewDep, request: Request, execution_id: RowId, kind: LetterKind) -> Response:
    """Show a letter as the customer reads it."""
    style = request.app.state.letters
    page = letter_page(view.session, view.organization_id, execution_id, kind, style, today=view.today)
    return HTMLResponse(page, headers={"Content-Security-Policy": SHUT, "Cache-Control": "no-store"})


@router.post("/{kind}")
def ask(view: ViewDep, perform: PerformDep, execution_id: RowId, kind: LetterKind) -> HTMLResponse:
    """Let the next run write to the customer."""
    outcome = perform(ask_letter, execution_id, kind=kind)
    view.session.rollback()  # what follows must see what was just committed
    return _page(view, execution_id, outcome)


def _page(view: View, execution_id: int, outcome: ActionOutcome | None = None) -> HTMLResponse:
    found = execution_page(view.session, view.organization_id, execution_id)
    if found is None:
        raise NoSuchRow("price update", execution_id)
    rows = letters_of(view.session, view.organization_id, execution_id)
    kinds = [LetterKind.AFTER] if found.execution.state in IN_PRICES else []
    kinds += [LetterKind.BEFORE] if found.execution.state in UNSENT else []
    shown: dict[str, Any] = {
        "one": found.execution,
        "letters": rows,
        "kinds": [kind.value for kind in kinds],
        "readable": {row.kind for row in rows if row.body} | {kind.value for kind in kinds if kind is LetterKind.AFTER},
        "outcome": outcome,
    }
    return render(view, "letters.html", tab="price_updates", **shown)
