"""What SQLAlchemy spells per database: insert-or-ignore and insert-or-update."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Insert
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
