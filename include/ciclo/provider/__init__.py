"""The Airflow face of Ciclo: connection type, hook and notifier."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the form that Airflow's entry point `apache_airflow_provider` expects."""
    return {"package-name": "ciclo", "name": "Ciclo", "description": "Recurring billing with the Billimatic API."}
