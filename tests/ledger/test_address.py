"""Where the ledger is: the forms of an address, files, commands and Airflow connections, rotated passwords."""

import json
import sys

import pytest
from sqlalchemy import make_url, text

from ciclo.ledger.address import ledger_url, parsed
from ciclo.ledger.database import open_engine, require_migrated, upgrade
from ciclo.ledger.errors import LedgerUnavailableError, LedgerUrlError

CANARY = "canary-9c1e"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("CICLO_LEDGER_URL", "CICLO_LEDGER_URL_FILE", "CICLO_LEDGER_URL_CMD", "CICLO_LEDGER_CONN_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "form",
    [
        "postgres://{user}@{folder}/{name}",
        "postgresql://{user}@{folder}/{name}",
        "postgresql+psycopg2://{user}@{folder}/{name}",
        "postgresql+psycopg://{user}@/{name}?host={plain}",
        "postgresql:///{name}?host={plain}&user={user}&options=-csearch_path%3Dpublic&sslmode=disable",
    ],
)
def test_every_usual_form_of_a_postgresql_address_opens_the_ledger(form, postgres_url):
    url = make_url(postgres_url)
    plain = url.query["host"]
    address = form.format(user="postgres", folder=plain.replace("/", "%2F"), plain=plain, name=url.database)
    assert database_of(open_engine(address)) == url.database


def database_of(engine):
    require_migrated(engine)
    with engine.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
    engine.dispose()
    return name


def test_options_reach_the_server(postgres_url):
    engine = open_engine(f"{postgres_url}&options=-csearch_path%3Dsomewhere")
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW search_path")) == "somewhere"
    engine.dispose()


def test_tls_and_ipv6_stand_in_the_address():
    url = parsed("postgres://ciclo:x@[::1]:5433/ledger?sslmode=verify-full&sslrootcert=/etc/ca.pem")
    assert (url.drivername, url.host, url.port) == ("postgresql+psycopg", "::1", 5433)
    assert dict(url.query) == {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}


def test_a_password_that_is_not_in_per_cent_is_explained_and_no_piece_of_it_shown():
    with pytest.raises(LedgerUrlError, match="in per cent, such as %40 for @") as error:
        open_engine(f"postgresql://ciclo:hunter@{CANARY}@127.0.0.1/ledger")
    assert CANARY not in str(error.value)


def test_a_file_holds_the_address(monkeypatch, tmp_path, sqlite_url):
    (tmp_path / "url").write_text(f"{sqlite_url}\n")
    monkeypatch.setenv("CICLO_LEDGER_URL_FILE", str(tmp_path / "url"))
    assert ledger_url() == sqlite_url


def test_a_file_that_is_not_there_is_named_by_its_setting(monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL_FILE", "/nowhere/url")
    with pytest.raises(LedgerUrlError, match=r"No such file or directory.*Check CICLO_LEDGER_URL_FILE"):
        ledger_url()


def test_a_command_prints_the_address(monkeypatch, sqlite_url):
    monkeypatch.setenv("CICLO_LEDGER_URL_CMD", f"{sys.executable} -c \"print('{sqlite_url}')\"")
    assert ledger_url() == sqlite_url


def test_a_command_that_fails_may_work_later_and_nothing_it_said_is_shown(monkeypatch):
    script = f"import sys; print('{CANARY}'); sys.exit('{CANARY}')"
    monkeypatch.setenv("CICLO_LEDGER_URL_CMD", f'{sys.executable} -c "{script}"')
    with pytest.raises(LedgerUnavailableError, match=r"exit code 1.*CICLO_LEDGER_URL_CMD") as error:
        ledger_url()
    assert CANARY not in str(error.value)


def test_two_settings_that_name_a_ledger_are_refused(monkeypatch, sqlite_url):
    monkeypatch.setenv("CICLO_LEDGER_URL", sqlite_url)
    monkeypatch.setenv("CICLO_LEDGER_CONN_ID", "ciclo_ledger")
    with pytest.raises(LedgerUrlError, match="CICLO_LEDGER_URL and CICLO_LEDGER_CONN_ID are set"):
        ledger_url()


def test_an_airflow_connection_holds_the_address(monkeypatch, postgres_url):
    url = make_url(postgres_url)
    extra = {"host": url.query["host"], "sslmode": "disable", "cursor": "dictcursor", "options": "-csearch_path=public"}
    connection = {"conn_type": "postgres", "login": "postgres", "password": CANARY, "schema": url.database}
    monkeypatch.setenv("AIRFLOW_CONN_CICLO_LEDGER", json.dumps(connection | {"extra": extra}))
    monkeypatch.setenv("CICLO_LEDGER_CONN_ID", "ciclo_ledger")
    assert database_of(open_engine()) == url.database


def test_a_connection_that_no_backend_knows_now_may_be_known_later(monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_CONN_ID", "nowhere")
    with pytest.raises(
        LedgerUnavailableError, match="no connection 'nowhere' was found, or the secrets backend is away"
    ):
        ledger_url()


def test_a_connection_of_another_type_is_wrong(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CICLO_LEDGER", f"mysql://root:{CANARY}@db/ledger")
    monkeypatch.setenv("CICLO_LEDGER_CONN_ID", "ciclo_ledger")
    with pytest.raises(LedgerUrlError, match="is of type 'mysql'; it must be postgres or sqlite") as error:
        ledger_url()
    assert CANARY not in str(error.value)


def test_a_process_that_runs_for_months_follows_a_rotated_address(monkeypatch, tmp_path, postgres_url):
    file = tmp_path / "url"
    file.write_text("postgresql://nobody@127.0.0.1:1/gone?connect_timeout=2")
    monkeypatch.setenv("CICLO_LEDGER_URL_FILE", str(file))
    engine = open_engine(read_only=True)
    with pytest.raises(LedgerUnavailableError):
        require_migrated(engine)
    file.write_text(postgres_url)
    require_migrated(engine)
    engine.dispose()


def test_a_refused_connection_says_so_and_may_work_later():
    engine = open_engine(f"postgresql://ciclo:{CANARY}@127.0.0.1:1/ledger?connect_timeout=2")
    with pytest.raises(LedgerUnavailableError, match="the connection is refused") as error:
        upgrade(engine)
    assert CANARY not in str(error.value)
    engine.dispose()
