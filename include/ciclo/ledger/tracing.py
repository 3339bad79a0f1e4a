"""Spans of the ledger's statements, for whoever has OpenTelemetry's tracing on (in a task: Airflow's own).

A statement has a span where it runs within a recorded one, and costs a look at the context elsewhere. Its text goes
along as it is sent, with placeholders: never a value. Names are OpenTelemetry's for databases.
"""

import re
from typing import Any

from opentelemetry import trace
from sqlalchemy import Connection, Engine, ExceptionContext, event

LONGEST_TEXT = 2000
"""Characters of a statement; an insert of 500 rows has twenty times as many."""
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)")
_tracer = trace.get_tracer("ciclo.ledger")


def trace_statements(engine: Engine) -> None:
    """Give each statement of an engine a span where somebody records its surroundings."""
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _fail)


def _begin(
    connection: Connection,
    _cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    many: bool,  # noqa: FBT001
) -> None:
    if not trace.get_current_span().is_recording():
        return
    operation, table = statement.split(None, 1)[0].upper(), _TABLE.search(statement)
    attributes: dict[str, str | int] = {
        "db.system.name": connection.dialect.name,
        "db.operation.name": operation,
        "db.query.text": statement[:LONGEST_TEXT],
    }
    if many:
        attributes["db.operation.batch.size"] = len(parameters)
    name = f"{operation} {table[1]}" if table else operation
    context.ciclo_span = _tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)


def _end(
    _connection: Connection,
    _cursor: Any,
    _statement: str,
    _parameters: Any,
    context: Any,
    _many: bool,  # noqa: FBT001
) -> None:
    span = getattr(context, "ciclo_span", None)
    if span is not None:
        span.end()


def _fail(failure: ExceptionContext) -> None:
    span = getattr(failure.execution_context, "ciclo_span", None)
    if span is not None:
        span.set_status(trace.StatusCode.ERROR, type(failure.original_exception).__name__)  # its message has values
        span.end()
