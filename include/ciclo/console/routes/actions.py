"""What a person may do: release, cancel, settle now, acknowledge. Each is one transaction of `ciclo.ledger.actions`.

The one rule: an action answers with the thing as it is now and a sentence on what came of it, also the second time.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from ciclo.console.access import FormDep
from ciclo.console.database import LedgerDep
from ciclo.console.rendering import View, ViewDep, render
from ciclo.console.routes.parameters import RowId
from ciclo.ledger import actions
from ciclo.ledger.actions import ActionOutcome, NoSuchRow
from ciclo.ledger.queries.attention import finding_page
from ciclo.ledger.queries.periods import period_page

router = APIRouter()


class Act(Protocol):
    """An action of `ciclo.ledger.actions`."""

    def __call__(
        self, session: Session, organization_id: int, row_id: int, /, *, person: str, note: str, at: datetime
    ) -> ActionOutcome:
        """Act."""
        ...


Perform = Callable[[Act, int], ActionOutcome]


def performer(view: ViewDep, fields: FormDep, ledger: LedgerDep) -> Perform:
    """Return what performs an action in this user's name, with the form's note, in a transaction of its own."""

    def perform(act: Act, row_id: int) -> ActionOutcome:
        with ledger.writing() as session, session.begin():
            person, note = view.viewer.user.name, fields.get("note", "")
            return act(session, view.organization_id, row_id, person=person, note=note, at=view.now)

    return perform


PerformDep = Annotated[Perform, Depends(performer)]


@router.post("/periods/{period_id}/release")
def release(view: ViewDep, perform: PerformDep, period_id: RowId) -> HTMLResponse:
    """Put a parked period back to planned."""
    return _period(view, period_id, perform(actions.release_period, period_id))


@router.post("/periods/{period_id}/cancel")
def cancel(view: ViewDep, perform: PerformDep, period_id: RowId) -> HTMLResponse:
    """Give a parked period up."""
    return _period(view, period_id, perform(actions.cancel_period, period_id))


@router.post("/periods/{period_id}/settle")
def settle(view: ViewDep, perform: PerformDep, period_id: RowId) -> HTMLResponse:
    """End the grace period of a period in doubt."""
    return _period(view, period_id, perform(actions.settle_now, period_id))


@router.post("/findings/{finding_id}/acknowledge")
def acknowledge(view: ViewDep, perform: PerformDep, finding_id: RowId) -> HTMLResponse:
    """Say that a finding has been seen."""
    outcome = perform(actions.acknowledge_finding, finding_id)
    view.session.rollback()  # what follows must see what was just committed
    found = finding_page(view.session, view.organization_id, finding_id)
    if found is None:
        raise NoSuchRow("finding", finding_id)
    template = "_finding.html" if view.partial else "finding.html"
    return render(view, template, tab="attention", found=found, outcome=outcome)


def _period(view: View, period_id: int, outcome: ActionOutcome) -> HTMLResponse:
    view.session.rollback()  # what follows must see what was just committed
    found = period_page(view.session, view.organization_id, period_id)
    if found is None:
        raise NoSuchRow("period", period_id)
    template = "_period.html" if view.partial else "period.html"
    return render(view, template, tab="periods", found=found, outcome=outcome)
