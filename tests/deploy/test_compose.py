"""docker-compose.yaml before anything is started: it is what Compose specifies, and what a careful operator expects."""

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from ciclo.ledger.address import setting
from ciclo.tasks.settings import Settings
from ciclo.webhooks.app import WebhookSettings
from deploy import compose_file
from deploy.compose_file import ROOT, MissingVariable

SERVICES = compose_file.raw()["services"]
SECRETS = dict.fromkeys(compose_file.required_variables(), "x")
LASTING = {name: service for name, service in SERVICES.items() if name != "init"}


def test_the_file_is_what_the_compose_specification_says() -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose_file.raw())]
    assert errors == []


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_missing_secret_stops_compose_with_what_to_do(name: str) -> None:
    with pytest.raises(MissingVariable, match=f"{name}: .*(deploy/new-environment|docs/connection.md)"):
        compose_file.read({other: value for other, value in SECRETS.items() if other != name})


def test_no_password_key_or_token_has_a_default() -> None:
    suspicious = ("PASSWORD", "SECRET", "KEY", "TOKEN", "CONN")
    defaults = {found["name"]: found["rest"] for found in compose_file.variables() if found["kind"] != ":?"}
    assert [name for name, default in defaults.items() if default and any(word in name for word in suspicious)] == []


@pytest.mark.parametrize("name", sorted(LASTING))
def test_every_service_restarts_and_says_how_it_is(name: str) -> None:
    assert LASTING[name]["restart"] == "unless-stopped"
    assert LASTING[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory"}
    assert service["user"] not in {"root", "0", "0:0"}
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_image_has_a_version(name: str) -> None:
    _, _, tag = compose_file.read(SECRETS)["services"][name]["image"].partition(":")
    assert tag
    assert tag != "latest"


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service["image"].startswith("ciclo:")])
def test_airflow_waits_for_the_migrations(name: str) -> None:
    conditions = {other: wanted["condition"] for other, wanted in SERVICES[name].get("depends_on", {}).items()}
    if name not in {"init", "sandbox"}:
        assert conditions["init"] == "service_completed_successfully"
    assert {condition for other, condition in conditions.items() if other != "init"} <= {"service_healthy"}


def test_databases_and_queue_have_volumes_and_no_way_out() -> None:
    declared = compose_file.raw()["volumes"].keys()
    for name in ("metadata-db", "ledger-db", "redis"):
        assert SERVICES[name]["volumes"][0].partition(":")[0] in declared
        assert SERVICES[name]["networks"] == ["backend"]
    assert compose_file.raw()["networks"]["backend"]["internal"] is True


def test_the_sandbox_starts_only_when_asked_for_and_its_state_is_one_of_the_sandbox() -> None:
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]
    assert json.loads((ROOT / "deploy" / "sandbox-state.json").read_text(encoding="utf-8"))["contracts"]


def test_new_environment_gives_every_secret_but_the_connection(run_new_environment: Any) -> None:
    first, second = run_new_environment(), run_new_environment()
    assert first.keys() == SECRETS.keys() - {"AIRFLOW_CONN_BILLIMATIC_DEFAULT"}
    assert not set(first.values()) & set(second.values())
    compose_file.read(first | {"AIRFLOW_CONN_BILLIMATIC_DEFAULT": "{}"})


@pytest.fixture
def run_new_environment() -> Any:
    def run() -> dict[str, str]:
        command = [sys.executable, str(ROOT / "deploy" / "new-environment")]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    return run


def test_the_shards_are_not_fewer_than_the_workers() -> None:
    replicas = SERVICES["worker"]["deploy"]["replicas"]
    shards = int(compose_file.read(SECRETS)["services"]["worker"]["environment"]["CICLO_SHARDS"])
    assert shards >= replicas


def test_the_chart_s_values_say_what_compose_says() -> None:
    values = yaml.safe_load((ROOT / "deploy" / "values.yaml").read_text(encoding="utf-8"))
    env = {entry["name"]: entry["value"] for entry in values["env"]}
    compose_env = compose_file.read(SECRETS)["services"]["worker"]["environment"]
    shared = {name for name in env if name in compose_env}
    assert values["executor"] == "KubernetesExecutor"
    assert {name for name in shared if env[name] != compose_env[name]} == set()
    by_secret = {"CICLO_LEDGER_URL", "CICLO_WEBHOOK_SECRET"}  # of `secret` and `extraEnvFrom`
    assert {name for name in compose_env if name.startswith("CICLO_")} - by_secret <= env.keys()
    assert {entry["name"] for entry in values["volumes"]} == {entry["name"] for entry in values["volumeMounts"]}
    assert env["CICLO_REPORTS_DIR"] in {entry["mountPath"] for entry in values["volumeMounts"]}


def documented_settings() -> set[str]:
    """The variables of .env.example, those that are commented out too."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^(?:# )?((?:CICLO|AIRFLOW_CONN)_[A-Z_]+)=", text, flags=re.MULTILINE))


def test_every_setting_is_in_the_example_of_an_environment() -> None:
    ours = {f"CICLO_{name.upper()}" for name in Settings.model_fields}
    webhooks = {f"CICLO_WEBHOOK_{name.upper()}" for name in WebhookSettings.model_fields}
    assert ours | webhooks <= documented_settings()


@pytest.mark.parametrize("service", ["api-server", "scheduler", "dag-processor", "triggerer", "worker", "init"])
def test_every_setting_of_the_example_reaches_the_containers_of_compose(service: str) -> None:
    chosen = {name: f"chosen-{name}" for name in documented_settings()}
    environment = compose_file.read(SECRETS | chosen)["services"][service]["environment"]
    assert {name: environment.get(name) for name in chosen} == chosen


def test_every_setting_of_the_example_reaches_the_pods_of_the_chart() -> None:
    values = yaml.safe_load((ROOT / "deploy" / "values.yaml").read_text(encoding="utf-8"))
    given = {entry["name"] for entry in values["env"]} | {entry["envName"] for entry in values["secret"]}
    assert documented_settings() - given == {"CICLO_WEBHOOK_SECRET"}
    assert {"secretRef": {"name": "ciclo-optional", "optional": True}} in yaml.safe_load(values["extraEnvFrom"])


def test_what_compose_hands_on_by_default_are_the_defaults_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CICLO_LOCALE", raising=False)
    plain = Settings()
    environment = compose_file.read(SECRETS)["services"]["worker"]["environment"]
    for name, value in environment.items():
        if name.startswith("CICLO_"):
            monkeypatch.setenv(name, value)
    here = {"reports_dir": "/opt/airflow/reports", "pool": "billimatic"}
    assert Settings().model_dump() == plain.model_dump() | here
    assert WebhookSettings().key() is None


def test_an_empty_address_of_the_ledger_leaves_it_to_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"CICLO_LEDGER_URL": "", "CICLO_LEDGER_CONN_ID": "ciclo_ledger"}
    environment = compose_file.read(SECRETS | chosen)["services"]["worker"]["environment"]
    for name in ("CICLO_LEDGER_URL", "CICLO_LEDGER_URL_FILE", "CICLO_LEDGER_URL_CMD", "CICLO_LEDGER_CONN_ID"):
        monkeypatch.setenv(name, environment[name])
    assert setting() == "CICLO_LEDGER_CONN_ID"


def test_the_volume_of_the_reports_begins_with_the_owner_that_the_image_gives_it() -> None:
    mounted = {volume.split(":")[1] for volume in SERVICES["worker"]["volumes"] if not volume.startswith("$")}
    made = re.search(
        r"^RUN mkdir -m 770 (.*)$", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert mounted - {"/opt/airflow/logs"} <= set(made[1].split())


def test_the_chart_s_own_schema_finds_nothing_in_the_values() -> None:
    schema = os.environ.get("CICLO_CHART_SCHEMA")
    if schema is None:
        pytest.skip(
            "CICLO_CHART_SCHEMA names no values.schema.json of the chart (helm pull apache-airflow/airflow --untar)"
        )
    values = yaml.safe_load((ROOT / "deploy" / "values.yaml").read_text(encoding="utf-8"))
    validator = Draft7Validator(json.loads(Path(schema).read_text(encoding="utf-8")))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)] == []
