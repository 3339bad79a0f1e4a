"""docs/operations.md says what is so: its commands exist, its alerts watch metrics that are really sent."""

import json
import re
import shlex
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from sqlalchemy import insert
from typer.main import get_command

from ciclo.cli.main import app
from ciclo.console import User, create_app
from ciclo.domain.states import PeriodState
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import MonthProgress, Period
from documented_commands import PAGE, blocks
from factories import NOON, period_row

TEXT = PAGE.read_text(encoding="utf-8")
DAGS = {path.stem for path in (PAGE.parents[1] / "dags").glob("*.py")}
DEPLOY = PAGE.parents[1] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
WATCHED = set(re.findall(r"\b(?:ciclo|airflow)_\w+", " ".join([*(rule["expr"] for rule in RULES), *SHOWN])))


def shell_lines():
    scripts = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    return [line.split(" # ")[0].strip() for script in scripts for line in script.replace("\\\n", " ").splitlines()]


def commands_of(program):
    """Every command line of a program in a block or in the text."""
    written = [*shell_lines(), *re.findall(rf"`({program} [^`\n]+)`", TEXT)]
    return sorted({line[line.index(f"{program} ") :] for line in written if re.search(rf"(^|\s){program} ", line)})


@pytest.mark.parametrize("line", commands_of("ciclo"))
def test_every_ciclo_command_of_the_page_exists(line):
    command = get_command(app)
    for word in shlex.split(line)[1:]:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in shlex.split(line) if word.startswith("--")} <= options


@pytest.mark.parametrize("line", commands_of("airflow"))
def test_every_airflow_command_of_the_page_exists(line):
    from airflow.cli.cli_parser import get_parser

    get_parser().parse_args(shlex.split(line)[1:])  # exits with 2 if there is no such command or option


def test_every_block_that_touches_a_ledger_is_run_by_a_test():
    assert set(blocks()) == {
        *(f"{what} {where}" for what in ("back up", "restore") for where in ("sqlite", "postgresql")),
        "move",
    }


def test_every_alert_has_an_expression_and_a_severity():
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "ticket"}
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_labels_in_the_alerts_are_values_that_exist():
    text = " ".join(rule["expr"] for rule in RULES)
    states = {state for found in re.findall(r'state=~?"([^"]+)"', text) for state in found.split("|")}
    assert states <= {state.value for state in PeriodState}
    assert set(re.findall(r'dag_id="(\w+)"', text)) <= DAGS


def test_every_alert_is_on_the_page():
    assert {rule["alert"] for rule in RULES} == set(re.findall(r"`(Ciclo[A-Z]\w+)`", TEXT))


def test_the_dashboard_is_one_that_grafana_imports():
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource"}
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells = [
        (column, row)
        for panel in DASHBOARD["panels"]
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for row in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "two panels lie upon each other"
    assert max(column for column, _row in cells) < 24


def test_every_metric_in_the_alerts_is_one_that_is_sent(sqlite_url):
    assert scraped(sqlite_url) | pushed_by_ciclo() | pushed_by_airflow() >= WATCHED


def scraped(url: str) -> set[str]:
    """Names in the console's `/metrics`."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(Period).values(**period_row(state="parked")))
        proved = {"organization_id": 1, "billing_month": NOON.date().replace(day=1), "report": {}, "proved_at": NOON}
        connection.execute(insert(MonthProgress).values(**proved))
    engine.dispose()
    console = create_app(
        current_user=lambda: User(id="1", name="prometheus"),
        can_act=lambda: False,
        secret="known",
        ledger_url=url,
        clock=lambda: NOON,
    )
    with TestClient(console) as client:
        return set(re.findall(r"^(\w+)", client.get("/metrics").text, re.MULTILINE))


def pushed_by_ciclo() -> set[str]:
    """Names of Ciclo's metrics as Prometheus' OTLP receiver stores what Airflow's OpenTelemetry client sends."""
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk._shared.observability.metrics.otel_logger import SafeOtelLogger
    from airflow.sdk.observability import stats
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    stats.initialize(factory=lambda: SafeOtelLogger(provider), export_legacy_names=False)
    try:
        send_everything()
    finally:
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
    [resource] = reader.get_metrics_data().resource_metrics
    sent = [metric for scope in resource.scope_metrics for metric in scope.metrics]
    provider.shutdown()
    return {name for metric in sent for name in stored(metric.name, KINDS[type(metric.data).__name__])}


KINDS = {"Sum": "counter", "Gauge": "gauge", "Histogram": "timer"}


def send_everything() -> None:
    from ciclo.jobs.issuing.settle import WindowSummary
    from ciclo.ledger.repositories import StateCount
    from ciclo.provider.hook import measure_request
    from ciclo.tasks.notify import report_window

    measure_request("POST", 500, 0.1)
    totals = {state: StateCount(1, Decimal("1.00")) for state in PeriodState}
    report_window(WindowSummary(totals, [], datetime(2026, 1, 9, tzinfo=UTC)), NOON)


def pushed_by_airflow() -> set[str]:
    """Names of Airflow's own metrics, from the list that it checks itself against."""
    from airflow.sdk._shared.observability import metrics

    listed = yaml.safe_load((Path(metrics.__file__).parent / "metrics_template.yaml").read_text("utf-8"))["metrics"]
    return {name for metric in listed for name in stored(f"airflow.{metric['name']}", metric["type"])}


def stored(name: str, kind: str) -> list[str]:
    """Return under which names Prometheus stores an OpenTelemetry metric."""
    plain = re.sub(r"\W", "_", name)
    return {"counter": [f"{plain}_total"], "timer": [f"{plain}_{part}" for part in ("count", "sum", "bucket")]}.get(
        kind, [plain]
    )
