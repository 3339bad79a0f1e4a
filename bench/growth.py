"""What more rules cost: a first month, a day, the close of a month; and a day in a ledger of a million rules.

`growth` reads all of its rules over HTTP. For `scale`, only those that are due on the day are read and planned by the
jobs; the others are the same rows under other numbers and issue dates, with a year of invoices behind them, written by
PostgreSQL itself. The vendor has the contracts that are due, and no other: nothing of the day asks for them.
"""

import json
import logging
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from fastapi.testclient import TestClient
from sqlalchemy import Connection, Date, Integer, Select, cast, column, func, insert, literal, select

from bench.figures import Bench, Figure
from bench.servers import BILLED, TODAY, Json, Sandbox, bill_beforehand, company, fresh_ledger, job_on
from bench.vendor import FEBRUARY, OPTIONS, expand
from ciclo.console import User, create_app
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.close import close_month, refresh_rules, require_closed
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules, record_expansion
from ciclo.jobs.rules.read import read_contract_list, read_contracts
from ciclo.ledger.database import open_engine
from ciclo.ledger.maintenance import summed_at_the_end
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import (
    Contract,
    ContractState,
    Invoice,
    Period,
    Price,
    Reading,
    Receivable,
    Rule,
    RuleVersion,
)

DAY: Final = Scope(DateRange.days(date(2025, 3, 10), date(2025, 3, 10)))
TOLERANCE: Final = 1.15
A_DAY: Final = 1.2
MEMORY: Final = 300
"""Megabytes that a month may take, however many rules it has up to 100,000."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a job took in a process of its own: wall time and processor time in seconds, megabytes at the peak."""

    seconds: float
    processor: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Month:
    """A month of so many rules, expanded for the first time, then a day of it issued."""

    rules: int
    expansion: Spent
    issuing: Spent


def measure_growth(bench: Bench) -> Iterator[Figure]:
    """Measure a first month and a day of it at two sizes in turn; on the day equally many rules are due at each.

    Then the close of a month, whose memory is bounded.
    """
    due = bench.size(500, 1_000)
    small_size, large_size = bench.size(1_000, 10_000), bench.size(10_000, 100_000)
    rounds = [[_month(bench, count, due=due) for count in (small_size, large_size)] for _ in range(bench.runs)]
    small, large = ([months[number] for months in rounds] for number in range(2))
    day = f"a day's {due:,} invoices of {large_size:,} rules"
    yield _by_rule("first month", large, small, lambda month: month.expansion.seconds)
    yield _by_rule("first month's processor time", large, small, lambda month: month.expansion.processor)
    yield Figure("growth", f"{large_size:,} rules, first month", "MB", [month.expansion.megabytes for month in large],
                 at_most=MEMORY)  # fmt: skip
    yield Figure("growth", day, "s", [month.issuing.seconds for month in large],
                 f"of {small_size:,} rules", [month.issuing.seconds for month in small], at_most=A_DAY)  # fmt: skip
    yield Figure("growth", day, "MB", [month.issuing.megabytes for month in large],
                 f"of {small_size:,} rules", [month.issuing.megabytes for month in small], at_most=A_DAY)  # fmt: skip
    for count in (bench.size(10_000), *([bench.size(100_000)] if bench.full else [])):
        spent = _closed(bench, count)
        yield Figure("growth", f"closing a month of {count:,} rules", "s", [spent.seconds])
        yield Figure("growth", f"closing a month of {count:,} rules", "MB", [spent.megabytes], at_most=MEMORY)


def _closed(bench: Bench, count: int) -> Spent:
    """Close a month that is billed, in a process of its own."""
    state = company(count)
    bench.sandbox.control("PUT", "state", state)
    with fresh_ledger(bench.postgres) as url:
        with job_on(url, bench.sandbox) as job:
            read_contract_list(job)
            expand_rules(job, Scope(FEBRUARY), seen_on=TODAY)
            record_expansion(job, Scope(FEBRUARY))
        bench.sandbox.control("PUT", "state", {**state, "invoices": bill_beforehand(url, FEBRUARY)})
        return _in_a_process("close", bench.sandbox, url, done=count)


def _by_rule(what: str, more: Sequence[Month], less: Sequence[Month], of: Callable[[Month], float]) -> Figure:
    factor = more[0].rules / less[0].rules
    return Figure(
        "growth", f"{more[0].rules:,} rules, {what}", "s", [of(month) for month in more],
        f"{less[0].rules:,} rules, by rule", [factor * of(month) for month in less], at_most=TOLERANCE,
    )  # fmt: skip


def _month(bench: Bench, count: int, *, due: int) -> Month:
    """Expand and issue with `count` rules, of which `due` issue on `DAY` and the others later in the month."""
    bench.sandbox.control("PUT", "state", _due_on_the_day(count, due))
    with fresh_ledger(bench.postgres) as url:
        expansion = _in_a_process("expand", bench.sandbox, url, done=count)
        issuing = _in_a_process("issue", bench.sandbox, url, done=due)
    return Month(count, expansion, issuing)


def _due_on_the_day(count: int, due: int) -> Json:
    state = company(count)
    for number, rule in enumerate(state["invoice_rules"]):
        rule["additional_information"]["init_date"] = f"2025-01-{10 if number < due else 11 + number % 18}"
    return state


# -- a year of a million rules -----------------------------------------------------------------------------------------

MONTHS_BEFORE: Final = 11
"""Billed months behind each rule that is not due on the day: with the planned one a year of periods."""
PAGES: Final = (
    "/",
    "/periods",
    "/periods?q=zzzz",
    "/periods?state=issued",
    "/periods/list?sort=gross_value",
    "/periods/list?q=zzzz",
    "/receivables",
    "/receivables?state=not_cancelled",
    "/receivables?issued=2025-02",
    "/receivables/collected",
    "/contracts",
    "/attention",
    "/search?q=0012",
    "/search?q=zzzz",
    "/metrics",
)
ROUNDS, LONGEST = 3, 300
"""How often a page is opened, and the milliseconds that it may take."""


READING, ISSUING, CONSOLE = "reading", "issuing", "console"
UNITS: Final = {"seconds": "s", "processor": "s of a processor", "megabytes": "MB"}


def measure_scale(bench: Bench) -> Iterator[Figure]:
    """Measure a day's readings, its invoices and the console in a small ledger and in a large one, in turn.

    In the last round each part of the large one's day is a figure as soon as it is measured.
    """
    due = bench.size(500, 1_000)
    small, large = bench.size(10_000), bench.size(40_000, 1_000_000)
    rounds = [(dict(_day(bench, due, small)), dict(_day(bench, due, large))) for _ in range(bench.runs - 1)]
    before = [each for each, _ in rounds] + [dict(_day(bench, due, small))]
    for part, took in _day(bench, due, large):
        theirs, ours = [each[part] for each in before], [each[part] for _, each in rounds] + [took]
        if part == CONSOLE:
            slowest = max(PAGES, key=lambda path: median(each[path] for each in ours))
            title = f"the console's slowest page of {large:,} rules: {slowest}"
            yield Figure("scale", title, "ms", [each[slowest] for each in ours], at_most=LONGEST)
            continue
        what = (
            f"reading the contracts of {due:,} rules that are due," if part == READING else f"a day's {due:,} invoices"
        )
        for name, unit in UNITS.items():
            mine, others = [each[name] for each in ours], [each[name] for each in theirs]
            title = f"{what} of {large:,} rules"
            yield Figure("scale", title, unit, mine, f"of {small:,} rules", others, at_most=A_DAY)


def _day(bench: Bench, due: int, rules: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what a day takes in a ledger, part by part; the console's pages in milliseconds, the median of each."""
    bench.sandbox.control("PUT", "state", _due_on_the_day(due, due))
    with fresh_ledger(bench.postgres) as url:
        _in_a_process("expand", bench.sandbox, url, done=due)
        multiply(url, due, rules)
        yield READING, asdict(_in_a_process("read", bench.sandbox, url, done=due))
        yield ISSUING, asdict(_in_a_process("issue", bench.sandbox, url, done=due))
        yield CONSOLE, _pages(url)


def multiply(url: str, due: int, rules: int, *, ended: bool = False) -> None:
    """Let a ledger of `due` planned rules have about `rules` of them: the same again and again, each with a year.

    With `ended`, the contracts of the copies have ended, and all of their invoices are paid.
    """
    states = {Contract: "inactive", ContractState: "inactive", Period: "cancelled"} if ended else {}
    engine = open_engine(url)
    copies = func.generate_series(1, rules // due - 1).table_valued(column("copy", Integer)).render_derived()
    copy = copies.c.copy
    with engine.begin() as connection, summed_at_the_end(connection):
        contracts = connection.scalar(select(func.max(Contract.contract_id))) or 0
        for table in (Contract, ContractState, Reading, Rule, RuleVersion, Price, Period):
            changed = {"contract_id": contracts * copy, "rule_id": due * copy, "issue_date": 1 + copy % 18}
            own = {each.name: each for each in table.__table__.columns if each.name != "id"}
            again = {name: own[name] + by for name, by in changed.items() if name in own}
            if table in states:
                again["state"] = literal(states[table])
            _write(connection, table, select().select_from(table).join(copies, literal(True)), own | again)  # noqa: FBT003
        for months in range(1, MONTHS_BEFORE + 1):
            _write_month(connection, due, months, paid=ended or months > 1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _write_month(connection: Connection, due: int, months: int, *, paid: bool) -> None:
    """Write the billed periods of a month so long ago, for every rule but those that are due on the day."""

    def before(day: Any) -> Any:
        return cast(day - func.make_interval(0, months), Date)

    planned = select().select_from(Period).where(Period.rule_id > due, Period.state != "issued")
    own = {each.name: each for each in Period.__table__.columns if each.name != "id"}
    dates = {name: before(own[name]) for name in ("issue_date", "accrual_month", "first_due_date")}
    number = BILLED + Period.rule_id * (MONTHS_BEFORE + 1) + months
    _write(connection, Period, planned, {**own, **dates, "state": literal("issued"), "invoice_id": number})
    first = Period.invoice_id % (MONTHS_BEFORE + 1) == (BILLED + months) % (MONTHS_BEFORE + 1)
    issued = select().select_from(Period).where(Period.rule_id > due, Period.invoice_id.is_not(None), first)
    state = literal("received" if paid else "to_receive")
    seen = {"first_seen_at": Period.created_at, "seen_at": Period.changed_at}
    mine = {name: own[name] for name in ("organization_id", "invoice_id", "contract_id", "gross_value", "issue_date")}
    common = {**mine, **seen, "state": state}
    invoice = {"period_id": Period.id, "planned_date": Period.issue_date, "adopted": literal(False)}  # noqa: FBT003
    _write(connection, Invoice, issued, {**common, **invoice})
    part = {"receivable_id": Period.invoice_id, "due_date": Period.first_due_date, "percentage": literal(100)}
    received = {"received_value": Period.gross_value, "received_at": Period.first_due_date} if paid else {}
    _write(connection, Receivable, issued, {**common, **part, **received})


def _write(connection: Connection, table: Any, source: Select[Any], columns: dict[str, Any]) -> None:
    chosen = source.add_columns(*(column.label(name) for name, column in columns.items()))
    connection.execute(insert(table).from_select(list(columns), chosen))


def _pages(url: str) -> dict[str, float]:
    """Return the median of the milliseconds that each page of the console takes."""
    now = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    user = User("bench", "bench")
    logging.getLogger("ciclo").setLevel(logging.WARNING)
    app = create_app(current_user=lambda: user, can_act=lambda: True, ledger_url=url, clock=lambda: now)
    with TestClient(app) as client:
        client.get("/").raise_for_status()  # the first one compiles the templates
        took = {path: median(_opened(client, path) for _ in range(ROUNDS)) for path in PAGES}
    app.state.ledger.dispose()
    return took


def _opened(client: TestClient, path: str) -> float:
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return (time.perf_counter() - began) * 1000


# -- a job in a process of its own -------------------------------------------------------------------------------------


def _in_a_process(job: str, sandbox: Sandbox, ledger_url: str, *, done: int) -> Spent:
    command = [sys.executable, "-W", "ignore", "-m", "bench.growth", job, sandbox.url, ledger_url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    found = json.loads(printed.splitlines()[-1])
    if found.pop("done") != done:
        raise AssertionError(f"{job} did not do {done}: {printed}")
    return Spent(**found)


def _spent(name: str, sandbox_url: str, ledger_url: str) -> dict[str, float]:
    """Return what a job did and took in this process."""
    day = date(2025, 3, 2) if name == "close" else TODAY
    with job_on(ledger_url, Sandbox(sandbox_url), day=day) as job, TemporaryDirectory() as folder:
        began, used = time.perf_counter(), time.process_time()
        match name:
            case "expand":
                done = expand(job)
            case "read":
                due = job.periods.open_contracts(DAY)  # were read as early as this morning, by this process's clock
                done = read_contracts(job, due, seen_on=day, not_older_than=timedelta(hours=-1)).rules
            case "issue":
                done = issue_due_periods(job, DAY, OPTIONS, owner="bench").created
            case _:
                refresh_rules(job, FEBRUARY, seen_on=day)
                attempt = close_month(job, FEBRUARY.start, today=day, reports=Path(folder))
                require_closed([attempt])
                done = len(attempt.report.proof.lines)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
    return {"done": done, "seconds": seconds, "processor": processor, "megabytes": _peak()}


def _peak() -> float:
    """Return the most memory that this process has held, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `ru_maxrss` begins with the peak of the process that started this one
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_spent(*sys.argv[1:])) + "\n")
