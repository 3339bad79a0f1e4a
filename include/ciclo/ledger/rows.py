"""Many rows, and many ids, in one statement, as each of the two databases takes them soonest."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Dialect,
    Insert,
    TableValuedAlias,
    Text,
    TypeDecorator,
    Update,
    bindparam,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ciclo.ledger.tables import Base

ROWS_AT_ONCE = 500
"""Rows or ids in one statement: databases limit its parameters, and memory is held by the part."""

Each = TypeVar("Each")


class _Ids(TypeDecorator[Sequence[int]]):
    """A list of ids as one parameter: the text of an array of PostgreSQL's, JSON for SQLite."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Return what the driver is given; it would write an array one id after the other."""
        written = orjson.dumps(value).decode()
        return f"{{{written[1:-1]}}}" if dialect.name == "postgresql" else written


class among(FunctionElement[bool]):  # noqa: N801 - used as the function that it is in a statement
    """Whether a column holds one of many ids; `in_` would write a statement with a parameter for each, every time."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, ids: Iterable[int]) -> None:
        super().__init__(column, bindparam("ids", list(ids), _Ids(), unique=True))


@compiles(among)
def _among(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(each, **options) for each in element.clauses)
    if compiler.dialect.name == "postgresql":
        return f"{column} = ANY (CAST ({ids} AS BIGINT[]))"
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - a column and the name of a parameter


def in_parts(rows: Iterable[Each]) -> Iterator[list[Each]]:
    """Yield rows or ids some at a time, in their order."""
    rest = iter(rows)
    while part := list(islice(rest, ROWS_AT_ONCE)):
        yield part


def in_weighed_parts(
    rows: Iterable[Each], weight: Callable[[Each], int], *, most: int = ROWS_AT_ONCE
) -> Iterator[list[Each]]:
    """Yield rows some at a time, in their order; a part ends with the row by which its weight comes to `most`."""
    part: list[Each] = []
    weighs = 0
    for row in rows:
        part.append(row)
        weighs += weight(row)
        if weighs >= most:
            yield part
            part, weighs = [], 0
    if part:
        yield part


# -- rows --------------------------------------------------------------------------------------------------------------

Merge = Callable[[Any, Any], ColumnElement[Any]]
"""What becomes of a column, from the given value and the stored one."""

Row = Mapping[str, Any]
"""Plain values by the name of their column."""


def insert_new(session: Session, table: type[Base]) -> Insert:
    """Return an insert into `table` that leaves a row alone which a unique constraint knows already."""
    return _insert(session.get_bind().dialect.name, table).on_conflict_do_nothing()


def insert_rows(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Insert rows, which all name the same columns. Flushes what was done before."""
    if rows:
        _execute(session, table, _inserted(session.get_bind().dialect.name, table, tuple(rows[0])), rows)


def insert_new_rows(session: Session, table: type[Base], rows: Sequence[Row]) -> int:
    """Insert rows but for those that a unique constraint knows already, and return how many were new."""
    if not rows:
        return 0
    statement = _inserted(session.get_bind().dialect.name, table, tuple(rows[0])).on_conflict_do_nothing()
    return _execute(session, table, statement, rows)


def upsert(
    session: Session,
    table: type[Base],
    rows: Iterable[Row],
    *,
    keep: Sequence[str] = (),
    merge: Mapping[str, Merge] | None = None,
) -> None:
    """Insert rows, or update those with the same primary key; of two with one key the last one counts.

    They are written in the order of their key: two runs that write the same ones wait in turn. In whatever order they
    were read, one could hold what the other waits for, and PostgreSQL would end one of them.

    Args:
        session: the ledger; what was done before is flushed.
        table: an entity.
        rows: all name the same columns.
        keep: columns that stay as they are stored.
        merge: columns that follow from the given and the stored value; every other column takes the given one.
    """
    key = [column.name for column in table.__table__.primary_key]
    by_key = {tuple(row[name] for name in key): row for row in rows}
    if by_key:
        in_order = [by_key[each] for each in sorted(by_key)]
        names, merged = tuple(in_order[0]), tuple((merge or {}).items())
        _execute(
            session, table, _upserted(session.get_bind().dialect.name, table, names, tuple(keep), merged), in_order
        )


def update_rows(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Set columns of rows that are named by their `id`, of all the same ones. Flushes what was done before."""
    if rows:
        _execute(session, table, _updated(session.get_bind().dialect.name, table, tuple(rows[0])), rows)


def _execute(session: Session, table: type[Base], statement: Insert | Update, rows: Sequence[Row]) -> int:
    """Write rows past the session's entities, which nobody reads here; return how many were.

    The driver executes a statement a row: SQLite within the process. PostgreSQL is given all of them as one document
    instead, which takes it half of the time, and the process a fifth (docs/benchmarks.md).
    """
    session.flush()
    connection = session.connection()
    given: Any = rows
    if connection.dialect.name == "postgresql":
        given = {"rows": _document(table, rows, connection.dialect)}
    elif statement.is_update:
        given = [{f"given_{name}": value for name, value in row.items()} for row in rows]
    options = {"preserve_rowcount": True, "rows": len(rows)}
    return connection.execute(statement, given, execution_options=options).rowcount


def _document(table: type[Base], rows: Sequence[Row], dialect: Dialect) -> str:
    kinds = {column.name: column.type for column in table.__table__.columns}
    checked = [(name, kind) for name in rows[0] if isinstance(kind := kinds[name], TypeDecorator)]
    bound = ({**row, **{name: kind.process_bind_param(row[name], dialect) for name, kind in checked}} for row in rows)
    return orjson.dumps(list(bound), default=_digits).decode()


def _digits(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is no column's")


def _given(table: type[Base], names: Sequence[str]) -> TableValuedAlias:
    """Return the rows of `_document` as a table of PostgreSQL's."""
    document = cast(bindparam("rows", type_=Text()), postgresql.JSONB)
    columns = [column(name, table.__table__.columns[name].type) for name in names]
    given = func.jsonb_to_recordset(document).table_valued(*columns)
    return given.render_derived(name="given", with_types=True)


@lru_cache  # spelling one out takes as long as executing it for some rows
def _inserted(dialect: str, table: type[Base], names: tuple[str, ...]) -> postgresql.Insert | sqlite.Insert:
    if dialect == "postgresql":
        return postgresql.insert(table).from_select(list(names), select(_given(table, names)))
    return sqlite.insert(table)


@lru_cache
def _upserted(
    dialect: str, table: type[Base], names: tuple[str, ...], keep: tuple[str, ...], merge: tuple[tuple[str, Merge], ...]
) -> Insert:
    statement = _inserted(dialect, table, names)
    columns = table.__table__.columns
    key = [column.name for column in table.__table__.primary_key]
    changed: dict[str, Any] = {
        column.name: statement.excluded[column.name]
        for column in columns
        if column.name not in key and column.name not in keep
    }
    for name, merged in merge:
        changed[name] = merged(statement.excluded[name], columns[name])
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


@lru_cache
def _updated(dialect: str, table: type[Base], names: tuple[str, ...]) -> Update:
    changed = [name for name in names if name != "id"]
    columns = table.__table__.columns
    if dialect == "postgresql":
        given = _given(table, names)
        return update(table).where(columns["id"] == given.c.id).values({name: given.c[name] for name in changed})
    values = {name: bindparam(f"given_{name}", type_=columns[name].type) for name in changed}
    return update(table).where(columns["id"] == bindparam("given_id")).values(values)


def _insert(dialect: str, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
