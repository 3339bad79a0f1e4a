"""After runs of every Dag on a real Airflow, good and bad: no token, password or connection URI is anywhere.

Bad are the runs of a wrong token, of a vendor that fails, and of a ledger that is away. That the search finds what is
there, is the last test's matter.
"""

import json
import time
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from sqlalchemy import make_url, text

from ciclo.ledger.database import open_engine
from e2e.every_page import texts_of_answers, texts_of_files, texts_of_pages, texts_of_tables

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

WRONG = "canary-wrong-token-5c2b"
PLANTED = "canary-planted-e07a"
DATABASES = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "CICLO_LEDGER_URL"
MAY = {"from_date": "2025-05-01", "to_date": "2025-05-31"}
NEW_RULE = {"contract_id": 10, "invoice_template_id": 1, "title": "Regra", "init_date": "2025-05-01"}
DAGS = {
    "expand_invoice_rules": MAY,
    "sync_price_indices": {},
    "apply_price_updates": MAY,
    "issue_invoices": MAY,
    "reconcile_receivables": MAY,
    "close_billing_month": MAY,
    "bill_range": MAY,
    "create_invoice_rule": NEW_RULE,
}
FAILING_VENDOR = {"path": ".*", "kind": "error_before", "status": 500, "probability": 1}
OVER = {"success", "failed"}
STUMBLED = {"failed", "up_for_retry"}


@pytest.fixture(scope="module")
def used(airflow):
    """An Airflow on which every Dag has run well, and has failed in three ways; with all of these runs."""
    connect_with_the_wrong_token(airflow)
    well = run_all(airflow, over)
    assert {dag for dag, run in well if airflow.api.run_state(dag, run) == "success"} >= {*DAGS} - {
        "close_billing_month",  # what the other tests of this folder left is not closed
        "create_invoice_rule",  # there is no such template
    }
    runs = well + run_all(airflow, over, billimatic_conn_id="wrong")
    airflow.vendor.faults([FAILING_VENDOR])
    runs += run_all(airflow, has_stumbled)
    airflow.vendor.clear_faults()
    with ledger_away(airflow):
        runs += run_all(airflow, has_stumbled)
        pages = list(texts_of_pages(airflow, runs[:1]))
    return airflow, runs, pages


def connect_with_the_wrong_token(airflow):
    extra = json.dumps({"organization_id": 7, "requests_per_second": 0, "timeout": 1})
    wrong = {"connection_id": "wrong", "conn_type": "billimatic", "host": airflow.vendor.url, "password": WRONG}
    airflow.post("/api/v2/connections", {**wrong, "extra": extra})


def run_all(airflow, enough, **more):
    """Run every Dag; wait until it is enough, and end what goes on trying."""
    runs = [(dag, airflow.trigger(dag, **conf, **more)) for dag, conf in DAGS.items()]
    for dag, run in runs:
        deadline = time.monotonic() + 600
        while not enough(airflow, dag, run):
            airflow.processes.check()
            assert time.monotonic() < deadline, (dag, more, tasks(airflow, dag, run))
            time.sleep(0.5)
        end(airflow, dag, run)
    return runs


def end(airflow, dag, run):
    """Mark a run as failed that would try again; Airflow may have to be asked twice while it is at work on it."""
    deadline = time.monotonic() + 240
    while not over(airflow, dag, run):
        assert time.monotonic() < deadline, (dag, run)
        airflow.api._client.patch(f"/api/v2/dags/{dag}/dagRuns/{run}", json={"state": "failed"})


def over(airflow, dag, run):
    return airflow.api.run_state(dag, run) in OVER


def has_stumbled(airflow, dag, run):
    return over(airflow, dag, run) or bool(STUMBLED & {task["state"] for task in tasks(airflow, dag, run)})


def tasks(airflow, dag, run):
    return airflow.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]


@contextmanager
def ledger_away(airflow):
    """Let the ledger's server refuse its database, whose URL holds a password."""
    url = make_url(airflow.ledger_url)
    rename(url, url.database, "away")
    try:
        yield
    finally:
        rename(url, "away", url.database)


def rename(url, old, new):
    """Rename a database that others use; until it has its new name, nobody is let in again."""
    engine = open_engine(url.set(database="postgres").render_as_string(hide_password=False))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {old} WITH ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :old"), {"old": old}
        )
        connection.execute(text(f"ALTER DATABASE {old} RENAME TO {new}"))
        connection.execute(text(f"ALTER DATABASE {new} WITH ALLOW_CONNECTIONS true"))
    engine.dispose()


@pytest.fixture
def canaries(airflow):
    """Every secret of the installation, as it is and as it stands in a URL."""
    settings = airflow.environment
    secrets = {*(settings[name] for name in DATABASES), airflow.vendor.token, "canary-password-93ab", WRONG}
    return secrets | {quote(secret, safe="") for secret in secrets}


def leaks(canaries, texts):
    return [(where, canary) for where, content in texts for canary in canaries if canary in content]


def test_every_failure_left_its_traceback_in_a_log(used):
    airflow, _, _ = used
    logs = "".join(content for where, content in texts_of_files(airflow) if "task_id=" in where)
    for failure in ("AuthenticationError", "TransientApiError", "LedgerUnavailableError"):
        assert failure in logs


def test_no_secret_is_in_a_log_or_any_other_file(used, canaries):
    airflow, _, _ = used
    assert leaks(canaries, texts_of_files(airflow)) == []


@pytest.mark.parametrize("database", DATABASES)
def test_no_secret_is_in_a_table_of_the_metadata_or_the_ledger(used, canaries, database):
    airflow, _, _ = used
    tables = list(texts_of_tables(airflow.environment[database]))
    assert len(tables) > 10
    assert leaks(canaries, tables) == []


def test_no_secret_is_in_what_airflow_answers(used, canaries):
    airflow, runs, _ = used
    answers = list(texts_of_answers(airflow, runs))
    assert sum(where.startswith("200 ") for where, _ in answers) > 500
    failed = [where for where, _ in answers if where.startswith("5")]
    assert [where for where in failed if "/calendar/" not in where] == []  # Airflow's own cannot show manual runs
    assert leaks(canaries, answers) == []


def test_no_secret_is_on_a_page_of_the_console(used, canaries):
    airflow, runs, without_a_ledger = used
    pages = list(texts_of_pages(airflow, runs))
    assert [where for where, _ in pages if where[0] not in "24"] == []
    assert any(where.startswith("503 /billing") for where, _ in without_a_ledger)
    assert leaks(canaries, pages + without_a_ledger) == []


def test_a_connection_is_shown_without_its_token(used):
    airflow, _, _ = used
    shown = airflow.get("/api/v2/connections/billimatic_default")
    assert shown["host"] == airflow.vendor.url
    assert shown["password"] in (None, "***")


def test_the_search_finds_what_is_planted(used):
    airflow, runs, _ = used
    dag, run = runs[0]
    plant(airflow, dag, run)
    found = {
        "files": leaks({PLANTED}, texts_of_files(airflow)),
        **{database: leaks({PLANTED}, texts_of_tables(airflow.environment[database])) for database in DATABASES},
        "answers": leaks({PLANTED}, texts_of_answers(airflow, [(dag, run)])),
        "pages": leaks({PLANTED}, texts_of_pages(airflow, [(dag, run)])),
    }
    assert [place for place, leaked in found.items() if not leaked] == []
    shown = " ".join(where for where, _ in found["answers"])
    assert "/logs/" in shown
    assert f"/dagRuns/{run}?" in shown


def plant(airflow, dag, run):
    """Put a canary into a run's note, into its task's log, and into the ledger's audit trail of it."""
    note = airflow.api._client.patch(f"/api/v2/dags/{dag}/dagRuns/{run}", json={"note": PLANTED})
    note.raise_for_status()
    folder = airflow.site.airflow_home / "logs" / f"dag_id={dag}" / f"run_id={run}"
    log = next(folder.rglob("attempt=1.log"))
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"timestamp": "2026-01-10T12:00:00Z", "level": "info", "event": PLANTED}) + "\n")
    engine = open_engine(airflow.ledger_url)
    with engine.begin() as connection:
        planted = {"dag": dag, "run": run, "facts": json.dumps({"text": PLANTED})}
        changed = connection.execute(
            text(
                "INSERT INTO audit"
                " (organization_id, at, subject, subject_id, to_state, reason_kind, reason_facts, dag_id, run_id)"
                " VALUES (7, now(), 'period', 1, 'planned', 'said', CAST(:facts AS jsonb), :dag, :run)"
            ),
            planted,
        )
        assert changed.rowcount == 1
    engine.dispose()
