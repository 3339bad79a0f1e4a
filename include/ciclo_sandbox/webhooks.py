"""Webhooks: told after the commit, each after a probe, signed, tried again by the sandbox's clock, and sometimes lost.

The signature is the hex HMAC-SHA1, keyed with the account's secret, of the request id and the raw body. Before every
delivery `{"test": true}` is sent; both must be answered 200. What fails is tried again 2, 6, 12, 24 and 48 hours after
the event, then never more.
"""

import hmac
import http.client
import queue
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Final
from urllib.parse import urlsplit

import orjson

from ciclo_sandbox.answers import Json
from ciclo_sandbox.behaviour import Behaviour, WebhookTarget

AGAIN_AFTER: Final = tuple(timedelta(hours=hours) for hours in (2, 6, 12, 24, 48))
TEST: Final[Json] = {"test": True}
_TIMEOUT_SECONDS: Final = 5.0
_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Job:
    """An event on its way to a receiver."""

    target: WebhookTarget
    event: Json
    told_at: datetime
    attempts: int = 0
    status: int | None = None

    def due(self) -> datetime | None:
        """Return when it is tried next; nothing, if it was tried often enough."""
        return self.told_at + AGAIN_AFTER[self.attempts - 1] if self.attempts <= len(AGAIN_AFTER) else None

    def said(self, outcome: str) -> Json:
        """Return what became of it."""
        return {"event": self.event, "status": self.status, "attempts": self.attempts, "outcome": outcome}


class Webhooks:
    """A queue of events, the one thread that delivers them in order, and what waits to be tried again."""

    def __init__(self) -> None:
        self._queue: queue.Queue[_Job | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._told = 0
        self._waiting: list[_Job] = []
        self._now: datetime | None = None
        self._lock = threading.Lock()
        self._deliveries: deque[Json] = deque(maxlen=_REMEMBERED)

    def tell(self, behaviour: Behaviour, events: Iterable[Json], now: datetime) -> None:
        """Queue events for the behaviour's receiver, those that are lost apart."""
        target = behaviour.webhook
        if target is None:
            return
        for event in events:
            self._told += 1
            job = _Job(target, event, now)
            if behaviour.draw("webhook", self._told) < target.lost:
                self._deliveries.append(job.said("lost"))
            else:
                self._send(job)
        self.advance(now)

    def advance(self, now: datetime) -> None:
        """Try again what is due at a moment of the sandbox's clock."""
        with self._lock:
            self._now = now
            due = [job for job in self._waiting if (at := job.due()) and at <= now]
            self._waiting = [job for job in self._waiting if job not in due]
        for job in due:
            self._send(job)

    def forget(self) -> None:
        """Try nothing of what waits again."""
        with self._lock:
            self._waiting.clear()

    def deliveries(self) -> list[Json]:
        """Return what was delivered, failed or lost, in that order, then what waits to be tried again."""
        with self._lock:
            return [*self._deliveries, *(job.said("waiting") for job in self._waiting)]

    def probe(self, target: WebhookTarget) -> Json:
        """Send `{"test": true}` now; return the delivery."""
        status = _post(target, TEST)
        outcome = "delivered" if status == 200 else "failed"
        return {"event": TEST, "status": status, "attempts": 1, "outcome": outcome}

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=3 * _TIMEOUT_SECONDS)
            self._thread = None

    def _send(self, job: _Job) -> None:
        self._queue.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name="sandbox-webhooks", daemon=True)
            self._thread.start()

    def _deliver(self) -> None:
        while (job := self._queue.get()) is not None:
            while not self._is_done_with(job):
                pass

    def _is_done_with(self, job: _Job) -> bool:
        """Try once; return whether that was the last time for now."""
        job.attempts += 1
        job.status = _post(job.target, TEST)
        if job.status == 200:
            job.status = _post(job.target, job.event)
        with self._lock:
            due = job.due()
            if job.status == 200:
                self._deliveries.append(job.said("delivered"))
            elif due is None:
                self._deliveries.append(job.said("failed"))
            elif self._now is not None and due <= self._now:
                return False  # the clock went on meanwhile
            else:
                self._waiting.append(job)
            return True


def signature(secret: str, request_id: str, body: bytes) -> str:
    """Return the vendor's signature of a webhook."""
    return hmac.new(secret.encode(), request_id.encode() + body, sha1).hexdigest()


def _post(target: WebhookTarget, event: Json) -> int | None:
    """Send a body under a request id of its own; return the status, or nothing when there was no answer."""
    body, request_id = orjson.dumps(event), str(uuid.uuid4())
    headers = {
        "Content-Type": "application/json",
        target.request_id_header: request_id,
        target.signature_header: signature(target.secret, request_id, body),
    }
    url = urlsplit(target.url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    # Not urllib: it writes a header's name in a case of its own.
    connection = kind(url.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", f"{url.path or '/'}{'?' if url.query else ''}{url.query}", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
