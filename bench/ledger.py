"""The ledger: how fast planned periods are written, and how much room a year of billing takes up."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from bench.domain import rules
from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, TODAY, Sandbox, company, fresh_ledger, job_on, running_sandbox
from ciclo.domain.calendar import add_months
from ciclo.domain.recurrence import DateRange, expand
from ciclo.jobs.closing.close import close_month, require_closed
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules, record_expansion
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, PeriodRepository, Scope

Row = dict[str, Any]

AT: Final = datetime(2026, 1, 10, 12, tzinfo=UTC)
YEAR: Final = DateRange.days(date(2021, 1, 1), date(2021, 12, 31))


# -- writing periods ---------------------------------------------------------------------------------------------------


def measure_writing(bench: Bench) -> Iterator[Figure]:
    """Measure the repository against the driver's `executemany` into the same table, both from the same rows."""
    rows = expanded_rows(bench.size(12_000))
    for name, server, driver in (("PostgreSQL", bench.postgres, "psycopg"), ("SQLite", None, "sqlite3")):
        ours, theirs = bench.in_turn(partial(_by_repository, server, rows), partial(_by_driver, server, rows))
        title = f"{len(rows):,} periods, {name}"
        yield Figure("ledger", title, "/s", ours, f"{driver} executemany", theirs, at_least=0.5)


def expanded_rows(count: int) -> list[Row]:
    """Return about `count` rows as expansion writes them."""
    return [
        {
            "organization_id": ORGANIZATION,
            "contract_id": number // 20,
            "rule_id": number,
            "rule_version": 1,
            "issue_date": issued,
            "accrual_month": month,
            "first_due_date": due[0],
            "parcel_number": 1,
            "gross_value": Decimal("150.00"),
            "state": "planned",
            "attempts": 0,
            "planned_by": "bench",
            "created_at": AT,
            "changed_at": AT,
        }
        for number, (recurrence, charge, accrual) in enumerate(rules(count // 12))
        for issued, month, due in expand(recurrence, charge, accrual, YEAR)
    ]


@contextmanager
def _connected(server: str | None) -> Iterator[Connection]:
    with fresh_ledger(server) as url:
        engine = open_engine(url)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def _by_repository(server: str | None, rows: Sequence[Row]) -> float:
    """Return rows a second, written in one commit."""
    with _connected(server) as connection, Session(connection) as session:
        periods = PeriodRepository(session, ORGANIZATION, Actor("bench"))
        began = time.perf_counter()
        written = periods.plan(rows)
        session.commit()
        seconds = time.perf_counter() - began
    if written != len(rows):
        raise AssertionError(f"{written} of {len(rows)} rows were written")
    return len(rows) / seconds


def _by_driver(server: str | None, rows: Sequence[Row]) -> float:
    """Return rows a second, written in one commit."""
    names, held = list(rows[0]), "?" if server is None else "%s"
    with _connected(server) as connection:
        # columns that a plain insert has to give, as the tables have no defaults of the database's own
        statement = f"INSERT INTO periods ({', '.join(names)}) VALUES ({', '.join([held] * len(names))})"  # noqa: S608
        cursor = connection.connection.cursor()
        began = time.perf_counter()
        if server is None:
            cursor.execute("BEGIN IMMEDIATE")  # as the engine does; sqlite3 would commit each row
            cursor.executemany(statement, [[_for_sqlite(value) for value in row.values()] for row in rows])
        else:
            cursor.executemany(statement, [tuple(row.values()) for row in rows])
        connection.connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _for_sqlite(value: Any) -> Any:
    """Return a value in the form that the ledger stores: sqlite3 knows neither decimals nor dates."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return int(value * 100) if isinstance(value, Decimal) else value


# -- size --------------------------------------------------------------------------------------------------------------

RULES, RULES_IN_FULL = 40, 300
"""Size grows with the rules, so that fewer than a thousand are measured and multiplied."""
MEGABYTE: Final = 1024 * 1024
CUSTOMERS: Final = {
    "emit_on_issue_date": True,
    "payments": [{"share": 0.8, "days_after_due": 0}, {"share": 0.15, "days_after_due": 20}],
    "seed": 1,
}
SIZES: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
}
"""Bytes of the ledger's tables, their indexes, and what is free inside them."""
PACKED: Final = {"sqlite": "VACUUM", "postgresql": "VACUUM FULL"}
"""Writes everything anew, without gaps."""


def measure_size(bench: Bench) -> Iterator[Figure]:
    """Measure once on each database what a year of the real jobs leaves: it does not depend on the machine's mood."""
    rules_ = bench.size(RULES, RULES_IN_FULL)
    for name, server in (("PostgreSQL", bench.postgres), ("SQLite", None)):
        grown, packed = (size * 1000 / rules_ for size in _year(server, rules_))
        title = f"a year of 1,000 rules on {name}"
        yield Figure("size", title, "MB", [grown], "the same, packed", [packed])


def _year(server: str | None, rules_: int) -> tuple[float, float]:
    """Return by how many megabytes a year of `rules_` rules lets an empty ledger grow: as it is, and packed."""
    with running_sandbox() as sandbox, fresh_ledger(server) as url:
        sandbox.control("PUT", "state", company(rules_, behaviour=CUSTOMERS))
        engine = open_engine(url)
        empty = _megabytes(engine)
        for month in range(12):
            _bill_and_close(url, sandbox, add_months(TODAY, month + 1))
        grown = _megabytes(engine)
        with closing(engine.raw_connection()) as pooled:
            connection: Any = pooled.driver_connection
            if engine.dialect.name == "postgresql":  # SQLite's begins nothing by itself
                connection.autocommit = True
            connection.execute(PACKED[engine.dialect.name])
        packed = _megabytes(engine)
        engine.dispose()
        return grown - empty, packed - empty


def _bill_and_close(url: str, sandbox: Sandbox, month: date) -> None:
    """Bill a month, let its customers pay, and close it on the first day of the next."""
    scope = Scope(DateRange.month_of(month))
    sandbox.control("PUT", "clock", {"today": month.isoformat()})
    with job_on(url, sandbox, day=month) as job:
        read_contract_list(job)
        expand_rules(job, scope, seen_on=month)
        record_expansion(job, scope)
        issue_due_periods(job, scope, IssueOptions(), owner=f"bench {month}")
    over = scope.window.end
    sandbox.control("PUT", "clock", {"today": over.isoformat()})
    with job_on(url, sandbox, day=over) as job:
        reconcile(job, today=over, recheck_days=62)
        require_closed([close_month(job, month, today=over + timedelta(days=1), reports=None)])


def _megabytes(engine: Engine) -> float:
    with engine.connect() as connection:
        return float(connection.execute(text(SIZES[engine.dialect.name])).scalar_one()) / MEGABYTE
