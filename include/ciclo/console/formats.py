"""Values as they are shown: numbers and dates as Brazil writes them, states as word, shape and colour, CSV files.

A value is formatted here and nowhere else, and what is not there is an em dash, never a zero. Every state of the ledger
has its own shape, so that no colour carries the meaning alone.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from fastapi.responses import StreamingResponse

from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.money import brl as _brl
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.spreadsheet import cell

NOTHING = "—"
_AMOUNT = re.compile(r"-?\d+\.\d\d", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:", re.ASCII)
_SWAP = str.maketrans(",.", ".,")


def brl(amount: Decimal | None) -> str:
    """`R$ 1.234,56`; the space does not break."""
    return NOTHING if amount is None else _brl(amount).replace(" ", "\N{NO-BREAK SPACE}")


def decimal(value: Decimal | None, places: int | None = None) -> str:
    """`1.234,5678`: all digits, or rounded half up to `places`."""
    if value is None:
        return NOTHING
    shown = value if places is None else value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{shown:,f}".translate(_SWAP)


def integer(value: int | None) -> str:
    """`12.345`."""
    return NOTHING if value is None else f"{value:,d}".translate(_SWAP)


def percent(part: int | Decimal, whole: int | Decimal) -> str:
    """`98,7 %` of the whole; never 100 % while a part is missing, nor 0 % while there is one."""
    if not whole:
        return NOTHING
    share = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    if share == 100 and part != whole:
        share = Decimal("99.9")
    if share == 0 and part:
        share = Decimal("0.1")
    return f"{decimal(share)}\N{NO-BREAK SPACE}%"


def day(value: date | None) -> str:
    """`31/03/2025`."""
    return NOTHING if value is None else f"{value:%d/%m/%Y}"


def month(value: date | None) -> str:
    """`03/2025`."""
    return NOTHING if value is None else f"{value:%m/%Y}"


def month_name(value: date) -> str:
    """`March 2025`."""
    return f"{value:%B %Y}"


def instant(value: datetime | None) -> str:
    """`31/03/2025 06:02`, in São Paulo."""
    return NOTHING if value is None else f"{value.astimezone(SAO_PAULO):%d/%m/%Y %H:%M}"


def iso_instant(text: str | None) -> str:
    """Write an instant that a document holds as ISO text; what is no instant stays as it is."""
    try:
        return instant(datetime.fromisoformat(text)) if text else NOTHING
    except ValueError:
        return str(text)


def entry(value: object, key: str = "") -> str:
    """Write a value of a document whose shape is not known here: money, dates and instants are told by their form."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value) if key.endswith("id") else integer(value)
        case _:
            return _text_entry(str(value))


def _text_entry(text: str) -> str:
    if _AMOUNT.fullmatch(text):
        return brl(Decimal(text))
    if _DAY.fullmatch(text):
        return day(date.fromisoformat(text))
    return iso_instant(text) if _INSTANT.match(text) else text


def age(value: datetime | None, now: datetime) -> str:
    """How long ago: `5 min`, `3 h`, `12 d`."""
    if value is None:
        return NOTHING
    minutes = max(0, int((now.astimezone(UTC) - value.astimezone(UTC)).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes}\N{NO-BREAK SPACE}min"
    if minutes < 48 * 60:
        return f"{minutes // 60}\N{NO-BREAK SPACE}h"
    return f"{integer(minutes // (24 * 60))}\N{NO-BREAK SPACE}d"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 period`, `1.204 periods`."""
    return f"{integer(number)} {singular if number == 1 else plural or f'{singular}s'}"


def index_label(name: str) -> str:
    """`IGP-M`; an index that is not known keeps its name."""
    return PriceIndex(name).label if name in set(PriceIndex) else name


def due_words(charge: Charge) -> str:
    """When an invoice of a rule is due, in words: `the next day 10 after the issue date`."""
    match charge.charge_type:
        case ChargeType.FIXED_DAY:
            when = f"the next day {charge.day_number} after the issue date"
        case ChargeType.LAST_DAY_OF_MONTH:
            when = "the last business day of the month" if charge.only_business_days else "the last day of the month"
        case ChargeType.DAY_QUANTITY:
            business = "business " if charge.only_business_days else ""
            when = f"{charge.day_quantity} {business}days after the issue date"
        case ChargeType.FIXED_DAY_AND_MONTH_QUANTITY:
            when = f"day {charge.day_number}, {count(charge.month_quantity or 0, 'month')} later"
    parcels = f", in {charge.parcels} parts one month apart" if charge.parcels > 1 else ""
    return when + parcels


FILTERS = {
    "brl": brl,
    "decimal": decimal,
    "integer": integer,
    "day": day,
    "month": month,
    "month_name": month_name,
    "instant": instant,
    "iso_instant": iso_instant,
    "entry": entry,
    "age": age,
    "count_of": count,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A state's word for people, the symbol of `icons.svg` that stands for it, its colour class, and what it means."""

    label: str
    icon: str
    tone: str
    meaning: str = ""


MARKS = {
    "planned": Mark(
        "Planned", "circle", "planned", "Expected; its issue date has not come, or no run has taken it yet."
    ),
    "waiting": Mark("Waiting", "pause", "waiting", "Waits for a price update of its rule."),
    "submitting": Mark("Submitting", "up", "running", "A run holds it and is sending it."),
    "in_doubt": Mark("In doubt", "question", "doubt", "Sent, answer unknown: never sent again before it is settled."),
    "issued": Mark("Issued", "check", "success", "Exactly one invoice exists."),
    "parked": Mark("Parked", "hand", "failed", "Stopped for a person."),
    "cancelled": Mark("Cancelled", "cross", "muted", "Will not be invoiced."),
    "to_emit": Mark("To emit", "circle", "planned"),
    "to_receive": Mark("To receive", "clock", "running"),
    "received": Mark("Received", "check", "success"),
    "late": Mark("Late", "alert", "failed"),
    "proposed": Mark("Proposed", "question", "doubt"),
    "applied": Mark("Applied", "check", "success"),
    "adopted": Mark("Adopted", "check-double", "success"),
    "open": Mark("Open", "alert", "failed"),
    "acknowledged": Mark("Acknowledged", "eye", "running"),
    "closed": Mark("Closed", "check", "success"),
    "active": Mark("Active", "check", "success"),
    "inactive": Mark("Inactive", "cross", "muted"),
}


def mark(state: str) -> Mark:
    """Return how a state is shown."""
    return MARKS.get(state) or Mark(state.replace("_", " ").capitalize(), "circle", "muted")


_ROWS_A_CHUNK = 500


class Column(NamedTuple):
    """A column of an export: its header and where its value comes from."""

    header: str
    value: Callable[[Any], object]


def csv_response(name: str, columns: Sequence[Column], rows: Iterable[Any]) -> StreamingResponse:
    """Answer with a file `name`.csv, written as its rows are read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(csv_chunks(columns, rows), media_type="text/csv; charset=utf-8", headers=headers)


def csv_chunks(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[str]:
    """Yield the file's text, some hundred rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    buffer.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer.writerow([column.header for column in columns])
    for number, row in enumerate(rows, start=1):
        writer.writerow([cell(column.value(row)) for column in columns])
        if number % _ROWS_A_CHUNK == 0:
            yield _drain(buffer)
    yield _drain(buffer)


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
