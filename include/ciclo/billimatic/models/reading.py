"""How a value that the API answered becomes ours.

The one rule: lenient about form (years, date formats, "nothing" strings), strict about money (never a binary float).
Sources: REFERENCE.md "Conventions" and the recordings of 2016-2019.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

_NOTHING = frozenset({"", "--"})
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
    return date.fromisoformat(day)


def read_month(value: Any) -> Any:
    """Read an accrual month as its first day, from `yyyy-mm-dd` (how it is answered) or `mm/yyyy` (how it is sent)."""
    value = nothing_to_none(value)
    if isinstance(value, str) and len(value) == 7 and value[2] == "/":
        value = f"01/{value}"
    read = read_date(value)
    return read.replace(day=1) if isinstance(read, date) else read


def read_timestamp(value: Any) -> Any:
    """Read `dd/mm/yyyy HH:MM:SS ±hh:mm`, or ISO 8601."""
    value = nothing_to_none(value)
    if isinstance(value, str) and value[2:3] == "/":
        # by position, because strptime takes longer than everything else about an invoice together
        return datetime.fromisoformat(f"{value[6:10]}-{value[3:5]}-{value[:2]}T{value[11:19]}{value[20:]}")
    return value


def read_decimal(value: Any) -> Any:
    """Read a decimal string or an integer exactly; a binary float has already lost cents and is refused."""
    if isinstance(value, (float, bool)):
        msg = "a binary float is not money: use Decimal or a decimal string"
        raise ValueError(msg)  # noqa: TRY004 - as above
    return nothing_to_none(value)


def read_text(value: Any) -> Any:
    """Read text; numbers (a document's `comments: 0`) as their text, "nothing" as None."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):  # errors of the finance system come as text or as a list of texts
        return "; ".join(str(item) for item in value) or None
    return nothing_to_none(value)


def read_state(value: Any) -> Any:
    """Read the state of an invoice, rule or receivable; answers of 2016 give the integer 0 for `to_emit`."""
    return _STATES_OF_2016.get(value, str(value)) if isinstance(value, int) else value


def read_contract_state(value: Any) -> Any:
    """Read a contract's state; an answer of 2016 gives the integer 1 for `active`."""
    return _CONTRACT_STATES_OF_2016.get(value, str(value)) if isinstance(value, int) else value


def read_period_unit(value: Any) -> Any:
    """Read a period unit; rules before 2017 knew months only and leave it out, and `0` stands for monthly."""
    return "monthly" if value is None else _PERIOD_UNIT_CODES.get(value, value)


def read_list(value: Any) -> Any:
    """Read a list that older answers leave out or give as null."""
    return () if value is None else value


Day = Annotated[date, BeforeValidator(read_date)]
OptionalDay = Annotated[date | None, BeforeValidator(read_date)]
OptionalMonth = Annotated[date | None, BeforeValidator(read_month)]
OptionalTimestamp = Annotated[datetime | None, BeforeValidator(read_timestamp)]
Money = Annotated[Decimal, BeforeValidator(read_decimal)]
OptionalMoney = Annotated[Decimal | None, BeforeValidator(read_decimal)]
OptionalText = Annotated[str | None, BeforeValidator(read_text)]
OptionalNumber = Annotated[int | None, BeforeValidator(nothing_to_none)]
State = Annotated[str, BeforeValidator(read_state)]
ContractState = Annotated[str, BeforeValidator(read_contract_state)]
PeriodUnitName = Annotated[str, BeforeValidator(read_period_unit)]


class Answer(BaseModel):
    """Base of what the API answers: immutable, unknown fields ignored, because fields are added over the years."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    resource: ClassVar[str]
    """The key under which the API answers one of these (`invoice`); its plural holds a list."""
