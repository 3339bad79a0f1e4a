"""What receivables come to by day: kept by triggers, and the same as all of them added up, whatever happens to one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, literal_column, select
from sqlalchemy.orm import Session

from ciclo.ledger.database import downgrade, open_engine, upgrade
from ciclo.ledger.maintenance import copy_ledger, summed_at_the_end
from ciclo.ledger.queries.receivables import receivable_sums
from ciclo.ledger.repositories.invoices import InvoiceRepository, ReconciliationRepository
from ciclo.ledger.tables import Receivable, ReceivableSum
from ledgers import engine_with

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
DAYS = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 28), date(2025, 3, 1)]
AMOUNTS = [Decimal("0.00"), Decimal("0.01"), Decimal("1500.10"), Decimal("-20.00")]
STATES = ["to_emit", "to_receive", "received", "cancelled"]


def line(number=1, organization_id=7, **given):
    columns = {
        "organization_id": organization_id, "receivable_id": number, "invoice_id": number, "contract_id": 1,
        "issue_date": DAYS[0], "due_date": DAYS[1], "percentage": Decimal(100), "gross_value": AMOUNTS[2],
        "state": "to_receive", "received_value": None, "received_at": None, "finance_errors": None,
        "boleto_url": None, "first_seen_at": NOW, "seen_at": NOW, "gone_at": None,
    }  # fmt: skip
    return columns | given


LINES = st.builds(
    line,
    st.integers(1, 6),
    st.sampled_from([7, 8]),
    issue_date=st.sampled_from([*DAYS, None]),
    due_date=st.sampled_from(DAYS),
    gross_value=st.sampled_from(AMOUNTS),
    state=st.sampled_from(STATES),
    received_at=st.sampled_from([*DAYS, None]),
    gone_at=st.sampled_from([None, NOW]),
)
ONE = st.tuples(st.sampled_from([7, 8]), st.integers(1, 6))
STEPS = st.one_of(
    st.tuples(st.just("store"), st.lists(LINES, min_size=1, max_size=4)),
    st.tuples(st.just("touch"), ONE),
    st.tuples(st.just("gone"), ONE),
    st.tuples(st.just("delete"), ONE),
    st.tuples(st.sampled_from(["commit", "rollback"]), st.none()),
)


def act(session, kind, what):
    """Do to receivables what a run, or an administrator, does to them."""
    match kind:
        case "store":
            InvoiceRepository(session, 7).store([], what)
        case "touch":
            ReconciliationRepository(session, what[0]).touch([what[1]], NOW + timedelta(1))
        case "gone":
            row = session.get(Receivable, what, populate_existing=True)
            if row is not None:
                row.gone_at = NOW
            session.flush()
        case "delete":
            mine = Receivable.organization_id == what[0], Receivable.receivable_id == what[1]
            session.execute(delete(Receivable).where(*mine))
        case _:
            getattr(session, kind)()


def kept(session):
    """Return the sums as the database keeps them, whoever wrote them; what came to nothing is not there."""
    *key, _writer = ReceivableSum.__table__.primary_key.columns
    sums = [column for column in ReceivableSum.__table__.columns if not column.primary_key]
    query = select(*key, *(func.sum(column) for column in sums)).group_by(*key)
    return {row[:4]: row[4:] for row in session.execute(query) if any(row[4:])}


def added_up(session):
    return {row[:4]: row[5:] for row in session.execute(receivable_sums()) if any(row[5:])}


@settings(
    max_examples=60, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(steps=st.lists(STEPS, min_size=1, max_size=12))
def test_the_sums_are_those_of_the_receivables_after_every_change(ledger_engine, steps):
    with Session(ledger_engine) as session:
        session.execute(delete(Receivable))
        for kind, what in steps:
            act(session, kind, what)
            assert kept(session) == added_up(session)
        session.commit()


def test_what_no_sum_follows_from_is_not_counted_anew(postgres_url):
    engine = open_engine(postgres_url)
    written = select(literal_column("xmin::text")).select_from(ReceivableSum)
    with Session(engine) as session:
        act(session, "store", [line()])
        session.commit()
        first = session.scalars(written).all()
        act(session, "store", [line(finance_errors="no e-mail", boleto_url="https://boleto.example")])
        act(session, "touch", (7, 1))
        session.commit()
        assert session.scalars(written).all() == first
        act(session, "store", [line(state="received")])
        session.commit()
        assert first[0] not in session.scalars(written).all()
    engine.dispose()


@pytest.fixture
def impatient(postgres_url):
    """An engine on which whoever waits for another fails."""
    with engine_with(postgres_url, "lock_timeout = '1s'") as engine:
        yield engine


def test_runs_at_once_neither_wait_for_each_other_nor_lose_a_sum(impatient):
    """Two shards bill rules of the same days in opposite orders: by shared rows, each would wait for the other."""
    first = [line(number, due_date=day) for number, day in enumerate(DAYS, 1)]
    second = [line(number, due_date=day) for number, day in enumerate(reversed(DAYS), 11)]
    with Session(impatient) as one, Session(impatient) as other:
        for mine, theirs in zip(first, second, strict=True):
            act(one, "store", [mine])
            act(other, "store", [theirs])
        one.commit()
        act(other, "store", [first[0] | {"state": "received"}])
        other.commit()
        assert kept(one) == added_up(one)
        assert one.scalar(select(func.count(ReceivableSum.writer.distinct()))) == 2

    def billed(shard):
        with Session(impatient) as session:
            for part in range(20):
                act(session, "store", [line(100 * shard + part, due_date=DAYS[(shard + part) % 4])])
                if part % 5 == 4:
                    session.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(billed, range(1, 5)))
    with Session(impatient) as session:
        assert kept(session) == added_up(session)


def require_kept(session, *, of):
    """Require right sums of some receivables, also after the next change."""
    for state in ("received", "cancelled"):
        assert kept(session) == added_up(session)
        assert sum(sums[0] for sums in kept(session).values()) == of
        act(session, "store", [line(1, state=state, received_at=DAYS[2])])
    session.rollback()


def test_very_many_are_summed_up_at_the_end(ledger_engine):
    with ledger_engine.begin() as connection, summed_at_the_end(connection):
        connection.execute(insert(Receivable), [line(number) for number in range(1, 9)])
    with Session(ledger_engine) as session:
        require_kept(session, of=8)


def test_an_older_ledgers_receivables_are_summed_up(ledger_engine):
    downgrade(ledger_engine, "0017")
    with Session(ledger_engine) as session:
        session.execute(insert(Receivable), [line(1), line(2, issue_date=None), line(3, gone_at=NOW)])
        session.commit()
    upgrade(ledger_engine)
    with Session(ledger_engine) as session:
        require_kept(session, of=2)


@pytest.mark.parametrize("back", [False, True])
def test_a_copy_has_sums_of_its_own(sqlite_url, postgres_url, back):
    source, target = (postgres_url, sqlite_url) if back else (sqlite_url, postgres_url)
    engines = [open_engine(url) for url in (source, target)]
    with Session(engines[0]) as session:
        act(session, "store", [line(1), line(2, issue_date=None), line(3, gone_at=NOW)])
        session.commit()
    copy_ledger(source, target, at=NOW)
    with Session(engines[1]) as session:
        require_kept(session, of=2)
    for engine in engines:
        engine.dispose()
