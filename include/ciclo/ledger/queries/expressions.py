"""The few SQL expressions that SQLite and PostgreSQL spell differently, and conditions that an index needs.

The one rule: what is written here means the same on both databases, and nothing else in the queries names a database.
"""

from typing import Any

from sqlalchemy import ColumnElement, Integer, TextClause, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


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


def contains(column: ColumnElement[str] | Any, wanted: str) -> ColumnElement[bool]:
    """Whether a text contains another, whatever the case; `%` and `_` are themselves."""
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    condition: ColumnElement[bool] = column.ilike(f"%{escaped}%", escape="\\")
    return condition
