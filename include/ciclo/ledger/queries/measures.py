"""Figures for probes and monitoring, over all organizations: what stands how, what is late, what needs a person."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ciclo.domain.money import ZERO
from ciclo.domain.states import PeriodState
from ciclo.ledger.queries.paging import not_at_rest
from ciclo.ledger.tables import Finding, Period, PriceUpdateExecution

UPDATES_UNDER_WAY = ("waiting", "proposed", "submitting", "in_doubt", "parked")


@dataclass(frozen=True, slots=True)
class StateMeasure:
    """Periods of an organization in a state. BRL."""

    organization_id: int
    state: str
    periods: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Measures:
    """What a monitoring system asks the ledger."""

    states: tuple[StateMeasure, ...]
    overdue: int
    """Planned periods whose issue date is over: no run has taken them up."""
    oldest_doubt: datetime | None
    price_updates: dict[str, int]
    """Executions of price updates by state, where they are not at rest."""
    open_findings: int


def measures(session: Session, today: date) -> Measures:
    """Read the figures in five statements; `today` is the day in São Paulo."""
    by_state = (
        select(Period.organization_id, Period.state, func.count(), func.sum(Period.gross_value))
        .group_by(Period.organization_id, Period.state)
        .order_by(Period.organization_id, Period.state)
    )
    states = tuple(
        StateMeasure(organization, state, count, amount or ZERO)
        for organization, state, count, amount in session.execute(by_state)
    )
    doubt = select(func.min(Period.changed_at)).where(Period.state == PeriodState.IN_DOUBT.value, not_at_rest())
    overdue = select(func.count()).where(
        Period.state == PeriodState.PLANNED.value, Period.issue_date < today, not_at_rest()
    )
    findings = select(func.count()).select_from(Finding).where(Finding.closed_at.is_(None))
    updates = (
        select(PriceUpdateExecution.state, func.count())
        .where(PriceUpdateExecution.state.in_(UPDATES_UNDER_WAY))
        .group_by(PriceUpdateExecution.state)
    )
    under_way = dict.fromkeys(UPDATES_UNDER_WAY, 0)
    for state, count in session.execute(updates):
        under_way[state] = count
    return Measures(
        states, session.scalar(overdue) or 0, session.scalar(doubt), under_way, session.scalar(findings) or 0
    )
