"""Pages of a list, and the SQL that lists share.

A sort key is looked up in the list's own table of columns, never taken from a request into SQL; every order ends in the
row's key, so that pages neither share nor lose a row. SQL that databases spell differently is here only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Text,
    TextClause,
    and_,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from ciclo.ledger.rows import ROWS_AT_ONCE


class days_between(FunctionElement[int]):  # noqa: N801 - it reads as the SQL function it is
    """Whole days from the second date to the first."""

    type = Integer()
    inherit_cache = True
    name = "days_between"


@compiles(days_between, "postgresql")
def _days_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    later, earlier = list(element.clauses)
    return f"({compiler.process(later, **options)} - {compiler.process(earlier, **options)})"


@compiles(days_between, "sqlite")
def _days_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(day, **options) for day in element.clauses)
    return f"CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"


def not_at_rest() -> TextClause:
    """Condition of the partial index over open periods: SQLite uses it only if the query repeats it word for word."""
    return text("periods.state NOT IN ('issued','cancelled')")


def among_few(organization: Any, organization_id: int) -> ColumnElement[bool]:
    """Condition on the organization beside one that leaves few rows by itself: those of a rule, of a Dag run.

    No database looks a sum up: it would take an index that begins with the organization, and read all of its rows.
    """
    condition: ColumnElement[bool] = organization + 0 == organization_id
    return condition


def contains(column: ColumnElement[str] | Any, wanted: str) -> ColumnElement[bool]:
    """Whether a text contains another, whatever the case; `%` and `_` are themselves.

    Where nothing has a case, such as in a number, PostgreSQL is asked for it as it stands: in a third of the time.
    """
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    alike = column.like if wanted.lower() == wanted.upper() else column.ilike
    condition: ColumnElement[bool] = alike(f"%{escaped}%", escape="\\")
    return condition


class first_letters(FunctionElement[str]):  # noqa: N801 - as above
    """As much of a text as an index of PostgreSQL has of it; SQLite's have all."""

    type = Text()
    inherit_cache = True
    name = "first_letters"


@compiles(first_letters, "postgresql")
def _first_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 200)"


@compiles(first_letters, "sqlite")
def _all_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


def by_text(column: ColumnElement[str] | Any) -> tuple[ColumnElement[Any], ...]:
    """Order by a text of any length as an index has it."""
    return first_letters(column), column


class _has_pieces(FunctionElement[bool]):  # noqa: N801 - as above
    """Whether a text has every part of so many letters of another, whatever the case: what an index can tell."""

    type = Boolean()
    inherit_cache = True
    name = "has_pieces"

    def __init__(self, column: Any, wanted: str) -> None:
        # in lower case before it is cut: at a word's end a letter may have another one
        beginning = func.left(func.lower(literal(wanted, Text)), literal_column(str(LOOKED_UP)))
        super().__init__(column, beginning, literal_column(str(min(len(wanted), LONGEST_PIECE))))


@compiles(_has_pieces, "postgresql")
def _pieces_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, wanted, letters = (compiler.process(each, **options) for each in element.clauses)
    return f"pieces({column}, 1) @> pieces({wanted}, {letters})"


@compiles(_has_pieces, "sqlite")
def _anything_on_sqlite(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "1"


LONGEST_PIECE = 3
"""Letters of the longest parts that the indexes of names and titles know (migration 0021)."""
LOOKED_UP = 30
"""Letters of a text of which they are asked; whether the rest is there says the text itself."""


def found_in(column: ColumnElement[str] | Any, wanted: str) -> ColumnElement[bool]:
    """Return what `contains` does, for a name or title that has an index of its parts, where few have the text.

    Where many do, PostgreSQL may take each row for itself, and to ask for parts then takes longer than the text.
    """
    return and_(_has_pieces(column, wanted), contains(column, wanted))


Row = TypeVar("Row")
Query = Any
"""A select: SQLAlchemy types it by its columns, of which a listing knows nothing."""
LARGEST_PAGE = 200
MOST_ROWS = 100_000
"""Of a longer list no more are counted and paged, in its own order, which an index has; a filter makes it shorter.

A million rules have twelve million periods a year: to count or to sort them takes seconds.
"""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list is wanted: `number` counts from 1; `sort` is one of the list's keys, or empty."""

    number: int = 1
    size: int = 25
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page, how many there are in all, and what was asked for.

    A list is `longer` than its `total` if it has more rows than are counted of it.
    """

    rows: tuple[Row, ...]
    total: int
    request: PageRequest
    longer: bool = False

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.total // self.request.size))

    @property
    def first(self) -> int:
        """Number of the page's first row, from 1; 0 if the page is empty."""
        return (self.request.number - 1) * self.request.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Number of the page's last row; 0 if the page is empty."""
        return self.first + len(self.rows) - 1 if self.rows else 0


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A list that can be sorted, paged and read to its end.

    Attributes:
        lean: selects the rows to be counted, from as few tables as the filters need.
        rows: selects all rows, unordered and unfiltered; its columns are the arguments of `build`.
        conditions: what a row must meet.
        build: makes a row.
        sorts: the sort keys with their columns; the first is the list's own order.
        key: the columns that make the order total.
        descending: whether the list's own order is descending.
        long_order: the order of a list that is too long to be sorted, where no index has the list's own.
        most: how many rows are counted and paged, where they are fewer than `MOST_ROWS`.
    """

    lean: Query
    rows: Query
    build: Callable[..., Row]
    sorts: Mapping[str, ColumnElement[Any]]
    key: Sequence[Any]
    conditions: Sequence[Any] = ()
    descending: bool = False
    long_order: Sequence[Any] = ()
    most: int | None = None
    narrow: Callable[[Sequence[ColumnElement[Any]], int, int], ColumnElement[bool]] | None = field(default=None)
    """Given order, limit and offset: a condition that holds for the page's rows alone. Spares a deep page the joins."""

    def page(self, session: Session, request: PageRequest) -> Page[Row]:
        """Read one page in two statements; an unknown sort key, and a list too long, mean the list's own order."""
        most = MOST_ROWS if self.most is None else self.most
        found = _count(session, self.lean, most + 1)
        total, longer = min(found, most), found > most
        if longer:
            request = replace(request, sort="", descending=False)
        order = (longer and self.long_order) or self._order(request.sort, descending=request.descending)
        offset = (request.number - 1) * request.size
        if offset >= total:
            return Page((), total, request, longer)
        if self.narrow is not None and self._own(request.sort):
            query = self.rows.where(self.narrow(order, request.size, offset)).order_by(*order)
        else:
            query = self.rows.where(*self.conditions).order_by(*order).limit(request.size).offset(offset)
        return Page(tuple(self.build(*row) for row in session.execute(query)), total, request, longer)

    def every(self, session: Session, request: PageRequest) -> Iterator[Row]:
        """Read all rows in order, a chunk at a time, for an export."""
        query = self.rows.where(*self.conditions).order_by(*self._order(request.sort, descending=request.descending))
        for row in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
            yield self.build(*row)

    def _own(self, sort: str) -> bool:
        """Whether the sort column is one of the counted table's, so that a page can be found without the joins."""
        column = self.sorts.get(sort, next(iter(self.sorts.values())))
        return getattr(column, "table", None) is getattr(self.key[0], "table", object())

    def _order(self, sort: str, *, descending: bool) -> list[ColumnElement[Any]]:
        known = sort in self.sorts
        column = self.sorts[sort] if known else next(iter(self.sorts.values()))
        down = descending if known else self.descending
        columns = [column, *(part for part in self.key if part is not column)]
        return [part.desc() if down else part.asc() for part in columns]


def has_more(session: Session, query: Query, than: int) -> bool:
    """Whether a query, which has no groups and repeats, has more rows than so many."""
    return _count(session, query, than + 1) > than


def _count(session: Session, query: Query, at_most: int) -> int:
    """Count the rows of a query, which has no groups and repeats, as far as `at_most`."""
    rows = query.with_only_columns(literal(1), maintain_column_froms=True).order_by(None)
    return session.scalars(select(func.count()).select_from(rows.limit(at_most).subquery())).one()
