"""Whether a request is the vendor's, and not an old one: its signature and its age.

The signature is the hex HMAC-SHA1, keyed with the account's secret, of the request id followed by the raw body,
compared in constant time. It covers no time, so age alone proves nothing: a request id that was seen before is never
acted upon again.
"""

import hmac
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha1

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
