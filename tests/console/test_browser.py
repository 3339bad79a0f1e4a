"""The console in headless Chromium: axe, keyboard, narrow screens, no script, nothing loaded from elsewhere."""

import shutil
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from console.conftest import console
from console.small_year import PARKED
from console.test_access import state_of
from console.views import PAGES

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 90_000
"""Milliseconds that a page may take on a busy machine."""
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
RULES |= {"resultTypes": ["violations"]}  # nobody reads how much is right


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


def served(app: FastAPI) -> Iterator[str]:
    """Serve an app, the console say, in a thread of its own; yields its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def site(small_year: str) -> Iterator[str]:
    yield from served(console(small_year))


@pytest.fixture
def own_site(own_year: str) -> Iterator[str]:
    yield from served(console(own_year))


def visit(browser: Browser, **given) -> BrowserContext:
    options = {"viewport": {"width": 1280, "height": 850}, "extra_http_headers": {"x-user": "operator"}}
    context = browser.new_context(**(options | given))
    context.set_default_timeout(PATIENCE)
    return context


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_view(browser, site, scheme):
    found: list[str] = []
    with visit(browser, color_scheme=scheme) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(site + path)
            found += [f"{path}: {line}" for line in violations(page)]
        page.goto(f"{site}/attention")
        page.click("tbody td a")
        page.wait_for_selector("#panel-content h2")
        found += [f"the panel: {line}" for line in violations(page)]

    assert not found, "\n".join(found)


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} ({len(one['nodes'])})" for one in found]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_view_is_wider_than_the_screen(browser, site, width):
    with visit(browser, viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(site + path)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_complained_about(browser, site):
    asked: set[str] = set()
    said: list[str] = []
    with visit(browser) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.on("console", lambda message: said.append(message.text))
        for path in PAGES:
            page.goto(site + path)

    assert asked - {""} == {urlsplit(site).netloc}
    assert said == []


def test_a_period_opens_beside_the_grid_by_keyboard_and_escape_gives_the_focus_back(browser, site):
    with visit(browser) as context:
        page = context.new_page()
        page.goto(f"{site}/periods")
        mark = page.locator("a.mark.tone-failed")
        mark.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#panel-content h2:focus")
        expect(page.locator("#panel-content h2")).to_contain_text("Period of")
        page.keyboard.press("Escape")

        expect(page.locator("#panel")).to_be_hidden()
        expect(mark).to_be_focused()


def test_releasing_in_the_panel_says_what_came_of_it(browser, own_site, own_year):
    with visit(browser) as context:
        page = context.new_page()
        page.goto(f"{own_site}/attention?state=parked")
        page.click("tbody td a")
        page.fill("#panel-content textarea", "description was added")
        page.click("#panel-content >> text=Release")
        expect(page.locator("#panel-content [role=status]")).to_contain_text("Released")
        page.click("[data-close]")
        page.wait_for_selector("text=Nothing waits for a person here")

    assert state_of(own_year, PARKED) == "planned"


def test_an_empty_note_is_stopped_before_it_is_sent(browser, site):
    with visit(browser) as context:
        page = context.new_page()
        page.goto(f"{site}/periods/{PARKED}")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        page.click("text=Release")
        page.click("text=Cancel period")

        assert page.evaluate("document.querySelector('textarea').validity.valueMissing")
        assert sent == []


def test_everything_works_without_scripts(browser, own_site, own_year):
    with visit(browser, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{own_site}/attention?state=parked")
        page.click("tbody td a")
        page.fill("textarea", "description was added")
        page.click("text=Release")
        expect(page.locator("[role=status]")).to_contain_text("Released")

    assert state_of(own_year, PARKED) == "planned"


def test_the_form_of_an_adjustment_asks_only_for_what_its_kind_takes(browser, site):
    fields = ("service", "quantity", "unit_value", "amount", "percent", "first_day", "last_day", "description")

    def shown(page: Page) -> set[str]:
        form = page.locator("form", has=page.locator("select[name=kind]"))
        found = {name: form.locator(f"[name={name}]") for name in fields}
        assert all(each.is_enabled() == each.is_visible() for each in found.values())
        return {name for name, each in found.items() if each.is_visible()}

    takes = {
        "quantity": {"service", "quantity"},
        "discount": {"service", "amount", "percent"},
        "line": {"service", "quantity", "unit_value"},
        "prorate": {"first_day", "last_day"},
        "skip": set(),
    }
    with visit(browser) as context:
        page = context.new_page()
        page.goto(f"{site}/periods/{PARKED}/adjust")
        for kind, wanted in takes.items():
            page.select_option("select[name=kind]", kind)
            assert shown(page) == wanted | {"description"}
        assert page.locator(".needs").first.is_hidden()
    with visit(browser, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site}/periods/{PARKED}/adjust")
        assert shown(page) == set(fields)
        assert "Discount" in page.locator("label", has=page.locator("[name=percent]")).inner_text()


def test_the_rows_of_what_if_stand_below_each_other_on_a_phone(browser, site):
    with visit(browser, viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{site}/price-updates/what-if?index=ipca&cap=5")
        region = page.locator(".scroll", has=page.locator("table.stacked"))
        assert region.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
        assert page.locator("table.stacked tbody tr").count() > 5
        assert not violations(page)


def test_a_filter_applies_at_once_and_leaves_a_short_address(browser, site):
    with visit(browser) as context:
        page = context.new_page()
        page.goto(f"{site}/periods/list")
        page.select_option("select[name=state]", "parked")
        page.wait_for_url("**/periods/list?state=parked")
        expect(page.locator("tbody tr")).to_have_count(1)


def test_the_table_is_exported_from_the_page(browser, site):
    with visit(browser, accept_downloads=True) as context:
        page = context.new_page()
        page.goto(f"{site}/contracts")
        with page.expect_download() as started:
            page.click("text=CSV")

        assert started.value.suggested_filename == "contracts.csv"


def test_an_open_dark_page_of_airflow_makes_the_console_dark(browser, site):
    with visit(browser, color_scheme="light") as context:
        page = context.new_page()
        page.goto(f"{site}/contracts")
        page.evaluate("localStorage.setItem('theme', 'dark')")
        page.reload()

        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_the_keys_are_listed_under_the_question_mark_and_do_what_they_say(browser, site):
    with visit(browser) as context:
        page = context.new_page()
        page.goto(f"{site}/")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        assert not violations(page)
        page.keyboard.press("Escape")
        expect(page.locator("#keys")).to_be_hidden()
        page.keyboard.press("3")
        page.wait_for_url("**/receivables", wait_until="networkidle")
        rows = page.locator("main tbody tr").filter(has=page.locator("a"))
        for row in (0, 1):
            page.keyboard.press("j")
            expect(rows.nth(row).locator("a").first).to_be_focused()


def test_a_receipt_is_recorded_in_portuguese_and_taken_back(browser, own_site):
    with visit(browser, locale="pt-BR") as context:
        page = context.new_page()
        page.goto(f"{own_site}/invoices/80014/instructions")  # a transfer came in: the vendor is to know
        page.get_by_label("Valor recebido (R$)").fill("750,00")
        page.get_by_label("Recebido em").fill("2025-11-12")
        form = page.locator("form", has=page.get_by_role("button", name="Registrar recebimento"))
        form.get_by_label("Observação").fill("TED de 12/11")
        form.get_by_role("button", name="Registrar recebimento").click()
        page.get_by_role("button", name="Retirar pedido").wait_for()
        asked = page.locator("section", has=page.get_by_role("heading", name="O que foi pedido"))
        expect(asked).to_contain_text("750,00, 12/11/2025")
        expect(asked).to_contain_text("TED de 12/11")

        page.locator("[id^=note-withdraw]").fill("era de outro cliente")
        page.get_by_role("button", name="Retirar pedido").click()
        page.get_by_text("Retirada: nada é dito à Fintera.").wait_for()
        expect(page.get_by_role("button", name="Registrar recebimento")).to_have_count(1)  # it can be asked for again
