"""Each endpoint of the client: method, path, query and body on the wire, and what comes back."""

import gzip
import json
import threading
from datetime import date
from decimal import Decimal

import pytest

from ciclo.billimatic import BillimaticClient, InvoiceChange, NewInvoice, NewReceivable

FROM, TO = date(2025, 1, 2), date(2025, 1, 31)
RANGE = {"issue_date_from": ["02-01-2025"], "issue_date_to": ["31-01-2025"]}
DUE_RANGE = {"due_date_from": ["02-01-2025"], "due_date_to": ["31-01-2025"]}

READS = [
    (lambda api: api.contracts(), "organizations/564/contracts", {}, {"contracts": []}),
    (lambda api: api.contract(5), "organizations/564/contracts/5", {}, {"contract": {"id": 5, "state": "active"}}),
    (lambda api: api.search_contracts(name="São"), "contracts/search", {"name": ["São"]}, {"contracts": []}),
    (lambda api: api.search_contracts(customer_id=7), "contracts/search", {"customer_id": ["7"]}, {"contracts": []}),
    (lambda api: api.invoice_templates(), "organizations/564/invoice_templates", {}, {"invoice_templates": []}),
    (lambda api: api.invoice_template(6), "organizations/564/invoice_templates/6", {}, {"invoice_template": {"id": 6}}),
    (lambda api: api.email_templates(), "organizations/564/email_templates", {}, {"email_templates": []}),
    (lambda api: api.service_items(), "service_items", {}, {"service_items": []}),
    (lambda api: api.invoice_rules(5), "contracts/5/invoice_rules", {}, {"invoice_rules": []}),
    (lambda api: api.contract_invoices(5, FROM, TO), "contracts/5/invoices/search", RANGE, {"invoices": []}),
    (lambda api: api.late_invoices(5), "contracts/5/invoices/late", {}, {"invoices": []}),
    (lambda api: api.search_receivables(5, FROM, TO), "contracts/5/receivables/search", DUE_RANGE, {"receivables": []}),
    (
        lambda api: api.search_receivables(5, FROM, TO, "late"),
        "contracts/5/receivables/search",
        {**DUE_RANGE, "state": ["late"]},
        {"receivables": []},
    ),
]


@pytest.mark.parametrize(("call", "path", "query", "body"), READS, ids=[f"{row[1]} {row[2]}" for row in READS])
def test_a_read_asks_for_its_path(server, client, act, call, path, query, body):
    server.play(act(body=body))
    call(client)
    seen = server.seen[0]
    assert (seen.method, seen.path, seen.query, seen.content) == ("GET", f"/api/v1/{path}", query, b"")


CHANGE = InvoiceChange(gross_value=Decimal("10.50"), issue_date=date(2025, 1, 1))
WRITES = [
    (lambda api: api.create_invoice(5, {"a": 1}), "POST", "contracts/5/invoices", {"invoice": {"a": 1}}, "invoice"),
    (
        lambda api: api.update_invoice(5, 7, CHANGE),
        "PATCH",
        "contracts/5/invoices/7",
        {"invoice": {"gross_value": 10.5, "issue_date": "2025-01-01"}},
        "invoice",
    ),
    (lambda api: api.approve_invoice(5, 7), "PATCH", "contracts/5/invoices/7/approve", None, "invoice"),
    (lambda api: api.block_invoice(5, 7), "PATCH", "contracts/5/invoices/7/block", None, "invoice"),
    (
        lambda api: api.create_invoice_rule(5, {"a": 1}),
        "POST",
        "contracts/5/invoice_rules",
        {"invoice_rule": {"a": 1}},
        "invoice_rule",
    ),
    (
        lambda api: api.update_invoice_rule(5, 7, {"a": 1}),
        "PUT",
        "contracts/5/invoice_rules/7",
        {"invoice_rule": {"a": 1}},
        "invoice_rule",
    ),
]


@pytest.mark.parametrize(("call", "method", "path", "body", "resource"), WRITES, ids=[f"{r[1]} {r[2]}" for r in WRITES])
def test_a_write_sends_its_body(  # noqa: PLR0917 - one column per fact of the table
    server, client, act, invoice, rule, call, method, path, body, resource
):
    server.play(act(status=201, body={resource: invoice() if resource == "invoice" else rule()}))
    call(client)
    seen = server.seen[0]
    assert (seen.method, seen.path) == (method, f"/api/v1/{path}")
    assert (seen.body if seen.content else None) == body


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda api: api.delete_invoice(5, 7), "contracts/5/invoices/7"),
        (lambda api: api.delete_invoice_rule(5, 7), "contracts/5/invoice_rules/7"),
    ],
)
@pytest.mark.parametrize("answer", [{"status": 204}, {"status": 200, "body": {}}])
def test_a_removal_needs_no_content_in_its_answer(server, client, act, call, path, answer):
    server.play(act(**answer))
    assert call(client) is None
    assert (server.seen[0].method, server.seen[0].path) == ("DELETE", f"/api/v1/{path}")


def test_every_request_carries_the_token_and_speaks_json(server, client, act):
    server.play(act(body={"contracts": []}))
    client.contracts()
    headers = server.seen[0].headers
    assert headers["Authorization"] == "Token token=canary-4f1d9a"
    assert headers["Content-Type"] == headers["Accept"] == "application/json"


def test_an_invoice_is_created_and_read_back(server, client, act, invoice):
    answer = invoice(
        184535,
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
