"""Adjustments in files: a CSV or Parquet table of them, a row each, as docs/adjustments.md describes its columns.

A CSV may be separated by commas or semicolons, with decimal points or decimal commas. A row that cannot be read is an
error with its line; whether what it says can be, the ledger checks.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, BinaryIO

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.errors import DomainError
from ciclo.domain.money import parse_decimal, parse_typed
from ciclo.ledger.actions import PARTICULARS, AdjustmentError, NewAdjustment

COLUMNS = (
    "kind",
    "contract_id",
    "rule_id",
    "period",
    "from",
    "to",
    *PARTICULARS,
    "key",
    "note",
)
"""The columns of a table of adjustments; all but `kind` may be left out."""

ORIGIN = "import"
"""What a row of a file is known by, with its key: whatever the file is called, the same row is added once."""

PARQUET = b"PAR1"
ROWS_AT_ONCE = 1000

_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


class UnreadableFile(DomainError):
    """A file that is no table of adjustments."""


def read_adjustments(stream: BinaryIO) -> Iterator[NewAdjustment | AdjustmentError]:
    """Yield the rows of a CSV or Parquet file, or what is wrong with one; line 1 is the header of a CSV.

    Raises:
        UnreadableFile: it is no such file, a column is not known or `kind` is missing, or Parquet cannot be read here.
    """
    start = stream.read(len(PARQUET))
    stream.seek(0)
    for line, row, number in _parquet(stream) if start == PARQUET else _csv(stream):
        try:
            yield _adjustment(row, line, number)
        except _Unreadable as error:
            yield AdjustmentError(line, error.column, str(error))


_Row = tuple[int, Mapping[str, Any], Callable[[Any], Decimal]]
"""Its line, its values by column, and what reads its numbers."""


def _csv(stream: BinaryIO) -> Iterator[_Row]:
    whole = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        header = whole.readline()
        separator = ";" if header.count(";") > header.count(",") else ","
        number = parse_typed if separator == ";" else _number  # semicolons are a spreadsheet's: as people type
        reader = csv.DictReader(chain([header], whole), delimiter=separator, strict=True)
        _check_columns(reader.fieldnames or ())
        for row in reader:
            if None in row or None in row.values():
                what = "more" if None in row else "fewer"  # fewer: it may be cut off within a number
                raise UnreadableFile(f"line {reader.line_num} has {what} values than there are columns")
            yield reader.line_num, row, number
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(f"it is neither a CSV in UTF-8 nor Parquet: {error}") from error
    finally:
        whole.detach()  # the file is its opener's to close


def _parquet(stream: BinaryIO) -> Iterator[_Row]:
    try:
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError:
        raise UnreadableFile("reading Parquet needs pyarrow: pip install 'ciclo[parquet]'") from None
    try:
        table = ParquetFile(stream)
    except ValueError as error:
        raise UnreadableFile(f"it is neither a CSV in UTF-8 nor Parquet: {error}") from error
    _check_columns(table.schema_arrow.names)
    rows = chain.from_iterable(batch.to_pylist() for batch in table.iter_batches(batch_size=ROWS_AT_ONCE))
    yield from ((line, row, _number) for line, row in enumerate(rows, start=2))


def _check_columns(names: Iterable[str]) -> None:
    given = list(names)
    unknown = [name for name in given if name not in COLUMNS]
    twice = [name for name in given if given.count(name) > 1]
    if unknown:
        what = f"columns {', '.join(map(repr, unknown))} are not known"
    elif twice:
        what = f"the column {twice[0]} is there twice"
    elif "kind" not in given:
        what = "the column kind is missing"
    else:
        return
    raise UnreadableFile(f"{what}; there are {', '.join(COLUMNS)}")


class _Unreadable(Exception):
    """A value that is not what its column holds."""

    def __init__(self, column: str, why: str) -> None:
        self.column = column
        super().__init__(why)


def _adjustment(row: Mapping[str, Any], line: int, number: Callable[[Any], Decimal]) -> NewAdjustment:
    def read(column: str, how: Callable[[Any], Any]) -> Any:
        value = row.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            return how(value.strip() if isinstance(value, str) else value)
        except (ValueError, DomainError) as error:
            raise _Unreadable(column, f"{value!r} cannot be read: {error}") from None

    kind = read("kind", AdjustmentKind)
    if kind is None:
        raise _Unreadable("kind", f"is missing; it is one of {', '.join(AdjustmentKind)}")
    return NewAdjustment(
        kind=kind,
        contract_id=read("contract_id", int),
        rule_id=read("rule_id", int),
        period=read("period", _day),
        from_date=read("from", _day),
        to_date=read("to", _day),
        service=read("service", str),
        quantity=read("quantity", number),
        unit_value=read("unit_value", number),
        amount=read("amount", number),
        percent=read("percent", number),
        first_day=read("first_day", _day),
        last_day=read("last_day", _day),
        description=read("description", str),
        key=read("key", str),
        note=read("note", str) or "",
        line=line,
    )


def _day(value: Any) -> date:
    """Read a day, or a month as its first day."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    month = _MONTH.fullmatch(str(value))
    return date(int(month[1]), int(month[2]), 1) if month else date.fromisoformat(str(value))


def _number(value: Any) -> Decimal:
    """Read a number of a program's: a point is a decimal one; a comma is, unless it may be of thousands."""
    if isinstance(value, str) and "," in value and "." not in value and not _THOUSANDS.fullmatch(value):
        value = value.replace(",", ".")
    return parse_decimal(value)
