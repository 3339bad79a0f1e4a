"""A large ledger, written in bulk: for timing the console, and for counting its statements.

What a row holds is decided by its number, so that every run measures the same ledger.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine, insert

from ciclo.domain.calendar import add_months
from ciclo.ledger.tables import Base, Organization, Receivable
from console.factories import (
    INDICES,
    SEEN,
    TODAY,
    Rows,
    a_contract,
    a_period,
    a_rule,
    a_scheduled_update,
    an_audit,
    an_invoice,
    chunks,
    index_values,
)


def fill_large_ledger(engine: Engine, *, periods: int = 100_000, parcels: int = 2) -> None:
    """Write `periods` periods, most of them issued, each invoice with `parcels` receivables, and their audit trail."""
    months = 24
    rules = periods // months
    rows = Rows()
    rows.add(Organization, name="Large", first_seen_at=SEEN)
    index_values(rows)
    for number in range(rules):
        contract_id, rule_id = 1 + number // 2, 1 + number
        if number % 2 == 0:
            a_contract(rows, contract_id, f"Cliente {number * 7919 % rules:06d} Ltda.")
        a_rule(rows, rule_id, contract_id, f"Regra {number}", date(2024, 1, 1 + number % 28))
        if number % 3 == 0:
            on = add_months(date(2025, 12, 1), number % 12)
            a_scheduled_update(rows, rule_id, rule_id, contract_id, INDICES[number % 5], on)
    rows.write(engine)
    with engine.begin() as connection:
        for table, chunk in _large_chunks(rules, months, parcels):
            connection.execute(insert(table), chunk)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _large_chunks(rules: int, months: int, parcels: int) -> Iterator[tuple[type[Base], list[dict[str, Any]]]]:
    for step in range(months):
        rows = Rows()
        for number in range(rules):
            period_id = step * rules + number + 1
            issue_date = add_months(date(2024, 1, 1 + number % 28), step)
            _large_period(rows, period_id, number, issue_date, parcels)
        for table, made in rows.made.items():
            for chunk in chunks(made):
                yield table, chunk


def _large_period(rows: Rows, period_id: int, number: int, issue_date: date, parcels: int) -> None:
    contract_id, rule_id = 1 + number // 2, 1 + number
    if issue_date > TODAY:
        a_period(rows, period_id, rule_id, contract_id, issue_date)
        return
    if period_id % 500 == 0:
        state = "parked" if period_id % 1000 else "in_doubt"
        a_period(rows, period_id, rule_id, contract_id, issue_date, state=state, reason="refused")
        return
    a_period(rows, period_id, rule_id, contract_id, issue_date, state="issued", invoice_id=period_id)
    an_invoice(rows, period_id, period_id, contract_id, issue_date)
    for parcel in range(1, parcels):
        copy = dict(rows.made[Receivable][-1])
        copy |= {"receivable_id": copy["receivable_id"] + parcel * 10_000_000, "due_date": add_months(issue_date, 2)}
        rows.made[Receivable].append(copy)
    at = datetime.combine(issue_date, datetime.min.time(), UTC)
    an_audit(rows, "period", period_id, ("planned", "submitting"), at)
    an_audit(rows, "period", period_id, ("submitting", "issued"), at)
