"""A chaos campaign: many real processes bill one company while everything around them breaks, and then the reckoning.

The vendor makes the invoices of half of the rules itself, extends some, readjusts, and its people work on all. The
reckoning asks the vendor, not the ledger: each period that the rules call for has exactly one living invoice, unless a
person removed it, whoever made it; what people did is as they left it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chaos_worker import GRACE, LEASE, TIMEOUT
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState, PeriodState
from ciclo.failpoints import POINTS
from ciclo.jobs.indices import load_shipped
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import AuditEntry, Finding, Invoice, Period, PriceUpdateExecution
from ciclo_sandbox.testing import SandboxControl
from company import ORGANIZATION, TOKEN, State
from demo.stack import free_port
from mixed_company import BASE, expected_periods, mixed_company, price_on
from person import Person
from witness import Maker, Witness, missing

TESTS = Path(__file__).parent
START = date(2025, 1, 1)
"""The vendor's day on which a campaign begins."""
READJUSTED = [date(2025, month, 1) for month in range(2, 9)]
WORKERS = 3
SETTLED = (ExecutionState.APPLIED.value, ExecutionState.ADOPTED.value)
"""What becomes of every price update in the end."""

KILLED_AT = frozenset(name for name in POINTS if not name.startswith(("adjust.", "instruct.", "letter.")))
"""The failpoints that its runs pass. Adjustments have random histories of their own; nobody asks for an instruction or
a letter in it."""

FAULTS: list[dict[str, Any]] = [
    {"method": "POST", "path": "/invoices$", "kind": kind, "probability": share, "seconds": seconds}
    for kind, share, seconds in [
        ("error_before", 0.05, None), ("error_after", 0.06, None), ("timeout_before", 0.01, 1.2 * TIMEOUT),
        ("timeout_after", 0.01, 1.2 * TIMEOUT), ("reset_before", 0.05, None), ("reset_after", 0.06, None),
        ("malformed", 0.04, None), ("late_commit", 0.04, TIMEOUT), ("slow", 0.01, TIMEOUT), ("rate_limit", 0.005, 1),
    ]
] + [
    {"method": "PUT", "kind": kind, "probability": 0.12, "seconds": 0.5}
    for kind in ("error_before", "error_after", "reset_before", "reset_after", "malformed")
] + [
    {"method": "PATCH", "kind": kind, "probability": 0.06, "seconds": 1.2 * TIMEOUT}
    for kind in ("error_before", "error_after", "reset_after", "malformed", "timeout_after")
] + [
    {"method": "GET", "path": "search$", "kind": kind, "probability": share, "seconds": 0.5}
    for kind, share in [
        ("stale_search", 0.3), ("truncated_page", 0.02), ("error_before", 0.02), ("malformed", 0.02),
        ("reset_before", 0.02), ("shifted_page", 0.03),
    ]
] + [
    {"method": "GET", "kind": kind, "probability": 0.1, "count": 1}
    for kind in ("empty_list", "empty_list", "html_page", "html_page", "odd_record")
]  # fmt: skip
"""What goes wrong with the vendor, all at once. Wrong answers that look right are single ones, as on record."""

CARRIED_OUT_LATER = {"late_commit", "slow"}
"""Faults after which the vendor may still carry a request out: within the grace period, as is assumed of it."""


@dataclass
class Figures:
    """What a campaign injected and what came of it."""

    faults: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    periods: int = 0
    invoices: int = 0
    made_by: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    """Periods without an invoice, because a person at the vendor removed it."""
    seconds: int = 0
    """Second invoices that the vendor made when it extended a rule."""
    duplicates: int = 0
    missing: int = 0
    applied_twice: int = 0
    overwritten: int = 0
    came_back: int = 0
    not_shown: int = 0
    wrong: list[str] = field(default_factory=list)
    """What went wrong, in words."""

    @property
    def injected(self) -> int:
        return sum((self.faults + self.kills + self.restarts).values())

    def lines(self, title: str) -> list[str]:
        return [
            f"{title}: {self.injected} faults injected into {self.runs} runs",
            f"  by the vendor     {_listed(self.faults)}",
            f"  SIGKILL           {_listed(self.kills)}",
            f"  around            {_listed(self.restarts)}",
            f"  by people         {_listed(self.deeds)}",
            f"  periods {self.periods}, invoices {self.invoices} ({_listed(self.made_by)})",
            f"  removed by people and not billed again {self.removed}, made twice by the vendor {self.seconds}",
            f"  duplicates {self.duplicates}, missing {self.missing}, applied twice {self.applied_twice}",
            f"  overwritten edits {self.overwritten}, came back {self.came_back}, not shown {self.not_shown}",
            *(f"  WRONG: {line}" for line in self.wrong[:40]),
        ]


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items())) or "none"


class Worker:
    """A process that forks a child for each run, started for the first of them; see `chaos_worker`."""

    @cached_property
    def _process(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
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
        if "_process" not in vars(self):
            return
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(120)
        self._process.stdout.close()


class Vendor:
    """The sandbox as a process with a database on disk: it can be killed and come back."""

    def __init__(self, folder: Path, state: State, *, today: date = START) -> None:
        self._database = f"sqlite:///{folder / 'vendor.db'}"
        self._today = today
        self._port = free_port()
        self.control = SandboxControl(f"http://127.0.0.1:{self._port}", TOKEN)
        path = folder / "state.json"
        path.write_text(json.dumps(state))
        self._start("--state", str(path))

    def _start(self, *more: str) -> None:
        command = "sandbox", "--port", str(self._port), "--today", self._today.isoformat(), "--database", self._database
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
        self._process.wait(120)
        if self._process.stdout:
            self._process.stdout.close()


@dataclass
class Campaign:
    """One company, one ledger, some workers, and a source of trouble that begins from a seed."""

    folder: Path
    ledger: str
    workers: Sequence[Worker]
    restart_ledger: Callable[[], None] | None = None
    seed: int = 1
    size: int = 60
    """Rules of the company."""
    figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        self.state = mixed_company(self.size, start=START, readjusted=READJUSTED)
        self.vendor = Vendor(self.folder, self.state)
        self.day = START
        self.witness = Witness()
        self.person = Person(self.witness)
        self.witness.look(self.state, self.day, acted=Maker.VENDOR)
        self._tried = Counter[str]()
        self.engine = open_engine(self.ledger)
        with Session(self.engine) as session:
            load_shipped(session, at=self._now())
        self._all_at_once([self._command("expand", DateRange.month_of(self.day))])

    def close(self) -> None:
        self.vendor.stop()
        self.engine.dispose()

    def wave(self, month: DateRange, rounds: int) -> None:
        """Bill a month in so many rounds of three runs at once, while everything breaks; days pass between rounds."""
        length = (month.end - month.start).days
        for number in range(rounds):
            self.vendor.control.clear_faults()
            self._let_days_pass(month.start + timedelta(days=length * (number + 1) // rounds - 1))
            if number == 0:
                self._all_at_once([self._command("expand", month)])
            self._arm()
            third = "update" if number % 3 else "reconcile"
            commands = [self._troubled(job, DateRange.days(START, self.day)) for job in ("issue", "issue", third)]
            self._all_at_once(commands, trouble=self._trouble(number))
            if self._count_faults() & CARRIED_OUT_LATER:  # days are about to pass, for the vendor in no time
                time.sleep(GRACE.total_seconds())
            self._let_people_settle()

    def calm_down(self) -> None:
        """Let nothing break any more, and bill until nothing is left to do."""
        self.vendor.control.clear_faults()
        everything = DateRange.days(START, self.day)
        for _ in range(5):
            time.sleep((LEASE + GRACE).total_seconds() + 0.2)
            self._let_people_settle()
            for job in ("expand", "update", "issue", "reconcile"):
                outcomes = self._all_at_once([self._command(job, everything)])
                if job == "issue":
                    code = outcomes[0].get("code")
            if not self._cancel_seconds() and code == 0 and not self._stopped():
                return

    def change_the_vendor(self, **behaviour: bool) -> None:
        """Let the vendor behave in another way from now on."""
        self.vendor.control.clear_faults()
        state = self.vendor.control.state()
        self.witness.look(state, self.day, acted=Maker.CICLO)
        state["behaviour"] |= behaviour
        self.vendor.control.put_state(state)
        self.vendor.control.set_clock(self.day)
        self.witness.look(self.vendor.control.state(), self.day, acted=Maker.VENDOR)

    def _let_days_pass(self, day: date) -> None:
        """Move the vendor's clock: it issues, extends, readjusts, is paid, and its people work on invoices."""
        self.witness.look(self.vendor.control.state(), self.day, acted=Maker.CICLO)
        while self.day < day:
            self.day += timedelta(days=1)
            self.vendor.control.set_clock(self.day)
        self.witness.look(self.vendor.control.state(), self.day, acted=Maker.VENDOR)

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self._days)

    @property
    def _days(self) -> int:
        """How far the campaign's day is from the wall's: negative, as it lies in the past."""
        return (self.day - datetime.now(SAO_PAULO).date()).days

    def _command(self, job: str, window: DateRange) -> dict[str, Any]:
        self.figures.runs += 1
        return {
            "job": job,
            "owner": f"{job} {self.figures.runs}",
            "ledger": self.ledger,
            "vendor": self.vendor.control.url,
            "token": TOKEN,
            "organization": ORGANIZATION,
            "window": [window.start.isoformat(), window.last_day.isoformat()],
            "days": self._days,
            "log": str(self.folder / "workers.log"),
        }

    def _troubled(self, job: str, window: DateRange) -> dict[str, Any]:
        """Kill two runs of three at a failpoint; let another one find the disk full."""
        command = self._command(job, window)
        draw = self.random.random()
        if draw < 0.7 and job != "reconcile":
            point = self._least_killed(of_updates=job == "update")
            command["failpoints"] = f"{point}=kill@{self.random.choice([1, 1, 1, 2])}"
            command["point"] = point
        elif draw < 0.8 and self.ledger.startswith("sqlite"):
            command["room"] = 8192
            self.figures.restarts["disk full"] += 1
        return command

    def _least_killed(self, *, of_updates: bool) -> str:
        """Return one of the failpoints that were tried least often."""
        names = [name for name in sorted(KILLED_AT) if name.startswith("update") == of_updates]
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

    def _count_faults(self) -> set[str]:
        """Return the kinds that struck since the last count."""
        struck = [entry["fault"] for entry in self.vendor.control.requests() if entry["fault"]]
        self.figures.faults.update(struck)
        self.vendor.control.clear_requests()
        return set(struck)

    def _let_people_settle(self) -> None:
        """Let a person settle what is parked and which price updates wait; of two invoices, cancel the second."""
        self.witness.look(self.vendor.control.state(), self.day, acted=Maker.CICLO)
        with suppress(OperationalError), Session(self.engine) as session:
            self.person.settle_periods(session, self._now())
            self.person.settle_updates(session, self._now())
            session.commit()
        self._cancel_seconds()

    def _cancel_seconds(self) -> int:
        """Cancel the second invoices that are shown; return of how many."""
        numbers: Sequence[int] = ()
        with suppress(OperationalError), Session(self.engine) as session:
            twice = Finding.kind == FindingKind.DUPLICATED_REMOTELY.value, Finding.closed_at.is_(None)
            numbers = session.scalars(select(Finding.subject_id).where(*twice)).all()
        if not numbers:
            return 0
        self.witness.look(self.vendor.control.state(), self.day, acted=Maker.CICLO)
        cancelled = 0
        for number in filter(self.person.is_second, numbers):
            self.vendor.control.cancel(number)
            self.witness.look(self.vendor.control.state(), self.day, acted=Maker.PERSON)
            cancelled += 1
        return cancelled

    def _stopped(self) -> int:
        with Session(self.engine) as session:
            over = (PeriodState.ISSUED.value, PeriodState.CANCELLED.value)
            window = Period.issue_date >= START, Period.issue_date <= self.day
            periods = session.scalars(select(Period.id).where(Period.state.not_in(over), *window)).all()
            updates = select(PriceUpdateExecution.id).where(PriceUpdateExecution.state.not_in(SETTLED))
            return len(periods) + len(session.scalars(updates).all())

    def reckon(self) -> Figures:
        """Hold the vendor's invoices against what the rules call for, both ways."""
        figures, witness = self.figures, self.witness
        state = self.vendor.control.state()
        witness.look(state, self.day, acted=Maker.CICLO)
        expected = expected_periods(self.state, START, self.day)
        living = {key: numbers for key, numbers in witness.living().items() if key in expected}
        absent = missing(witness, expected)
        with Session(self.engine) as session:
            periods = {(p.rule_id, p.issue_date): p for p in session.scalars(select(Period))}
            executions = list(session.scalars(select(PriceUpdateExecution)))
            seen = set(session.scalars(select(Invoice.invoice_id)))
            findings = {(each.kind, each.subject_id) for each in session.scalars(select(Finding))}
            said_of = _stories(session)
        figures.periods, figures.invoices = len(expected), sum(map(len, living.values()))
        figures.made_by = Counter(witness.traced[number].made_by.value for some in living.values() for number in some)
        figures.deeds = Counter(deed.what for deed in witness.deeds)
        figures.removed = len(witness.removed.keys() & expected.keys())
        figures.seconds = len(witness.seconds)
        wrong = [
            f"missing: rule {key[0]}, {key[1]}{said_of('period', periods[key].id if key in periods else None)}"
            for key in absent
        ]
        for key in expected:
            period = periods.get(key)
            if period is None or period.state not in (PeriodState.ISSUED, PeriodState.CANCELLED):
                state, story = (period.state, said_of("period", period.id)) if period else ("not known", "")
                wrong.append(f"not at an end: rule {key[0]}, {key[1]}: {state}{story}")
            elif key in living and period.state == PeriodState.ISSUED and period.invoice_id not in living[key]:
                wrong.append(f"rule {key[0]}, {key[1]} has invoice {period.invoice_id}, its own are {living[key]}")
        wrong += [
            f"not at an end: price update of rule {each.rule_id}, {each.execution_date}: {each.state} {each.reason}"
            f"{said_of('execution', each.id)}"
            for each in executions
            if each.state not in SETTLED
        ]
        figures.missing = len(wrong)
        twice = {key: some for key, some in living.items() if len(some) > 1}
        wrong += [f"twice: rule {key[0]}, {key[1]}: {some}" for key, some in twice.items()]
        figures.duplicates = len(twice) + len(witness.duplicates)
        for each in state["invoice_rules"]:
            price = Decimal(each["gross_value"])
            if price not in (BASE, price_on(each, self.day)):
                figures.applied_twice += 1
                wrong.append(f"applied twice: rule {each['id']} costs {price}")
        back = [said for number, said in witness.came_back if number in seen]  # of others Ciclo never knew
        figures.overwritten, figures.came_back = len(witness.overwritten), len(back)
        for deed in witness.seconds:
            if (FindingKind.DUPLICATED_REMOTELY.value, deed.invoice_id) not in findings:
                figures.not_shown += 1
                wrong.append(f"not shown: invoice {deed.invoice_id} of {deed.on}")
        for key, number in witness.removed.items():
            period = periods.get(key)
            kinds = (FindingKind.DELETED_REMOTELY, FindingKind.CANCELLED_REMOTELY)
            found = any((kind.value, number) in findings for kind in kinds)
            if key in expected and not found and (period is None or period.state != PeriodState.CANCELLED):
                figures.not_shown += 1
                wrong.append(f"not shown: invoice {number} of {key[0]}, {key[1]} was removed")
        figures.wrong = [*witness.wrong(), *back, *self.person.shown_wrongly, *wrong]
        return figures


def _stories(session: Session) -> Callable[[str, int | None], str]:
    """Return a function that says what has become of a period or an execution, step by step, by the audit trail."""
    trail: dict[tuple[str, int | None], str] = {}
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)):
        key = entry.subject, entry.subject_id
        who = entry.run_id or entry.person
        trail[key] = f"{trail.get(key, '')}; {entry.at:%d/%m %H:%M:%S} {who} {entry.to_state} {entry.reason}"
    return lambda subject, number: trail.get((subject, number), "")


@contextmanager
def campaign(folder: Path, ledger: str, workers: Sequence[Worker], **given: Any) -> Iterator[Campaign]:
    """Start a campaign and end its processes, but for the workers."""
    running = Campaign(folder, ledger, workers, **given)
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
    runs = False
    while not runs:
        with suppress(subprocess.TimeoutExpired):  # it waits ten seconds, which a recovery beside all this may outlast
            server.ensure_postgres_running()
            runs = True
