"""Why an invoice is different, on the console and as a command, over the small year."""

import json
import re
from decimal import Decimal

from ciclo.domain.money import brl
from console.small_year import CANCELLED

READJUSTED, FIRST = 80_009, 80_001
"""Invoices of rule 1000: its ninth, on the first day at the new price, and its first."""


def test_the_page_leads_to_the_passport_and_totals_to_the_cent(operator):
    page = operator.get(f"/invoices/{READJUSTED}/why").text
    assert 'href="/price-updates/1/passport"' in page
    amounts = [
        Decimal(text.replace(".", "").replace(",", ".").replace("-R$", "-").replace("R$", "").replace("\xa0", ""))
        for text in re.findall(r'<td class="number">(?:<strong>)?(-?R\$\s?[\d.,]+)', page)
    ]
    assert len(amounts) > 2
    assert sum(amounts[:-1]) == amounts[-1]


def test_the_periods_page_leads_to_it_and_the_first_invoice_has_nothing_to_compare_with(operator):
    assert f'href="/invoices/{FIRST}/why"' in operator.get("/periods/1").text
    assert "none before it" in operator.get(f"/invoices/{FIRST}/why").text


def test_it_is_said_in_portuguese(operator):
    page = operator.get(f"/invoices/{READJUSTED}/why", headers={"accept-language": "pt-BR"}).text
    assert "Por que a fatura 80009 está diferente?" in page
    assert "reajustado pelo IGP-M" in page


def test_an_invoice_that_is_not_there_is_said_to_be_none(operator):
    assert operator.get(f"/invoices/{80_000 + CANCELLED}/why").status_code == 404


def test_the_command_says_the_same_as_json(ciclo, small_year, monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL", small_year)
    code, out, err = ciclo("why", str(READJUSTED), "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    total = sum(Decimal(each["amount"]) for each in found["differences"])
    assert total == Decimal(found["difference"])
    assert {"readjusted"} <= {each["kind"] for each in found["differences"]}
    code, out, _ = ciclo("why", str(READJUSTED))
    sentence, *lines = out.splitlines()
    assert sentence == found["sentence"]
    assert [line.split("  ")[0].strip() for line in map(str.strip, lines)] == [
        brl(Decimal(each["amount"])) for each in found["differences"]
    ]
    assert ciclo("why", "1")[0] == 1
