"""The benchmarks at toy size: they run, both sides agree, table and JSON say what was measured. No figure is judged."""

import json
from datetime import date, datetime, timedelta

import pytest

from bench.__main__ import BENCHMARKS, line_of, run
from bench.airflow import DAILY, day_ledger
from bench.figures import Bench, Figure
from bench.growth import multiply
from bench.servers import Sandbox, company, fresh_ledger, job_on, running_postgres, running_sandbox
from bench.vendor import MONTH, OPTIONS, expand
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import sync_contracts
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope


def figure(**given):
    return Figure(**{"benchmark": "issue", "title": "100 invoices", "unit": "/s", "ours": [80.0, 90.0, 70.0]} | given)


def test_a_result_is_the_median_of_the_ratios_run_by_run():
    measured = figure(baseline_title="loop", baseline=[100.0, 100.0, 140.0], at_least=0.8)
    assert measured.ratios == [0.8, 0.9, 0.5]
    assert measured.result == 0.8
    assert measured.met


@pytest.mark.parametrize(
    ("bounds", "met"),
    [({"at_least": 79.9}, True), ({"at_least": 80.1}, False), ({"at_most": 80.0}, True), ({"at_most": 79.0}, False)],
)
def test_without_a_baseline_the_median_value_counts(bounds, met):
    assert figure(**bounds).met is met


def test_both_sides_are_measured_in_turn():
    order = []
    bench = Bench(Sandbox("http://127.0.0.1:9"), "postgresql://", runs=2)
    bench.in_turn(lambda: order.append("ours") or 1.0, lambda: order.append("baseline") or 1.0)
    assert order == ["baseline", "ours", "baseline", "ours"]


def test_a_figure_that_is_not_reached_is_shown_as_such():
    lines = [line_of(each) for each in (figure(at_least=100), figure(at_least=10), figure())]
    assert lines[0].endswith("| NO  |")
    assert lines[1].endswith("| yes |")
    assert len({len(line) for line in lines}) == 1


def test_the_benchmarks_print_a_table_and_write_every_run(tmp_path):
    said = []
    quick = [name for name in BENCHMARKS if name not in ("airflow", "growth", "scale")]  # a scheduler; many processes
    figures = run(only=quick, runs=1, scale=0.002, json_path=tmp_path / "bench.json", say=said.append)
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [entry["title"] for entry in written["figures"]] == [figure.title for figure in figures]
    assert {entry["benchmark"] for entry in written["figures"]} == set(quick)
    # in the second or two of a quick one a pause that was asked for may take all
    unpaused = [entry for entry in written["figures"] if "429" not in entry["title"]]
    assert all(value > 0 for entry in unpaused for value in entry["ours"])
    assert set(written["seconds"]) == set(quick)
    assert sum(line.startswith("|") for line in said) == len(figures) + 2
    assert written["machine"]["cores"]
    shared = [figure.title.split(", ", 2)[2] for figure in figures if figure.benchmark == "budget"]
    assert shared == [
        f"{who} 2{refused}" for who in ("tasks", "Celery workers") for refused in ("", ", 5% answered 429")
    ]


def test_growth_measures_every_size_in_processes_of_their_own():
    figures = run(only=["growth"], runs=1, scale=0.002, say=[].append)
    assert {figure.title.split(",")[0] for figure in figures} == {
        "20 rules",
        "a day's 20 invoices of 20 rules",
        "closing a month of 20 rules",
    }
    megabytes = [figure.ours[0] for figure in figures if figure.unit == "MB"]
    assert all(30 < peak < 400 for peak in megabytes)


@pytest.fixture(scope="module")
def servers():
    with running_sandbox() as sandbox, running_postgres() as postgres:
        yield sandbox, postgres


def test_a_ledger_is_multiplied_until_only_its_day_is_left_as_the_jobs_made_it(servers):
    sandbox, server = servers
    sandbox.control("PUT", "state", company(20))
    with fresh_ledger(server) as url, job_on(url, sandbox) as job:
        expand(job)
        multiply(url, due=20, rules=100)
        states = {state: count.periods for state, count in job.periods.totals(MONTH).items() if count.periods}
        year = Scope(DateRange(date(2024, 3, 1), MONTH.window.end))
        assert states == {PeriodState.PLANNED: 20 * 5}
        assert job.periods.totals(year)[PeriodState.ISSUED].periods == 20 * 4 * 11
        assert job.invoices.count(year.window, at_most=10_000) == 20 * 4 * 11
        assert job.invoices.count(year.window, at_most=500) == 500
        assert len(job.contracts.billable()) == 5


def test_a_day_is_that_of_every_daily_dag_in_the_order_of_the_schedule():
    assert DAILY == (
        "sync_contracts",
        "apply_price_updates",
        "issue_invoices",
        "sync_price_indices",
        "reconcile_receivables",
        "close_billing_month",
    )


def test_nothing_of_a_day_asks_for_contracts_that_have_ended(servers):
    sandbox, server = servers
    today = datetime.now(SAO_PAULO).date()
    day = today - timedelta(1)
    with day_ledger(sandbox, server, day, due=20, rules=100) as url, job_on(url, sandbox, day=today) as job:
        sandbox.control("DELETE", "requests")
        read_contract_list(job)
        synced = sync_contracts(job, today=today)
        issued = issue_due_periods(job, Scope(DateRange.days(day, day)), OPTIONS, owner="bench")
        reconciled = reconcile(job, today=today, recheck_days=400)
        asked = [entry["path"] for entry in sandbox.control("GET", "requests")]
        year = DateRange(date(2024, 3, 1), date(2025, 5, 1))
        assert job.invoices.count(year, at_most=10_000) == 20 * 4 * 11
    assert (synced.contracts, synced.planned, synced.cancelled) == (1, 0, 0)
    assert issued.created == reconciled.invoices == 20
    assert (reconciled.deleted, reconciled.opened) == (0, [])
    assert {path.split("/")[4] for path in asked if path.startswith("/api/v1/contracts/")} == {"1"}
