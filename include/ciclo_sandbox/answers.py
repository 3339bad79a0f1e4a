"""Requests and answers of the vendor's API, and its three ways of saying no.

The rule: a body is the vendor's own, in one of its three error shapes or empty; never a framework's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

Json = dict[str, Any]
BLANK: Final = "não pode ficar em branco"
NOT_NUMERIC: Final = "deve ser numérico"
NOT_LISTED: Final = "não está incluído na lista"
INVALID: Final = "não é válido"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body that is already JSON (or empty)."""

    status: int
    body: bytes = b""
    content_type: bytes = b"application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed the door: ids of its path, its query, its JSON body, and the URL it came to."""

    ids: Mapping[str, int]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    base_url: str = ""

    def params(self, root: str) -> Json:
        """Return the body's object under `root`; a body without that root is taken as the object itself."""
        if not isinstance(self.body, dict):
            return {}
        inner = self.body.get(root, self.body)
        return inner if isinstance(inner, dict) else {}


class Refusal(Exception):
    """The request is answered with something other than success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class NotFoundRefusal(Refusal):
    """404 with an empty body: the resource, or a parent of it, is not in this account."""

    def __init__(self) -> None:
        super().__init__(Answer(404))


class ParameterRefusal(Refusal):
    """A search with bad parameters, or a body that is not JSON: `{"errors": "<message>"}`."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(Answer(status, orjson.dumps({"errors": message})))


class ValidationRefusal(Refusal):
    """422 with one message for each field path, or a list of messages for contracts and service items."""

    def __init__(self, errors: Mapping[str, str | list[str]]) -> None:
        super().__init__(Answer(422, orjson.dumps({"errors": errors})))


def ok(root: str, document: bytes, status: int = 200) -> Answer:
    """Answer one stored document under its root."""
    return Answer(status, b'{"' + root.encode() + b'":' + document + b"}")


def collection(root: str, documents: Iterable[bytes]) -> Answer:
    """Answer stored documents under their root."""
    return Answer(200, b'{"' + root.encode() + b'":[' + b",".join(documents) + b"]}")


def entries(value: Any) -> list[Json]:
    """Return the objects of a nested list; an object of objects is read as its values, as the vendor's server does."""
    if isinstance(value, dict):
        value = list(value.values())
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []
