"""Copying a ledger: every value arrives as it was, or nothing does."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Date, Text, insert, null, select, text
from sqlalchemy.orm import Session

from ciclo.ledger import maintenance
from ciclo.ledger.database import open_engine
from ciclo.ledger.errors import UnusableLedgerError
from ciclo.ledger.maintenance import (
    BillingUnderWayError,
    CopyDiffersError,
    RowsRefusedError,
    SourceChangedError,
    TargetNotEmptyError,
    copy_ledger,
)
from ciclo.ledger.repositories import Actor, PeriodRepository
from ciclo.ledger.tables import AuditEntry, Base, Contract, Organization, Period, PriceUpdateExecution, Rule
from ciclo.ledger.types import ExactDecimal, Money, UtcDateTime
from factories import NOON, ORGANIZATION, period_row
from ledgers import contents, empty_ledger

BRASILIA = timezone(timedelta(hours=-3))
KINDS = ["sqlite", "postgresql"]
NASTY = 'São João d\'Aliança \\ "aspas"\n\t🧾 e\u0301 \u202eعربى \uffff \u0001'
DOCUMENT = {
    "texto": NASTY,
    "número": 0.1,
    "grande": 2**53 + 1,
    "1e22": 1e22,
    "ausente": None,
    "lista": [True, {"vazio": {}}, "\\u0000"],
}


@pytest.fixture
def place(tmp_path, request):
    """Make an empty ledger of a kind and open it; all go at the end."""
    opened = []

    def make(kind):
        server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
        context = empty_ledger(kind, tmp_path, server)
        engine = open_engine(context.__enter__())
        opened.append((context, engine))
        return engine

    yield make
    for context, engine in reversed(opened):
        engine.dispose()
        context.__exit__(None, None, None)


def url_of(engine):
    return engine.url.render_as_string(hide_password=False)


def copied(source, target):
    return copy_ledger(url_of(source), url_of(target), at=NOON)


VALUES = {
    JSON: lambda number: DOCUMENT | {"linha": number},
    Money: lambda number: Decimal("-9999999999999999.99") + number,
    ExactDecimal: lambda number: Decimal("1.050000000000000000000000000010") + number,
    UtcDateTime: lambda number: datetime(2025, 10, 26, 23, 59, 59, 999999 - number, tzinfo=BRASILIA),
    Date: lambda number: date(2024, 2, 29) + timedelta(days=number),
    Boolean: lambda number: number % 2 == 0,
    Text: lambda number: f"{NASTY} {number}",
    BigInteger: lambda number: 2**62 + number,
}
"""Values that a careless copy would bend, by type; another one for each row."""
STATES = {
    "nfses": "issued",
    "periods": "parked",
    "price_update_executions": "parked",
    "adjustments": "open",
    "adjustment_uses": "used",
    "letters": "sent",
    "instructions": "done",
}
"""A state that a table's check allows."""


def value_of(column, number):
    return next(value(number) for kind, value in VALUES.items() if isinstance(column.type, kind))


def rows_of(table, count=5):
    given = {"state": STATES[table.name]} if table.name in STATES else {}
    return [{column.name: value_of(column, number) for column in table.columns} | given for number in range(count)]


def fill(engine):
    """Put five rows in every table, and in each nullable column a null, in documents both kinds of it."""
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(insert(table), rows_of(table))
            nothing = {column.name: null() for column in table.columns if column.nullable}
            connection.execute(insert(table).values(rows_of(table, 6)[5] | nothing))
        executions = Base.metadata.tables["price_update_executions"]
        document_null = rows_of(executions, 7)[6] | {"evidence": JSON.NULL}
        connection.execute(insert(executions), [document_null])


def without_evidence(engine):
    with engine.connect() as connection:
        query = select(PriceUpdateExecution.id).where(PriceUpdateExecution.evidence.is_(null()))
        return list(connection.scalars(query))


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_every_value_of_every_table_arrives_as_it_was(place, monkeypatch, source_kind, target_kind):
    monkeypatch.setattr(maintenance, "ROWS_AT_ONCE", 4)  # several parts a table
    source, target = place(source_kind), place(target_kind)
    fill(source)
    before = contents(url_of(source))

    rows = copied(source, target)

    assert contents(url_of(target)) == before == contents(url_of(source))
    assert rows == {table: len(rows) for table, rows in before.items()}
    assert min(rows.values()) == 6
    assert len(without_evidence(target)) == len(without_evidence(source)) == 1


@pytest.mark.parametrize("target_kind", KINDS)
def test_there_and_back_again_is_the_same_ledger(place, target_kind):
    source, other, back = place("sqlite"), place(target_kind), place("sqlite")
    fill(source)
    copied(source, other)
    copied(other, back)
    assert contents(url_of(back)) == contents(url_of(source))


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_new_rows_get_numbers_after_the_copied_ones(place, source_kind, target_kind):
    source, target = place(source_kind), place(target_kind)
    with Session(source) as session:
        PeriodRepository(session, ORGANIZATION, Actor()).plan([period_row(rule_id=rule) for rule in range(1, 8)])
        session.commit()
    copied(source, target)
    with Session(target) as session:
        PeriodRepository(session, ORGANIZATION, Actor()).plan([period_row(rule_id=rule) for rule in range(8, 11)])
        session.commit()
        numbers = list(session.scalars(select(Period.id).order_by(Period.id)))
        session.add(audit_entry())  # of a table that was empty
        session.commit()
    assert len(set(numbers)) == len(numbers) == 10


def audit_entry():
    return AuditEntry(organization_id=ORGANIZATION, at=NOON, subject="period", subject_id=1, to_state="planned")


def test_every_key_sorts_alike_on_both_databases():
    """The proof reads both sides in the order of the key: a number, a day, or a text by its bytes."""
    keys = [column for table in Base.metadata.sorted_tables for column in table.primary_key.columns]
    assert {type(column.type).__name__ for column in keys} <= {"BigInteger", "Date", "Text"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_with_a_row_is_refused(place, kind):
    source, target = place("sqlite"), place(kind)
    with target.begin() as connection:
        connection.execute(insert(Organization).values(organization_id=1, first_seen_at=NOON))
    with pytest.raises(TargetNotEmptyError, match="it has rows in organizations"):
        copied(source, target)


def test_a_ledger_is_not_copied_onto_itself(place):
    source = place("sqlite")
    fill(source)
    with pytest.raises(TargetNotEmptyError):
        copied(source, source)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE alembic_version", "was never migrated"),
        ("UPDATE alembic_version SET version_num = '0001'", "is at migration 0001, not at"),
    ],
)
def test_ledgers_of_different_versions_are_refused(place, side, statement, message):
    both = {"source": place("sqlite"), "target": place("sqlite")}
    with both[side].begin() as connection:
        connection.execute(text(statement))
    with pytest.raises(UnusableLedgerError, match=f"^The {side} cannot be used: The ledger {message}"):
        copied(both["source"], both["target"])


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_copies_while_somebody_is_billing(place, kind):
    source, target = place(kind), place("sqlite")
    with source.begin() as connection:
        held = period_row(state="submitting", owner="run 1", lease_until=NOON + timedelta(minutes=10))
        connection.execute(insert(Period).values(**held))
    with pytest.raises(BillingUnderWayError) as error:
        copied(source, target)
    assert str(error.value) == (
        "Somebody is billing: 1 periods and 0 price updates are being sent, under a lease that ends at "
        "2026-01-10 12:10:00 UTC. Pause the Dags, let their runs end, then copy."
    )


def test_nobody_copies_while_a_price_update_is_being_sent(place):
    source, target = place("sqlite"), place("sqlite")
    executions = Base.metadata.tables["price_update_executions"]
    held = {"state": "submitting", "lease_until": NOON + timedelta(seconds=1)}
    with source.begin() as connection:
        connection.execute(insert(executions).values(rows_of(executions, 1)[0] | held))
    with pytest.raises(BillingUnderWayError, match="0 periods and 1 price updates"):
        copied(source, target)


def test_the_claims_of_a_dead_run_are_copied_to_be_settled_later(place):
    source, target = place("sqlite"), place("sqlite")
    with source.begin() as connection:
        connection.execute(insert(Period).values(**period_row(state="submitting", owner="dead", lease_until=NOON)))
    assert copied(source, target)["periods"] == 1


def test_what_postgresql_cannot_hold_is_named_without_its_value_and_nothing_is_kept(place):
    source, target = place("sqlite"), place("postgresql")
    with source.begin() as connection:
        connection.execute(insert(Organization).values(organization_id=1, name="ok", first_seen_at=NOON))
        broken = {"organization_id": 1, "contract_id": 5, "name": "secret\x00name", "state": "active", "payload": {}}
        connection.execute(insert(Contract).values(**broken, first_seen_at=NOON, seen_at=NOON))
    before = contents(url_of(target))
    with pytest.raises(RowsRefusedError) as error:
        copied(source, target)
    assert str(error.value).startswith("The rows of contracts cannot be copied: PostgreSQL text fields cannot contain")
    assert "secret" not in str(error.value)
    assert contents(url_of(target)) == before


def test_a_value_that_is_not_of_its_columns_type_names_its_table(place):
    source, target = place("sqlite"), place("sqlite")
    fill(source)
    with source.begin() as connection:
        connection.execute(text("UPDATE prices SET unit_value = 'ten'"))
    with pytest.raises(RowsRefusedError, match=r"The rows of prices cannot be copied: a value is not of its column's"):
        copied(source, target)


@pytest.mark.parametrize(
    "bent", ["DELETE FROM rules WHERE rule_id % 2 = 1", "UPDATE rules SET payload = '{\"linha\": 9}' WHERE rule_id = 3"]
)
def test_a_copy_that_differs_in_one_row_is_thrown_away(place, bent):
    source, target = place("sqlite"), place("sqlite")
    rules = Base.metadata.tables["rules"]
    with source.begin() as connection:
        connection.execute(insert(rules), [rule | {"rule_id": n} for n, rule in enumerate(rows_of(rules))])
    with target.begin() as connection:
        connection.execute(text(f"CREATE TRIGGER bend AFTER INSERT ON rules WHEN NEW.rule_id = 4 BEGIN {bent}; END"))
    with pytest.raises(
        CopyDiffersError, match=r"The copy of rules differs from the source at organization_id \d+, rul"
    ):
        copied(source, target)
    with Session(target) as session:
        assert session.query(Rule).count() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_somebody_writes_to_meanwhile_is_refused(place, monkeypatch, kind):
    source, target = place(kind), place("sqlite")
    copy_one = maintenance._copy

    def copy_and_write(old, new, table):
        if table.name == "periods":
            with Session(source) as session:
                session.add(audit_entry())
                session.commit()
        return copy_one(old, new, table)

    monkeypatch.setattr(maintenance, "_copy", copy_and_write)
    with pytest.raises(SourceChangedError):
        copied(source, target)
