"""JSON in and out without a binary float.

A decimal is text on its way in and on its way out: `Decimal("700.10")` is written `700.10`; an answered `700.10` is
read as the string `"700.10"`, the form in which the vendor gives money anyway.

What is read can be stored: a whole number that no database's integer holds is read as its text, too; NUL and half a
surrogate pair, which JSON can say and no text of PostgreSQL can hold, are read as U+FFFD, the replacement character.
All we know of the vendor's texts comes through here, so what is compared with them and what is sent to them holds the
same character.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

# Every escape, from left to right, so that the second backslash of `\\u0000` begins none; pairs before their halves.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u0000|u[dD][89a-fA-F][\da-fA-F]{2})|.)", re.DOTALL
)

_LONG_NUMBER = re.compile(r"\d{19}")
_LONGEST_NUMBER = 18
"""Digits of a number that 64 bits hold, whatever they are."""

_TEXT = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for every text

_ONE_BYTE_SETS = {"iso-8859-1", "iso-8859-15", "latin-1", "latin1", "windows-1252"}


def written(body: Mapping[str, Any]) -> bytes:
    """Write a body of plain values, dates and decimals.

    Raises:
        TypeError: The body holds a binary float, or something that is not JSON; the message says where.
    """
    return _written(body, "").encode()


def read(content: bytes, charset: str | None = None) -> Any:
    """Read JSON; numbers with a fraction, or too long ones, become strings, as they were written; all can be stored.

    Args:
        content: the bytes, in UTF-8.
        charset: what the answer's header says they are, should they be no UTF-8: some proxies write Latin-1.

    Raises:
        ValueError: The content is not JSON in either.
    """
    try:
        text = content.decode("utf-8-sig")  # some proxies put a byte order mark before it
    except UnicodeDecodeError:
        if (charset or "").lower() not in _ONE_BYTE_SETS:
            raise
        text = content.decode(charset or "")
    if "\\u" in text:
        text = _ESCAPE.sub(lambda escape: r"\ufffd" if escape[1] else escape[0], text)
    try:
        parse_int = _read_integer if _LONG_NUMBER.search(text) else None
        return json.loads(text, parse_float=str, parse_int=parse_int, parse_constant=_refuse_constant)
    except RecursionError as error:
        msg = "nested too deeply"
        raise ValueError(msg) from error


def _written(value: Any, path: str) -> str:
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case str():
            return _TEXT.encode(value)
        case Decimal() if value.is_finite():
            return format(value, "f")
        case date():
            return f'"{value.isoformat()}"'
        case Mapping():
            members = (
                f"{_TEXT.encode(str(key))}:{_written(item, f'{path}.{key}' if path else str(key))}"
                for key, item in value.items()
            )
            return f"{{{','.join(members)}}}"
        case list() | tuple():
            return f"[{','.join(_written(item, path) for item in value)}]"
        case float():
            msg = f"{path or 'body'}: {value!r} is a binary float; send a Decimal"
        case Decimal():
            msg = f"{path or 'body'}: {value} is not an amount"
        case _:
            msg = f"{path or 'body'}: {type(value).__name__} cannot be sent as JSON"
    raise TypeError(msg)


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits.removeprefix("-")) <= _LONGEST_NUMBER else digits


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
