"""Migrations: one that fails leaves nothing behind, and an older ledger keeps what is in it."""

from datetime import date

import pytest
from sqlalchemy import column, false, insert, inspect, select, text
from sqlalchemy import table as table_of
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from ciclo.domain.findings import FindingKind
from ciclo.domain.states import Reason, ReasonKind
from ciclo.ledger.database import current_revision, downgrade, open_engine, upgrade
from ciclo.ledger.tables import AuditEntry, Finding, Organization, Period, Receivable
from factories import period_row
from ledgers import administer, differences


@pytest.fixture(params=["sqlite", "postgresql"])
def in_the_way(request, tmp_path):
    """A database in which the last table of the first migration exists already."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        administer(server, "CREATE DATABASE in_the_way")
        url = server.replace("/postgres?", "/in_the_way?")
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE webhook_events (id INTEGER)"))
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        administer(server, "DROP DATABASE in_the_way")


def test_a_migration_that_fails_is_undone_as_a_whole(in_the_way):
    with pytest.raises(DBAPIError):
        upgrade(in_the_way)
    assert inspect(in_the_way).get_table_names() == ["webhook_events"]
    assert current_revision(in_the_way) is None


@pytest.fixture(params=["sqlite", "postgresql"])
def of_last_year(request, tmp_path):
    """A ledger at the first migration."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        administer(server, "CREATE DATABASE of_last_year")
        url = server.replace("/postgres?", "/of_last_year?")
    engine = open_engine(url)
    upgrade(engine, "0001")
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        administer(server, "DROP DATABASE of_last_year")


PERIOD = {
    "contract_id": 10, "rule_id": 1, "rule_version": 1, "accrual_month": "2025-03-01", "first_due_date": "2025-04-01",
    "parcel_number": 1, "attempts": 0, "planned_by": "run", "created_at": "2025-03-01 08:00:00",
    "changed_at": "2025-03-01 08:00:00",
}  # fmt: skip


def add(connection, table, **row):
    columns = [column(name) for name in row]
    connection.execute(insert(table_of(table, *columns)).values(row))


def a_period(connection, period_id, organization_id, issue_date, state, **more):
    row = {"id": period_id, "organization_id": organization_id, "issue_date": issue_date, "state": state}
    add(connection, "periods", **PERIOD, **row, **more)


def test_an_older_ledger_keeps_what_it_said_and_who_gave_up(of_last_year):
    at = {"at": "2025-03-02 08:00:00", "organization_id": 7}
    with of_last_year.begin() as connection:
        add(connection, "organizations", organization_id=7, first_seen_at=at["at"])
        add(connection, "organizations", organization_id=8, first_seen_at=at["at"])
        a_period(connection, 1, 7, "2025-03-10", "parked", reason='the API refused it: "não"')
        a_period(connection, 2, 7, "2025-04-10", "cancelled", reason="cancelled by Ana: agreed")
        a_period(connection, 3, 7, "2025-05-10", "cancelled", reason="contract 10 is inactive")
        a_period(connection, 4, 7, "2025-06-10", "issued", invoice_id=900)
        add(connection, "audit", id=1, subject="period", subject_id=2, to_state="cancelled", person="Ana", **at)
        add(connection, "findings", id=1, organization_id=7, kind="unknown_invoice", subject="invoice", subject_id=9,
            message="invoice 9 is nobody's", opened_at=at["at"], seen_at=at["at"])  # fmt: skip

    assert upgrade(of_last_year) == current_revision(of_last_year)

    with Session(of_last_year) as session:
        first, by_hand, by_machine, issued = session.scalars(select(Period).order_by(Period.id))
        assert first.reason == Reason(ReasonKind.SAID, {"text": 'the API refused it: "não"'})
        assert (by_hand.cancelled_by, by_machine.cancelled_by) == ("Ana", None)
        assert (issued.reason, issued.lost_answers, issued.reference_sequence) == (None, 0, 1)
        finding = session.scalars(select(Finding)).one()
        assert (finding.kind, finding.message) == (FindingKind.UNEXPLAINED, "invoice 9 is nobody's")
        armed, fresh = session.scalars(select(Organization).order_by(Organization.organization_id))
        assert (armed.responsible_from, armed.armed_at is not None) == (date(2025, 6, 1), True)
        assert (fresh.responsible_from, fresh.armed_at, fresh.armed_by) == (None, None, None)


def test_of_two_periods_of_a_rule_and_date_the_one_that_came_furthest_stays(of_last_year):
    with of_last_year.begin() as connection:
        a_period(connection, 1, 7, "2025-03-10", "planned", gross_value=15000)
        a_period(connection, 2, 8, "2025-03-10", "issued", invoice_id=900)

    upgrade(of_last_year)

    with Session(of_last_year) as session:
        assert [period.id for period in session.scalars(select(Period))] == [2]
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.subject_id, entry.from_state, entry.to_state) == (1, "planned", "superseded")
        assert entry.reason.facts["period_id"] == 2
        session.add(Period(**period_row(organization_id=9, rule_id=1)))
        with pytest.raises(IntegrityError):
            session.flush()


def test_the_newest_migration_can_be_undone(of_last_year):
    with of_last_year.begin() as connection:
        a_period(connection, 1, 7, "2025-03-10", "parked", reason="the API refused it")
    upgrade(of_last_year)
    downgrade(of_last_year, "0001")
    with of_last_year.connect() as connection:
        assert connection.execute(text("SELECT reason FROM periods")).scalar() == "the API refused it"


SEEN = {"first_seen_at": "2025-03-02 08:00:00", "seen_at": "2025-03-02 08:00:00"}


def test_receivables_of_an_older_ledger_say_when_their_invoices_were_issued(of_last_year):
    money = {"contract_id": 10, "gross_value": 15000, "state": "to_receive", **SEEN}
    march = {"issue_date": "2025-03-10"}
    with of_last_year.begin() as connection:
        for organization in (7, 8):
            mine = {**money, "organization_id": organization}
            add(connection, "invoices", **mine, **march, invoice_id=800 + organization, adopted=false())
            line = {**mine, "receivable_id": 900, "due_date": "2025-04-01", "percentage": 100}
            add(connection, "receivables", **line, invoice_id=807)

    upgrade(of_last_year)

    with Session(of_last_year) as session:
        lines = session.scalars(select(Receivable).order_by(Receivable.organization_id))
        assert [line.issue_date for line in lines] == [date(2025, 3, 10), None]  # 807 is not the second one's invoice
    downgrade(of_last_year, "0015")
    upgrade(of_last_year)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_tables_are_those_that_the_migrations_make(kind, request):
    engine = open_engine(request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url"))
    with engine.connect() as connection:
        found = differences(connection)
        checks = {check["name"] for check in inspect(connection).get_check_constraints("periods")}
    engine.dispose()
    assert found == []
    assert checks == {"ck_periods_state", "ck_periods_issued_has_invoice"}
