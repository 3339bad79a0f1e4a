"""A webhook: whether it is the vendor's and not an old one, and what it says.

The signature is the hex HMAC-SHA1, keyed with the account's secret, of the request id followed by the raw body,
compared in constant time. It covers no time, so age alone proves nothing: a request id that was seen before is never
acted upon again.

Only ids and the name of the event are taken; what has happened is read from the API. The vendor documents ids as
words, and sends numbers or strings: a number in any form is an id; any other word names nothing that can be read, and
the event is recorded without it.
"""

import hmac
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha1
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ciclo.ledger.repositories import ReceivedEvent

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
    for read in (_unix_seconds, datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(stamp)
        except (ValueError, OverflowError, OSError):
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


def _unix_seconds(stamp: str) -> datetime:
    return datetime.fromtimestamp(int(stamp), UTC)


NO_ID = 0
"""Stands for the object of an event that names none by a number."""
_LONGEST_WORD = 100


def _read_id(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    word = value.strip()
    if word.lstrip("+-").isdecimal():
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
    """Read a webhook's body. An event of a contract alone (`change_plan`) is about its plan.

    Raises:
        ValidationError: It is no event.
    """
    if isinstance(document, dict) and document.get("event") == "change_plan":
        document = {"object_type": "Plan", "object_id": document.get("plan_id"), **document}
    return VendorEvent.model_validate(document)


def is_probe(document: Any) -> bool:
    """Whether a body is the vendor's test of reachability, `{"test": true}`, sent before each delivery."""
    return isinstance(document, dict) and document.get("test") is True and "event" not in document
