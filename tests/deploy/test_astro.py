"""The repository as an Astro project: what the Astro CLI reads of it fits Ciclo and the sandbox that is shipped."""

import json
import re
import tomllib

import yaml

from ciclo.provider.connection import settings_of
from deploy.compose_file import ROOT

SETTINGS = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text(encoding="utf-8"))["airflow"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


class Connection:
    """A connection as the Astro CLI makes it from the file: its columns, the extra fields as JSON."""

    def __init__(self, given: dict[str, object]) -> None:
        self.conn_id, self.host, self.schema = given["conn_id"], given["conn_host"], given["conn_schema"]
        self.port, self.password = given["conn_port"], given["conn_password"]
        self.extra = json.dumps(given["conn_extra"])


def test_what_an_astro_project_consists_of_is_there() -> None:
    for name in ("Dockerfile", "packages.txt", "requirements.txt", "airflow_settings.yaml", ".astro/config.yaml"):
        assert (ROOT / name).is_file()
    assert yaml.safe_load((ROOT / ".astro" / "config.yaml").read_text(encoding="utf-8"))["project"]["name"] == "ciclo"


def test_its_connection_reaches_the_sandbox_that_is_shipped() -> None:
    (given,) = SETTINGS["connections"]
    found = settings_of(Connection(given))
    state = json.loads((ROOT / "deploy" / "sandbox-state.json").read_text(encoding="utf-8"))
    assert (given["conn_id"], given["conn_type"]) == ("billimatic_default", "billimatic")
    assert (found.token, found.organization_id) == (state["token"], state["organizations"][0]["id"])
    assert found.base_url == "http://host.docker.internal:8400"
    assert found.allow_http


def test_its_pool_is_the_one_that_the_docs_name() -> None:
    (pool,) = SETTINGS["pools"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"CICLO_POOL={pool['pool_name']}" in page
    assert pool["pool_slot"] > 0


def test_its_airflow_is_of_the_range_that_ciclo_takes_and_is_not_pinned_over() -> None:
    runtime = re.search(r"runtime:(?P<major>\d+)\.(?P<minor>\d+)-\d+-base$", DOCKERFILE, flags=re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = re.search(r"apache-airflow>=(\d+)\.(\d+),<4", " ".join(project["dependencies"]))
    assert (int(runtime["major"]), int(runtime["minor"])) >= (int(lowest[1]), int(lowest[2]))
    assert "requirements.txt" not in re.sub(r"^#.*$", "", DOCKERFILE, flags=re.MULTILINE)
