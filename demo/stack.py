"""Everything a demonstration runs on: the sandbox as the vendor, the ledger, and Airflow's four components.

Each step waits for a sign of life, never for a while, and says which log to read if none comes. `airflow standalone`
would do the same in one process tree, but mixes the components' output and migrates again.
"""

import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import httpx

from demo.airflow_api import AirflowApi
from demo.company import YEAR_END
from demo.history import Account, account
from demo.processes import Child, Processes
from demo.screen import Screen
from demo.site import (
    LOOPBACK,
    Site,
    StepFailed,
    airflow_environment,
    passwords,
    write_configuration,
    write_environment_file,
)

START_SECONDS = 600
"""A process that ends is noticed at once; this is for a machine that is busy with other things."""
PORTS: Final = range(15_000, 32_000)
"""Below those that outgoing connections take for themselves: none takes one between its choice and its use."""
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "API server": ("airflow", "api-server"),
    "Scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
    "Dag processor": ("airflow", "dag-processor"),
    "Triggerer": ("airflow", "triggerer", "--skip-serve-logs"),
}
DAGS: Final = ("bill_range", "import_adjustments", "reconcile_receivables", "close_billing_month")
"""What the demonstration runs."""
HEALTH_NAMES = {
    "API server": "metadatabase",
    "Scheduler": "scheduler",
    "Dag processor": "dag_processor",
    "Triggerer": "triggerer",
}


class VendorView:
    """What the sandbox at `url` holds, as its control plane shows it: the only witness, which asks nothing of Ciclo."""

    def __init__(self, url: str) -> None:
        self._url = url

    def is_up(self) -> bool:
        """Tell whether it answers."""
        try:
            return httpx.get(f"{self._url}/_sandbox/clock", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def state(self) -> dict[str, Any]:
        """Return everything that the vendor holds, in the state file's shape."""
        answer = httpx.get(f"{self._url}/_sandbox/state", timeout=60, trust_env=False).raise_for_status()
        state: dict[str, Any] = answer.json()
        return state

    def invoice_ids(self) -> set[int]:
        """Return the ids of all invoices there are."""
        return {invoice["id"] for invoice in self.state()["invoices"]}


@dataclass(frozen=True, slots=True)
class Stack:
    """A running sandbox and Airflow."""

    site: Site
    processes: Processes
    account: Account
    """What the vendor held when Ciclo came."""
    vendor: VendorView
    vendor_url: str
    airflow: AirflowApi
    airflow_url: str


def start(
    site: Site, processes: Processes, screen: Screen, *, by_schedule: bool, roles: Mapping[str, str] | None = None
) -> Stack:
    """Start everything, Airflow's database made if it is not there; return it once Airflow is healthy and knows `DAGS`.

    Without `by_schedule` no Dag runs unless it is told to: today's runs would get between those of the demonstration.
    With `roles` (user names to roles; the first has to be an `admin`) people log in; without, everybody is let in.

    Raises:
        StepFailed: a component died or did not come up in time.
    """
    vendor_port, airflow_port = free_port(), free_port()
    vendor_url = f"http://{LOOPBACK}:{vendor_port}"
    airflow_url = f"http://{LOOPBACK}:{airflow_port}"
    write_configuration(site, airflow_port, by_schedule=by_schedule, roles=roles)
    write_environment_file(site, vendor_url)
    settings = airflow_environment(site, vendor_url)
    migrate = not site.airflow_database.exists()
    migration = processes.start("Airflow database", ("airflow", "db", "migrate"), settings) if migrate else None
    ledger = processes.start("Ledger", ("ciclo.cli", "db", "upgrade"), settings)
    held = account()
    vendor, airflow = VendorView(vendor_url), AirflowApi(airflow_url)
    stack = Stack(site, processes, held, vendor, vendor_url, airflow, airflow_url)
    _start_vendor(stack, vendor_port, settings, screen)
    processes.finish(ledger, START_SECONDS)
    screen.event("Ciclo's ledger is ready")
    if migration:
        processes.finish(migration, START_SECONDS)
    screen.event("Airflow's own database is ready")
    _start_airflow(stack, settings, screen, administrator=next(iter(roles or ()), None))
    return stack


def wait_until(condition: Callable[[], bool], what: Child, processes: Processes, seconds: float) -> None:
    """Poll `condition`, ever slower up to once a second, until it holds.

    Raises:
        StepFailed: a process died meanwhile, or `what` was not there after `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = 0.1
    while not condition():
        processes.check()
        if time.monotonic() > deadline:
            raise StepFailed(what.name, f"no sign of life after {seconds:.0f} seconds", what.log)
        time.sleep(pause)
        pause = min(1.0, pause * 1.3)


def free_port() -> int:
    """Return a port on loopback that nobody uses."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


def _start_vendor(stack: Stack, port: int, settings: Mapping[str, str], screen: Screen) -> None:
    """Start the sandbox with what the vendor holds; the year's last day is its own."""
    stack.site.state_file.write_text(json.dumps(stack.account.state, ensure_ascii=False), encoding="utf-8")
    arguments = ("--port", str(port), "--state", str(stack.site.state_file), "--today", YEAR_END.isoformat())
    sandbox = stack.processes.start("Sandbox", ("ciclo.cli", "sandbox", *arguments), settings)
    wait_until(stack.vendor.is_up, sandbox, stack.processes, START_SECONDS)
    screen.event(f"The vendor's API is up, played by a local stand-in: {stack.vendor_url}")


def _start_airflow(stack: Stack, settings: Mapping[str, str], screen: Screen, *, administrator: str | None) -> None:
    children = {name: stack.processes.start(name, command, settings) for name, command in COMPONENTS.items()}
    for name, child in children.items():
        wait_until(partial(_is_healthy, stack.airflow, name), child, stack.processes, START_SECONDS)
    named = {"username": administrator, "password": passwords(stack.site)[administrator]} if administrator else None
    stack.airflow.log_in(named)
    for dag_id in DAGS:
        _wait_for_dag(stack, dag_id, children["Dag processor"])
    screen.event(f"Airflow is up: {stack.airflow_url}")


def _is_healthy(airflow: AirflowApi, component: str) -> bool:
    return airflow.health().get(HEALTH_NAMES[component]) == "healthy"


def _wait_for_dag(stack: Stack, dag_id: str, dag_processor: Child) -> None:
    """Wait for a Dag; a Dag file that cannot be read is said at once, not after the time is up."""

    def known() -> bool:
        if stack.airflow.has_dag(dag_id):
            return True
        errors = [error for error in stack.airflow.import_errors() if dag_id in error]
        if errors:
            raise StepFailed("Dag processor", errors[0], dag_processor.log)
        return False

    wait_until(known, dag_processor, stack.processes, START_SECONDS)
