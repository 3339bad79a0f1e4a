"""What Airflow makes of the package: a connection type with a form, a notifier, no warning."""

import json
import logging
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from ciclo.provider import get_provider_info

SCHEMA = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
DOCS = Path(__file__).resolve().parents[2] / "docs" / "connection.md"


def test_the_provider_info_is_what_airflow_asks_for():
    jsonschema.validate(get_provider_info(), SCHEMA)


def test_the_connection_type_has_its_form():
    manager = ProvidersManager()
    fields = {
        widget.field_name: widget.field["schema"]["title"]
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith("extra__billimatic__")
    }
    assert fields == {
        "organization_id": "Organization id",
        "timeout": "Time-out (seconds)",
        "requests_per_second": "Requests per second",
        "allow_http": "Allow plain http",
        "ca_file": "Certificate authority (file)",
    }
    behaviour = manager.field_behaviours["billimatic"]
    assert behaviour["relabeling"] == {"host": "Base URL", "password": "API token"}


def test_airflow_accepts_hook_and_notifier_without_a_warning(caplog, capsys):
    caplog.set_level(logging.WARNING)
    hook = ProvidersManagerTaskRuntime().hooks["billimatic"]
    assert hook.hook_class_name == "ciclo.provider.hook.BillimaticHook"
    assert hook.connection_id_attribute_name == "billimatic_conn_id"
    assert hook.connection_testable
    assert "ciclo.provider.notifier.BillingNotifier" in [str(found) for found in ProvidersManager().notification]
    assert "ciclo" not in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("field", ["host", "password", *get_provider_info()["connection-types"][0]["conn-fields"]])
def test_every_field_of_the_form_is_documented(field):
    assert f"`{field}`" in DOCS.read_text()
