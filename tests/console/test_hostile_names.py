"""A contract's name comes from outside: it is never markup, never SQL, never a spreadsheet's formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.console.formats import Column, csv_chunks
from ciclo.domain.texts import cell
from console.small_year import HOSTILE_NAME
from console.views import PAGES


@pytest.mark.parametrize("path", [*PAGES, "/contracts/109", "/contracts?q=script", "/search?q=script"])
def test_a_name_is_never_markup(operator, path):
    page = operator.get(path).text

    assert "<script>alert" not in page


def test_a_hostile_name_is_shown_as_it_is(operator):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in operator.get("/contracts/109").text


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "' OR 1=1 --", "%", "_", "\\"]
)
def test_what_is_searched_for_is_neither_markup_nor_sql_nor_a_wildcard(operator, text):
    for path in ("/search", "/contracts", "/periods/list", "/periods", "/receivables", "/attention", "/price-updates"):
        page = operator.get(path, params={"q": text})
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "49" not in page.text or text != "{{ 7*7 }}" or "{{ 7*7 }}" in page.text
    if text in {"%", "_", "\\"}:
        assert "Nothing found" in operator.get("/search", params={"q": text}).text


@given(st.text(max_size=30))
def test_no_cell_of_an_export_is_calculated(text):
    written = cell(text)

    assert not written.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert written in {text, f"'{text}"}


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\x00"), max_size=12), min_size=1, max_size=5))
def test_an_export_reads_back_cell_by_cell(cells):
    columns = [Column(str(number), lambda row, number=number: row[number]) for number in range(len(cells))]

    text = "".join(csv_chunks(columns, [cells])).lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")

    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))[1] == [cell(value) for value in cells]


def test_an_exported_contract_with_a_formula_for_a_name_is_harmless(operator):
    text = operator.get("/contracts?format=csv&q=script").text

    assert HOSTILE_NAME.replace('"', '""') in text
    assert ";=" not in text
