"""How long 100,000 adjustments take to come in from a file, and how much memory; one wrong row lets none of them in."""

import csv
import os
import sys
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, company, fresh_ledger, job_on, run_alone
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment, Rule

MONTHS = 10
LONGEST, MOST_MEMORY = 60, 300
"""Seconds and megabytes."""


def measure_import(bench: Bench) -> list[Figure]:
    """Import a file of ten adjustments a rule by the command, in a process of its own."""
    rules = bench.size(1_000, 10_000)
    bench.sandbox.control("PUT", "state", company(rules))
    runs = [_imported(bench, rules) for _ in range(bench.runs)]
    title = f"{rules * MONTHS:,} adjustments from a CSV, PostgreSQL"
    return [
        Figure("import", title, "s", [seconds for seconds, _ in runs], at_most=LONGEST),
        Figure("import", title, "MB", [megabytes for _, megabytes in runs], at_most=MOST_MEMORY),
    ]


def _imported(bench: Bench, rules: int) -> tuple[float, float]:
    """Return the seconds and the megabytes that it took."""
    with fresh_ledger(bench.postgres) as url, TemporaryDirectory() as folder:
        with job_on(url, bench.sandbox) as job:
            read_contract_list(job)
            expand_rules(job, Scope(DateRange.month_of(job.today)), seen_on=job.today)
            rule_ids = sorted(job.session.scalars(select(Rule.rule_id)))
        right, wrong = Path(folder, "right.csv"), Path(folder, "wrong.csv")
        _write(right, rule_ids, job.today.year, "10")
        _write(wrong, rule_ids, job.today.year, "ten")
        if _run(url, wrong)[0] != 1 or _count(url):
            raise AssertionError("a file with a wrong row was let in")
        code, seconds, megabytes = _run(url, right)
        if code or _count(url) != rules * MONTHS:
            raise AssertionError(f"{_count(url)} of {rules * MONTHS} adjustments came in, exit code {code}")
    return seconds, megabytes


def _write(path: Path, rule_ids: list[int], year: int, last: str) -> None:
    rows = [
        ["line", rule, f"{year}-{month:02}", "10", "Medição"] for rule, month in product(rule_ids, range(1, MONTHS + 1))
    ]
    rows[-1][3] = last
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "rule_id", "period", "unit_value", "description"])
        writer.writerows(rows)


def _run(url: str, path: Path) -> tuple[int, float, float]:
    command = [sys.executable, "-m", "ciclo.cli", "adjust", "import", str(path), "--organization", str(ORGANIZATION)]
    environment = {**os.environ, "CICLO_LEDGER_URL": url}
    began = time.perf_counter()
    code, megabytes = run_alone(command, environment)
    return code, time.perf_counter() - began, megabytes


def _count(url: str) -> int:
    engine = open_engine(url)
    with Session(engine) as session:
        found = session.scalar(select(func.count()).select_from(Adjustment)) or 0
    engine.dispose()
    return found
