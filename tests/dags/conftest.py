"""Dags in this process: a migrated metadata database, the sandbox as the API, a ledger on SQLite."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY
from ledgers import arm

DAGS = Path(__file__).resolve().parents[2] / "dags"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.dags)


@pytest.fixture(scope="session")
def airflow_database(airflow_metadata: Path) -> None:
    """Put a migrated metadata database into this process's Airflow home."""
    shutil.copy(airflow_metadata, Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")


@pytest.fixture(scope="session")
def dag_bag(airflow_database: None) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS))


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Start a sandbox with a state and point `billimatic_default` at it."""
    with ExitStack() as stack:

        def start(state: dict[str, Any]) -> Any:
            box = stack.enter_context(running_sandbox(state, today=TODAY))
            connection = {
                "conn_type": "billimatic",
                "host": box.url,
                "password": box.token,
                "extra": {"organization_id": ORGANIZATION, "requests_per_second": 0},
            }
            monkeypatch.setenv("AIRFLOW_CONN_BILLIMATIC_DEFAULT", json.dumps(connection))
            return box

        yield start


@pytest.fixture
def ledger(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session on the armed ledger that the Dags use; invoices are created one after the other, in order of days."""
    arm(sqlite_url)
    monkeypatch.setenv("CICLO_LEDGER_URL", sqlite_url)
    monkeypatch.setenv("CICLO_CONCURRENCY", "1")
    engine = open_engine(sqlite_url, read_only=True)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def run_dag(airflow_database: None) -> Callable[..., Any]:
    """Run a Dag to its end in this process and return its run."""
    from airflow.dag_processing.dagbag import DagBag

    def run(dag_id: str, *, logical_date: Any = None, **conf: Any) -> Any:
        # a fresh one: a test run writes its conf into the Dag's params
        dag = DagBag(str(DAGS / f"{dag_id}.py")).dags[dag_id]
        return dag.test(logical_date=logical_date, run_conf=conf)

    return run


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Everything that was logged or printed so far."""
    parts: list[str] = []

    def read() -> str:
        parts.extend(capfd.readouterr())
        return "".join(parts) + caplog.text

    return read
