"""What a person does in the console during a rehearsal, with the ledger's own actions."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.jobs.rehearsal.errors import ScenarioError
from ciclo.jobs.rehearsal.scenario import Act
from ciclo.ledger import actions
from ciclo.ledger.tables import Finding, Invoice, Period, PriceUpdateExecution

_OF_PERIODS: dict[str, Callable[..., Any]] = {
    "release": actions.release_period,
    "cancel": actions.cancel_period,
    "settle_now": actions.settle_now,
    "plan_again": actions.plan_again,
    "bill_again": actions.bill_again,
    "not_its_own": actions.not_its_own,
}
_OF_UPDATES: dict[str, Callable[..., Any]] = {"apply": actions.apply_update, "skip": actions.skip_update}


def act(session: Session, organization_id: int, wanted: Act, *, person: str, at: datetime) -> None:
    """Carry an action out and commit it.

    Raises:
        ScenarioError: there is nothing that it could be about, or no such action.
        LedgerError, DomainError: the action is refused.
    """
    if wanted.action == "acknowledge":
        for finding_id in _findings(session, organization_id, wanted):
            actions.acknowledge_finding(session, organization_id, finding_id, person=person, note=wanted.note, at=at)
    elif wanted.action in _OF_PERIODS:
        period = _period(session, organization_id, wanted)
        _OF_PERIODS[wanted.action](session, organization_id, period.id, person=person, note=wanted.note, at=at)
    elif wanted.action in _OF_UPDATES:
        update = _update(session, organization_id, wanted)
        _OF_UPDATES[wanted.action](session, organization_id, update.id, person=person, note=wanted.note, at=at)
    else:
        raise ScenarioError(f"there is no action {wanted.action}")
    session.commit()


def _period(session: Session, organization_id: int, wanted: Act) -> Period:
    query = select(Period).where(Period.organization_id == organization_id)
    if wanted.invoice_id is not None:
        query = query.where(Period.invoice_id == wanted.invoice_id)
    else:
        query = query.where(Period.rule_id == wanted.rule_id, Period.issue_date == wanted.issue_date)
    period = session.scalar(query.order_by(Period.id).limit(1))
    if period is None:
        raise ScenarioError("there is no such period")
    return period


def _update(session: Session, organization_id: int, wanted: Act) -> PriceUpdateExecution:
    query = select(PriceUpdateExecution).where(
        PriceUpdateExecution.organization_id == organization_id,
        PriceUpdateExecution.rule_id == wanted.rule_id,
        PriceUpdateExecution.execution_date == wanted.issue_date,
    )
    update = session.scalar(query.order_by(PriceUpdateExecution.id).limit(1))
    if update is None:
        raise ScenarioError("there is no such price update")
    return update


def _findings(session: Session, organization_id: int, wanted: Act) -> list[int]:
    """Return the open findings about an invoice, a period or its invoice, or a rule."""
    about: set[tuple[str, int]] = set()
    if wanted.invoice_id is not None:
        about.add(("invoice", wanted.invoice_id))
    if wanted.rule_id is not None:
        about.add(("rule", wanted.rule_id))
        periods = select(Period).where(Period.organization_id == organization_id, Period.rule_id == wanted.rule_id)
        if wanted.issue_date is not None:
            periods = periods.where(Period.issue_date == wanted.issue_date)
        for period in session.scalars(periods):
            about |= {("period", period.id), ("invoice", period.invoice_id or 0)}
    invoices = session.scalars(select(Invoice).where(Invoice.organization_id == organization_id))
    about |= {("invoice", each.invoice_id) for each in invoices if ("period", each.period_id) in about}
    query = select(Finding).where(Finding.organization_id == organization_id, Finding.closed_at.is_(None))
    found = [each.id for each in session.scalars(query) if (each.subject, each.subject_id) in about]
    if not found:
        raise ScenarioError("there is no open finding about it")
    return found
