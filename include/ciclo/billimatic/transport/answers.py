"""From an HTTP answer to a model, or to the error that says what to do next.

What cannot be understood is never passed over. On a read it is an `UnreadableAnswerError`; on a write, which may have
happened all the same, an `OutcomeUnknownError`; one record of a list is an `OddRecord` beside the others.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ciclo.billimatic.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
)
from ciclo.billimatic.models.reading import Listing, Model, OddRecord, read_record
from ciclo.http.errors import ApiError, TransientApiError, UnreadableAnswerError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from a request: its coordinates, status and decoded body (None if empty or not JSON)."""

    method: str
    path: str
    status: int
    body: Any = None
    request_id: str | None = None
    retry_after: float | None = None

    @property
    def is_read(self) -> bool:
        """Whether the request could not have changed anything."""
        return self.method == "GET"

    def coordinates(self) -> dict[str, Any]:
        """The keyword arguments that every `ApiError` takes."""
        return {"method": self.method, "path": self.path, "status": self.status, "request_id": self.request_id}

    def unreadable(self, reason: str) -> ApiError:
        """Build the error for an answer that is not what the API promises."""
        kind = UnreadableAnswerError if self.is_read else OutcomeUnknownError
        return kind(reason, **self.coordinates())


def error_for(reply: Reply) -> ApiError | None:
    """Return the error that the status of an answer stands for, or None for success."""
    if reply.status in _FAILURES:
        return _FAILURES[reply.status](reply)
    if 200 <= reply.status < 300:
        return None
    if reply.status >= 500:
        return _server_failed(reply)
    return _rejected(reply) if reply.status >= 400 else reply.unreadable("the answer is not one of the API's")


def read_one(model: type[Model], reply: Reply) -> Model:
    """Read the one resource an answer holds under its name.

    Raises:
        UnreadableAnswerError: The answer to a read holds no such resource, or one without a needed field.
        OutcomeUnknownError: The same, in the answer to a write.
    """
    if not isinstance(reply.body, Mapping) or model.resource not in reply.body:
        raise reply.unreadable(f"the answer holds no {model.resource}")
    found = read_record(model, reply.body[model.resource])
    if isinstance(found, OddRecord):
        raise reply.unreadable(str(found))
    return found


def read_several(model: type[Model], reply: Reply) -> Listing[Model]:
    """Read the list of resources an answer holds under their plural name; an odd one spoils no other.

    Raises:
        UnreadableAnswerError: The answer holds no such list.
    """
    items = reply.body.get(model.plural) if isinstance(reply.body, Mapping) else None
    if not isinstance(items, list):
        raise reply.unreadable(f"the answer holds no list of {model.plural}")
    records, odd = [], []
    for item in items:
        found = read_record(model, item)
        if isinstance(found, OddRecord):
            log.warning("%s %s: %s", reply.method, reply.path, found)
            odd.append(found)
        else:
            records.append(found)
    return Listing(tuple(records), tuple(odd), reply.path)


def complaints(body: Any) -> dict[str, str]:
    """Read the three shapes of an error body as message by field path; one about the whole request is `base`.

    The shapes: `{"errors": {path: message}}`, `{"errors": {field: [message, …]}}`, `{"errors": message}`.
    """
    errors = body.get("errors") if isinstance(body, Mapping) else None
    if errors is None:
        return {}
    return _flattened(errors, "")


def _flattened(errors: Any, path: str) -> dict[str, str]:
    if isinstance(errors, Mapping):
        found: dict[str, str] = {}
        for key, value in errors.items():
            found |= _flattened(value, f"{path}.{key}" if path else str(key))
        return found
    message = "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors)
    return {path or "base": message}


def _reason(reply: Reply, otherwise: str) -> str:
    fields = complaints(reply.body)
    texts = [text if path == "base" else f"{path}: {text}" for path, text in fields.items()]
    return "; ".join(texts) or otherwise


def _bad_request(reply: Reply) -> ApiError:
    return BadRequestError(_reason(reply, "a parameter is missing or wrong"), **reply.coordinates())


def _unauthenticated(reply: Reply) -> ApiError:
    return AuthenticationError("the API refused the token", **reply.coordinates())


def _not_found(reply: Reply) -> ApiError:
    return NotFoundError("not found in this account", **reply.coordinates())


def _rejected(reply: Reply) -> ApiError:
    reason = _reason(reply, "refused without a reason")
    return RejectedError(reason, **reply.coordinates(), fields=complaints(reply.body))


def _throttled(reply: Reply) -> ApiError:
    return TransientApiError("too many requests", **reply.coordinates(), retry_after=reply.retry_after)


def _server_failed(reply: Reply) -> ApiError:
    if reply.is_read:
        return TransientApiError("the server failed", **reply.coordinates(), retry_after=reply.retry_after)
    return OutcomeUnknownError("the server failed; it may have acted before", **reply.coordinates())


_FAILURES = {
    400: _bad_request,
    401: _unauthenticated,
    403: _unauthenticated,
    404: _not_found,
    408: _server_failed,  # given up on by a server or proxy, perhaps after passing the request on
    410: _not_found,
    422: _rejected,
    429: _throttled,
}
