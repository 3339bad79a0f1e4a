"""What a person may do with periods, findings and price updates. Each is one transaction of `ciclo.ledger.actions`.

An action answers with the thing as it is now and a sentence on what came of it, also the second time. A form carries
the mark of what its page showed: what has changed since then is shown as it is now, and nothing is done.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from ciclo.console.database import LedgerDep
from ciclo.console.pages import ViewDep, render
from ciclo.console.routes.parameters import RowId
from ciclo.console.routes.price_updates import execution_view
from ciclo.console.security import SEEN_FIELD, FormDep, seen_of
from ciclo.ledger import actions
from ciclo.ledger.actions import ActionOutcome, NoSuchRow
from ciclo.ledger.queries.attention import finding_page
from ciclo.ledger.queries.periods import period_page
from ciclo.ledger.tables import Finding, Period, PriceUpdateExecution
from ciclo.locale import N_, _

router = APIRouter()


Perform = Callable[..., ActionOutcome]
"""(action, row_id, what its form showed as it is now, **its own options) → outcome."""

SeenNow = Callable[[Session], str]
"""The mark of what a form shows, as it is now."""


def performer(view: ViewDep, fields: FormDep, ledger: LedgerDep) -> Perform:
    """Return what performs an action in this user's name, with the form's note, in a transaction of its own."""

    def perform(act: actions.Action, row_id: int, seen: SeenNow | None = None, **options: Any) -> ActionOutcome:
        with ledger.writing() as session:
            is_seen = seen is None or fields.get(SEEN_FIELD, "") in ("", seen(session))
            person, note = view.viewer.user.name, fields.get("note", "")
            outcome = act(session, view.organization_id, row_id, person=person, note=note, at=view.now, **options)
            if outcome.changed and not is_seen:
                return ActionOutcome(changed=False, message=_(CHANGED_SINCE))
            session.commit()
            return outcome

    return perform


CHANGED_SINCE = N_("Nothing was done: this has changed since you were shown it. Decide by what it is now.")


def seen_now(table: type[Period | PriceUpdateExecution | Finding], row_id: int) -> SeenNow:
    """Return what finds the mark of a row, and lets nobody else change it before the action is over."""

    def seen(session: Session) -> str:
        row = session.get(table, row_id, with_for_update=True, populate_existing=True)
        return seen_of(row, getattr(row, "evidence", None))

    return seen


PerformDep = Annotated[Perform, Depends(performer)]


PeriodAction = Literal[
    "release", "cancel", "plan_again", "bill_again", "settle_now", "its_own", "not_its_own", "look_again"
]
UpdateAction = Literal["apply", "skip", "undo_skip", "bill_late", "leave_late"]
FindingAction = Literal["acknowledge", "open_again"]


@router.post("/periods/{period_id}/{action}")
def act_on_period(
    view: ViewDep, perform: PerformDep, fields: FormDep, period_id: RowId, action: PeriodAction
) -> HTMLResponse:
    """Carry out one of the actions on a period, and show it as it is now."""
    chosen = {"invoice_id": fields.get("invoice_id")} if action == "its_own" else {}
    outcome = perform(actions.PERIOD_ACTIONS[action], period_id, seen_now(Period, period_id), **chosen)
    view.session.rollback()  # what follows must see what was just committed
    found = period_page(view.session, view.organization_id, period_id)
    if found is None:
        raise NoSuchRow("period", period_id)
    template = "_period.html" if view.partial else "period.html"
    return render(view, template, tab="periods", found=found, outcome=outcome)


@router.post("/price-updates/{execution_id}/{action}")
def act_on_update(
    view: ViewDep, perform: PerformDep, fields: FormDep, execution_id: RowId, action: UpdateAction
) -> HTMLResponse:
    """Carry out one of the actions on an execution of a price update, and show it as it is now."""
    names = ("basis", "first_month", "last_month") if action == "apply" else ()
    chosen = {name: fields.get(name) or None for name in names}
    outcome = perform(
        actions.EXECUTION_ACTIONS[action], execution_id, seen_now(PriceUpdateExecution, execution_id), **chosen
    )
    view.session.rollback()  # what follows must see what was just committed
    return execution_view(view, execution_id, outcome)


@router.post("/findings/{finding_id}/{action}")
def act_on_finding(view: ViewDep, perform: PerformDep, finding_id: RowId, action: FindingAction) -> HTMLResponse:
    """Say that a finding has been seen, or take that back."""
    outcome = perform(actions.FINDING_ACTIONS[action], finding_id, seen_now(Finding, finding_id))
    view.session.rollback()  # what follows must see what was just committed
    found = finding_page(view.session, view.organization_id, finding_id)
    if found is None:
        raise NoSuchRow("finding", finding_id)
    template = "_finding.html" if view.partial else "finding.html"
    return render(view, template, tab="attention", found=found, outcome=outcome)
