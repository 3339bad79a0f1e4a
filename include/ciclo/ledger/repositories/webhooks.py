"""Webhook events: recorded once each, handled by the next reconciliation.

A request id counts once, for ever. The ledger is the queue: what is recorded is not lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ciclo.ledger.rows import in_parts, insert_new
from ciclo.ledger.tables import Contract, WebhookEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """What a webhook says, with the id of the request that brought it."""

    request_id: str
    event: str
    object_type: str
    object_id: int
    invoice_id: int | None = None
    contract_id: int | None = None


class WebhookRepository:
    """The webhook events of an installation: an account's secret covers all of its organizations."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, event: ReceivedEvent, *, at: datetime) -> bool:
        """Add an event; return False if its request id was there already."""
        query = select(Contract.organization_id).where(Contract.contract_id == event.contract_id).limit(1)
        row = {
            "organization_id": self._session.scalar(query) if event.contract_id is not None else None,
            "request_id": event.request_id,
            "event": event.event,
            "object_type": event.object_type,
            "object_id": event.object_id,
            "invoice_id": event.invoice_id,
            "contract_id": event.contract_id,
            "received_at": at,
        }
        statement = insert_new(self._session, WebhookEvent).values(row).returning(WebhookEvent.id)
        return self._session.scalar(statement) is not None

    def unhandled(self, organization_id: int) -> list[WebhookEvent]:
        """Return an organization's events that wait, and those whose organization is not known, oldest first."""
        query = select(WebhookEvent).where(
            WebhookEvent.handled_at.is_(None),
            (WebhookEvent.organization_id == organization_id) | WebhookEvent.organization_id.is_(None),
        )
        return list(self._session.scalars(query.order_by(WebhookEvent.id)))

    def newest_unhandled(self) -> int | None:
        """Return the id of the newest event that waits, of any organization; None if none does."""
        return self._session.scalar(select(func.max(WebhookEvent.id)).where(WebhookEvent.handled_at.is_(None)))

    def handled(self, event_ids: Iterable[int], *, at: datetime) -> None:
        """Say that events need nothing more."""
        for ids in in_parts(event_ids):
            self._session.execute(update(WebhookEvent).where(WebhookEvent.id.in_(ids)).values(handled_at=at))
