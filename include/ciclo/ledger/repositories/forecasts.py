"""Forecasts: what rehearsals said of an account's coming months."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from ciclo.ledger.tables import Forecast


class ForecastRepository:
    """The forecasts of one organization."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def keep(self, document: Mapping[str, Any], *, at: datetime) -> None:
        """Keep a forecast; the console shows the newest."""
        self._session.add(Forecast(organization_id=self._organization_id, made_at=at, document=dict(document)))
        self._session.flush()
