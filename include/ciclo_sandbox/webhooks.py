"""Webhooks: told after the commit, signed, tried again, and sometimes lost on purpose.

The rule: the signature is the hex HMAC-SHA1, keyed with the account's secret, of the request id and the raw body.
"""

import hmac
import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import deque
from collections.abc import Iterable
from hashlib import sha1
from typing import Final

import orjson

from ciclo_sandbox.answers import Json
from ciclo_sandbox.behaviour import Behaviour, WebhookTarget

_TIMEOUT_SECONDS: Final = 5.0
_REMEMBERED: Final = 10_000


class Webhooks:
    """A queue of events and the one thread that delivers them in order."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[WebhookTarget, Json] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._told = 0
        self.deliveries: deque[Json] = deque(maxlen=_REMEMBERED)

    def tell(self, behaviour: Behaviour, events: Iterable[Json]) -> None:
        """Queue events for the behaviour's receiver, those that are lost apart."""
        target = behaviour.webhook
        if target is None:
            return
        for event in events:
            self._told += 1
            if behaviour.draw("webhook", self._told) < target.lost:
                self.deliveries.append({"event": event, "status": None, "attempts": 0, "outcome": "lost"})
            else:
                self._queue.put((target, event))
                self._start()

    def probe(self, target: WebhookTarget) -> Json:
        """Send `{"test": true}` now; return the delivery."""
        return _delivered(target, {"test": True})

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=2 * _TIMEOUT_SECONDS)
            self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name="sandbox-webhooks", daemon=True)
            self._thread.start()

    def _deliver(self) -> None:
        while (job := self._queue.get()) is not None:
            self.deliveries.append(_delivered(*job))


def signature(secret: str, request_id: str, body: bytes) -> str:
    """Return the vendor's signature of a webhook."""
    return hmac.new(secret.encode(), request_id.encode() + body, sha1).hexdigest()


def _delivered(target: WebhookTarget, event: Json) -> Json:
    pause, status = target.retry_seconds, None
    for attempt in range(1, target.attempts + 1):
        status = _post(target, orjson.dumps(event))
        if status is not None and 200 <= status < 300:
            return {"event": event, "status": status, "attempts": attempt, "outcome": "delivered"}
        if attempt < target.attempts:
            time.sleep(pause)
            pause *= 2
    return {"event": event, "status": status, "attempts": target.attempts, "outcome": "failed"}


def _post(target: WebhookTarget, body: bytes) -> int | None:
    request_id = str(uuid.uuid4())
    headers = {
        "Content-Type": "application/json",
        target.request_id_header: request_id,
        target.signature_header: signature(target.secret, request_id, body),
    }
    request = urllib.request.Request(target.url, data=body, headers=headers, method="POST")  # noqa: S310 - http(s) only
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - same
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException):
        return None
