"""The receiver's one route, `POST /billimatic`: check, record, answer; and its settings, `CICLO_WEBHOOK_…`.

Every refusal is cheap and leaves no trace in the ledger. The answers: 200 recorded, known already, or a probe; 400
unreadable or too old; 401 not signed by the vendor; 408 too slow; 413 too large; 503 no secret, or the ledger is away,
so that the vendor tries again. The secret is read anew for each request, so that it can be changed; without one nothing
is believed.

The signature is the hex HMAC-SHA1, keyed with the account's secret, of the request id followed by the raw body,
compared in constant time. It covers no time, so age alone proves nothing: a request id that was seen before is never
acted upon again.

Only ids and the name of the event are taken; what has happened is read from the API. The vendor documents ids as
words, and sends numbers or strings: a number in any form is an id; any other word names nothing that can be read, and
the event is recorded without it.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha1
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ciclo.ledger.database import ledger_session
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.repositories import ReceivedEvent, WebhookRepository

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
        document = None  # what is no JSON is refused later, when its signature is known
        with suppress(ValueError, RecursionError):
            document = json.loads(body)
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


LONGEST_REQUEST_ID = 200


def signature(key: bytes, request_id: str, body: bytes) -> str:
    """Return the signature that the vendor gives a request."""
    return hmac.new(key, request_id.encode() + body, sha1).hexdigest()


def is_signed(key: bytes, request_id: str, body: bytes, given: str) -> bool:
    """Whether the given signature is right; takes the same time wherever it is wrong."""
    return hmac.compare_digest(
        signature(key, request_id, body).encode(), given.strip().lower().encode("utf-8", "replace")
    )


def is_usable_id(request_id: str) -> bool:
    """Whether a request id can be kept: short, printable ASCII."""
    return 0 < len(request_id) <= LONGEST_REQUEST_ID and request_id.isascii() and request_id.isprintable()


def is_fresh(stamp: str | None, now: datetime, max_age: timedelta) -> bool:
    """Whether a request's time, if it has one, is near enough to now; one that cannot be read is not."""
    if stamp is None:
        return True
    sent = _instant(stamp.strip())
    return sent is not None and abs(now - sent) <= max_age


def _instant(stamp: str) -> datetime | None:
    """Read Unix seconds, ISO 8601, or an HTTP date; without a zone it is UTC."""
    readers: tuple[Callable[[str], datetime], ...] = (
        lambda seconds: datetime.fromtimestamp(int(seconds), UTC),
        datetime.fromisoformat,
        parsedate_to_datetime,
    )
    for read in readers:
        try:
            found = read(stamp)
        except (ValueError, OverflowError, OSError):
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


NO_ID = 0
"""Stands for the object of an event that names none by a number."""
_LONGEST_WORD = 100


def _read_id(value: Any) -> Any:
    if isinstance(value, bool):  # to Python, true is 1
        msg = "is no id"
        raise ValueError(msg)  # noqa: TRY004 - as above
    if not isinstance(value, str):
        return value
    word = value.strip()
    if word.isascii() and word.lstrip("+-").isdecimal():
        return word
    if len(word) > _LONGEST_WORD or not word.isprintable():
        msg = "is no id"
        raise ValueError(msg)
    return None


Identifier = Annotated[Annotated[int, Field(ge=1, lt=2**63)] | None, BeforeValidator(_read_id)]
Word = Annotated[str, Field(min_length=1, max_length=_LONGEST_WORD, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name of the vendor's; a control character is in none, and NUL could not be recorded on PostgreSQL."""


class VendorEvent(BaseModel):
    """An event of an invoice or receivable; the contract's token is not kept."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    event: Word
    object_type: Word
    object_id: Identifier
    invoice_id: Identifier = None
    contract_id: Identifier = None

    def received(self, request_id: str) -> ReceivedEvent:
        """Return the event in the form that the ledger records; an invoice's own event is about that invoice."""
        about = self.object_id if self.object_type.casefold() == "invoice" else self.invoice_id
        return ReceivedEvent(
            request_id=request_id,
            event=self.event,
            object_type=self.object_type,
            object_id=self.object_id or NO_ID,
            invoice_id=about,
            contract_id=self.contract_id,
        )


def read_event(document: Any) -> VendorEvent:
    """Read a webhook's body. An event that names a contract alone is about its plan (`change_plan`), or itself.

    Raises:
        ValidationError: It is no event.
    """
    names = document.keys() if isinstance(document, dict) else frozenset()
    if names & {"contract_token", "plan_id"} and not names & {"object_type", "object_id"}:
        kind = "Plan" if "plan_id" in document else "Contract"
        document = document | {"object_type": kind, "object_id": document.get("plan_id")}
    return VendorEvent.model_validate(document)


def is_probe(document: Any) -> bool:
    """Whether a body is the vendor's test of reachability, `{"test": true}`, sent before each delivery."""
    return isinstance(document, dict) and document.get("test") is True and "event" not in document
