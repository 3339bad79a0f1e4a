"""A large ledger, written in bulk: for timing the console, and for counting its statements.

What a row holds is decided by its number, so that every run measures the same ledger. Periods and what follows from
them are written by the database itself, a month of all rules in a statement.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Text, and_, case, cast, insert, literal, null, or_, select

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.ledger.tables import AuditEntry, Invoice, Organization, Period, Receivable, Rule
from console.factories import (
    INDICES,
    NOW,
    ORGANIZATION,
    SEEN,
    TODAY,
    Rows,
    a_contract,
    a_rule,
    a_scheduled_update,
    index_values,
)

DAYS = 28
"""Rules issue on the 1st to the 28th, by their numbers."""
AMOUNT = literal(Decimal("300.00"), Period.gross_value.type)
FIRST_SEEN, LAST_SEEN = (literal(at, Period.created_at.type) for at in (SEEN, NOW))


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
        a_rule(rows, rule_id, contract_id, f"Regra {number}", date(2024, 1, 1 + number % DAYS))
        if number % 3 == 0:
            on = add_months(date(2025, 12, 1), number % 12)
            a_scheduled_update(rows, rule_id, rule_id, contract_id, INDICES[number % 5], on)
    rows.write(engine)
    for step in range(months):
        with engine.begin() as connection:
            _write_month(connection, add_months(date(2024, 1, 1), step), step * rules, parcels)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")


def _write_month(connection: Connection, month: date, before: int, parcels: int) -> None:
    """Write the periods of a month, numbered from `before` on, with invoices, receivables and audit trail."""
    days = [month.replace(day=1 + day) for day in range(DAYS)]

    def by_day(place: Any, of: Callable[[date], Any], like: Any = None) -> Any:
        values = {number: literal(of(day), like.type if like is not None else None) for number, day in enumerate(days)}
        return case(values, value=place)

    def write(table: Any, source: Any, **columns: Any) -> None:
        columns = {"organization_id": literal(ORGANIZATION), **columns}
        chosen = source.add_columns(*(column.label(name) for name, column in columns.items()))
        connection.execute(insert(table).from_select(list(columns), chosen))

    number, place = Rule.rule_id + before, (Rule.rule_id - 1) % DAYS
    coming = by_day(place, lambda day: int(day > TODAY)) == 1
    stopped = and_(~coming, number % 500 == 0)
    write(
        Period,
        select().select_from(Rule),
        id=number,
        contract_id=Rule.contract_id,
        rule_id=Rule.rule_id,
        rule_version=literal(1),
        issue_date=by_day(place, lambda day: day),
        accrual_month=literal(first_of_month(month)),
        first_due_date=by_day(place, lambda day: add_months(day, 1)),
        parcel_number=literal(1),
        gross_value=AMOUNT,
        state=case((coming, "planned"), (~stopped, "issued"), (number % 1000 == 0, "in_doubt"), else_="parked"),
        reason_kind=case((stopped, "said")),
        reason_facts=case((stopped, literal({"text": "refused"}, Period.reason_facts.type))),
        attempts=literal(0),
        invoice_id=case((~or_(coming, stopped), number)),
        planned_by=literal("expand_invoice_rules/scheduled__2025-01-01"),
        created_at=FIRST_SEEN,
        changed_at=by_day(place, lambda day: datetime.combine(day, time(9), UTC), Period.changed_at),
    )

    place = (Period.rule_id - 1) % DAYS
    issued = select().where(
        Period.issue_date >= month, Period.issue_date < add_months(month, 1), Period.state == "issued"
    )
    paid = by_day(place, lambda day: int(add_months(day, 1) < TODAY - timedelta(20))) == 1
    state = case((paid, "received"), else_="to_receive")
    seen = {"first_seen_at": FIRST_SEEN, "seen_at": LAST_SEEN}
    write(
        Invoice,
        issued,
        invoice_id=Period.id,
        contract_id=Period.contract_id,
        period_id=Period.id,
        issue_date=Period.issue_date,
        planned_date=Period.issue_date,
        gross_value=Period.gross_value,
        state=state,
        description=literal("Mensalidade de suporte"),
        reference=f"ciclo:{ORGANIZATION}:" + cast(Period.rule_id, Text) + ":" + cast(Period.issue_date, Text),
        adopted=literal(False),  # noqa: FBT003 - a value of a column
        **seen,
    )
    for parcel in range(parcels):
        later = [by_day(place, lambda day, late=late: add_months(day, 1) + timedelta(late)) for late in range(-2, 7)]
        write(
            Receivable,
            issued,
            receivable_id=Period.id + 500_000 + parcel * 10_000_000,
            invoice_id=Period.id,
            contract_id=Period.contract_id,
            issue_date=Period.issue_date,
            due_date=by_day(place, lambda day, months=2 if parcel else 1: add_months(day, months)),
            percentage=literal(Decimal(100), Receivable.percentage.type),
            gross_value=Period.gross_value,
            state=state,
            received_value=case((paid, Period.gross_value)),
            received_at=case((paid, case(dict(enumerate(later)), value=Period.id % 9))),
            finance_errors=case((Period.id % 37 == 0, "Cliente sem e-mail"), else_=null()),
            **seen,
        )
    for change in (("planned", "submitting"), ("submitting", "issued")):
        write(
            AuditEntry,
            issued,
            at=by_day(place, lambda day: datetime.combine(day, time(), UTC), AuditEntry.at),
            subject=literal("period"),
            subject_id=Period.id,
            from_state=literal(change[0]),
            to_state=literal(change[1]),
            dag_id=literal("issue_invoices"),
            run_id="scheduled__" + cast(Period.issue_date, Text) + "T09:00:00+00:00",
            task_id=literal("issue"),
            map_index=literal(0),
        )
