"""The Airflow face of Ciclo: connection type, hook, retry policy and notifier.

The one rule: connection in, client out. Nothing here bills; importing this package touches no database and no network.
"""

from typing import Any

from ciclo.provider.info import PROVIDER_INFO

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, valid against Airflow's `provider_info.schema.json`."""
    return PROVIDER_INFO
