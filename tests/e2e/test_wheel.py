"""The wheel in a fresh virtual environment, by the commands of docs/install.md: somebody's Airflow becomes ours too."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY, company, rule

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("include", "dags", "plugins", "pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in")
UV = Path(sys.executable).parent / "uv"
AWAY = re.compile(r"failed to fetch|error sending request|dns error|could not connect|name resolution", re.IGNORECASE)

LOOKED_AT = """
import json, os
from airflow.dag_processing.dagbag import DagBag
from airflow.providers_manager import ProvidersManager
from ciclo.provider.hook import BillimaticHook
bag = DagBag(os.environ["AIRFLOW_HOME"] + "/dags")
forms = [name for name in ProvidersManager().connection_form_widgets if name.startswith("extra__billimatic__")]
from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient
pages = TestClient(create_app(apps="core"), follow_redirects=False)
print(json.dumps({
    "dags": sorted(bag.dags), "errors": bag.import_errors, "forms": forms,
    "connected": BillimaticHook().test_connection(),
    "console": pages.get("/billing/").status_code, "receiver": pages.post("/webhooks/billimatic").status_code,
}))
"""


def run(*command, folder, **environment):
    """Run a command to its end; return what it wrote. Skips where the package index is away."""
    path = {"PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}", "AIRFLOW_HOME": str(folder / "airflow")}
    ours = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CICLO_", "AIRFLOW"))}
    settings = {name: value for name, value in clean.items() if name not in ours} | path | environment
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=900
    )
    said = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    if done.returncode and AWAY.search(said):
        pytest.skip(f"the package index is away: {said.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{command}: {said}"
    return done.stdout


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with a fresh virtual environment that has what is pinned, and the wheel."""
    folder = tmp_path_factory.mktemp("elsewhere")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copied = ROOT / name
        copy = shutil.copytree if copied.is_dir() else shutil.copy
        copy(copied, source / name)
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, source, folder=folder)
    run(UV, "venv", "--quiet", "--seed", "--python", sys.executable, folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    pinned = ROOT / "requirements.txt"
    run(UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", pinned, folder=folder)
    return folder


def test_the_documented_commands_put_ciclo_into_a_fresh_airflow(elsewhere):
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    block = re.search(r"```console\n(.*?)```", page, flags=re.DOTALL)[1]
    commands = [line.removeprefix("$ ") for line in block.splitlines()]
    assert commands[0].startswith("pip install")
    for command in commands:
        run("bash", "-euc", command, folder=elsewhere)
    with running_sandbox(company(rule()), today=TODAY) as box:
        connection = {"conn_type": "billimatic", "host": box.url, "password": box.token}
        connection["extra"] = {"organization_id": ORGANIZATION}
        environment = {"AIRFLOW_CONN_BILLIMATIC_DEFAULT": json.dumps(connection)}
        said = run("python", "-W", "ignore", "-c", LOOKED_AT, folder=elsewhere, **environment)
    seen = json.loads(said.splitlines()[-1])
    assert seen["errors"] == {}
    assert seen["dags"] == sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
    assert "extra__billimatic__organization_id" in seen["forms"]
    assert seen["connected"] == [True, f"Connected: the token works and organization {ORGANIZATION} is in its account."]
    assert seen["console"] in {302, 307, 401, 403}, "there, and for nobody who is not signed in"
    assert seen["receiver"] in {400, 401, 503}
