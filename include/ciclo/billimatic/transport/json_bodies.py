"""JSON in and out without a binary float.

The one rule: a decimal is text on its way in and on its way out. `Decimal("700.10")` is written `700.10`; an answered
`700.10` is read as the string `"700.10"`, the form in which the API gives money anyway.

What is read can be stored: NUL and half a surrogate pair, which JSON can say and no text of PostgreSQL can hold, are
read as U+FFFD, the replacement character. All we know of the vendor's texts comes through here, so what is compared
with them and what is sent to them holds the same character.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

import orjson

# A number with a fraction or an exponent, where a value may begin. A match inside a string only costs the slower path.
_FRACTION = re.compile(rb"[:\[,]\s*-?\d+[.eE]")
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# Every escape, from left to right, so that the second backslash of `\\u0000` begins none; pairs before their halves.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u0000|u[dD][89a-fA-F][\da-fA-F]{2})|.)", re.DOTALL
)
_REPLACEMENT = rb"\ufffd"


def written(body: Mapping[str, Any]) -> bytes:
    """Write a body of plain values, dates and decimals.

    Raises:
        TypeError: The body holds a binary float, or something that is not JSON.
    """
    _refuse_floats(body, "")
    return orjson.dumps(body, default=_write_other)


def read(content: bytes) -> Any:
    """Read JSON; numbers with a fraction become strings, as they were written, and every text can be stored.

    Raises:
        ValueError: The content is not JSON in UTF-8.
    """
    if b"\\u" in content and _SUSPECT.search(content):  # nearly never; the first test costs next to nothing
        content = _ESCAPE.sub(_storable, content)
    try:
        if _FRACTION.search(content):
            return json.loads(content.decode(), parse_float=str, parse_constant=_refuse_constant)
        return orjson.loads(content)
    except RecursionError as error:
        msg = "nested too deeply"
        raise ValueError(msg) from error


def _storable(escape: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if escape[1] else escape[0]


def _write_other(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            msg = f"{value} is not an amount"
            raise TypeError(msg)
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, Mapping):
        return dict(value)
    msg = f"{type(value).__name__} cannot be sent as JSON"
    raise TypeError(msg)


def _refuse_floats(value: Any, path: str) -> None:
    if isinstance(value, (str, int, Decimal)) or value is None:  # most values are; this runs for every one sent
        return
    if isinstance(value, float):
        msg = f"{path or 'body'}: {value!r} is a binary float; send a Decimal"
        raise TypeError(msg)
    if isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_floats(item, f"{path}.{key}" if path else str(key))


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
