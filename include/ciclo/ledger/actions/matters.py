"""Acts by what they are about: a rule and a date, or an invoice, instead of the row's number."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.states import PeriodState
from ciclo.ledger.actions.act import Action, ActionOutcome, NoSuchRow
from ciclo.ledger.actions.findings import acknowledge_finding, open_finding_again
from ciclo.ledger.actions.periods import (
    bill_again,
    cancel_period,
    invoices_in,
    its_own,
    look_again,
    not_its_own,
    plan_again,
    release_period,
    settle_now,
)
from ciclo.ledger.actions.price_updates import apply_update, bill_late, leave_late, skip_update, undo_skip
from ciclo.ledger.tables import Finding, Period, PriceUpdateExecution

PERIOD_ACTIONS: dict[str, Action] = {
    "release": release_period,
    "cancel": cancel_period,
    "plan_again": plan_again,
    "bill_again": bill_again,
    "settle_now": settle_now,
    "its_own": its_own,
    "not_its_own": not_its_own,
    "look_again": look_again,
}


EXECUTION_ACTIONS: dict[str, Action] = {
    "apply": apply_update,
    "skip": skip_update,
    "undo_skip": undo_skip,
    "bill_late": bill_late,
    "leave_late": leave_late,
}

FINDING_ACTIONS: dict[str, Action] = {"acknowledge": acknowledge_finding, "open_again": open_finding_again}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What a person names a matter by: a rule and a date (issue or execution date), or an invoice."""

    rule_id: int | None = None
    issue_date: date | None = None
    invoice_id: int | None = None

    def __str__(self) -> str:
        if self.invoice_id is not None:
            return f"invoice {self.invoice_id}"
        return f"rule {self.rule_id}, {self.issue_date or 'any date'}"


def act_on(
    session: Session, organization_id: int, action: str, matter: Matter, *, person: str, note: str, at: datetime
) -> list[ActionOutcome]:
    """Carry out an action on everything open that it is about.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        action: a key of `PERIOD_ACTIONS`, `EXECUTION_ACTIONS` or `FINDING_ACTIONS`.
        matter: what it is about.
        person: who acts.
        note: why.
        at: when.

    Raises:
        NoSuchRow: nothing fits.
        UnusableNote, IllegalTransition, NotPossible: as the actions say.
    """
    if action in FINDING_ACTIONS:
        act, rows = FINDING_ACTIONS[action], _findings_about(session, organization_id, matter)
    elif action in EXECUTION_ACTIONS:
        act, rows = EXECUTION_ACTIONS[action], _executions_about(session, organization_id, matter)
    elif action in PERIOD_ACTIONS:
        act, rows = PERIOD_ACTIONS[action], _periods_about(session, organization_id, matter)
    else:
        raise NoSuchRow("action", action)
    if not rows:
        raise NoSuchRow(f"matter to {action.replace('_', ' ')}:", matter)
    return [act(session, organization_id, row_id, person=person, note=note, at=at) for row_id in rows]


def _periods_about(session: Session, organization_id: int, matter: Matter) -> list[int]:
    query = select(Period).where(Period.organization_id == organization_id).order_by(Period.issue_date, Period.id)
    if matter.invoice_id is None:
        query = query.where(Period.rule_id == matter.rule_id)
        if matter.issue_date is not None:
            query = query.where(Period.issue_date == matter.issue_date)
        return [period.id for period in session.scalars(query)]
    own = session.scalars(query.where(Period.invoice_id == matter.invoice_id))
    parked = session.scalars(query.where(Period.state == PeriodState.PARKED))
    named = (period for period in parked if matter.invoice_id in invoices_in(period.reason))
    return [*(period.id for period in own), *(period.id for period in named)]


def _executions_about(session: Session, organization_id: int, matter: Matter) -> list[int]:
    table = PriceUpdateExecution
    query = select(table.id).where(table.organization_id == organization_id, table.rule_id == matter.rule_id)
    if matter.issue_date is not None:
        query = query.where(table.execution_date == matter.issue_date)
    return list(session.scalars(query.order_by(table.id)))


def _findings_about(session: Session, organization_id: int, matter: Matter) -> list[int]:
    period_ids = _periods_about(session, organization_id, matter)
    invoice_ids = {matter.invoice_id} - {None}
    if matter.invoice_id is None:
        own = select(Period.invoice_id).where(Period.id.in_(period_ids), Period.invoice_id.is_not(None))
        invoice_ids = set(session.scalars(own))

    def is_about(finding: Finding) -> bool:
        match finding.subject:
            case "invoice":
                return finding.subject_id in invoice_ids
            case "period":
                return finding.subject_id in period_ids
            case "rule" if finding.subject_id == matter.rule_id:
                month = matter.issue_date and first_of_month(matter.issue_date)
                return month in (None, finding.billing_month)
            case _:
                same_rule = matter.rule_id is not None and finding.facts.get("rule_id") == matter.rule_id
                day = matter.issue_date and matter.issue_date.isoformat()
                return finding.facts.get("invoice_id") in invoice_ids or (
                    same_rule and day in (None, finding.facts.get("issue_date"))
                )

    open_ones = select(Finding).where(Finding.organization_id == organization_id, Finding.closed_at.is_(None))
    return [finding.id for finding in session.scalars(open_ones.order_by(Finding.id)) if is_about(finding)]
