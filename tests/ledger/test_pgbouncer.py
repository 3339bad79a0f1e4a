"""The ledger behind a real PgBouncer in transaction pooling, without a switch."""

import psycopg
import pytest
from sqlalchemy import make_url, text

from ciclo.ledger.database import current_revision, newest_revision, open_engine, upgrade
from pgbouncer import pgbouncer


@pytest.fixture(scope="module")
def pooled(postgres_server):
    with pgbouncer(postgres_server) as address:
        yield address


@pytest.fixture
def pooled_url(pooled, postgres_url):
    return pooled.set(database=make_url(postgres_url).database).render_as_string(hide_password=False)


ONE = "SELECT name FROM organizations WHERE organization_id = 1"


def use_often(connection):
    for _ in range(10):
        connection.execute(ONE)


def test_this_pgbouncer_does_what_broke_a_ledger_that_prepares_statements(pooled_url):
    with psycopg.connect(pooled_url, autocommit=True) as ours, psycopg.connect(pooled_url) as another:
        use_often(ours)
        another.execute(ONE)  # its transaction holds the server on which our statement is prepared
        with pytest.raises(psycopg.Error, match="prepared statement"):
            use_often(ours)


def test_a_statement_may_be_used_as_often_as_it_likes(pooled_url):
    engine = open_engine(pooled_url)
    with engine.connect() as ours, engine.connect() as another:
        for _ in range(10):
            ours.execute(text(ONE))
            ours.commit()
        another.execute(text(ONE))
        for _ in range(10):
            ours.execute(text(ONE))
            ours.commit()
    engine.dispose()


def test_a_ledger_is_migrated_through_it(pooled, postgres_server):
    engine = open_engine(pooled.set(database="postgres").render_as_string(hide_password=False))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE behind_pgbouncer"))
    engine.dispose()
    engine = open_engine(pooled.set(database="behind_pgbouncer").render_as_string(hide_password=False))
    assert upgrade(engine) == newest_revision() == current_revision(engine)
    engine.dispose()
