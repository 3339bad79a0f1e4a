"""What the console says when the ledger is empty, not migrated or does not answer."""

from fastapi.testclient import TestClient
from sqlalchemy import text

from ciclo.ledger.database import open_engine, upgrade
from console.conftest import console
from console.small_year import fill_small_year

HEADERS = {"x-user": "operator"}


def test_a_ledger_that_was_never_migrated_says_what_to_run(tmp_path):
    with TestClient(console(f"sqlite:///{tmp_path / 'new.db'}"), headers=HEADERS) as client:
        answer = client.get("/")

    assert answer.status_code == 503
    assert "ciclo db upgrade" in answer.text


def test_a_ledger_that_is_migrated_meanwhile_is_shown_without_a_restart(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with TestClient(console(url), headers=HEADERS) as client:
        assert client.get("/").status_code == 503
        engine = open_engine(url)
        upgrade(engine)
        fill_small_year(engine)
        engine.dispose()
        assert client.get("/").status_code == 200


def test_an_empty_ledger_says_where_the_first_periods_come_from(sqlite_url):
    with TestClient(console(sqlite_url), headers=HEADERS) as client:
        answer = client.get("/")

    assert answer.status_code == 200
    assert "expand_invoice_rules" in answer.text


def test_a_database_that_is_down_is_a_503_that_names_no_secret():
    url = "postgresql://ciclo:topsecret@127.0.0.1:1/ledger"
    with TestClient(console(url), headers=HEADERS) as client:
        answer = client.get("/")

    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert "topsecret" not in answer.text


def test_a_query_that_fails_is_a_503_that_shows_no_sql(own_year):
    with TestClient(console(own_year), headers=HEADERS) as client:
        client.get("/")
        engine = open_engine(own_year)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE findings RENAME TO elsewhere"))
        engine.dispose()
        answer = client.get("/attention?show=findings")

    assert answer.status_code == 503
    assert "SELECT" not in answer.text
    assert answer.headers["retry-after"] == "10"
