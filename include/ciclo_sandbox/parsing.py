"""Values as they come in and go out of the vendor's API, and the field types of its answers.

Input is cast, never trusted. What cannot be read as the field's type counts as nothing (`None`), the way the vendor's
own casts do (`"payment_value": "decimal"` is zero, `"estimated_issue_date": "date"` is no date). Money and quantities
go out as decimal strings, never through a binary float.

A state file may write a date or an amount in any form the API takes; it is kept in the form the API answers. The
field types are what pydantic reads it by and what OpenAPI describes.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

CENTS: Final = Decimal("0.01")
HUNDRED: Final = Decimal(100)
_FINEST: Final = Decimal("0.0000000001")
LARGEST_AMOUNT: Final = Decimal(10) ** 13
_LARGEST_ID: Final = 2**63 - 1
_TRUE: Final = frozenset({"true", "1", "t", "yes", "on"})
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})\Z", re.ASCII)
_YEAR_FIRST: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:T.*)?\Z", re.ASCII)
_MONTH: Final = re.compile(r"(\d{1,2})/(\d{4})\Z", re.ASCII)


def text(value: Any) -> str | None:
    """Return a scalar as a string; null, lists and objects are nothing. Numbers keep their digits (`0` → `"0"`)."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def filled(value: Any) -> str | None:
    """Return a string that is not blank, or nothing."""
    written = text(value)
    return written if written and written.strip() else None


def integer(value: Any) -> int | None:
    """Return an integer that a database can hold; `"383"` and `12.0` are integers, `""` and `"x"` are nothing."""
    number = decimal(value)
    if number is None or number != number.to_integral_value() or abs(number) > _LARGEST_ID:
        return None
    return int(number)


def identifier(value: Any) -> int | None:
    """Return an id: a positive integer, or nothing."""
    number = integer(value)
    return number if number is not None and number > 0 else None


def decimal(value: Any) -> Decimal | None:
    """Return a number with at most ten decimals and thirteen digits before them, or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= LARGEST_AMOUNT:
        return None
    return number.quantize(_FINEST) if abs(int(number.as_tuple().exponent)) > 10 else number


def cents(value: Decimal) -> Decimal:
    """Round money half up to cents."""
    return value.quantize(CENTS, ROUND_HALF_UP)


def amount(value: Decimal) -> str:
    """Return a decimal as the vendor writes it: at least one decimal, no trailing zeros (`700.0`, `14.38`)."""
    written = f"{value:f}"
    if "." not in written:
        return f"{written}.0"
    written = written.rstrip("0")
    return f"{written}0" if written.endswith(".") else written


def boolean(value: Any) -> bool | None:
    """Return a flag; strings as a form sends them (`"1"`, `"true"`), null and `""` are nothing."""
    written = filled(value)
    return None if written is None else written.lower() in _TRUE


def day(value: Any) -> date | None:
    """Return a date written `dd-mm-yyyy`, `dd/mm/yyyy` or `yyyy-mm-dd`; an impossible one is nothing."""
    if not isinstance(value, str):
        return None
    if match := _DAY_FIRST.match(value.strip()):
        return _date(int(match[3]), int(match[2]), int(match[1]))
    if match := _YEAR_FIRST.match(value.strip()):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    return None


def accrual_month(value: Any) -> date | None:
    """Return the first day of a competence month written `mm/yyyy`, or of the month of a date."""
    if isinstance(value, str) and (match := _MONTH.match(value.strip())):
        return _date(int(match[2]), int(match[1]), 1)
    found = day(value)
    return found.replace(day=1) if found else None


def brazilian(value: date | None) -> str | None:
    """Return a date as `dd/mm/yyyy`."""
    return f"{value.day:02}/{value.month:02}/{value.year:04}" if value else None


def iso(value: date | None) -> str | None:
    """Return a date as `yyyy-mm-dd`."""
    return value.isoformat() if value else None


def _date(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number)
    except ValueError:
        return None


class Resource(BaseModel):
    """An object as the API answers it. Fields of older API versions are read over, missing ones get the default."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _read_nothing(cls, given: Any) -> Any:
        # The API writes "nothing" as null, "" or "--", as it pleases: where no text stands, all of them are null.
        if not isinstance(given, dict):
            return given
        blank = [name for name, value in given.items() if value in _NOTHING and name in _without_text(cls)]
        return given | dict.fromkeys(blank) if blank else given


_NOTHING: Final = ("", "--")


@cache
def _without_text(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields of a model that hold no text: money and days, which are written as text, read their own."""
    fields = model.model_fields.items()
    return frozenset(name for name, field in fields if str not in (field.annotation, *get_args(field.annotation)))


def _money(value: Any) -> str | None:
    if value is None or value in _NOTHING:
        return None
    number = decimal(value)
    if number is None:
        message = f"{value!r} is not a decimal number"
        raise ValueError(message)
    return amount(number)


def _day(form: Callable[[date | None], str | None]) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        if value is None or value in _NOTHING:
            return None
        if found := day(value):
            return form(found)
        message = f"{value!r} is not a date (dd/mm/yyyy or yyyy-mm-dd)"
        raise ValueError(message)

    return read


STATES: Final = ("to_emit", "to_receive", "received", "cancelled")


def _state(value: Any) -> Any:
    # Answers of 2016 carry the number of the state.
    known = isinstance(value, int) and not isinstance(value, bool) and value in range(len(STATES))
    return STATES[value] if known else value


def _contract_state(value: Any) -> Any:
    # Answers of 2016 carry 1 for an active contract.
    return {0: "inactive", 1: "active"}.get(value, value) if isinstance(value, int) else value


_PATTERN_MONEY: Final = {"anyOf": [{"type": "string", "pattern": r"^-?\d+\.\d+$"}, {"type": "null"}]}
_PATTERN_BRAZILIAN: Final = {"anyOf": [{"type": "string", "pattern": r"^\d{2}/\d{2}/\d{4}$"}, {"type": "null"}]}
_PATTERN_ISO: Final = {"anyOf": [{"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}, {"type": "null"}]}

Money = Annotated[str | None, BeforeValidator(_money), WithJsonSchema(_PATTERN_MONEY)]
BrazilianDay = Annotated[str | None, BeforeValidator(_day(brazilian)), WithJsonSchema(_PATTERN_BRAZILIAN)]
IsoDay = Annotated[str | None, BeforeValidator(_day(iso)), WithJsonSchema(_PATTERN_ISO)]
# A state that is not known (a misprint of the documents, a value of tomorrow) is answered as it stands.
State = Annotated[str | None, BeforeValidator(_state)]
ContractState = Annotated[str | None, BeforeValidator(_contract_state)]
# Ids and complaints of other systems, which say what they like.
Foreign = int | str | None
# A rate or limit that is only passed on: the API answers strings (no decimals it computes with) or null.
Stated = int | float | str | None
Complaint = str | list[Any] | dict[str, Any] | None
# A constraint makes pydantic look whether it is text at all: a lone surrogate cannot be written anywhere.
Words = Annotated[str, Field(max_length=100_000)]
# Within years from which whatever is counted stays in the calendar.
CountableDay = Annotated[date, Field(ge=date(1900, 1, 1), lt=date(9001, 1, 1))]
_T = TypeVar("_T")
Many = Annotated[list[_T], BeforeValidator(lambda given: [] if given is None else given)]
Identifier = Annotated[int | None, Field(gt=0, le=2**63 - 1)]


def said(sentence: str, default: Any = None, **constraints: Any) -> Any:
    """Return a field with its sentence and the default that the API gives when a state file leaves it out."""
    if isinstance(default, list | dict):
        kind = type(default)
        return Field(default_factory=lambda: kind(default), description=sentence, **constraints)
    return Field(default=default, description=sentence, **constraints)
