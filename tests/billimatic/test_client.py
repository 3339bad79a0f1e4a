"""Each endpoint of the client: method, path, query and body on the wire, and what comes back."""

import gzip
import json
import threading
from datetime import date
from decimal import Decimal

import pytest

from ciclo.billimatic import (
    BillimaticClient,
    CompanyChange,
    ContractChange,
    InvoiceChange,
    InvoiceRuleChange,
    NewCompany,
    NewContract,
    NewInvoice,
    NewOrganization,
    NewPerson,
    NewReceivable,
    NewServiceItem,
    OrganizationChange,
    Payment,
    PersonChange,
    ServiceItemChange,
    UnreadableAnswerError,
)

FROM, TO = date(2025, 1, 2), date(2025, 1, 31)
DUE_RANGE = {"due_date_from": ["02-01-2025"], "due_date_to": ["31-01-2025"]}
ONE = {"id": 9, "state": "active"}

READS = [
    (lambda api: api.organizations(), "organizations", {}, {"organizations": []}),
    (
        lambda api: api.search_organization("57757975000186"),
        "organizations/search",
        {"cnpj": ["57757975000186"]},
        {"organization": ONE},
    ),
    (lambda api: api.companies(), "companies", {}, {"companies": []}),
    (lambda api: api.company(9), "companies/9", {}, {"company": ONE}),
    (lambda api: api.search_companies("1"), "companies/search", {"cnpj": ["1"]}, {"companies": []}),
    (lambda api: api.people(), "people", {}, {"people": []}),
    (lambda api: api.person(9), "people/9", {}, {"person": ONE}),
    (lambda api: api.search_people("1"), "people/search", {"cpf": ["1"]}, {"people": []}),
    (lambda api: api.contracts(), "organizations/564/contracts", {}, {"contracts": []}),
    (lambda api: api.contract(9), "organizations/564/contracts/9", {}, {"contract": ONE}),
    (lambda api: api.search_contracts(name="Obra"), "contracts/search", {"name": ["Obra"]}, {"contracts": []}),
    (lambda api: api.search_contracts(customer_id=7), "contracts/search", {"customer_id": ["7"]}, {"contracts": []}),
    (lambda api: api.service_items(), "service_items", {}, {"service_items": []}),
    (lambda api: api.search_service_item("A B"), "service_items/search", {"name": ["A B"]}, {"service_item": ONE}),
    (lambda api: api.email_templates(), "organizations/564/email_templates", {}, {"email_templates": []}),
    (lambda api: api.invoice_templates(), "organizations/564/invoice_templates", {}, {"invoice_templates": []}),
    (lambda api: api.invoice_template(9), "organizations/564/invoice_templates/9", {}, {"invoice_template": ONE}),
    (
        lambda api: api.search_invoice_templates("invoice_rule"),
        "organizations/564/invoice_templates/search",
        {"type": ["invoice_rule"]},
        {"invoice_templates": []},
    ),
    (lambda api: api.charge_templates(), "organizations/564/charge_templates", {}, {"charge_templates": []}),
    (lambda api: api.charge_template(9), "organizations/564/charge_templates/9", {}, {"charge_template": ONE}),
    (lambda api: api.financial_accounts(), "organizations/564/financial_accounts", {}, {"financial_accounts": []}),
    (lambda api: api.financial_account(9), "organizations/564/financial_accounts/9", {}, {"financial_account": ONE}),
    (lambda api: api.nfse_templates(), "organizations/564/nfse_templates", {}, {"nfse_templates": []}),
    (lambda api: api.invoice_rules(5), "contracts/5/invoice_rules", {}, {"invoice_rules": []}),
    (lambda api: api.late_invoices(5), "contracts/5/invoices/late", {}, {"invoices": []}),
    (lambda api: api.search_receivables(5, FROM, TO), "contracts/5/receivables/search", DUE_RANGE, {"receivables": []}),
    (
        lambda api: api.search_receivables(5, FROM, TO, "to_receive"),
        "contracts/5/receivables/search",
        {**DUE_RANGE, "state": ["to_receive"]},
        {"receivables": []},
    ),
    (
        lambda api: api.receivable(5, 9),
        "contracts/5/receivables/9",
        {},
        {"receivable": {**ONE, "due_date": "02/12/2019"}},
    ),
]


@pytest.mark.parametrize(("call", "path", "query", "body"), READS, ids=[f"{row[1]} {row[2]}" for row in READS])
def test_a_read_asks_for_its_path(server, client, act, call, path, query, body):
    server.play(act(body=body))
    call(client)
    seen = server.seen[0]
    assert (seen.method, seen.path, seen.query, seen.content) == ("GET", f"/api/v1/{path}", query, b"")


CHANGE = InvoiceChange(gross_value=Decimal("10.50"), issue_date=date(2025, 1, 1))
PAYMENT = Payment(received_value=Decimal("50.0"), received_at=date(2024, 10, 30))
WRITES = [
    (
        lambda api: api.create_organization(NewOrganization(name="A", cnpj="1")),
        "POST",
        "organizations",
        {"organization": {"name": "A", "cnpj": "1"}},
    ),
    (
        lambda api: api.update_organization(7, OrganizationChange(city="B")),
        "PATCH",
        "organizations/7",
        {"organization": {"city": "B"}},
    ),
    (
        lambda api: api.create_company(NewCompany(name="A", cnpj="1")),
        "POST",
        "companies",
        {"company": {"name": "A", "cnpj": "1"}},
    ),
    (
        lambda api: api.update_company(7, CompanyChange(nfse_email=None)),
        "PATCH",
        "companies/7",
        {"company": {"nfse_email": None}},
    ),
    (
        lambda api: api.create_person(NewPerson(name="A", cpf="1", allow_email_on_nfse=True)),
        "POST",
        "people",
        {"person": {"name": "A", "cpf": "1", "allow_email_on_nfse": True}},
    ),
    (lambda api: api.update_person(7, PersonChange(name="B")), "PATCH", "people/7", {"person": {"name": "B"}}),
    (
        lambda api: api.create_contract(
            NewContract(
                kind="sale",
                name="A",
                title="B",
                customer_id=1617,
                customer_type="Person",
                supplier_id=486,
                supplier_type="Company",
            )
        ),
        "POST",
        "contracts",
        {
            "contract": {
                "kind": "sale",
                "name": "A",
                "title": "B",
                "customer_id": 1617,
                "customer_type": "Person",
                "supplier_id": 486,
                "supplier_type": "Company",
            }
        },
    ),
    (
        lambda api: api.update_contract(7, ContractChange(overdue_automatic_management=True)),
        "PATCH",
        "contracts/7",
        {"contract": {"overdue_automatic_management": True}},
    ),
    (
        lambda api: api.change_plan("0666d7", 792),
        "PATCH",
        "subscriptions/0666d7/change_plan",
        {"subscription": {"new_plan_id": 792}},
    ),
    (
        lambda api: api.create_service_item(NewServiceItem(name="A", value=Decimal(7900))),
        "POST",
        "service_items",
        {"service_item": {"name": "A", "value": 7900}},
    ),
    (
        lambda api: api.update_service_item(7, ServiceItemChange(description="B")),
        "PATCH",
        "service_items/7",
        {"service_item": {"description": "B"}},
    ),
    (lambda api: api.create_invoice(5, {"a": 1}), "POST", "contracts/5/invoices", {"invoice": {"a": 1}}),
    (
        lambda api: api.update_invoice(5, 7, CHANGE),
        "PATCH",
        "contracts/5/invoices/7",
        {"invoice": {"gross_value": 10.5, "issue_date": "2025-01-01"}},
    ),
    (lambda api: api.approve_invoice(5, 7), "PATCH", "contracts/5/invoices/7/approve", None),
    (lambda api: api.block_invoice(5, 7), "PATCH", "contracts/5/invoices/7/block", None),
    (lambda api: api.create_invoice_rule(5, {"a": 1}), "POST", "contracts/5/invoice_rules", {"invoice_rule": {"a": 1}}),
    (
        lambda api: api.update_invoice_rule(5, 7, InvoiceRuleChange(gross_value=Decimal(2))),
        "PUT",
        "contracts/5/invoice_rules/7",
        {"invoice_rule": {"gross_value": 2}},
    ),
    (
        lambda api: api.receive(5, 7, PAYMENT),
        "PATCH",
        "contracts/5/receivables/7/receive",
        {"receivable": {"received_value": 50.0, "received_at": "2024-10-30"}},
    ),
    (lambda api: api.undo_receipt(5, 7), "PATCH", "contracts/5/receivables/7/undo_receipt", None),
]


@pytest.mark.parametrize(("call", "method", "path", "body"), WRITES, ids=[f"{row[1]} {row[2]}" for row in WRITES])
def test_a_write_sends_its_body(server, client, act, invoice, rule, call, method, path, body):  # noqa: PLR0917 - a table
    one = {**ONE, "id": 7}
    answers = dict.fromkeys(("organization", "company", "person", "contract", "subscription", "service_item"), one)
    answers |= {
        "invoice": invoice(7, contract_id=5),
        "invoice_rule": rule(id=7, contract_id=5),
        "receivable": {**one, "due_date": "01/01/2025"},
    }
    server.play(act(status=201, body=answers))
    call(client)
    seen = server.seen[0]
    assert (seen.method, seen.path) == (method, f"/api/v1/{path}")
    assert (seen.body if seen.content else None) == body


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        (lambda api: api.delete_invoice(5, 7), "DELETE", "contracts/5/invoices/7"),
        (lambda api: api.delete_invoice_rule(5, 7), "DELETE", "contracts/5/invoice_rules/7"),
        (lambda api: api.delete_organization(7), "DELETE", "organizations/7"),
        (lambda api: api.delete_company(7), "DELETE", "companies/7"),
        (lambda api: api.delete_person(7), "DELETE", "people/7"),
        (lambda api: api.delete_contract(7), "DELETE", "contracts/7"),
        (lambda api: api.delete_service_item(7), "DELETE", "service_items/7"),
        (lambda api: api.create_charges(5, 7), "PATCH", "contracts/5/invoices/7/create_charges"),
        (lambda api: api.create_charge(5, 7), "PATCH", "contracts/5/receivables/7/create_charge"),
    ],
)
@pytest.mark.parametrize("answer", [{"status": 204}, {"status": 202}, {"status": 200, "body": {}}])
def test_what_is_only_asked_for_needs_no_content_in_its_answer(server, client, act, call, method, path, answer):
    server.play(act(**answer))
    assert call(client) is None
    assert (server.seen[0].method, server.seen[0].path) == (method, f"/api/v1/{path}")


@pytest.mark.parametrize(
    ("answer", "well"),
    [(b"OK", True), (b"ok\n", True), ({"status": "ok"}, True), ({"status": "down"}, False), (b"<html>", False)],
)
def test_the_apis_health_is_read_as_text_or_as_json(server, client, act, answer, well):
    server.play(act(body=answer))
    assert client.health_check() is well
    assert server.seen[0].path == "/health_check"


@pytest.mark.parametrize("call", [lambda api: api.search_organization("1"), lambda api: api.search_service_item("A")])
def test_a_search_for_one_thing_that_is_not_there_finds_none(server, client, act, call):
    server.play(act(status=404))
    assert call(client) is None


def test_an_odd_record_of_a_list_spoils_no_other(server, client, act, rule, caplog):
    odd = rule(id=2, gross_value="viel")
    server.play(act(body={"invoice_rules": [rule(id=1), odd, rule(id=3), "?", None]}))
    rules = client.invoice_rules(8818)
    assert [found.id for found in rules] == [1, 3]
    assert (len(rules), rules[1].id, [found.id for found in rules[:1]]) == (2, 3, [1])
    assert [(found.id, found.contract_id, found.fields) for found in rules.odd] == [
        (2, 8818, ("gross_value",)),
        (None, None, ("it",)),
        (None, None, ("it",)),
    ]
    assert "invoice_rule 2 cannot be read: gross_value" in caplog.text
    assert "viel" not in caplog.text
    with pytest.raises(UnreadableAnswerError, match="contract 8818: invoice_rule 2 cannot be read: gross_value"):
        rules.whole()


def test_every_request_carries_the_token_and_speaks_json(server, client, act):
    server.play(act(body={"contracts": []}))
    client.contracts()
    headers = server.seen[0].headers
    assert headers["Authorization"] == "Token token=canary-4f1d9a"
    assert headers["Content-Type"] == headers["Accept"] == "application/json"


def test_an_invoice_is_created_and_read_back(server, client, act, invoice):
    answer = invoice(
        184535,
        contract_id=11986,
        gross_value="10000.0",
        receivables=[
            {"id": 1, "due_date": "02/12/2019", "value": "100.0", "gross_value": "10000.0", "state": "to_emit"}
        ],
    )
    server.play(act(status=201, body={"invoice": answer}))
    new = NewInvoice(
        issue_date=date(2018, 12, 2),
        description="Teste Doc",
        nfe_body="Nfe teste",
        gross_value=Decimal("700.10"),
        receivables=[NewReceivable(due_date=date(2019, 12, 2), value=Decimal(100))],
    )
    created = client.create_invoice(11986, new)
    assert b'"gross_value":700.10' in server.seen[0].content
    assert (created.id, created.gross_value) == (184535, Decimal("10000.0"))
    assert created.receivables[0].due_date == date(2019, 12, 2)


def test_authenticated_says_whether_the_token_is_accepted(server, client, act):
    server.play(act(body={"service_items": []}), act(status=401))
    assert [client.authenticated(), client.authenticated()] == [True, False]


def test_one_connection_serves_many_requests(server, client, act):
    connections = set()
    server.play(act(body={"contracts": []}))
    process = server._http.process_request
    server._http.process_request = lambda request, address: (connections.add(address), process(request, address))
    for _ in range(5):
        client.contracts()
    assert len(connections) == 1


def test_threads_share_one_client(server, client, act, invoice):
    server.play(act(status=201, body={"invoice": invoice(7)}))
    found: list[int] = []

    def create() -> None:
        found.extend(client.create_invoice(6666, {"a": number}).id for number in range(10))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 80
    assert len(server.seen) == 80


@pytest.mark.parametrize("url", ["{}", "{}/", "{}/api/v1", "{}/api/v1/"])
def test_the_base_url_may_end_as_people_write_it(server, act, url):
    server.play(act(body={"contracts": []}))
    with BillimaticClient(base_url=url.format(server.url), token="t", organization_id=1) as client:
        client.contracts()
    assert server.seen[0].path == "/api/v1/organizations/1/contracts"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "http://billing.example"}, "base_url must be https: the token would travel in clear"),
        ({"base_url": "http://127.0.0.1.example"}, "base_url must be https"),
        ({"base_url": "ftp://billing.example"}, "base_url must look like https://"),
        ({"base_url": "billing.example"}, "base_url must look like https://"),
        ({"base_url": "https://user:pw@billing.example"}, "base_url must hold no user, password, query or fragment"),
        ({"base_url": "https://billing.example?a=1"}, "base_url must hold no user, password, query or fragment"),
        ({"token": ""}, "token must be visible ASCII"),
        ({"token": "canary\nX: y"}, "token must be visible ASCII"),
        ({"token": "canary á"}, "token must be visible ASCII"),
        ({"timeout": 0}, "timeout must be a positive number"),
        ({"timeout": float("inf")}, "timeout must be a positive number"),
        ({"timeout": float("nan")}, "timeout must be a positive number"),
        ({"requests_per_second": -1}, "requests_per_second must be"),
        ({"requests_per_second": float("nan")}, "requests_per_second must be"),
    ],
)
def test_a_client_that_could_not_work_is_not_made(settings, message):
    valid = {"base_url": "https://billing.example", "token": "t", "organization_id": 1}
    with pytest.raises(ValueError, match=message) as caught:
        BillimaticClient(**{**valid, **settings})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "[::1]", "api.localhost"])
def test_plain_http_is_for_loopback(host):
    with BillimaticClient(base_url=f"http://{host}:8400", token="t", organization_id=1):
        pass


def test_plain_http_to_another_machine_is_said_in_so_many_words():
    with BillimaticClient(base_url="http://sandbox:8400", token="t", organization_id=1, allow_http=True):
        pass


def test_a_compressed_answer_is_read(server, client, act):
    body = gzip.compress(json.dumps({"service_items": [{"id": 7, "name": "Água"}]}).encode())
    server.play(act(body=body, headers={"Content-Encoding": "gzip"}))
    assert [item.name for item in client.service_items()] == ["Água"]
    assert "gzip" in server.seen[0].headers["Accept-Encoding"]


def test_a_change_without_a_body_says_that_it_has_none(server, client, act):
    server.play(
        act(
            body={
                "invoice": {
                    "id": 9,
                    "contract_id": 5,
                    "issue_date": "01/03/2025",
                    "gross_value": "10.0",
                    "state": "to_emit",
                }
            }
        )
    )
    client.approve_invoice(5, 9)
    client.invoice(5, 9)
    assert [seen.headers["Content-Length"] for seen in server.seen] == ["0", None]
    assert {seen.headers["Host"] for seen in server.seen} == {f"127.0.0.1:{server.port}"}
