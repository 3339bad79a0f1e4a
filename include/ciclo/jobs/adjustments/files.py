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

from ciclo.domain.adjustments import AdjustmentKind, InvalidAdjustment
from ciclo.domain.calendar import YEARS
from ciclo.domain.errors import DomainError, InvalidAmount
from ciclo.domain.money import parse_decimal, parse_typed
from ciclo.ledger.actions import PARTICULARS, AdjustmentError, NewAdjustment
from ciclo.ledger.queries.search import LARGEST_ID
from ciclo.locale import N_, Text

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
NO_TABLE = N_("it is neither a CSV in UTF-8 nor Parquet: {error}")
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
        except InvalidAdjustment as error:
            yield AdjustmentError(line, error.field, error.reason)


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
                text = N_("line {line} has fewer values than there are columns")  # it may be cut off within a number
                if None in row:
                    text = N_("line {line} has more values than there are columns")
                raise UnreadableFile(text, line=reader.line_num)
            yield reader.line_num, row, number
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(NO_TABLE, error=error) from error
    finally:
        whole.detach()  # the file is its opener's to close


def _parquet(stream: BinaryIO) -> Iterator[_Row]:
    try:
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError:
        raise UnreadableFile(N_("reading Parquet needs pyarrow: pip install 'ciclo[parquet]'")) from None
    try:
        table = ParquetFile(stream)
    except ValueError as error:
        raise UnreadableFile(NO_TABLE, error=error) from error
    _check_columns(table.schema_arrow.names)
    rows = chain.from_iterable(batch.to_pylist() for batch in table.iter_batches(batch_size=ROWS_AT_ONCE))
    yield from ((line, row, _number) for line, row in enumerate(rows, start=2))


def _check_columns(names: Iterable[str]) -> None:
    given = list(names)
    unknown = [name for name in given if name not in COLUMNS]
    twice = [name for name in given if given.count(name) > 1]
    there = ", ".join(COLUMNS)
    if unknown:
        text = N_("columns {names} are not known; there are {columns}")
        raise UnreadableFile(text, names=", ".join(map(repr, unknown)), columns=there)
    if twice:
        raise UnreadableFile(N_("the column {name} is there twice; there are {columns}"), name=twice[0], columns=there)
    if "kind" not in given:
        raise UnreadableFile(N_("the column kind is missing; there are {columns}"), columns=there)


def _adjustment(row: Mapping[str, Any], line: int, number: Callable[[Any], Decimal]) -> NewAdjustment:
    def read(column: str, how: Callable[[Any], Any]) -> Any:
        value = row.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            return how(value.strip() if isinstance(value, str) else value)
        except InvalidAmount as error:
            text = N_("{value} {reason}")
            raise InvalidAdjustment(column, Text(text, value=repr(value), reason=error.reason)) from None
        except ValueError:
            raise InvalidAdjustment(column, Text(N_("{value} cannot be read"), value=repr(value))) from None

    def day(column: str) -> Any:
        found = read(column, _day)
        is_open = column == "to" and found == date.max
        if found is not None and found.year not in YEARS and not is_open:
            raise InvalidAdjustment(column, Text(N_("{day}: years are 1900 to 9000"), day=found.isoformat()))
        return found

    def number_of(column: str) -> Any:
        found = read(column, int)
        if found is not None and not 0 < found <= LARGEST_ID:
            raise InvalidAdjustment(column, Text(N_("{value} is no number of the vendor's"), value=found))
        return found

    kind = read("kind", AdjustmentKind)
    if kind is None:
        raise InvalidAdjustment("kind", Text(N_("is missing; it is one of {kinds}"), kinds=", ".join(AdjustmentKind)))
    return NewAdjustment(
        kind=kind,
        contract_id=number_of("contract_id"),
        rule_id=number_of("rule_id"),
        period=day("period"),
        from_date=day("from"),
        to_date=day("to"),
        service=read("service", str),
        quantity=read("quantity", number),
        unit_value=read("unit_value", number),
        amount=read("amount", number),
        percent=read("percent", number),
        first_day=day("first_day"),
        last_day=day("last_day"),
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
