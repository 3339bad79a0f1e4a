"""An operator's day in Chromium, in Portuguese, on the demonstration's company: from an open month to a closed one.

What the person starts in the console is carried out by the Dags' own steps, at the vendor's stand-in.
"""

from collections.abc import Iterator
from datetime import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from console.test_browser import browser, served, visit  # noqa: F401 - the fixture
from demo import people
from played_airflow import MORNING, PlayedAirflow, played_airflow

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

MONTH = "outubro de 2025"
REFUSED_CONTRACT, REFUSED_RULE = 3041, 70061
"""The rule has no description, so that the vendor refuses its invoices."""


@pytest.fixture(scope="module")
def morning() -> Iterator[PlayedAirflow]:
    """The company's year as it stands in the morning."""
    with played_airflow() as played:
        yield played


@pytest.fixture(scope="module")
def address(morning: PlayedAirflow) -> Iterator[str]:
    yield from (f"{url}/billing" for url in served(morning.app))


def closing(page: Page, address: str) -> Locator:
    """Open October and return what its page says about closing it."""
    page.goto(f"{address}/?month=2025-10")
    return page.get_by_role("region", name="Fechamento do mês")


def note(page: Page, text: str, button: str) -> None:
    """Write a note in the panel and click; wait until the panel shows what came of it, and offers that no more."""
    asking = page.locator("#panel-content").get_by_role("button", name=button, exact=True)
    expect(asking).to_be_visible()
    page.fill("#panel-content textarea", text)
    asking.click()
    expect(asking).to_have_count(0)


def run_now(place: Locator, button: str) -> None:
    """Start a run with a button of a page, and wait until Airflow says that it has."""
    place.get_by_role("button", name=button).click()
    expect(place.get_by_text("Iniciada:")).to_be_visible()


def test_an_operators_day_in_portuguese(browser: Browser, morning, address):  # noqa: F811, PLR0915 - one story
    panel = "#panel-content"
    with visit(browser, locale="pt-BR") as context:
        page = context.new_page()
        main = page.locator("main")

        page.goto(f"{address}/")  # what waits, and what is at risk?
        page.locator("#glance").get_by_role("link", name="esperam por uma pessoa").click()
        page.wait_for_url("**/attention")
        expect(main).to_contain_text("em risco")

        page.goto(f"{address}/months")  # October is not closed: why?
        page.get_by_role("link", name=MONTH).click()
        expect(main).to_contain_text("A prova falhou")
        page.get_by_role("link", name="O mês", exact=True).click()
        open_month = page.get_by_role("region", name="Fechamento do mês")
        expect(open_month.get_by_role("listitem")).to_have_count(3)

        page.fill("#search", "Jacarandá")  # why does a customer pay more than last month?
        page.press("#search", "Enter")
        page.get_by_role("link", name="Jacarandá").first.click()
        page.get_by_role("region", name="Períodos").last.get_by_role("link", name="01/10/2025").click()
        page.locator(panel).get_by_role("link", name="Por que está diferente?").click()
        expect(main).to_contain_text("reajustado pelo INPC")
        page.get_by_role("link", name="Passaporte do reajuste").click()
        expect(main).to_contain_text("Lei nº 10.192/2001")

        closing(page, address).get_by_role("link", name="Valor editado").click()  # somebody has changed an invoice
        expect(page.locator(panel)).to_contain_text("Farmácias Vida Plena")
        note(page, "consumo do mês, combinado com o cliente", "Dar ciência")
        note(page, "era outro faturamento", "Retirar a ciência")  # a mistake: taken back, and said again
        note(page, "consumo do mês, combinado com o cliente", "Dar ciência")

        page.goto(f"{address}/receivables")  # a transfer came in: the vendor is to know
        listed = page.get_by_role("region", name="Lista")
        listed.get_by_role("link", name="Recebimento, boleto, aprovação").first.click()
        page.wait_for_url("**/instructions")
        invoice_id = int(urlsplit(page.url).path.split("/")[-2])
        form = page.locator("form", has=page.get_by_role("button", name="Registrar recebimento")).first
        form.get_by_label("Recebido em").fill("2026-01-02")
        form.get_by_label("Observação").fill("TED de 02/01")
        form.get_by_role("button", name="Registrar recebimento").click()
        run_now(main, "Executar reconcile_receivables para ele agora")
        page.goto(page.url)
        expect(main).to_contain_text("recebidos em 02/01/2026")
        [invoice] = [each for each in morning.rehearsal.vendor.state()["invoices"] if each["id"] == invoice_id]
        assert "received" in {each["state"] for each in invoice["receivables"]}

        closing(page, address).get_by_role("link", name="Cancelado na Fintera").click()  # had the wrong CNPJ
        expect(page.locator(panel)).to_contain_text("Clínica Veterinária Bem Querer")
        page.locator(panel).get_by_role("link", name="período").first.click()
        expect(page.locator(panel).get_by_role("heading", level=2)).to_have_text("Período de 08/10/2025")
        note(page, "o cadastro tem o CNPJ novo", "Faturar de novo")
        run_now(page.locator(panel), "Executar issue_invoices para ele agora")

        page.goto(f"{address}/?month=2025-10")  # what does the city hall say?
        page.get_by_role("link", name="NFS-e recusada: 1").click()
        page.get_by_role("region", name="Períodos").get_by_role("link", name="05/10/2025").click()
        expect(page.locator(panel)).to_contain_text("E160: inscrição municipal do tomador não encontrada.")

        closing(page, address).get_by_role("link", name="Parado").click()  # what the vendor refused
        page.get_by_role("link", name="22/10/2025").click()
        expect(page.locator(panel)).to_contain_text("não pode ficar em branco")
        morning.rehearsal.move(MORNING, time(10))  # what was read of a contract counts for an hour
        people.describe_rule(morning.rehearsal.vendor.url, REFUSED_CONTRACT, REFUSED_RULE, people.DESCRIPTION)
        note(page, "a regra tem descrição agora", "Liberar")
        run_now(page.locator(panel), "Executar issue_invoices para ele agora")

        run_now(closing(page, address), "Fechar o mês")
        closed = closing(page, address)
        expect(closed).to_contain_text("Fechado, provado em")
        run_now(closed, "Provar de novo")  # does no harm
        closing(page, address).get_by_role("link", name="O relatório").click()
        expect(main).to_contain_text("Fechado")
        expect(page.get_by_role("region", name="Tentativas anteriores").locator("tbody tr")).to_have_count(2)
