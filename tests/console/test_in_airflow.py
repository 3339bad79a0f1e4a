"""The console inside a real Airflow: its login, its permissions, its frame, its pages' tab."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from ciclo.ledger.database import open_engine
from console.conftest import console
from console.small_year import PARKED, fill_small_year
from console.test_access import every_route, filled_in, state_of
from console.test_browser import PATIENCE, browser  # noqa: F401 - the fixture
from demo.stack import free_port
from ledgers import migrate

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
LOADED = "() => document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done()))"
DAG = """
from airflow.sdk import dag, task

@dag(schedule=None)
def issue_invoices():
    task(lambda: None, task_id="issue")()

issue_invoices()
"""


class Site(NamedTuple):
    """A running Airflow: its address, its ledger, its users' passwords."""

    url: str
    ledger: str
    passwords: dict[str, str]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, airflow_metadata: Path) -> Iterator[Site]:
    """Airflow's API server with the repository's plugin, over a ledger with the small year."""
    home = tmp_path_factory.mktemp("airflow")
    ledger = f"sqlite:///{home / 'ciclo-ledger.db'}"
    migrate(ledger)
    engine = open_engine(ledger)
    fill_small_year(engine)
    engine.dispose()
    (home / "dags").mkdir()
    (home / "dags" / "issue_invoices.py").write_text(DAG)
    port = free_port()
    environment = settings(home, ledger, port)
    shutil.copy(airflow_metadata, home / "airflow.db")
    run(["dags", "reserialize"], environment)
    command = [executable(), "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (home / "api.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=home)
        try:
            wait_for(f"http://127.0.0.1:{port}/api/v2/monitor/health", server)
            passwords = json.loads((home / "passwords.json").read_text())
            yield Site(f"http://127.0.0.1:{port}", ledger, passwords)
        finally:
            server.terminate()
            server.wait(120)


def settings(home: Path, ledger: str, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "CICLO_LEDGER_URL": ledger,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ana:admin,vera:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
    }


def executable() -> str:
    beside = Path(sys.executable).with_name("airflow")
    return str(beside) if beside.exists() else shutil.which("airflow") or "airflow"


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run([executable(), *command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 400
    while time.monotonic() < until:
        assert server.poll() is None, "the API server ended"
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    pytest.fail("the API server did not come up")


def status(url: str, method: str) -> int:
    try:
        with urlopen(Request(url, method=method), timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


@pytest.fixture(scope="module")
def signed_in(browser: Browser, airflow: Site) -> Callable[[str], Page]:  # noqa: F811 - the fixture
    """Sign a user in to Airflow, each once and in a profile of their own; returns their page."""

    @cache
    def sign_in(user: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 850}, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{airflow.url}/auth/login")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", airflow.passwords[user])
        page.click("button[type=submit]")
        page.get_by_text("Welcome").first.wait_for()
        return page

    return sign_in


def billing(page: Page, airflow: Site, path: str = "") -> FrameLocator:
    """Open a view inside Airflow's frame and wait until its scripts are there: a click before would leave the view."""
    page.goto(f"{airflow.url}/plugin/billing{path and '/billing' + path}")
    frame = page.frame_locator("iframe[title=Billing]")
    frame.locator("main").evaluate(LOADED)
    return frame


def test_an_anonymous_visitor_gets_nothing_on_any_route(airflow, small_year):
    routes = {(method, filled_in(path)) for method, path in every_route(console(small_year))}

    answers = {route: status(f"{airflow.url}/billing{route[1]}", route[0]) for route in routes}

    assert set(answers.values()) == {401}, answers


def test_an_operator_finds_billing_in_the_navigation_and_sees_the_month(signed_in, airflow):
    page = signed_in("ana")
    page.goto(airflow.url)
    page.get_by_role("link", name="Billing").click()
    frame = page.frame_locator("iframe[title=Billing]")

    expect(frame.get_by_role("heading", level=1)).to_contain_text("20")
    expect(frame.get_by_role("heading", name="Waits for a person")).to_be_visible()


def test_an_operator_releases_a_parked_period(signed_in, airflow):
    frame = billing(signed_in("ana"), airflow, "/attention?state=parked")
    frame.locator("tbody td a").first.click()
    frame.locator("#panel-content textarea").fill("description was added")
    frame.get_by_role("button", name="Release").click()

    expect(frame.locator("#panel-content [role=status]").first).to_contain_text("Released")
    expect(frame.get_by_role("button", name="Run issue_invoices for it now")).to_be_visible()
    assert state_of(airflow.ledger, PARKED) == "planned"
    expect(frame.locator(".trail li").first).to_contain_text("by ana")


def test_a_price_update_leads_to_its_evidence_and_the_address_can_be_shared(signed_in, airflow):
    page = signed_in("ana")
    frame = billing(page, airflow, "/price-updates?show=done")
    frame.locator("tbody td a").nth(0).wait_for()
    frame.get_by_role("link", name="01/06/2025").click()

    expect(frame.get_by_role("heading", name="Evidence")).to_be_visible()
    page.wait_for_url("**/plugin/billing/billing/price-updates/1")


def test_a_trail_leads_out_of_the_frame_to_the_task_instance(signed_in, airflow):
    page = signed_in("ana")
    frame = billing(page, airflow, "/periods/1")
    frame.locator("a[data-airflow]").first.click()

    page.wait_for_url("**/dags/issue_invoices/runs/**")


def test_a_table_is_exported_from_inside_the_frame(signed_in, airflow):
    page = signed_in("ana")
    frame = billing(page, airflow, "/contracts")
    with page.expect_download() as started:
        frame.get_by_role("link", name="CSV").click()

    assert "Padaria Estrela do Sul" in Path(started.value.path()).read_text()


def test_a_viewer_looks_and_is_refused_to_act(signed_in, airflow):
    page = signed_in("vera")
    frame = billing(page, airflow, "/attention")
    expect(frame.get_by_role("heading", name="Attention")).to_be_visible()
    frame.locator("tbody td a").first.click()
    expect(frame.locator("#panel-content h2")).to_be_visible()
    assert frame.locator("form[method=post]").count() == 0

    answer = page.request.post(f"{airflow.url}/billing/periods/{PARKED}/release", form={"note": "x", "csrf": "x"})
    assert answer.status == 403


def test_the_console_is_dark_when_airflow_is(signed_in, airflow):
    page = signed_in("ana")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    frame = billing(page, airflow)

    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("localStorage.removeItem('theme')")


def test_a_dags_page_has_a_tab_with_what_it_touched(signed_in, airflow):
    page = signed_in("ana")
    page.goto(f"{airflow.url}/dags/issue_invoices")
    page.locator("a[href$='/dags/issue_invoices/plugin/billing-dag']").click()  # not its namesake in the navigation

    expect(page.frame_locator("iframe[title=Billing]").get_by_role("heading", level=1)).to_contain_text("touched")
