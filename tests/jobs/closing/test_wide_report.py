"""The month's report and a letter with names of every kind and very large amounts, on phone, screen and paper."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page

from ciclo.domain.letter import Letter, LetterKind, LetterPrice
from ciclo.domain.price_index import PriceIndex
from ciclo.jobs.closing.report import month_page
from ciclo.ledger.letters import LetterStyle
from ciclo.locale import speaking
from company import company, contract, rule
from console.test_browser import browser  # noqa: F401 - the fixture
from console.test_untranslated import NAMES
from untranslated import WORD, plain_texts, wide_letters

pytestmark = pytest.mark.browser
LARGE = "1234567890.12"
LONG = "ConstrutoraIncorporadora" * 8 + "Ltda. SA"
COMPANIES = (
    "Cafe\N{COMBINING ACUTE ACCENT} Joa\N{COMBINING TILDE}o & Irma\N{COMBINING TILDE}os",
    "Padaria \N{BAGUETTE BREAD} da \N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}",
    "\N{CJK UNIFIED IDEOGRAPH-682A}\N{CJK UNIFIED IDEOGRAPH-5F0F}" * 20,
    "\N{ARABIC LETTER SHEEN}\N{ARABIC LETTER REH}\N{ARABIC LETTER KAF}\N{ARABIC LETTER TEH MARBUTA} 12 (SP)",
    LONG,
    "<script>document.title = 'run'</script>",
)


@pytest.fixture
def paper(browser: Browser) -> Iterator[Page]:  # noqa: F811 - the fixture
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        yield context.new_page()


def fits(page: Page, html: str) -> str:
    """Show a page on a phone, on a screen and on paper; return its text. It is never wider than what it is shown on."""
    page.set_content(html)
    for width, medium in ((390, "screen"), (1280, "screen"), (680, "print")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(media=medium)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (width, medium)
    assert page.title() != "run"
    return page.locator("body").inner_text()


def test_a_months_report_holds_any_name_and_any_amount(billed, paper):
    numbers = range(10, 10 + len(COMPANIES))
    contracts = [contract(number, name=name) for number, name in zip(numbers, COMPANIES, strict=True)]
    place = billed(company(*(rule(number, number, gross_value=LARGE) for number in numbers), contracts=contracts))
    report = place.close().report
    for language in ("pt_BR", "en"):
        with speaking(language):
            text = fits(paper, month_page(report, dict(zip(numbers, COMPANIES, strict=True))))
        assert text.count("R$ 1.234.567.890,12") >= len(COMPANIES)
        assert all(name in text for name in COMPANIES)


def test_a_report_says_nothing_that_is_not_in_the_catalogue(billed, tmp_path, monkeypatch):
    place = billed(company(rule(1), rule(2, 11)))
    place.delete(place.invoice())
    report = place.close().report
    with wide_letters(tmp_path, monkeypatch), speaking("pt_BR"):
        page = month_page(report, {})
    assert plain_texts(page, NAMES | {word for each in report.contracts for word in WORD.findall(each.name)}) == []


@pytest.mark.parametrize("language", ["pt_BR", "en"])
@pytest.mark.parametrize("kind", list(LetterKind))
def test_a_letter_holds_any_name_and_any_amount(paper, kind, language):
    old, new = Decimal(LARGE), Decimal("1300000000.00")
    months = (date(2024, 6, 1), date(2025, 5, 1))
    prices = tuple(LetterPrice(name, old, new, Decimal("1.0702618312"), months, ("teto 5 %",)) for name in COMPANIES)
    for name in COMPANIES:
        letter = Letter(
            kind=kind,
            written_on=date(2025, 6, 10),
            organization=name,
            customer=name,
            contract_id=10,
            contract=name,
            rule_id=1,
            rule=name,
            index=PriceIndex.IGPM,
            execution_date=date(2025, 6, 10),
            prices=prices,
            missing=(),
            law="Lei nº 10.192/2001",
            clauses=(name, "7.2"),
            passport="a" * 64,
        )
        subject, html = LetterStyle(locale=language).written(letter)
        assert len(subject.splitlines()) == 1
        text = fits(paper, html)
        assert text.count("1.234.567.890,12") == len(COMPANIES)
        assert name in text


def test_the_letters_that_ship_share_one_style_sheet():
    def style(language: str) -> str:
        letter = Letter(
            kind=LetterKind.AFTER, written_on=date(2025, 6, 10), organization="A", customer="B", contract_id=1,
            contract="C", rule_id=1, rule="R", index=PriceIndex.IGPM, execution_date=date(2025, 6, 10), prices=(),
            missing=(), law="L", clauses=(), passport="",
        )  # fmt: skip
        return re.search(r"<style>(.*?)</style>", LetterStyle(locale=language).written(letter)[1], re.DOTALL)[1]

    assert style("pt_BR") == style("en")
    assert '"Times New Roman"' in style("en")
