"""`ciclo export`: an account read into a state file, as it is or with nobody's names in it."""

import json
from datetime import date

import pytest

from ciclo.jobs.rehearsal.export import anonymized
from ciclo_sandbox.testing import running_sandbox
from demo.company import company

PEOPLE_S = ("name", "company_name", "cnpj", "cpf", "email", "nfse_email", "billing_contacts", "title", "description")
TODAY = date(2025, 12, 31)


@pytest.fixture(scope="module")
def account():
    """The demo's company in a sandbox, with the e-mail addresses and documents that real customers have."""
    state = company(TODAY)
    state["companies"] = [
        {"id": 1954, "name": "Teste Doc Comércio", "company_name": "Teste Doc Comércio Ltda.",
         "cnpj": "12.345.678/0001-95", "billing_contacts": "a@testedoc.example",
         "nfse_email": "nota@testedoc.example", "city": "Campinas"},
    ]  # fmt: skip
    with running_sandbox(state, today=TODAY) as box:
        yield box


@pytest.fixture
def export(account, ciclo, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", account.token)

    def run(*options):
        file = tmp_path / "account.json"
        found = ciclo("export", file, "--url", account.url, "--organization", 2107, "--today", TODAY, *options)
        assert (found[0], found[2]) == (0, "")
        return json.loads(file.read_text(encoding="utf-8"))

    return run


def test_an_export_reads_everything_and_writes_nothing(account, export):
    account.clear_requests()
    state = export()
    assert {each["method"] for each in account.requests()} == {"GET"}
    there = account.state()
    found = {each["id"] for each in there["contracts"] if each["state"] == "active"}
    there["contracts"] = [each for each in there["contracts"] if each["id"] in found]
    there["invoice_rules"] = [each for each in there["invoice_rules"] if each["contract_id"] in found]
    for kind in ("contracts", "invoice_rules", "invoices", "companies", "people", "service_items", "email_templates"):
        assert [each["id"] for each in state[kind]] == sorted(each["id"] for each in there[kind]), kind


def test_what_was_exported_is_a_state_that_the_stand_in_takes_and_answers_alike(account, export):
    with running_sandbox(export(), today=TODAY) as copy:
        for path in ("organizations/2107/contracts", "contracts/11986/invoice_rules", "companies/1954"):
            assert without_tokens(copy.call("GET", path)) == without_tokens(account.call("GET", path))


def test_a_contract_about_which_the_vendor_only_fails_is_left_out_and_said(account, ciclo, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", account.token)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    path = "/contracts/11986/invoice_rules"
    account.faults([{"method": "GET", "path": path, "kind": "error_before", "probability": 1}])
    file = tmp_path / "account.json"
    found = ciclo("export", file, "--url", account.url, "--organization", 2107, "--today", TODAY)
    account.clear_faults()
    assert found[0] == 0
    assert "the rules of contract 11986" in found[1] + found[2]
    rules = json.loads(file.read_text(encoding="utf-8"))["invoice_rules"]
    assert rules
    assert 11986 not in {each["contract_id"] for each in rules}


def test_no_token_is_in_the_file(account, export):
    assert account.token not in json.dumps(export())


def test_an_anonymized_export_holds_nobody_s_names_documents_addresses_or_texts(account, export):
    text = json.dumps(export("--anonymize"), ensure_ascii=False).casefold()
    said = {value for value in said_in(account.state()) if len(value) > 2}
    assert len(said) > 200
    assert [value for value in said if value.casefold() in text] == []


def test_what_belongs_together_by_its_text_still_does():
    rule = {"id": 1, "contract_id": 10, "description": "Plano Ouro", "additional_information": {"title": "Ouro"}}
    invoice = {
        "id": 2,
        "contract_id": 10,
        "description": "plano ouro - Pedido 4711",
        "comments": "ciclo:1:2:2025-01-10 [ciclo a7] visto",
    }
    found = anonymized({"invoice_rules": [rule], "invoices": [invoice], "token": "secret"})
    plan, title = found["invoice_rules"][0]["description"], found["invoice_rules"][0]["additional_information"]["title"]
    assert found["invoices"][0]["description"].casefold().startswith(f"{plan.casefold()} - ")
    assert plan.endswith(title)
    assert found["invoices"][0]["comments"].startswith("ciclo:1:2:2025-01-10 [ciclo a7] ")
    assert "token" not in found


def test_two_words_are_never_masked_by_the_same_one():
    words = [f"w{number}" for number in range(500)]
    found = anonymized({"service_items": [{"id": number, "name": word} for number, word in enumerate(words)]})
    assert len({each["name"] for each in found["service_items"]}) == len(words)


def test_fields_that_nobody_knows_are_left_out_of_an_anonymized_export():
    company_ = {"id": 1, "name": "A", "phone": "11 99999-0000", "city": "Recife", "cnpj": "12.345.678/0001-95"}
    found = anonymized(
        {"companies": [company_], "invoices": [{"id": 2, "gross_value": "1.0", "fatura_url": "https://x"}]}
    )
    assert found["companies"][0].keys() == {"id", "name", "cnpj"}
    assert found["companies"][0]["cnpj"] == "00000000000001"
    assert found["invoices"] == [{"id": 2, "gross_value": "1.0"}]


def said_in(value, name=None):
    """Every text of somebody's in a state."""
    if isinstance(value, dict):
        return {text for key, each in value.items() for text in said_in(each, key)}
    if isinstance(value, list):
        return {text for each in value for text in said_in(each, name)}
    return {value} if isinstance(value, str) and name in PEOPLE_S else set()


def without_tokens(answer):
    return json.loads(json.dumps(answer), object_hook=lambda each: {k: v for k, v in each.items() if k != "token"})
