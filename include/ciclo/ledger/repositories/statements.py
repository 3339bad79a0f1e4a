"""The two statements that SQLAlchemy spells per database: insert-or-ignore and insert-or-update."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ciclo.ledger.tables import Base


def insert_new(session: Session, table: type[Base]) -> Insert:
    """Return an insert into `table` that leaves rows alone which a unique constraint knows already."""
    return _insert(session, table).on_conflict_do_nothing()


def upsert(session: Session, table: type[Base], *, keep: Sequence[str] = ()) -> Insert:
    """Return an insert into `table` that updates the row with the same primary key, all but the columns in `keep`."""
    statement = _insert(session, table)
    key = [column.name for column in table.__table__.primary_key]
    changed: dict[str, Any] = {
        column.name: statement.excluded[column.name]
        for column in table.__table__.columns
        if column.name not in key and column.name not in keep
    }
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def _insert(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
