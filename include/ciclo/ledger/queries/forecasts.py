"""The newest forecast of an account's coming months."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.tables import Forecast


def newest_forecast(session: Session, organization_id: int) -> Forecast | None:
    """Return the newest forecast of an organization; None before its first."""
    query = select(Forecast).where(Forecast.organization_id == organization_id)
    return session.scalar(query.order_by(Forecast.id.desc()).limit(1))
