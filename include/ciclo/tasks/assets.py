"""What the Dags leave behind for one another: Airflow draws its graph from these, and webhooks start a run by one.

Between a recorded webhook and an asset event stands a watcher on the triggerer, which asks the ledger for events that
wait. The ledger is the queue: an event survives a restart of either, and one that nobody handled is announced again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from sqlalchemy.exc import SQLAlchemyError

from ciclo.domain.price_index import PriceIndex
from ciclo.ledger.database import ledger_session
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.repositories import WebhookRepository

log = logging.getLogger("ciclo.webhooks")

CONTRACTS = Asset("ciclo://contracts")
PERIODS = Asset("ciclo://periods")
INVOICES = Asset("ciclo://invoices")
PRICES = Asset("ciclo://prices")
PRICE_INDICES = {f"sync_{index.value}": Asset(f"ciclo://price-index/{index.value}") for index in PriceIndex}
"""One asset per index, by the task that brings its values: what depends on them follows it in Airflow's graph."""
RECEIVABLES = Asset("ciclo://receivables")
CLOSED_MONTHS = Asset("ciclo://closed-months")

POLL_SECONDS = 10.0
REMIND_SECONDS = 300.0
"""After this long an event that nobody has handled is announced again: its run failed, or the Dag was paused."""


@dataclass(slots=True)
class Announcements:
    """Which of the waiting events have been announced, and when."""

    newest: int = 0
    silent_for: float = 0.0

    def due(self, waiting: int | None, elapsed: float) -> bool:
        """Whether to announce: `waiting` is the newest event that nobody has handled, if any."""
        self.silent_for += elapsed
        if waiting is None or (waiting <= self.newest and self.silent_for < REMIND_SECONDS):
            return False
        self.newest, self.silent_for = waiting, 0.0
        return True


class WebhookEventsTrigger(BaseEventTrigger):
    """Fires when webhook events wait in the ledger.

    Args:
        poll_seconds: pause between two looks.
    """

    def __init__(self, poll_seconds: float = POLL_SECONDS, **given: Any) -> None:
        super().__init__(**given)  # type: ignore[no-untyped-call]
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return how to make this trigger again elsewhere."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"poll_seconds": self.poll_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for events for ever; a ledger that is away is asked again."""
        announced = Announcements()
        while True:
            waiting = await asyncio.to_thread(newest_waiting)
            if announced.due(waiting, self.poll_seconds):
                yield TriggerEvent({"newest_event": waiting})  # type: ignore[no-untyped-call]
            await asyncio.sleep(self.poll_seconds)


def newest_waiting() -> int | None:
    """Return the newest event that waits in the ledger; None if none does or the ledger does not answer."""
    try:
        with ledger_session() as session:
            return WebhookRepository(session).newest_unhandled()
    except (LedgerError, SQLAlchemyError) as error:
        log.warning("the ledger cannot be asked for webhooks: %s", type(error).__name__)
        return None


WEBHOOKS = Asset("ciclo://webhooks", watchers=[AssetWatcher("billimatic_webhooks", trigger=WebhookEventsTrigger())])
"""Invoices that the vendor has said something about."""
