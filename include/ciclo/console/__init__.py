"""The billing console: a FastAPI app that knows the ledger and nothing of Airflow.

Whoever mounts it says who may see it, who is looking and who may act: see `create_app`.
"""

from ciclo.console.app import create_app
from ciclo.console.security import User

__all__ = ["User", "create_app"]
