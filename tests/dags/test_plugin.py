"""The plugin file as Airflow loads it: what a wrong setting of the console costs, and what a task's process pays."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "ciclo_console.py"


def loaded():
    """Execute the file anew, as the plugin manager does."""
    spec = importlib.util.spec_from_file_location("ciclo_console_under_test", PLUGIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CicloConsole


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CICLO_VENDOR_PAGE", "javascript:alert({invoice})"),
        ("CICLO_LETTER_TEMPLATE", "/no/such/template.html"),
        ("CICLO_LOCALE", "tlh"),
        ("CICLO_LEDGER_URL", "no url"),
        ("CICLO_WEBHOOK_MAX_AGE_SECONDS", "soon"),
    ],
)
def test_a_wrong_setting_takes_neither_the_receiver_nor_the_console_down(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    apps = {each["url_prefix"]: each["app"] for each in loaded().fastapi_apps}
    with TestClient(apps["/webhooks"]) as receiver:
        assert receiver.post("/billimatic", json={"test": True}).status_code == 200
    with TestClient(apps["/billing"]) as console:
        assert console.get("/").status_code == 401
    assert {"/billing", "/webhooks"} == apps.keys()


def test_a_process_that_loads_it_and_serves_nothing_imports_no_pages():
    load = f"import runpy, sys; runpy.run_path({str(PLUGIN)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", load], check=True, capture_output=True, text=True)
    imported = set(done.stdout.split())
    assert "airflow.plugins_manager" in imported
    assert not {"fastapi", "ciclo.console", "airflow.api_fastapi.core_api.security"} & imported
