"""Database size: what a year of 1,000 monthly rules takes up, on PostgreSQL and on SQLite.

The one rule: the year is lived through by the real jobs, month by month, with a sandbox of its own whose customers pay:
periods, invoices, receivables, their changes of state with the audit trail, and the closing of each month.
"""

from contextlib import closing
from datetime import date, timedelta
from typing import Any

import httpx
from sqlalchemy import Engine, text

from bench.figures import Figure
from bench.plan import Plan
from bench.portfolio import company
from bench.servers import TODAY, Sandbox, fresh_ledger, job_on, running_sandbox
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.close import close_month, require_closed
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules, record_expansion
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Scope

MEGABYTE = 1024 * 1024
RULES = 300
"""At scale 1. Size grows with the rules, so that fewer than a thousand are measured and multiplied."""

CUSTOMERS = {
    "emit_on_issue_date": True,
    "payments": [{"share": 0.8, "days_after_due": 0}, {"share": 0.15, "days_after_due": 20}],
    "seed": 1,
}

SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
}
"""Bytes of the ledger's tables, their indexes, and what is free inside them."""

PACKED = {"sqlite": "VACUUM", "postgresql": "VACUUM FULL"}
"""Writes everything anew, without gaps."""


def measure(plan: Plan) -> list[Figure]:
    """Measure a year once on each database: it does not depend on the machine's mood."""
    rules = plan.size(RULES)
    return [_compare(name, server, rules) for name, server in (("PostgreSQL", plan.postgres), ("SQLite", None))]


def _compare(name: str, server: str | None, rules: int) -> Figure:
    grown, packed = (size * 1000 / rules for size in _year(server, rules))
    return Figure("size", f"a year of 1,000 rules on {name}", "MB", [grown], "the same, packed", [packed])


def _year(server: str | None, rules: int) -> tuple[float, float]:
    """Return by how many megabytes a year of `rules` rules lets an empty ledger grow: as it is, and packed."""
    with running_sandbox() as sandbox, fresh_ledger(server) as url:
        sandbox.put_state(company(rules) | {"behaviour": CUSTOMERS})
        engine = open_engine(url)
        empty = _megabytes(engine)
        with job_on(url, sandbox) as job:
            for month in range(12):
                _live(job, sandbox, add_months(first_of_month(TODAY), month + 1))
        grown = _megabytes(engine)
        _pack(engine)
        packed = _megabytes(engine)
        engine.dispose()
        return grown - empty, packed - empty


def _live(job: JobContext, sandbox: Sandbox, month: date) -> None:
    """Bill a month, let its customers pay, and close it on the first day of the next."""
    _set_clock(sandbox, month)
    window = DateRange.month_of(month)
    scope = Scope(window)
    read_contract_list(job)
    expand_rules(job, scope, seen_on=month)
    record_expansion(job, scope)
    issue_due_periods(job, scope, IssueOptions(), owner=f"bench {month}")
    _set_clock(sandbox, window.end)
    reconcile(job, today=window.end, recheck_days=62)
    require_closed([close_month(job, month, today=window.end + timedelta(days=1), reports=None)])


def _set_clock(sandbox: Sandbox, today: date) -> None:
    clock = f"{sandbox.url}/_sandbox/clock"
    httpx.put(clock, json={"today": today.isoformat()}, timeout=600, trust_env=False).raise_for_status()


def _megabytes(engine: Engine) -> float:
    with engine.connect() as connection:
        return float(connection.execute(text(SIZES[engine.dialect.name])).scalar_one()) / MEGABYTE


def _pack(engine: Engine) -> None:
    with closing(engine.raw_connection()) as pooled:
        connection: Any = pooled.driver_connection
        if engine.dialect.name == "postgresql":  # SQLite's begins nothing by itself
            connection.autocommit = True
        connection.execute(PACKED[engine.dialect.name])
