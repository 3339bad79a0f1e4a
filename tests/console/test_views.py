"""What the views say, and that each costs a fixed number of statements."""

import re
import shutil
from datetime import date, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, event, make_url, update

from ciclo.console import create_app
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Forecast, Organization, RuleVersion
from console.conftest import can_act, console, current_user
from console.factories import NOW, rule_terms
from console.large_ledger import fill_large_ledger
from console.views import EXPORTS, VIEWS
from ledgers import migrate

MOST_STATEMENTS = 14


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_answers(operator, path):
    answer = operator.get(path)

    assert answer.status_code == 200
    assert "</html>" in answer.text


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_costs_a_fixed_number_of_statements(small_year, path):
    app = console(small_year)
    statements: list[str] = []
    with TestClient(app, headers={"x-user": "operator"}) as client:
        client.get("/")
        event.listen(app.state.ledger._reader, "before_cursor_execute", lambda *given: statements.append(given[2]))
        client.get(path)

    assert len(statements) <= MOST_STATEMENTS, "\n".join(statements)


def test_a_page_of_two_hundred_rows_costs_as_many_statements_as_a_page_of_one(tmp_path):
    url = f"sqlite:///{tmp_path / 'larger.db'}"
    migrate(url)
    engine = open_engine(url)
    fill_large_ledger(engine, periods=6000)
    engine.dispose()
    app = console(url)
    counts: list[int] = []
    with TestClient(app, headers={"x-user": "operator"}) as client:
        client.get("/")
        for size in (1, 200):
            statements: list[str] = []
            seen = statements.append
            listener = lambda *given, seen=seen: seen(given[2])  # noqa: E731 - two statements of one form
            event.listen(app.state.ledger._reader, "before_cursor_execute", listener)
            for path in ("/periods", "/periods/list", "/receivables", "/contracts", "/attention", "/price-updates"):
                assert client.get(f"{path}?size={size}").status_code == 200
            event.remove(app.state.ledger._reader, "before_cursor_execute", listener)
            counts.append(len(statements))

    assert counts[0] == counts[1]


def test_the_month_shows_what_was_expected_and_what_became_of_it(operator):
    page = operator.get("/?month=2025-10").text

    assert "October 2025" in page
    assert "R$\N{NO-BREAK SPACE}" in page
    for name in ("Expected", "Issued", "In doubt", "Parked", "Waiting", "Submitting", "Cancelled"):
        assert name in page


def test_without_a_month_the_newest_one_with_a_period_up_to_today_is_shown(operator):
    assert "November 2025" in operator.get("/").text


def test_the_grid_tells_states_by_a_word_besides_their_colour(operator):
    page = operator.get("/periods").text

    for name in ("Issued", "Planned", "Parked", "In doubt", "Waiting", "Submitting", "Cancelled"):
        assert f", {name}</span></a>" in page


def test_a_period_shows_its_invoice_receivables_and_trail(operator):
    page = operator.get("/periods/1").text

    assert "80001" in page
    assert "ciclo:2107:1:2024-10-03" in page
    assert "Received" in page
    assert "claimed by issue/0" in page


def test_a_rule_previews_its_next_twelve_periods_at_the_prices_known_today(operator):
    page = operator.get("/rules/1000").text

    assert "The next 12 periods" in page
    assert "03/12/2025" in page
    assert "R$\N{NO-BREAK SPACE}314,90" in page  # two units at 157,45
    assert "priced after the update of 01/12/2025" in page


def test_a_rules_next_periods_count_the_companys_own_holidays(small_year, tmp_path):
    url, own = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "holidays.txt"
    shutil.copy(make_url(small_year).database, tmp_path / "ledger.db")
    charge = Charge(ChargeType.DAY_QUANTITY, day_quantity=1, only_business_days=True)
    with open_engine(url).begin() as connection:
        terms = rule_terms(1000, date(2024, 1, 3), charge=charge)
        connection.execute(update(RuleVersion).where(RuleVersion.rule_id == 1000).values(terms=terms))
    app = console(url)
    with TestClient(app, headers={"x-user": "operator"}) as client:
        without = client.get("/rules/1000").text
        app.state.holidays_file = own
        own.write_text("04/12/2025\n", encoding="utf-8")
        counted = client.get("/rules/1000").text
        own.write_text("in December\n", encoding="utf-8")
        unreadable = client.get("/rules/1000").text

    assert "03/12/2025" in without
    assert "04/12/2025" in without
    assert "04/12/2025" not in counted
    assert "05/12/2025" in counted
    assert "This rule cannot be previewed: line 1 of the holidays: &#39;in December&#39; is no date" in unreadable


def test_a_periodicity_under_a_year_is_warned_of_on_the_rules_page(operator):
    assert "Law 10.192/2001" in operator.get("/rules/1004").text


def test_a_price_update_shows_its_evidence_unrounded(operator):
    page = operator.get("/price-updates/1").text

    assert "1,0496363012" in page
    assert "R$\N{NO-BREAK SPACE}157,45" in page
    assert "SGS 189" in page


def test_price_updates_that_are_overdue_stand_apart_from_those_of_this_month(small_year):
    months_later = create_app(
        current_user=current_user,
        can_act=can_act,
        secret="known",
        ledger_url=small_year,
        clock=lambda: NOW + timedelta(days=400),
    )
    with TestClient(months_later, headers={"x-user": "operator"}) as client:
        page = client.get("/price-updates").text

    assert '<th scope="col">Earlier</th><th scope="col">12/26</th>' in page
    assert ", overdue</span></a>" in page


def test_a_run_links_back_from_what_it_touched(operator):
    page = operator.get("/runs?dag_id=issue_invoices&run_id=scheduled__2025-11-18T09:00:00%2B00:00").text

    assert "this run touched" in page
    assert "/periods/" in page


def test_mounted_in_airflow_a_trail_links_to_the_task_instance(small_year):
    from fastapi import FastAPI

    outer = FastAPI()
    outer.mount("/billing", console(small_year))
    with TestClient(outer, headers={"x-user": "operator"}) as client:
        page = client.get("/billing/periods/1").text

    assert 'href="/dags/issue_invoices/runs/scheduled__2024-10-03T09%3A00%3A00%2B00%3A00/tasks/issue/mapped/0"' in page
    assert 'href="/billing/contracts/100"' in page


@pytest.mark.parametrize("path", EXPORTS)
def test_every_table_exports_all_its_rows_in_the_order_shown(operator, path):
    answer = operator.get(f"{path}{'&' if '?' in path else '?'}format=csv&size=1")

    lines = answer.text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}").splitlines()
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert ";" in lines[0]
    assert len(lines) > 1


def test_a_table_keeps_its_filters_when_it_is_sorted_or_paged(operator):
    page = operator.get("/periods/list?state=issued&q=mensal&size=25").text

    assert "state=issued&amp;q=mensal&amp;sort=gross_value" in page
    assert "state=issued&amp;q=mensal&amp;page=2" in page


def test_search_finds_by_name_and_by_the_id_of_anything(operator):
    assert "Padaria Estrela do Sul" in operator.get("/search?q=padaria").text
    assert "Padaria Estrela do Sul" in operator.get("/search?q=100").text
    assert "/periods/1" in operator.get("/search?q=80001").text
    assert "Nothing found" in operator.get("/search?q=zzzz").text


def test_only_what_is_wanted_is_answered_to_a_script(operator):
    part = operator.get("/periods/27", headers={"hx-request": "true"}).text

    assert "<html" not in part
    assert "Parked" in part


def test_metrics_are_prometheus_text(operator):
    text = operator.get("/metrics").text

    assert 'ciclo_periods{organization="2107",state="parked"} 1' in text
    assert "ciclo_oldest_doubt_seconds " in text
    assert "ciclo_open_findings 3" in text
    assert "ciclo_overdue_periods " in text
    assert "# TYPE ciclo_days_not_complete gauge" in text
    assert 'ciclo_price_updates{state="parked"} ' in text


def test_health_says_that_the_ledger_can_be_read(operator):
    assert operator.get("/healthz").json()["status"] == "ok"


def test_what_waits_is_counted_and_filtered_by_kind(operator):
    every = operator.get("/attention?show=findings").text
    assert "Deleted remotely <strong>1</strong>" in every
    findings = operator.get("/attention?show=findings&kind=deleted_remotely").text
    assert "No invoice at the vendor for this period." in findings
    assert "is not the price in force" not in findings


def test_the_forecast_says_what_is_to_come(operator):
    page = operator.get("/forecast").text

    assert "<td>11/2025</td>" in page
    assert "2025-11" not in page
    assert "8.950,00" in page
    assert "104,50" in page
    assert "IGP-M 0.4 %" in page or "IGP-M 0,4 %" in page
    assert "08/05/2026" in page
    assert "<script>alert(1)" not in page
    table = operator.get("/forecast?format=csv").text
    assert "2025-11;100;" in table
    assert "8950,00;550,00;9100,00" in table


def test_without_a_forecast_the_page_says_how_to_make_one(acting, own_year):
    engine = open_engine(own_year)
    with engine.begin() as connection:
        connection.execute(delete(Forecast))
    engine.dispose()
    assert "ciclo rehearse --account --keep" in acting.get("/forecast").text


def test_receivables_are_as_of_the_last_reconciled_day_and_the_page_says_so(acting, own_year):
    assert "as of 21/11/2025: today, because nothing was reconciled yet" in acting.get("/receivables").text
    engine = open_engine(own_year)
    with engine.begin() as connection:
        connection.execute(update(Organization).values(reconciled_on=date(2025, 11, 19)))
    engine.dispose()

    page = acting.get("/receivables").text
    assert "as of 19/11/2025, the last reconciled day" in page
    assert "as of 20/11/2025 ·" in acting.get("/receivables?as_of=2025-11-20").text
    known, chosen = (acting.get(f"/receivables?format=csv{day}").text for day in ("", "&as_of=2025-11-19"))
    assert known == chosen


def test_a_month_that_is_over_says_what_keeps_it_open_and_a_running_one_nothing(operator):
    changed, open_still, running = (operator.get(f"/?month=2025-{month}").text for month in ("10", "08", "11"))

    assert "Has changed since" in changed
    assert 'href="/periods/list?month=2025-10&amp;state=parked">Parked: 1</a>' in changed
    assert re.search(r'href="/findings/\d+"[^>]*>Amount differs</a>', changed)
    assert "Nothing that the ledger knows of keeps it open" in open_still
    assert "Closing the month" not in running
    assert "data-run-dag" not in changed + open_still  # without Airflow there is nothing that could be started
