"""How a value that the API answered becomes ours: lenient about form, strict about money (never a binary float).

Dates come in three formats, "nothing" as null, `""` or `"--"`, unknown fields every year. A word of an enumeration that
is not known is kept as it is. A record that cannot be read all the same is an `OddRecord`, beside its good neighbours.
Sources: the API's reference, "Conventions", and the recordings of 2016-2019.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, overload

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.money import DIGITS_OF_MONEY
from ciclo.http.errors import ApiError, UnreadableAnswerError

LARGEST_NUMBER = 2**63 - 1
"""What a column of the ledger holds."""
_NOTHING = frozenset({"", "--"})
_DIGITS_OF_AN_ID = 19
_LENGTH_OF_A_DAY = 10
_DIGITS_AFTER_THE_POINT = 40
_FIRST_YEAR = 1900
_FOR_EVER = 9999
_STATES_OF_2016 = {0: "to_emit"}
_CONTRACT_STATES_OF_2016 = {1: "active"}
_PERIOD_UNIT_CODES = {0: "monthly", "0": "monthly", 1: "weekly", "1": "weekly"}


def nothing_to_none(value: Any) -> Any:
    """Read the API's two ways of writing "nothing" in a string field, `""` and `"--"`, as None."""
    return None if isinstance(value, str) and value.strip() in _NOTHING else value


def read_date(value: Any) -> Any:
    """Read `dd/mm/yyyy`, `dd-mm-yyyy`, `yyyy-mm-dd`, or any of them followed by a time."""
    value = nothing_to_none(value)
    if isinstance(value, (int, float)):
        msg = f"{value!r} is not a date"  # pydantic would take it for seconds since 1970
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports a ValueError, and passes a TypeError on
    if not isinstance(value, str):
        return value
    day = value.strip()[:10].replace("/", "-")
    if len(day) == 10 and day[2] == day[5] == "-":
        day = f"{day[6:]}-{day[3:5]}-{day[:2]}"
    read = date.fromisoformat(day)
    if not _FIRST_YEAR <= read.year < _FOR_EVER:
        msg = f"{read} does not lie between {_FIRST_YEAR} and {_FOR_EVER}"  # somebody typed 25 for 2025
        raise ValueError(msg)
    return read


def read_last_day(value: Any) -> Any:
    """Read the day on which something ends; the last day of all, as some systems write "never", is None."""
    said = nothing_to_none(value)
    return None if isinstance(said, str) and re.search(rf"\b{_FOR_EVER}\b", said) else read_date(said)


def read_month(value: Any) -> Any:
    """Read an accrual month as its first day, from `yyyy-mm-dd` (how it is answered) or `mm/yyyy` (how it is sent)."""
    value = nothing_to_none(value)
    if isinstance(value, str) and len(value) == 7 and value[2] == "/":
        value = f"01/{value}"
    read = read_date(value)
    return read.replace(day=1) if isinstance(read, date) else read


def read_timestamp(value: Any) -> Any:
    """Read `dd/mm/yyyy HH:MM:SS ±hh:mm`, or ISO 8601; a day alone says no instant and is read as None."""
    value = nothing_to_none(value)
    if isinstance(value, (int, float)):
        msg = f"{value!r} is no instant"
        raise ValueError(msg)  # noqa: TRY004 - as above
    if not isinstance(value, str):
        return value
    value = value.strip()
    if len(value) <= _LENGTH_OF_A_DAY:
        read_date(value)
        return None
    if value[2:3] == "/":
        # by position, because strptime takes longer than everything else about an invoice together
        value = f"{value[6:10]}-{value[3:5]}-{value[:2]}T{value[11:].replace(' ', '')}"
    return datetime.fromisoformat(value)  # not pydantic, which takes digits for seconds since 1970


def in_brasilia(value: datetime | None) -> datetime | None:
    """Give an instant without an offset the vendor's: all its timestamps are in Brasília's time."""
    if value is not None and not _FIRST_YEAR <= value.year < _FOR_EVER:
        msg = f"{value} is no instant at which anything was made"
        raise ValueError(msg)
    return value.replace(tzinfo=SAO_PAULO) if value is not None and value.tzinfo is None else value


def read_decimal(value: Any) -> Any:
    """Read a decimal string or an integer exactly; a binary float has already lost cents and is refused.

    So is what no ledger holds, or only by very many digits.
    """
    if isinstance(value, (float, bool)):
        msg = "a binary float is not money: use Decimal or a decimal string"
        raise ValueError(msg)  # noqa: TRY004 - as above
    value = nothing_to_none(value)
    if isinstance(value, str) and len(value) <= DIGITS_OF_MONEY and "e" not in value and "E" not in value:
        return value
    if isinstance(value, (str, int, Decimal)):
        try:
            value = Decimal(value)
        except InvalidOperation:
            return value  # it is no number at all, which pydantic says
        if value.is_finite() and not -_DIGITS_AFTER_THE_POINT <= value.adjusted() < DIGITS_OF_MONEY:
            msg = "is too large, or has too many digits"
            raise ValueError(msg)
    return value


def read_text(value: Any) -> Any:
    """Read text; numbers (a document's `comments: 0`) as their text, "nothing" as None."""
    if isinstance(value, str):
        return nothing_to_none(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):  # errors of the finance system come as text or as a list of texts
        return "; ".join(str(item) for item in value) or None
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False) if value else None
    return value


def read_number(value: Any) -> Any:
    """Read a whole number; a truth value, which Python counts as 0 or 1, is refused."""
    value = nothing_to_none(value)
    if isinstance(value, bool):
        msg = f"{value!r} is not a number of the API"
        raise ValueError(msg)  # noqa: TRY004 - as above
    return value


def _is_code(value: Any) -> bool:
    """Tell an integer from a truth value, which is one to Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_state(value: Any) -> Any:
    """Read the state of an invoice, rule or receivable; answers of 2016 give the integer 0 for `to_emit`."""
    return _STATES_OF_2016.get(value, str(value)) if _is_code(value) else value


def read_contract_state(value: Any) -> Any:
    """Read a contract's state; an answer of 2016 gives the integer 1 for `active`."""
    return _CONTRACT_STATES_OF_2016.get(value, str(value)) if _is_code(value) else value


def read_period_unit(value: Any) -> Any:
    """Read a period unit; rules before 2017 knew months only and leave it out, and `0` stands for monthly."""
    if value is None:
        return "monthly"
    return _PERIOD_UNIT_CODES.get(value, value) if _is_code(value) or isinstance(value, str) else value


def read_list(value: Any) -> Any:
    """Read a list that older answers leave out or give as null."""
    return () if nothing_to_none(value) is None else value


def read_truth(value: Any) -> Any:
    """Read a truth value; nothing said is False."""
    return nothing_to_none(value) or False


def read_object(value: Any) -> Any:
    """Read an object inside another; null and an empty one are None, `false` or a list is no object."""
    value = nothing_to_none(value)
    return None if value == {} else value


# `| None` once more, outside: what is null already, as most of an invoice is, is not handed to a function of ours.
Day = Annotated[date, BeforeValidator(read_date)]
OptionalDay = Annotated[date | None, BeforeValidator(read_date)] | None
OptionalLastDay = Annotated[date | None, BeforeValidator(read_last_day)] | None
OptionalMonth = Annotated[date | None, BeforeValidator(read_month)] | None
OptionalTimestamp = Annotated[datetime | None, BeforeValidator(read_timestamp), AfterValidator(in_brasilia)] | None
Money = Annotated[Decimal, BeforeValidator(read_decimal)]
OptionalMoney = Annotated[Decimal | None, BeforeValidator(read_decimal)] | None
OptionalText = Annotated[str | None, BeforeValidator(read_text)] | None
_Integer = Annotated[int, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Number = Annotated[_Integer, BeforeValidator(read_number)]
OptionalNumber = Annotated[_Integer | None, BeforeValidator(read_number)] | None
OptionalTruth = Annotated[bool | None, BeforeValidator(nothing_to_none)] | None
Truth = Annotated[bool, BeforeValidator(read_truth)]
State = Annotated[str, BeforeValidator(read_state), Field(max_length=100)]
ContractState = Annotated[str, BeforeValidator(read_contract_state)]
PeriodUnitName = Annotated[str, BeforeValidator(read_period_unit)]


class Answer(BaseModel):
    """Base of what the API answers: immutable; unknown fields are no error, because fields are added over the years."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    resource: ClassVar[str]
    """The key under which the API answers one of these (`invoice`)."""


class Record(Answer):
    """Base of what the API answers by itself, with an id; `payload` keeps the answer word for word."""

    plural: ClassVar[str]
    """The key under which the API answers a list of these (`invoices`)."""

    id: Number
    payload: dict[str, Any] = Field(default_factory=dict, repr=False, exclude=True)
    """The answer as it came; decimals are strings in it, so that it is JSON again without loss."""

    @model_validator(mode="before")
    @classmethod
    def _keep_payload(cls, answer: Any) -> Any:
        if isinstance(answer, dict) and "payload" not in answer:
            return {**answer, "payload": answer}
        return answer


Model = TypeVar("Model", bound=Record)


@dataclass(frozen=True, slots=True)
class OddRecord:
    """A record of an answer that cannot be read, although its neighbours can.

    Attributes:
        resource: What it should be (`invoice`).
        id: Its id, if it has a readable one.
        contract_id: The contract it says it belongs to, if it does.
        problem: What is odd, by field; holds no value of the customer's.
        fields: Dotted paths of the odd fields.
        payload: The record as it came.
    """

    resource: str
    id: int | None
    contract_id: int | None
    problem: str
    fields: tuple[str, ...] = ()
    payload: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, model: type[Record], item: Any, error: ValidationError) -> Self:
        """Say what is odd about a record, without repeating its values (pydantic's own message does)."""
        found = error.errors(include_url=False, include_input=False, include_context=False)
        paths = [".".join(map(str, each["loc"])) or "it" for each in found]
        problems = [
            f"{path} is missing" if each["type"] == "missing" else f"{path} is of an unknown form ({each['type']})"
            for path, each in zip(paths, found, strict=True)
        ]
        number = id_in(item, "id")
        contract = number if model.resource == "contract" else id_in(item, "contract_id")
        return cls(model.resource, number, contract, "; ".join(problems), tuple(dict.fromkeys(paths)), item)

    @classmethod
    def ambiguous(cls, record: "Record") -> Self:
        """Return one of several records of an answer that have the same id and do not say the same."""
        contract = record.id if record.resource == "contract" else getattr(record, "contract_id", None)
        return cls(record.resource, record.id, contract, "it comes twice, and not alike", (), record.payload)

    @classmethod
    def of_one(cls, resource: str, number: int, contract_id: int, error: ApiError) -> Self:
        """Say what is odd about a record that was asked for by itself, in the words that a list of them has for it."""
        problem = error.reason.removeprefix(f"{resource} {number} cannot be read: ")
        return cls(resource, number, contract_id, problem)

    def __str__(self) -> str:
        name = self.resource if self.id is None else f"{self.resource} {self.id}"
        return f"{name} cannot be read: {self.problem}"


def read_record(model: type[Model], item: Any) -> Model | OddRecord:
    """Read one record of an answer."""
    item = unwrapped(model, item)
    try:
        return model.model_validate(item)
    except ValidationError as error:
        return OddRecord.of(model, item, error)


def unwrapped(model: type[Record], item: Any) -> Any:
    """Take a record of a list out of the envelope of its own in which some stand."""
    return item[model.resource] if isinstance(item, Mapping) and len(item) == 1 and model.resource in item else item


@dataclass(frozen=True, slots=True)
class Listing(Sequence[Model], Generic[Model]):
    """The records of a list as a sequence, and beside them those that could not be read.

    Whoever concludes something from a record's absence has to look at `odd` as well, or asks for the `whole`.
    """

    records: tuple[Model, ...]
    odd: tuple[OddRecord, ...] = ()
    path: str = ""
    counted: tuple[int, ...] = ()
    """Ids of those of which whoever asked needs to know no more: they were not read."""

    def whole(self) -> tuple[Model, ...]:
        """Return the records, for whoever cannot go on if one is odd.

        Raises:
            UnreadableAnswerError: One of the records cannot be read; the message names it and its field.
        """
        require_none_odd(self.odd, self.path)
        return self.records

    @overload
    def __getitem__(self, index: int) -> Model: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Model]: ...
    def __getitem__(self, index: int | slice) -> Model | Sequence[Model]:
        return self.records[index]

    def __iter__(self) -> Iterator[Model]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


def require_none_odd(odd: Sequence[OddRecord], path: str) -> None:
    """Refuse to go on where a record could not be read.

    Raises:
        UnreadableAnswerError: There is one; the message names all of them.
    """
    if odd:
        raise UnreadableAnswerError("; ".join(map(str, odd)), method="GET", path=path, status=200)


def id_in(item: Any, name: str) -> int | None:
    """Return an id in a record as it came, if it can be read."""
    value = item.get(name) if isinstance(item, Mapping) else None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _DIGITS_OF_AN_ID:
        return int(value)
    return value if isinstance(value, int) and _is_code(value) and abs(value) <= LARGEST_NUMBER else None
