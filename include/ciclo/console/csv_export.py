"""Tables as CSV files that a Brazilian spreadsheet opens: semicolons, decimal commas, UTF-8 with a mark.

The one rule: a text from outside never becomes a formula; a cell that a spreadsheet would calculate gets an apostrophe.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from fastapi.responses import StreamingResponse

from ciclo.console.formats import SAO_PAULO

_CALCULATED = ("=", "+", "-", "@", "\t", "\r", "\n")
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


def cell(value: object) -> str:
    """Write one value: money and decimals with a comma, dates day first, texts harmless."""
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}".replace(".", ",")
        case datetime():
            return f"{value.astimezone(SAO_PAULO):%d/%m/%Y %H:%M:%S}"
        case date():
            return f"{value:%d/%m/%Y}"
        case int():
            return str(value).lower()
        case _:
            return harmless(str(value))


def harmless(text: str) -> str:
    """Return a text that no spreadsheet calculates."""
    return f"'{text}" if text.lstrip(" ").startswith(_CALCULATED) else text


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
