"""Figures for probes and monitoring, over all organizations: periods by state, the oldest doubt, what was billed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ciclo.domain.money import ZERO
from ciclo.domain.period_states import PeriodState
from ciclo.ledger.queries.expressions import not_at_rest
from ciclo.ledger.tables import Finding, Period


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
    oldest_doubt: datetime | None
    open_findings: int


def measures(session: Session) -> Measures:
    """Read the figures in three statements."""
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
    findings = select(func.count()).select_from(Finding).where(Finding.closed_at.is_(None))
    return Measures(states, session.scalar(doubt), session.scalar(findings) or 0)
