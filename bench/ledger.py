"""Writing planned periods: the repository against the driver's own bulk insert of the same rows.

The one rule: same table, same constraints and indexes, one commit, and both begin with the same Python rows.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from bench.figures import Figure, InTurn
from bench.plan import Plan
from bench.portfolio import ORGANIZATION, rules
from bench.servers import fresh_ledger
from ciclo.domain.recurrence import DateRange, expand
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, PeriodRepository

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
YEAR = DateRange.days(date(2021, 1, 1), date(2021, 12, 31))

Row = dict[str, Any]


def measure(plan: Plan) -> list[Figure]:
    """Measure executemany on both databases, and PostgreSQL's COPY for comparison."""
    rows = expanded_rows(plan.size(12_000))
    server = plan.postgres
    return [
        _compare(plan, rows, "PostgreSQL", server, "psycopg executemany", partial(_driver, server, rows), needed=0.5),
        _compare(plan, rows, "SQLite", None, "sqlite3 executemany", partial(_driver, None, rows), needed=0.5),
        _compare(plan, rows, "PostgreSQL", server, "COPY", partial(_copy, server, rows)),
    ]


def _compare(
    plan: Plan,
    rows: Sequence[Row],
    name: str,
    server: str | None,
    peer: str,
    write: Callable[[], float],
    needed: float | None = None,
) -> Figure:
    pair = InTurn.measure(plan.runs, partial(_repository, server, rows), write)
    return Figure("ledger", f"{len(rows):,} periods, {name}", "/s", pair.ours, peer, pair.baseline, at_least=needed)


def expanded_rows(count: int) -> list[Row]:
    """Return about `count` rows as expansion writes them."""
    rows = []
    for number, (recurrence, charge, accrual) in enumerate(rules(count // 12)):
        for issued, month, due in expand(recurrence, charge, accrual, YEAR):
            rows.append(_row(number, issued, month, due[0]))
    return rows


def _row(number: int, issued: date, accrual_month: date, first_due_date: date) -> Row:
    return {
        "organization_id": ORGANIZATION,
        "contract_id": number // 20,
        "rule_id": number,
        "rule_version": 1,
        "issue_date": issued,
        "accrual_month": accrual_month,
        "first_due_date": first_due_date,
        "parcel_number": 1,
        "gross_value": Decimal("150.00"),
        "state": "planned",
        "reason": None,
        "attempts": 0,
        "planned_by": "bench",
        "created_at": AT,
        "changed_at": AT,
    }


@contextmanager
def _connected(server: str | None) -> Iterator[Connection]:
    with fresh_ledger(server) as url:
        engine = open_engine(url)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def _repository(server: str | None, rows: Sequence[Row]) -> float:
    with _connected(server) as connection, Session(connection) as session:
        periods = PeriodRepository(session, ORGANIZATION, Actor("bench"))
        began = time.perf_counter()
        written = periods.plan(rows)
        session.commit()
        seconds = time.perf_counter() - began
    if written != len(rows):
        raise AssertionError(f"{written} of {len(rows)} rows were written")
    return len(rows) / seconds


def _driver(server: str | None, rows: Sequence[Row]) -> float:
    with _connected(server) as connection:
        cursor = connection.connection.cursor()
        began = time.perf_counter()
        if server is None:
            cursor.execute("BEGIN IMMEDIATE")  # as the engine does; sqlite3 would commit each row
            cursor.executemany(_insert("?", rows[0]), [_for_sqlite(row) for row in rows])
        else:
            cursor.executemany(_insert("%s", rows[0]), [tuple(row.values()) for row in rows])
        connection.connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _copy(server: str, rows: Sequence[Row]) -> float:
    with _connected(server) as connection:
        cursor: Any = connection.connection.cursor()
        began = time.perf_counter()
        with cursor.copy(f"COPY periods ({', '.join(rows[0])}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(list(row.values()))
        connection.connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _insert(placeholder: str, row: Row) -> str:
    values = ", ".join([placeholder] * len(row))
    return f"INSERT INTO periods ({', '.join(row)}) VALUES ({values})"  # noqa: S608 - names of our own columns


def _for_sqlite(row: Row) -> list[Any]:
    """Return a row's values in the form that the ledger stores: sqlite3 knows neither decimals nor dates."""
    return [_stored(value) for value in row.values()]


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return int(value * 100) if isinstance(value, Decimal) else value
