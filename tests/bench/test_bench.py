"""The benchmarks at toy size: they run, both sides agree, table and JSON say what was measured. No figure is judged."""

import json
from datetime import date

import pytest

from bench.__main__ import BENCHMARKS, line_of, run
from bench.figures import Bench, Figure
from bench.growth import multiply
from bench.servers import Sandbox, company, fresh_ledger, job_on, running_postgres, running_sandbox
from bench.vendor import MONTH, expand
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
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
    assert all(value > 0 for entry in written["figures"] for value in entry["ours"])
    assert set(written["seconds"]) == set(quick)
    assert sum(line.startswith("|") for line in said) == len(figures) + 2
    assert written["machine"]["cores"]


def test_growth_measures_every_size_in_processes_of_their_own():
    figures = run(only=["growth"], runs=1, scale=0.002, say=[].append)
    assert {figure.title.split(",")[0] for figure in figures} == {
        "20 rules",
        "a day's 20 invoices of 20 rules",
        "closing a month of 20 rules",
    }
    megabytes = [figure.ours[0] for figure in figures if figure.unit == "MB"]
    assert all(30 < peak < 400 for peak in megabytes)


def test_a_ledger_is_multiplied_until_only_its_day_is_left_as_the_jobs_made_it():
    with running_sandbox() as sandbox, running_postgres() as server, fresh_ledger(server) as url:
        sandbox.control("PUT", "state", company(20))
        with job_on(url, sandbox) as job:
            expand(job)
            multiply(url, due=20, rules=100)
            states = {state: count.periods for state, count in job.periods.totals(MONTH).items() if count.periods}
            year = Scope(DateRange(date(2024, 3, 1), MONTH.window.end))
            assert states == {PeriodState.PLANNED: 20 * 5}
            assert job.periods.totals(year)[PeriodState.ISSUED].periods == 20 * 4 * 11
            assert job.invoices.count(year.window, at_most=10_000) == 20 * 4 * 11
            assert job.invoices.count(year.window, at_most=500) == 500
            assert len(job.contracts.billable()) == 5
