"""The naive peer: one mapped task per invoice, each of which makes one HTTP request. Never loaded by an installation.

Nothing is held against it: the invoices are ready in a file, and it looks for nothing, claims nothing and records
nothing. `bench/airflow.py` copies this file into the Dag folder of its own Airflow.
"""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pendulum
from airflow.sdk import BaseHook, dag, task

INVOICES = "CICLO_BENCH_INVOICES"
"""Names the file with the invoices."""


@dag(schedule=None, start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"), catchup=False)
def naive_invoices() -> None:
    """List the invoices, create each."""

    @task
    def list_invoices() -> list[dict[str, Any]]:
        """Return path and body of each invoice."""
        found: list[dict[str, Any]] = json.loads(Path(os.environ[INVOICES]).read_text(encoding="utf-8"))
        return found

    @task
    def create(invoice: dict[str, Any]) -> int:
        """Create one invoice and return its id."""
        connection = BaseHook.get_connection("billimatic_default")
        answer = httpx.post(
            f"{connection.host}{invoice['path']}",
            json=invoice["body"],
            headers={"Authorization": f"Token token={connection.password}"},
        )
        return int(answer.raise_for_status().json()["invoice"]["id"])

    create.expand(invoice=list_invoices())


if INVOICES in os.environ:
    naive_invoices()
