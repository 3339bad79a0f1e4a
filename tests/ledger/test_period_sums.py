"""What periods come to by state: read from sums of days, and the same as all of them added up, whatever happens."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from ciclo.ledger.database import downgrade, open_engine, upgrade
from ciclo.ledger.maintenance import copy_ledger, summed_at_the_end
from ciclo.ledger.queries.months import add_up_periods, measures
from ciclo.ledger.repositories import Actor, PeriodRepository
from ciclo.ledger.tables import Period, PeriodMark, PeriodSum
from factories import NOON, period_row
from ledgers import engine_with

DAYS = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 28)]
AMOUNTS = [None, Decimal("0.00"), Decimal("0.01"), Decimal("1500.10")]
STATES = ["planned", "waiting", "parked", "cancelled", "issued"]
TODAY = date(2025, 3, 1)


def row(number=1, **given):
    return period_row(**{"rule_id": number, "issue_date": DAYS[0], "reason": None} | given)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(STATES[:-1]),
        "gross_value": st.sampled_from(AMOUNTS),
        "issue_date": st.sampled_from(DAYS),
        "organization_id": st.sampled_from([7, 8]),
        "owner": st.just("somebody"),
    },
).filter(bool)
STEPS = st.one_of(
    st.tuples(st.just("plan"), st.builds(row, st.integers(1, 5), issue_date=st.sampled_from(DAYS),
                                         gross_value=st.sampled_from(AMOUNTS))),
    st.tuples(st.just("change"), st.tuples(st.integers(1, 5), CHANGES)),
    st.tuples(st.just("issue"), st.integers(1, 5)),
    st.tuples(st.just("delete"), st.integers(1, 5)),
    st.tuples(st.sampled_from(["commit", "rollback", "savepoint", "undo", "add up"]), st.none()),
)  # fmt: skip


def act(session, kind, what):
    """Do to periods what a run, or an administrator, does to them; on a day of its own no two rows are the same."""
    match kind:
        case "plan":
            PeriodRepository(session, 7, Actor("tests")).plan([what])
        case "change":
            number, values = what
            days = {key: values[key] for key in values if key != "issue_date"}
            session.execute(update(Period).where(Period.rule_id == number).values(days)) if days else None
            if "issue_date" in values:
                first = select(func.min(Period.id)).where(Period.rule_id == number).scalar_subquery()
                there = select(Period.rule_id).where(Period.issue_date == values["issue_date"])
                mine = Period.id == first, Period.rule_id.not_in(there.scalar_subquery())
                session.execute(update(Period).where(*mine).values(issue_date=values["issue_date"]))
        case "issue":
            values = {"state": "issued", "invoice_id": Period.id + 900, "gross_value": AMOUNTS[3]}
            session.execute(update(Period).where(Period.rule_id == what).values(values))
        case "delete":
            session.execute(delete(Period).where(Period.rule_id == what))
        case "savepoint":
            session.begin_nested()
        case "undo" if session.in_nested_transaction():
            session.get_nested_transaction().rollback()
        case "add up":
            add_up(session.get_bind())
        case "commit" | "rollback":
            end = session.get_transaction()
            getattr(end, kind)() if end else None


def add_up(engine):
    if engine.dialect.name == "postgresql":  # SQLite lets nobody else write meanwhile
        with Session(engine) as other:
            add_up_periods(other)
            other.commit()


def told(session):
    return [(each.organization_id, each.state, each.periods, each.amount) for each in measures(session, TODAY).states]


def counted(session):
    key = Period.organization_id, Period.state
    query = select(*key, func.count(), func.coalesce(func.sum(Period.gross_value), 0)).group_by(*key).order_by(*key)
    return [tuple(each) for each in session.execute(query)]


@settings(
    max_examples=80, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(steps=st.lists(STEPS, min_size=1, max_size=14))
def test_the_states_are_those_of_the_periods_after_every_change(ledger_engine, steps):
    with Session(ledger_engine) as session:
        session.execute(delete(Period))
        for kind, what in steps:
            act(session, kind, what)
            assert told(session) == counted(session)
        session.rollback()
    with Session(ledger_engine) as session:
        assert told(session) == counted(session)


@pytest.fixture
def engine(postgres_url):
    with engine_with(postgres_url, "lock_timeout = '1s'") as engine:  # who waits for another fails
        yield engine


def marks(session):
    return sorted(tuple(row) for row in session.execute(select(PeriodMark.organization_id, PeriodMark.issue_date)))


def test_a_transaction_marks_a_day_once_and_nothing_else_of_a_period_marks_it(engine):
    with Session(engine) as session:
        for number in range(1, 4):
            act(session, "plan", row(number, issue_date=DAYS[number % 2]))
            act(session, "issue", number)
        session.commit()
        assert marks(session) == [(7, DAYS[0]), (7, DAYS[1])]
        add_up(engine)
        assert marks(session) == []
        act(session, "change", (1, {"owner": "somebody"}))
        act(session, "change", (1, {"state": "issued"}))
        session.commit()
        assert marks(session) == []
        act(session, "change", (1, {"gross_value": AMOUNTS[2]}))
        session.commit()
        assert marks(session) == [(7, DAYS[1])]


def test_changes_under_way_neither_wait_nor_are_lost_while_days_are_added_up(engine):
    with Session(engine) as one, Session(engine) as other, Session(engine) as reader:
        for number in range(1, 5):
            act(one, "plan", row(number, issue_date=DAYS[number % 2]))
        one.commit()
        act(one, "issue", 1)
        act(other, "issue", 2)
        act(one, "issue", 4)
        act(other, "issue", 3)
        add_up(engine)
        assert told(reader) == counted(reader)
        reader.commit()
        one.commit()
        assert told(reader) == counted(reader)
        reader.commit()
        add_up(engine)
        other.commit()
        assert told(reader) == counted(reader) == [(7, "issued", 4, 4 * AMOUNTS[3])]
        assert marks(reader) == [(7, DAYS[0]), (7, DAYS[1])]
        reader.commit()
        add_up(engine)
        assert told(reader) == counted(reader)
        assert marks(reader) == []


def test_two_who_add_up_at_once_do_it_once(engine):
    with Session(engine) as session:
        act(session, "plan", row())
        session.commit()
        add_up_periods(session)
        with Session(engine) as other:
            add_up_periods(other)
            assert marks(other) == [(7, DAYS[0])]
            assert told(other) == counted(other)
            other.commit()
        session.commit()
        assert (told(session), marks(session)) == (counted(session), [])


def test_a_ledger_that_can_only_be_read_is_told_from_its_periods(engine):
    with Session(engine) as session:
        act(session, "plan", row())
        session.commit()
        session.connection(execution_options={"postgresql_readonly": True})
        add_up_periods(session)
        assert told(session) == counted(session)


def require_told(engine, *, of):
    """Require right states of some periods, also after the next change, and that days were added up."""
    with Session(engine) as session:
        add_up(engine)
        if engine.dialect.name == "postgresql":
            assert session.scalar(select(func.sum(PeriodSum.periods))) == of
        assert told(session) == counted(session)
        act(session, "issue", 1)
        assert told(session) == counted(session)
        assert sum(periods for _, _, periods, _ in told(session)) == of


def test_very_many_are_added_up_at_the_end(ledger_engine):
    rows = [{key: value for key, value in row(number).items() if key != "reason"} for number in range(1, 9)]
    with ledger_engine.begin() as connection, summed_at_the_end(connection):
        connection.execute(insert(Period), rows)
    require_told(ledger_engine, of=8)


def test_an_older_ledgers_periods_are_added_up(ledger_engine):
    downgrade(ledger_engine, "0021")
    with Session(ledger_engine) as session:
        act(session, "plan", row(1))
        act(session, "plan", row(2, gross_value=None))
        session.commit()
    upgrade(ledger_engine)
    require_told(ledger_engine, of=2)


def test_a_copy_has_sums_of_its_own(sqlite_url, postgres_url):
    engines = [open_engine(url) for url in (sqlite_url, postgres_url)]
    with Session(engines[0]) as session:
        act(session, "plan", row(1))
        act(session, "plan", row(2, issue_date=DAYS[1]))
        session.commit()
    copy_ledger(sqlite_url, postgres_url, at=NOON)
    require_told(engines[1], of=2)
    for engine in engines:
        engine.dispose()
