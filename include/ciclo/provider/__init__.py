"""The Airflow face of Ciclo: connection type, hook, retry policy and notifier. Nothing here bills.

Below is what Airflow is told of this package through the entry point `apache_airflow_provider`. The connection form is
plain data, so that Airflow shows it without importing the hook. Importing this package touches no database and no
network. `docs/connection.md` describes the same fields for people.
"""

from typing import Any

_INTEGRATION = "Billimatic"

_CONN_FIELDS: dict[str, Any] = {
    "organization_id": {
        "label": "Organization id",
        "description": "The organization whose contracts are billed; in the API's paths as organizations/{id}.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    "timeout": {
        "label": "Time-out (seconds)",
        "description": "For each of connecting, sending and waiting for an answer.",
        "schema": {"type": ["number", "null"], "default": 30},
    },
    "requests_per_second": {
        "label": "Requests per second",
        "description": "Budget of the organization, which all its tasks share; 0 means unlimited.",
        "schema": {"type": ["number", "null"], "default": 10},
    },
    "allow_http": {
        "label": "Allow plain http",
        "description": "The token then travels in clear: for networks trusted with it. Loopback is always allowed.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "ca_file": {
        "label": "Certificate authority (file)",
        "description": "A file of certificates on every worker, trusted beside the usual authorities.",
        "schema": {"type": ["string", "null"]},
    },
}

PROVIDER_INFO: dict[str, Any] = {
    "package-name": "ciclo",
    "name": "Ciclo",
    "description": "Recurring billing with the Billimatic API: every period invoiced exactly once.",
    "integrations": [
        {
            "integration-name": _INTEGRATION,
            "external-doc-url": "https://faturamento.fintera.com.br",
            "tags": ["service"],
        }
    ],
    "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["ciclo.provider.hook"]}],
    "connection-types": [
        {
            "connection-type": "billimatic",
            "hook-class-name": "ciclo.provider.hook.BillimaticHook",
            "hook-name": "Billimatic",
            "conn-fields": _CONN_FIELDS,
            "ui-field-behaviour": {
                "hidden-fields": ["login", "schema", "port", "extra"],
                "relabeling": {"host": "Base URL", "password": "API token"},
                "placeholders": {"host": "https://faturamento.fintera.com.br", "organization_id": "564"},
            },
        }
    ],
    "notifications": ["ciclo.provider.notifier.BillingNotifier"],
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, valid against Airflow's `provider_info.schema.json`."""
    return PROVIDER_INFO
