"""Many rows written at once arrive on both databases as single ones do: PostgreSQL is given them as one document."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from ciclo.ledger.rows import insert_new_rows, insert_rows, update_rows, upsert
from ciclo.ledger.tables import Contract, Invoice, Organization, Period, Price, SeenShape
from factories import NOON, period_row

LOCAL = datetime(2026, 1, 10, 9, tzinfo=timezone(timedelta(hours=-3)))
ODD_TEXT = "Serviço «à la carte» \\ \"2\" 'x' :name %s {a} 🎈\n\t\ufffd"


def contract_row(contract_id=10, **changes):
    row = {
        "organization_id": 7,
        "contract_id": contract_id,
        "name": f"Contrato {contract_id}",
        "customer_id": 1,
        "state": "active",
        "payload": {},
        "first_seen_at": NOON,
        "seen_at": NOON,
        "gone_at": None,
    }
    return row | changes


def price_row(unit_value, service_id=0):
    days = {"effective_from": date(2025, 1, 1), "created_at": NOON}
    return {
        "organization_id": 7, "rule_id": 1, "service_id": service_id, "unit_value": unit_value, "source": "rule", **days
    }  # fmt: skip


def planned_row(**changes):
    row = period_row(**changes)
    row.pop("reason", None)
    return row


def columns(row):
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def test_every_kind_of_value_is_the_one_that_an_entity_stores(session):
    documents = [{}, {"a": None, "b": [1, True, "1.10", {"ç": ODD_TEXT}], "long": 2**62}, {"description": ODD_TEXT}]
    rows = [
        contract_row(number, name=ODD_TEXT, customer_id=None, payload=document, first_seen_at=LOCAL, gone_at=NOON)
        for number, document in enumerate(documents)
    ]
    insert_rows(session, Contract, rows)
    session.add_all(Contract(**row | {"organization_id": 8}) for row in rows)
    session.flush()
    session.expire_all()
    ours, theirs = (
        [columns(each) | {"organization_id": None} for each in session.scalars(select(Contract).where(mine))]
        for mine in (Contract.organization_id == 7, Contract.organization_id == 8)
    )
    assert ours == theirs
    assert [each["payload"] for each in ours] == documents
    assert ours[0]["first_seen_at"] == LOCAL


def test_decimals_keep_every_digit(session):
    digits = ["1.0496363255892006511709517201141492253161553", "-0.00000000000000000001", "1E+3", "700.10", "0"]
    insert_rows(session, Price, [price_row(Decimal(each), number) for number, each in enumerate(digits)])
    found = session.scalars(select(Price.unit_value).order_by(Price.service_id))
    assert [f"{each:f}" for each in found] == [f"{Decimal(each):f}" for each in digits]


@pytest.mark.parametrize("amount", ["0.10", "9999999999999999.99", "-0.01"])
def test_money_keeps_every_cent(session, amount):
    insert_new_rows(session, Period, [planned_row(gross_value=Decimal(amount))])
    assert session.scalar(select(Period.gross_value)) == Decimal(amount)


@pytest.mark.parametrize("wrong", [0.5, Decimal("NaN")])
def test_what_is_no_exact_decimal_is_refused(session, wrong):
    with pytest.raises((ValueError, SQLAlchemyError), match="finite Decimal"):
        insert_rows(session, Price, [price_row(wrong)])


def test_an_instant_without_a_zone_is_refused(session):
    row = {"organization_id": 7, "name": None, "first_seen_at": datetime(2026, 1, 10)}  # noqa: DTZ001
    with pytest.raises((ValueError, SQLAlchemyError), match="needs a time zone"):
        insert_new_rows(session, Organization, [row])


def test_a_column_that_is_not_named_has_its_default(session):
    insert_rows(session, Price, [price_row(Decimal(1))])
    insert_new_rows(session, Period, [planned_row()])
    period = session.scalars(select(Period)).one()
    assert session.scalar(select(Price.revision)) == 0
    assert (period.lost_answers, period.reference_sequence, period.reason) == (0, 1, None)


def test_what_is_there_already_is_left_and_not_counted(session):
    assert insert_new_rows(session, Contract, [contract_row(10), contract_row(11)]) == 2
    assert insert_new_rows(session, Contract, [contract_row(11, name="anew"), contract_row(12)]) == 1
    assert insert_new_rows(session, Contract, []) == 0
    assert list(session.scalars(select(Contract.name).order_by(Contract.contract_id))) == [
        "Contrato 10",
        "Contrato 11",
        "Contrato 12",
    ]


def test_of_two_rows_with_one_key_the_last_one_counts(session):
    upsert(session, Contract, [contract_row(11), contract_row(10, name="first"), contract_row(10, name="last")])
    assert list(session.scalars(select(Contract.name).order_by(Contract.contract_id))) == ["last", "Contrato 11"]


def test_an_update_keeps_what_it_is_told_to_and_takes_the_rest(session):
    upsert(session, Contract, [contract_row(gone_at=NOON)], keep=["first_seen_at"])
    later = NOON + timedelta(days=1)
    upsert(session, Contract, [contract_row(name="anew", first_seen_at=later, seen_at=later)], keep=["first_seen_at"])
    row = session.scalars(select(Contract)).one()
    assert (row.name, row.first_seen_at, row.seen_at, row.gone_at) == ("anew", NOON, later, None)


def test_a_merged_column_follows_from_both_values(session):
    row = {"organization_id": 7, "invoice_id": 1, "contract_id": 10, "issue_date": date(2025, 1, 1), "state": "emitted"}
    row |= {"planned_date": date(2025, 1, 1), "gross_value": Decimal("1.00"), "adopted": False, "made_by": None}
    row |= {"first_seen_at": NOON, "seen_at": NOON}
    for made_by in ("ciclo", None):
        upsert(session, Invoice, [row | {"made_by": made_by}], merge={"made_by": func.coalesce})
    assert session.scalar(select(Invoice.made_by)) == "ciclo"


def test_rows_are_updated_by_their_id(session):
    insert_rows(session, Period, [planned_row(rule_id=number) for number in (1, 2, 3)])
    ids = list(session.scalars(select(Period.id).order_by(Period.rule_id)))
    changes = [
        {"id": each, "gross_value": Decimal(each), "owner": None, "reason_facts": {"id": each}} for each in ids[:2]
    ]
    update_rows(session, Period, changes)
    update_rows(session, Period, [])
    session.expire_all()
    found = {period.id: period for period in session.scalars(select(Period))}
    assert [found[each].gross_value for each in ids[:2]] == [Decimal(each) for each in ids[:2]]
    assert [found[each].reason_facts for each in ids] == [{"id": ids[0]}, {"id": ids[1]}, None]


def test_what_was_changed_before_is_there_when_rows_are_written(session):
    session.add(Contract(**contract_row(10)))
    upsert(session, Contract, [contract_row(10, name="anew")])
    session.expire_all()
    assert session.scalars(select(Contract.name)).one() == "anew"


def test_nothing_is_asked_of_the_database_for_no_rows(session):
    insert_rows(session, Contract, [])
    upsert(session, SeenShape, [])
    assert session.scalar(select(func.count()).select_from(Contract)) == 0


def test_a_document_holds_no_value_that_json_has_not(session):
    with pytest.raises((TypeError, SQLAlchemyError)):
        insert_rows(session, Contract, [contract_row(payload={"days": {1, 2}})])
