"""The plugin file as Airflow loads it: what a wrong setting of the console costs."""

import importlib.util
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
    assert {"/billing", "/webhooks"} == apps.keys()
