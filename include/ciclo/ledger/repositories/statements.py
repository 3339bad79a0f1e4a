"""What SQLAlchemy spells per database: insert-or-ignore, insert-or-update, and adding many rows at once."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import ColumnElement, Connection, Insert, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ciclo.ledger.tables import Base


def insert_new(session: Session, table: type[Base]) -> Insert:
    """Return an insert into `table` that leaves rows alone which a unique constraint knows already."""
    return _insert(session.get_bind().dialect.name, table).on_conflict_do_nothing()


Merge = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[Any]]
"""What becomes of a column, from the given value and the stored one."""


def upsert(
    session: Session, table: type[Base], *, keep: Sequence[str] = (), merge: Mapping[str, Merge] | None = None
) -> Insert:
    """Return an insert into `table` that updates the row with the same primary key.

    Args:
        session: says which database it is.
        table: an entity.
        keep: columns that stay as they are stored.
        merge: columns that follow from the given and the stored value; every other column takes the given one.
    """
    return _upsert(session.get_bind().dialect.name, table, tuple(keep), tuple((merge or {}).items()))


@lru_cache  # spelling one out takes as long as executing it for some rows
def _upsert(dialect: str, table: type[Base], keep: tuple[str, ...], merge: tuple[tuple[str, Merge], ...]) -> Insert:
    statement = _insert(dialect, table)
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


def _insert(dialect: str, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def append(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add new rows to `table`, all with the same columns and none in anybody's way: PostgreSQL copies them in.

    A copied row takes half the time of an inserted one (`python -m bench ledger`), and every change of state makes one.
    """
    if not rows:
        return
    session.flush()
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    else:
        connection.execute(insert(table), rows)


def _copy(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0])
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.__tablename__), columns)
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])
