"""Field types of the vendor's answers, as pydantic reads them from a state file and OpenAPI describes them.

A state file may write a date or an amount in any form the API takes; it is kept in the form the API answers.
"""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ciclo_sandbox import parsing


class Resource(BaseModel):
    """An object as the API answers it. Fields of older API versions are read over, missing ones get the default."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


def _money(value: Any) -> str | None:
    if value is None:
        return None
    number = parsing.decimal(value)
    if number is None:
        message = f"{value!r} is not a decimal number"
        raise ValueError(message)
    return parsing.amount(number)


def _day(form: Callable[[date | None], str | None]) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        if value is None or value == "":
            return None
        if found := parsing.day(value):
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
BrazilianDay = Annotated[str | None, BeforeValidator(_day(parsing.brazilian)), WithJsonSchema(_PATTERN_BRAZILIAN)]
IsoDay = Annotated[str | None, BeforeValidator(_day(parsing.iso)), WithJsonSchema(_PATTERN_ISO)]
# A state that is not known (a misprint of the documents, a value of tomorrow) is answered as it stands.
State = Annotated[str | None, BeforeValidator(_state)]
ContractState = Annotated[str | None, BeforeValidator(_contract_state)]
_T = TypeVar("_T")
Many = Annotated[list[_T], BeforeValidator(lambda given: [] if given is None else given)]
Identifier = Annotated[int | None, Field(gt=0, le=2**63 - 1)]


def said(sentence: str, default: Any = None, **constraints: Any) -> Any:
    """Return a field with its sentence and the default that the API gives when a state file leaves it out."""
    if isinstance(default, list | dict):
        kind = type(default)
        return Field(default_factory=lambda: kind(default), description=sentence, **constraints)
    return Field(default=default, description=sentence, **constraints)
