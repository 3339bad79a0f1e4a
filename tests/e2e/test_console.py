"""The console as an operator meets it: Airflow's own login, the demo's year billed by `bill_range`, a real browser."""

import csv
import re
import time
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect

from ciclo.domain.calendar import add_months
from ciclo.domain.recurrence import DateRange
from console.conftest import console
from console.test_access import every_route
from console.test_browser import PATIENCE, browser  # noqa: F401 - the fixture
from console.test_in_airflow import billing, status
from demo import people
from demo.company import YEAR_END, YEAR_START, company
from e2e.console_site import OPERATOR, VIEWER, ConsoleSite, console_site

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(1800)]

READJUSTED_RULE = 70004
"""Its price of BRL 742.80 follows the IGP-M within the year."""
EDITED_MONTH = 5
"""Month of the year in which somebody added usage to an invoice (a deed of the company)."""
FIRST, LAST = f"{YEAR_START:%Y-%m}", f"{YEAR_END:%Y-%m}"
NOTE = "The rule has its description now."
SOMETHING_THERE = {"{period_id}": "1", "{execution_id}": "1", "{contract_id}": "3001", "{rule_id}": "70004"}
SOMETHING_THERE |= {
    "{instruction_id}": "1",
    "{finding_id}": "1",
    "{month}": FIRST,
    "{name}": "console.css",
    "{kind}": "after",
}
LOOKED_FOR = {"/search": "?q=70004", "/runs": "?dag_id=bill_range"}
NOT_THERE = {f"/months/{FIRST}"}
"""No month of the year is closed."""
PATIENCE_WITH_A_RUN = 300
"""Seconds that a run may take there."""


@pytest.fixture(scope="module")
def site(
    browser: Browser,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
    airflow_metadata: Path,
) -> Iterator[ConsoleSite]:
    """Airflow with the year, only where there is a browser to look at it."""
    with console_site(tmp_path_factory.mktemp("console"), airflow_metadata) as running:
        yield running


@pytest.fixture(scope="module")
def operator(browser: Browser, site: ConsoleSite) -> Iterator[BrowserContext]:  # noqa: F811
    with site.log_in(browser, OPERATOR, PATIENCE) as context:
        yield context


@pytest.fixture(scope="module")
def viewer(browser: Browser, site: ConsoleSite) -> Iterator[BrowserContext]:  # noqa: F811
    with site.log_in(browser, VIEWER, PATIENCE) as context:
        yield context


def routes(site: ConsoleSite) -> set[tuple[str, str]]:
    """Every method and address of the console, with ids that the demo's year has."""
    issued = next(each["id"] for each in site.stack.vendor.state()["invoices"] if "ciclo:" in (each["comments"] or ""))
    there = SOMETHING_THERE | {"{invoice_id}": str(issued)}
    return {(method, addressed(path, there)) for method, path in every_route(console("sqlite://"))}


def addressed(path: str, there: dict[str, str]) -> str:
    for parameter, value in there.items():
        path = path.replace(parameter, value)
    return path + LOOKED_FOR.get(path, "")


def figure(frame: FrameLocator, name: str) -> int:
    """The number on a tile of the month."""
    return int(frame.locator(".tile", has_text=name).locator(".figure").inner_text())


def numbers(texts: list[str]) -> list[Decimal]:
    """Numbers as the console writes them: `R$ 1.234,50`, `0,56 %`."""
    return [Decimal(re.sub(r"[^\d,-]", "", text).replace(",", ".")) for text in texts]


def page_of(context: BrowserContext) -> Page:
    return context.pages[0] if context.pages else context.new_page()


def opened(context: BrowserContext, site: ConsoleSite, path: str) -> FrameLocator:
    """Open a view in the context's one page: every page that stays open goes on asking Airflow."""
    return billing(page_of(context), site, path)


def parked_period(context: BrowserContext, site: ConsoleSite, issue_date: str) -> FrameLocator:
    """Open a parked period from the queue of what needs attention."""
    frame = opened(context, site, "/attention?state=parked")
    frame.get_by_role("link", name=issue_date).click()
    expect(frame.locator("#panel-content h2")).to_contain_text(issue_date)
    return frame


def test_an_anonymous_visitor_gets_nothing_on_any_route(site, operator):
    everywhere = routes(site)
    assert len(everywhere) > 20

    answers = {route: status(f"{site.url}/billing{route[1]}", route[0]) for route in everywhere}
    shown = {
        path: operator.request.get(
            f"{site.url}/billing{path}", max_retries=3
        ).status  # an idle connection may be closed
        for way, path in everywhere
        if way == "GET"
    }

    assert set(answers.values()) == {401}, answers
    refused = {path: answer for path, answer in shown.items() if answer != 200}
    assert set(refused) == NOT_THERE, refused


def test_a_visitor_who_asks_for_the_page_is_sent_to_the_login_form(browser, site):  # noqa: F811
    with browser.new_context() as stranger:
        page = stranger.new_page()
        page.goto(f"{site.url}/plugin/billing")

        page.wait_for_url("**/auth/login**", timeout=PATIENCE)
        assert page.locator("iframe").count() == 0


def test_after_the_login_a_month_is_one_click_away(operator, site):
    page = page_of(operator)
    page.goto(site.url)
    page.get_by_role("link", name="Billing").click()
    expect(page.frame_locator("iframe[title=Billing]").get_by_role("heading", level=1)).to_be_visible()
    frame = opened(operator, site, f"/?month={FIRST}")

    expect(frame.get_by_role("heading", level=1)).to_contain_text(f"{YEAR_START:%B %Y}")
    assert figure(frame, "Parked") == 1
    assert figure(frame, "Issued") == figure(frame, "Expected") - 1
    expect(frame.get_by_role("row", name="Parked periods")).to_contain_text("5")


def test_a_period_opens_beside_the_grid_with_the_invoice_that_the_vendor_holds(operator, site):
    frame = opened(operator, site, f"/periods?month={LAST}")
    frame.locator("a.mark.tone-success").first.click()
    panel = frame.locator("#panel-content")
    expect(panel.get_by_role("heading", name="Invoice")).to_be_visible()
    invoice_id, gross_value, *_ = panel.locator("section", has_text="Reference").locator("dd").all_inner_texts()

    (held,) = [one for one in site.stack.vendor.state()["invoices"] if str(one["id"]) == invoice_id.split()[0]]
    assert numbers([gross_value]) == [Decimal(str(held["gross_value"]))]
    assert panel.get_by_role("table").locator("tbody tr").count() == len(held["receivables"])


def test_a_released_period_is_issued_by_the_next_run(operator, site):
    period = site.parked[0]
    day = f"{period.issue_date:%d/%m/%Y}"
    assert site.invoices_of(period) == []
    people.describe_rule(site.stack.vendor_url, period.contract_id, period.rule_id, people.DESCRIPTION)

    frame = parked_period(operator, site, day)
    frame.locator("#panel-content textarea").fill(NOTE)
    frame.get_by_role("button", name="Release").click()
    expect(frame.locator("#panel-content [role=status]").first).to_contain_text("Released")
    site.bill(period)

    (invoice,) = site.invoices_of(period)
    frame = opened(operator, site, f"/periods/{period.period_id}")
    expect(frame.locator("p.heading")).to_contain_text("Issued")
    expect(frame.locator("section", has_text="Reference")).to_contain_text(str(invoice["id"]))
    trail = frame.locator(".trail")
    expect(trail.locator("li", has_text=f"by {OPERATOR}")).to_contain_text(NOTE)
    expect(trail.locator("li").first).to_contain_text("by bill_range")


def test_a_person_settles_what_keeps_a_month_open_and_closes_it(operator, viewer, site):
    month = add_months(YEAR_START, EDITED_MONTH - 1)
    key, conf = f"{month:%Y-%m}", {"from_date": f"{month}", "to_date": f"{DateRange.month_of(month).last_day}"}
    runs = f"{site.url}/api/v2/dags/close_billing_month/dagRuns"
    site.stack.airflow.unpause("close_billing_month")
    refused = viewer.request.post(runs, data={"logical_date": None, "conf": conf})

    frame = opened(operator, site, f"/?month={key}")
    closing = frame.get_by_role("region", name="Closing the month")
    expect(closing.get_by_role("listitem")).to_have_count(1)
    assert close_month(site, frame, closing) == "failed"

    frame = opened(operator, site, f"/?month={key}")
    closing = frame.get_by_role("region", name="Closing the month")
    expect(closing).to_contain_text("Not closed by the attempt of")
    closing.get_by_role("link", name="Value edited").click()
    frame.locator("#panel-content textarea").fill("The month's usage was added, as agreed with the customer.")
    frame.get_by_role("button", name="Acknowledge").click()
    expect(frame.locator("#panel-content [role=status]").first).to_be_visible()

    for answer in ("Close the month", "Prove it again"):  # the second does no harm
        frame = opened(operator, site, f"/?month={key}")
        closing = frame.get_by_role("region", name="Closing the month")
        expect(closing.get_by_role("button")).to_have_text(answer)
        assert close_month(site, frame, closing) == "success"

    frame = opened(operator, site, f"/?month={key}")
    frame.get_by_role("region", name="Closing the month").get_by_role("link", name="The report").click()
    expect(frame.locator(".heading")).to_contain_text("Closed")
    expect(frame.get_by_role("region", name="Earlier attempts").locator("tbody tr")).to_have_count(2)
    assert [each.closed for each in site.ledger.closings()] == [True]
    assert refused.status == 403
    frame = opened(viewer, site, f"/?month={key}")
    expect(frame.get_by_role("region", name="Closing the month")).to_contain_text("Closed, proved")
    assert frame.locator("[data-run-dag]").count() == 0


def close_month(site: ConsoleSite, frame: FrameLocator, closing: Locator) -> str:
    """Click the month's button, and return how the run ended that Airflow says it has started."""
    with frame.owner.page.expect_response("**/dagRuns") as answer:
        closing.get_by_role("button").click()
    run_id = answer.value.json()["dag_run_id"]
    expect(closing.get_by_role("status")).to_have_text(f"Started: {run_id}")
    deadline = time.monotonic() + PATIENCE_WITH_A_RUN
    while (state := site.stack.airflow.run_state("close_billing_month", run_id)) not in {"success", "failed"}:
        site.stack.processes.check()
        assert time.monotonic() < deadline, f"{run_id} is still {state}"
        time.sleep(0.5)
    return state


def test_a_price_update_leads_to_the_evidence_that_its_price_follows_from(operator, site):
    frame = opened(operator, site, f"/price-updates?show=done&rule={READJUSTED_RULE}")
    (update,) = next(rule["scheduled_updates"] for rule in company()["invoice_rules"] if rule["id"] == READJUSTED_RULE)
    frame.get_by_role("link", name=f"{date.fromisoformat(update['execution_date']):%d/%m/%Y}").click()
    evidence, prices = (frame.get_by_role("region", name=name) for name in ("Evidence", "Old and new prices"))
    expect(evidence.locator("tbody tr")).to_have_count(12)

    factor = Decimal(1)
    for value in numbers(evidence.locator("tbody td:nth-child(2)").all_inner_texts()):
        factor *= 1 + value / 100
    before, after = (numbers(prices.locator(f"td:nth-child({n})").all_inner_texts()) for n in (2, 3))
    assert before[0] == Decimal("742.80")
    assert after == [(price * factor).quantize(Decimal("0.01"), ROUND_HALF_UP) for price in before]
    expect(frame.locator(".trail li").first).to_contain_text("by bill_range")
    frame.owner.page.wait_for_url("**/plugin/billing/billing/price-updates/*")


def test_a_table_is_exported_with_all_of_its_rows(operator, site):
    frame = opened(operator, site, "/periods/list")
    with frame.owner.page.expect_download() as started:
        frame.get_by_role("link", name="CSV").click()
    with Path(started.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))

    assert started.value.suggested_filename == "periods.csv"
    assert len(rows) == site.ledger.counts().periods > 600


def test_a_viewer_looks_and_is_refused_to_act(viewer, site):
    period = site.parked[-1]

    frame = parked_period(viewer, site, f"{period.issue_date:%d/%m/%Y}")
    answers = {
        path: viewer.request.post(f"{site.url}/billing{path}", form={"note": "x", "csrf": "x"})
        for method, path in routes(site)
        if method == "POST"
    }

    assert frame.locator("form[method=post]").count() == 0
    assert {answer.status for answer in answers.values()} == {403}
    assert all("permission" in answer.text() for answer in answers.values())
    assert period in site.parked
