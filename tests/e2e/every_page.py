"""Everything that an Airflow with the console has to show: its files, its databases' tables, its answers, its pages.

Places are found, not listed. Airflow's own description of its API says what can be asked; the ledger and
the metadata database say which tables they have; and whatever is below the installation's folder is read.
"""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any

import httpx
import yaml
from sqlalchemy import MetaData, Table, inspect, select

from ciclo.ledger.database import open_engine
from console.views import EXPORTS, VIEWS

Text = tuple[str, str]
"""Where something is said, and what."""

API_FILES = "v2-rest-api-generated.yaml", "_private_ui.yaml"
ENDLESS = {"wait", "logout"}
ONE_OF = {
    "connection_id": ["billimatic_default", "wrong"], "asset_id": [1, 2], "asset_alias_id": [1], "backfill_id": [1],
    "event_log_id": [1, 2, 3], "import_error_id": [1], "pool_name": ["default_pool"], "key": ["key"],
    "xcom_key": ["return_value"], "variable_key": ["key"], "version_number": [1], "section": ["database"],
    "option": ["sql_alchemy_conn"], "try_number": [1, 2], "task_try_number": [1, 2],
}  # fmt: skip
ASKED = "limit=500&start_date=2020-01-01T00:00:00Z&partition_key=1"


def texts_of_files(airflow: Any) -> Iterator[Text]:
    """Logs of tasks and components, configuration, reports: everything below the installation's folder."""
    for path in airflow.site.folder.rglob("*"):
        with suppress(FileNotFoundError):  # Airflow is running: a file of a moment is gone
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                yield str(path), text


def texts_of_tables(url: str) -> Iterator[Text]:
    """Every row of every table."""
    engine = open_engine(url.replace("+psycopg2", ""))
    with engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            rows = connection.execute(select(Table(name, MetaData(), autoload_with=connection))).all()
            yield f"table {name}", repr(rows)
    engine.dispose()


def texts_of_answers(airflow: Any, runs: list[tuple[str, str]]) -> Iterator[Text]:
    """Whatever Airflow's REST API and the API of its UI answer about these runs and everything else."""
    for path, in_query in _paths():
        names = [*re.findall(r"{(\w+)}", path), *in_query]
        for given in _fillings(airflow, names, runs):
            query = "".join(
                f"&{name}={given[name]}" for name in (*in_query, "map_index") if given.get(name) is not None
            )
            yield from _answered(airflow, f"{path.format(**given)}?{ASKED}{query}")


def texts_of_pages(airflow: Any, runs: list[tuple[str, str]]) -> Iterator[Text]:
    """Every view of the console, its files for spreadsheets, the page of each run, and Airflow's own first page."""
    shown = [*VIEWS, *(f"{path}{'&' if '?' in path else '?'}format=csv" for path in EXPORTS)]
    shown += [f"/runs?dag_id={dag}&run_id={run.replace('+', '%2B')}" for dag, run in runs]
    for path in ["/", "/connections", *(f"/billing{view}" for view in shown)]:
        yield from _answered(airflow, path)


def _answered(airflow: Any, path: str) -> Iterator[Text]:
    try:
        answer = airflow.api._client.get(path)
    except httpx.TransportError:  # after an answer of 500 Airflow's server closes the connection
        answer = airflow.api._client.get(path)
    yield f"{answer.status_code} {path}", answer.text + json.dumps(dict(answer.headers))


@cache
def _paths() -> list[tuple[str, list[str]]]:
    """Return what can be asked, each with those of its query parameters that it needs and that name a Dag."""
    folder = files("airflow.api_fastapi.core_api.openapi")
    described = (yaml.safe_load(folder.joinpath(name).read_text(encoding="utf-8"))["paths"] for name in API_FILES)
    asked = [(path, methods["get"]) for each in described for path, methods in each.items() if "get" in methods]
    return [(path, _needed(ask)) for path, ask in asked if path.rsplit("/", 1)[1] not in ENDLESS]


def _needed(ask: dict[str, Any]) -> list[str]:
    in_query = [each for each in ask.get("parameters", ()) if each["in"] == "query" and each.get("required")]
    return [each["name"] for each in in_query if each["name"] == "dag_id"]


def _fillings(airflow: Any, names: list[str], runs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Return the values of a path's variables, in every combination that exists."""
    free = [name for name in names if name in ONE_OF]
    for known in _known(airflow, names, runs):
        for values in itertools.product(*(ONE_OF[name] for name in free)):
            yield known | dict(zip(free, values, strict=True))


def _known(airflow: Any, names: list[str], runs: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    if "dag_run_id" in names or "run_id" in names:
        for dag, run in runs:
            of_run = {"dag_id": dag, "dag_run_id": run, "run_id": run}
            yield from (of_run | task for task in (_tasks(airflow, dag, run) if "task_id" in names else [{}]))
    elif "dag_id" in names:
        for dag in sorted({dag for dag, _ in runs}):
            yield from ({"dag_id": dag, "task_id": task} for task in (_tasks_of(airflow, dag, names)))
    else:
        yield {}


def _tasks_of(airflow: Any, dag: str, names: list[str]) -> list[str | None]:
    if "task_id" not in names:
        return [None]
    return [task["task_id"] for task in airflow.get(f"/api/v2/dags/{dag}/tasks")["tasks"]]


def _tasks(airflow: Any, dag: str, run: str) -> list[dict[str, Any]]:
    found = airflow.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
    ran = [each for each in found if each["try_number"]]
    return [{"task_id": each["task_id"], "map_index": each["map_index"]} for each in ran]
