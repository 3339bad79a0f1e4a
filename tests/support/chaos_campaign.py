"""A chaos campaign: many real processes bill one company while everything around them breaks, and then the reckoning.

The reckoning asks the vendor, not the ledger: for each period that the rules call for there is exactly one invoice with
its reference, or a reason in the ledger why there is none.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chaos_worker import GRACE, LEASE, TODAY
from ciclo.failpoints import POINTS
from ciclo.jobs.indices import load_shipped
from ciclo.ledger.actions import release_period
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period, PriceUpdateExecution
from ciclo.sgs.series import index_report
from ciclo_sandbox.testing import SandboxControl
from company import ORGANIZATION, TOKEN, State, company, rule, scheduled_update
from demo.stack import free_port

TESTS = Path(__file__).parent
REFERENCE = re.compile(r"ciclo:7:(\d+):(\d{4}-\d{2}-\d{2})")
BASE = Decimal("1000.00")
WORKERS = 3

FAULTS: list[dict[str, Any]] = [
    {"method": "POST", "path": "/invoices$", "kind": kind, "probability": share, "seconds": 0.5}
    for kind, share in [
        ("error_before", 0.05), ("error_after", 0.06), ("timeout_before", 0.01), ("timeout_after", 0.01),
        ("reset_before", 0.05), ("reset_after", 0.06), ("malformed", 0.04), ("late_commit", 0.04), ("slow", 0.01),
        ("rate_limit", 0.005),
    ]
] + [
    {"method": "PUT", "kind": kind, "probability": 0.12, "seconds": 0.5}
    for kind in ("error_before", "error_after", "reset_before", "reset_after", "malformed")
] + [
    {"method": "GET", "path": "search$", "kind": kind, "probability": share, "seconds": 0.5}
    for kind, share in [("truncated_page", 0.04), ("error_before", 0.05), ("malformed", 0.03), ("reset_before", 0.03)]
]  # fmt: skip
"""What goes wrong with the vendor, all at once."""


def raised_on(number: int) -> date:
    """Return the first of the month from February on in which a rule's price is raised by twelve months of IGP-M."""
    return date(2025, 2 + number % 7, 1)


def raised_price(number: int) -> Decimal:
    """Return the price of a rule after its readjustment, from the published months alone."""
    day = raised_on(number)
    before = date(2025, day.month - 1, 1)
    factor = Decimal(index_report("igpm", date(2024, day.month, 1), before)["factor"])
    return (BASE * factor).quantize(Decimal("0.01"), ROUND_HALF_UP)


def busy_company(size: int) -> State:
    """Monthly rules in a few contracts: a quarter is readjusted, a quarter twins that only references tell apart."""
    rules = []
    for number in range(1, size + 1):
        contract = 10 + number % 20
        if number % 4 == 0:
            update = scheduled_update(500 + number, init_date=raised_on(number).isoformat())
            rules.append(rule(number, contract, gross_value=str(BASE), scheduled_updates=[update]))
        elif number % 4 == 1:
            rules.append(rule(number, 50, description="Mensalidade", init_date="2025-01-15"))
        else:
            rules.append(rule(number, contract, init_date=f"2025-01-{number % 28 + 1:02}"))
    return company(*rules)


@dataclass
class Figures:
    """What a campaign injected and what came of it."""

    faults: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    periods: int = 0
    invoices: int = 0
    parked: int = 0
    duplicates: int = 0
    missing: int = 0
    applied_twice: int = 0

    @property
    def injected(self) -> int:
        return sum((self.faults + self.kills + self.restarts).values())

    def lines(self, title: str) -> list[str]:
        return [
            f"{title}: {self.injected} faults injected into {self.runs} runs",
            f"  by the vendor     {_listed(self.faults)}",
            f"  SIGKILL           {_listed(self.kills)}",
            f"  around            {_listed(self.restarts)}",
            f"  periods {self.periods}, invoices {self.invoices}, parked with a reason {self.parked}",
            f"  duplicates {self.duplicates}, missing {self.missing}, applied twice {self.applied_twice}",
        ]


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items())) or "none"


class Worker:
    """A process that forks a child for each run; see `chaos_worker`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "chaos_worker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def outcome(self) -> dict[str, int]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Vendor:
    """The sandbox as a process with a database on disk: it can be killed and come back."""

    def __init__(self, folder: Path, company_size: int) -> None:
        self._database = f"sqlite:///{folder / 'vendor.db'}"
        self._port = free_port()
        self.control = SandboxControl(f"http://127.0.0.1:{self._port}", TOKEN)
        state = folder / "state.json"
        state.write_text(json.dumps(busy_company(company_size)))
        self._start("--state", str(state))

    def _start(self, *more: str) -> None:
        command = "sandbox", "--port", str(self._port), "--today", TODAY.isoformat(), "--database", self._database
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ciclo.cli", *command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout
        said = self._process.stdout.readline()
        assert b"http://" in said, said

    def restart(self) -> None:
        """Kill it in the middle of whatever it does, and start it on what it had committed."""
        self.stop(signal.SIGKILL)
        self._start("--token", TOKEN)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)
        self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()


@dataclass
class Campaign:
    """One company, one ledger, some workers, and a source of trouble that begins from a seed."""

    folder: Path
    ledger: str
    restart_ledger: Callable[[], None] | None = None
    seed: int = 1
    size: int = 60
    """Rules of the company."""
    figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        self.vendor = Vendor(self.folder, self.size)
        self.workers = [Worker() for _ in range(WORKERS)]
        self._tried = Counter[str]()
        self.engine = open_engine(self.ledger)
        with Session(self.engine) as session:
            load_shipped(session, at=datetime.now(UTC))

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.vendor.stop()
        self.engine.dispose()

    def wave(self, last: date, rounds: int) -> None:
        """Bill up to a day, `rounds` times three runs at once, while everything breaks."""
        self.vendor.control.clear_faults()
        self._all_at_once([self._command("expand", last)])
        for number in range(rounds):
            self._arm()
            commands = [self._troubled(job, last) for job in ("issue", "issue", "update")]
            self._all_at_once(commands, trouble=self._trouble(number))
            self._count_faults()
            self._release_parked()

    def calm_down(self, last: date) -> None:
        """Let nothing break any more, and bill until nothing is left to do."""
        self.vendor.control.clear_faults()
        for _ in range(4):
            time.sleep((LEASE + GRACE).total_seconds() + 0.2)
            self._release_parked()
            self._all_at_once([self._command("expand", last)])
            self._all_at_once([self._command("update", last)])
            outcomes = self._all_at_once([self._command("issue", last)])
            if outcomes[0].get("code") == 0:
                return

    def _command(self, job: str, last: date) -> dict[str, Any]:
        self.figures.runs += 1
        return {
            "job": job,
            "owner": f"{job} {self.figures.runs}",
            "ledger": self.ledger,
            "vendor": self.vendor.control.url,
            "token": TOKEN,
            "organization": ORGANIZATION,
            "window": ["2025-01-01", last.isoformat()],
            "log": str(self.folder / "workers.log"),
        }

    def _troubled(self, job: str, last: date) -> dict[str, Any]:
        """Kill two runs of three at a failpoint; let another one find the disk full."""
        command = self._command(job, last)
        draw = self.random.random()
        if draw < 0.7:
            point = self._least_killed(of_updates=job == "update")
            command["failpoints"] = f"{point}=kill@{self.random.choice([1, 1, 1, 2])}"
            command["point"] = point
        elif draw < 0.8 and self.ledger.startswith("sqlite"):
            command["room"] = 8192
            self.figures.restarts["disk full"] += 1
        return command

    def _least_killed(self, *, of_updates: bool) -> str:
        """Return one of the failpoints that were tried least often."""
        names = [name for name in sorted(POINTS) if name.startswith("update") == of_updates]
        least = min(self._tried[name] + 5 * self.figures.kills[name] for name in names)
        point = self.random.choice([n for n in names if self._tried[n] + 5 * self.figures.kills[n] == least])
        self._tried[point] += 1
        return point

    def _trouble(self, number: int) -> Callable[[], None] | None:
        """Choose what breaks around the runs, while they are under way."""
        if number % 7 == 3:
            return self._restart_vendor
        if number % 7 == 5 and self.restart_ledger is not None:
            return self._restart_ledger
        return None

    def _restart_vendor(self) -> None:
        self._count_faults()
        self.vendor.restart()
        self._arm()
        self.figures.restarts["vendor killed and restarted"] += 1

    def _restart_ledger(self) -> None:
        assert self.restart_ledger is not None
        self.restart_ledger()
        self.figures.restarts["database killed and restarted"] += 1

    def _all_at_once(
        self, commands: list[dict[str, Any]], *, trouble: Callable[[], None] | None = None
    ) -> list[dict[str, int]]:
        for worker, command in zip(self.workers, commands, strict=False):
            worker.begin(command)
        if trouble is not None:
            time.sleep(0.15)
            trouble()
        outcomes = [worker.outcome() for worker, _ in zip(self.workers, commands, strict=False)]
        for command, outcome in zip(commands, outcomes, strict=True):
            assert outcome.get("code") != 2, (self.folder / "workers.log").read_text()[-3000:]
            if outcome.get("signal") == signal.SIGKILL:
                self.figures.kills[command["point"]] += 1
        return outcomes

    def _arm(self) -> None:
        self.vendor.control.faults([fault | {"seed": self.random.randrange(10**6)} for fault in FAULTS])

    def _count_faults(self) -> None:
        struck = [entry["fault"] for entry in self.vendor.control.requests() if entry["fault"]]
        self.figures.faults.update(struck)
        self.vendor.control.clear_requests()

    def _release_parked(self) -> None:
        """Let a person release what was parked: by then the look finds what is at the vendor."""
        with suppress(OperationalError), Session(self.engine) as session:
            for period in session.scalars(select(Period).where(Period.state == "parked")).all():
                at = datetime.now(UTC)
                release_period(session, ORGANIZATION, period.id, person="ana", note="looked at", at=at)
            session.commit()

    def reckon(self) -> Figures:
        """Hold the vendor's invoices against the periods, both ways."""
        figures = self.figures
        state = self.vendor.control.state()
        live = [invoice for invoice in state["invoices"] if invoice["state"] != "cancelled"]
        billed = Counter(REFERENCE.findall("\n".join(invoice["comments"] or "" for invoice in live)))
        with Session(self.engine) as session:
            periods = list(session.scalars(select(Period)))
            executions = list(session.scalars(select(PriceUpdateExecution)))
        expected = {(str(period.rule_id), period.issue_date.isoformat()): period for period in periods}
        explained = {key for key, period in expected.items() if period.state == "parked" and period.reason}
        figures.periods, figures.invoices, figures.parked = len(periods), len(live), len(explained)
        figures.duplicates = sum(number - 1 for number in billed.values()) + len(billed.keys() - expected.keys())
        figures.missing = len(expected.keys() - billed.keys() - explained)
        figures.missing += sum(period.state != "issued" for key, period in expected.items() if key not in explained)
        prices = {each["id"]: Decimal(each["gross_value"]) for each in state["invoice_rules"] if each["id"] % 4 == 0}
        figures.applied_twice = sum(price not in (BASE, raised_price(number)) for number, price in prices.items())
        figures.missing += sum(execution.state != "applied" for execution in executions)
        return figures


@contextmanager
def campaign(folder: Path, ledger: str, **given: Any) -> Iterator[Campaign]:
    """Start a campaign and end its processes."""
    running = Campaign(folder, ledger, **given)
    try:
        yield running
    finally:
        running.close()


def restart_postgres(server: Any) -> None:
    """Take PostgreSQL down without a checkpoint, as a power cut would, and start it again."""
    pid = server.get_pid()
    os.kill(pid, signal.SIGQUIT)
    with suppress(ProcessLookupError):
        for _ in range(200):
            os.kill(pid, 0)
            time.sleep(0.02)
    server.ensure_postgres_running()
