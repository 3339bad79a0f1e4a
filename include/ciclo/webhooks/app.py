"""The receiver's one route, `POST /billimatic`: check, record, answer; and its settings, `CICLO_WEBHOOK_…`.

Every refusal is cheap and leaves no trace in the ledger. The answers: 200 recorded, known already, or a probe; 400
unreadable or too old; 401 not signed by the vendor; 408 too slow; 413 too large; 503 no secret, or the ledger is away,
so that the vendor tries again. The secret is read anew for each request, so that it can be changed; without one nothing
is believed.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ciclo.ledger.database import ledger_session
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.repositories import ReceivedEvent, WebhookRepository
from ciclo.webhooks.event import is_fresh, is_probe, is_signed, is_usable_id, read_event

LARGEST_BODY = 64 * 1024
"""Bytes. The vendor's events have a few hundred."""
LONGEST_BODY = 5.0
"""Seconds that a body may take to arrive: anybody may send one, and holds a connection meanwhile."""


class WebhookSettings(BaseSettings):
    """How webhooks are received."""

    model_config = SettingsConfigDict(
        env_prefix="CICLO_WEBHOOK_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    secret: SecretStr = Field(SecretStr(""), description="Key of the signature; agreed with the vendor.")
    secret_file: Path | None = Field(None, description="File that holds the key, instead of `CICLO_WEBHOOK_SECRET`.")
    request_id_header: str = Field("X-Billimatic-RequestId", description="Header of the request's id.")
    signature_header: str = Field("X-Billimatic-Signature", description="Header of the signature.")
    timestamp_header: str = Field(
        "X-Billimatic-Timestamp",
        description="Header of the event's time, if the vendor sends one; else `Date` is used.",
    )
    max_age_seconds: int = Field(
        300, ge=1, description="How old, or how far in the future, a request's time may be, where it has one."
    )

    def key(self) -> bytes | None:
        """Return the key of the signature; None if there is none."""
        text = self.secret_file.read_text("utf-8") if self.secret_file is not None else self.secret.get_secret_value()
        return text.strip().encode() or None


log = logging.getLogger("ciclo.webhooks")

OpenSession = Callable[[], AbstractContextManager[Session]]


class Refused(Exception):
    """A request that is not acted upon: status and a word for the log of whoever sent it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def create_webhook_app(
    *,
    settings: Callable[[], WebhookSettings] = WebhookSettings,
    open_session: OpenSession = ledger_session,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    patience: float = LONGEST_BODY,
) -> FastAPI:
    """Make the receiver, to be mounted where the vendor reaches it. It asks for no login: the signature is the key.

    Args:
        settings: called for each request, so that the secret can be changed without a restart.
        open_session: opens the ledger, on first use.
        clock: the current instant, aware.
        patience: seconds that a body may take to arrive.
    """
    app = FastAPI(title="Ciclo webhooks", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(Refused)
    async def refused(_request: Request, refusal: Refused) -> Response:
        return JSONResponse({"error": refusal.why}, refusal.status)

    @app.post("/billimatic")
    async def receive(request: Request) -> dict[str, bool]:
        """Take an event of an invoice or receivable."""
        try:
            async with asyncio.timeout(patience):
                body = await _body(request)
        except TimeoutError:
            raise Refused(408, "too slow") from None
        document = _document(body)
        if is_probe(document):
            return {"test": True}
        event = _checked(request, body, document, settings(), clock())
        return {"recorded": await run_in_threadpool(_record, open_session, event, clock())}

    return app


async def _body(request: Request) -> bytes:
    """Read the body, and no more of it than is allowed."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > LARGEST_BODY:
        raise Refused(413, "too large")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refused(413, "too large")
    return bytes(body)


def _document(body: bytes) -> Any:
    """Return the body as JSON; one that is none is refused later, when its signature is known."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _checked(request: Request, body: bytes, document: Any, settings: WebhookSettings, now: datetime) -> ReceivedEvent:
    request_id = request.headers.get(settings.request_id_header, "")
    _require_signature(request, request_id, body, settings)
    stamp = request.headers.get(settings.timestamp_header) or request.headers.get("date")
    if not is_fresh(stamp, now, timedelta(seconds=settings.max_age_seconds)):
        raise Refused(400, "too old")
    try:
        return read_event(document).received(request_id)
    except ValidationError as error:
        raise Refused(400, "not an event") from error


def _require_signature(request: Request, request_id: str, body: bytes, settings: WebhookSettings) -> None:
    try:
        key = settings.key()
    except OSError as error:
        log.warning("the webhook secret cannot be read (%s): check CICLO_WEBHOOK_SECRET_FILE", type(error).__name__)
        key = None
    if key is None:
        raise Refused(503, "not configured")
    given = request.headers.get(settings.signature_header, "")
    if not is_usable_id(request_id) or not is_signed(key, request_id, body, given):
        raise Refused(401, "not signed")


def _record(open_session: OpenSession, event: ReceivedEvent, now: datetime) -> bool:
    try:
        with open_session() as session:
            new = WebhookRepository(session).record(event, at=now)
            session.commit()
    except (LedgerError, SQLAlchemyError) as error:
        log.warning("a webhook was not recorded: %s", type(error).__name__)
        raise Refused(503, "try again") from None
    return new
