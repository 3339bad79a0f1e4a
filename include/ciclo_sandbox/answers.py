"""What the vendor's API answers: documents under their root, and its three ways of saying no."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import Response

Json = dict[str, Any]
JSON: Final = "application/json; charset=utf-8"
BLANK: Final = "não pode ficar em branco"
NOT_NUMERIC: Final = "deve ser numérico"
NOT_LISTED: Final = "não está incluído na lista"
INVALID: Final = "não é válido"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body as it goes over the wire (or empty)."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON.encode()


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
    """422 with one message for each field path, or a list of messages for contracts, customers and service items."""

    def __init__(self, errors: Mapping[str, str | list[str]]) -> None:
        super().__init__(Answer(422, orjson.dumps({"errors": errors})))


def ok(root: str, document: bytes, status: int = 200) -> Response:
    """Answer one stored document under its root."""
    return Response(b'{"' + root.encode() + b'":' + document + b"}", status, media_type=JSON)


def collection(root: str, documents: Iterable[bytes]) -> Response:
    """Answer stored documents under their root."""
    return Response(b'{"' + root.encode() + b'":[' + b",".join(documents) + b"]}", media_type=JSON)


def page(root: str, documents: Iterable[bytes], *, number: int, per_page: int, total: int) -> Response:
    """Answer one page of stored documents under their root."""
    head = orjson.dumps({"page": number, "per_page": per_page, "total_pages": -(-total // per_page)})
    return Response(head[:-1] + b',"' + root.encode() + b'":[' + b",".join(documents) + b"]}", media_type=JSON)


def nothing() -> Response:
    """Answer that it is done, without a body."""
    return Response(status_code=204)


def entries(value: Any) -> list[Json]:
    """Return the objects of a nested list; an object of objects is read as its values, as the vendor's server does."""
    if isinstance(value, dict):
        value = list(value.values())
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []
