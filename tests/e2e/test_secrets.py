"""After real runs, good and bad, on a real Airflow: no token, password or connection URI anywhere."""

import json
from urllib.parse import quote

import pytest
from sqlalchemy import MetaData, Table, inspect, select

from ciclo.ledger.engine import open_engine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WRONG = "canary-wrong-token-5c2b"
DAG = "expand_invoice_rules"


@pytest.fixture(scope="module")
def used(airflow, request):
    """An Airflow on which runs have succeeded and failed, and something was asked for in the UI's own way."""
    extra = json.dumps({"organization_id": 7, "requests_per_second": 0, "timeout": 1})
    wrong = {"connection_id": "wrong", "conn_type": "billimatic", "host": airflow.vendor.url, "password": WRONG}
    airflow.post("/api/v2/connections", {**wrong, "extra": extra})
    window = {"from_date": "2025-05-01", "to_date": "2025-05-31"}
    good = airflow.trigger(DAG, **window)
    bad = airflow.trigger(DAG, **window, billimatic_conn_id="wrong")
    assert (airflow.wait_for(DAG, good), airflow.wait_for(DAG, bad)) == ("success", "failed")
    return airflow, (good, bad)


@pytest.fixture
def canaries(airflow):
    """Every secret of the installation, as it is and as it stands in a URL."""
    settings = airflow.environment
    secrets = {
        settings["CICLO_LEDGER_URL"],
        settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        airflow.vendor.token,
        "canary-password-93ab",
        WRONG,
    }
    return secrets | {quote(secret, safe="") for secret in secrets}


def leaks(canaries, texts):
    return [(where, canary) for where, content in texts for canary in canaries if canary in content]


def test_no_secret_is_in_a_log_or_any_other_file(used, canaries):
    airflow, _ = used
    files = [path for path in airflow.site.folder.rglob("*") if path.is_file()]
    assert any("task_id=" in str(path) for path in files)
    assert leaks(canaries, ((path, path.read_text(encoding="utf-8", errors="replace")) for path in files)) == []


@pytest.mark.parametrize("database", ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "CICLO_LEDGER_URL"])
def test_no_secret_is_in_a_table_of_the_metadata_or_the_ledger(used, canaries, database):
    airflow, _ = used
    engine = open_engine(airflow.environment[database].replace("+psycopg2", ""))
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        assert len(tables) > 10
        every = ((name, select(Table(name, MetaData(), autoload_with=connection))) for name in tables)
        found = leaks(canaries, ((name, repr(connection.execute(rows).all())) for name, rows in every))
    engine.dispose()
    assert found == []


def test_no_secret_is_in_what_airflow_answers(used, canaries):
    airflow, runs = used
    pages = ["connections", "importErrors", "eventLogs?limit=1000", "variables", f"dags/{DAG}/details", "plugins"]
    for run in runs:
        tasks = airflow.get(f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        pages += [f"dags/{DAG}/dagRuns/{run}", f"dags/{DAG}/dagRuns/{run}/taskInstances"]
        pages += [
            f"dags/{DAG}/dagRuns/{run}/taskInstances/{task['task_id']}/xcomEntries"
            for task in tasks
            if task["map_index"] < 0
        ]
        pages += [f"dags/{DAG}/dagRuns/{run}/taskInstances/{tasks[0]['task_id']}/logs/1"]
    shown = ((page, json.dumps(airflow.get(f"/api/v2/{page}"))) for page in pages)
    assert leaks(canaries, shown) == []
