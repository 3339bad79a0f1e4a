"""Who is let in, and what is answered to what is no request of the API's."""

import http.client
import json
import socket
import urllib.request
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from ciclo_sandbox.testing import running_sandbox
from sandbox.small_state import STATE


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    return sandbox


def ask(account, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(urlsplit(account.url).netloc, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Token",
        "Token token=",
        "Token token=wrong",
        "Bearer test-token",
        "test-token",
        "Token token=test-tokenx",
    ],
)
def test_a_wrong_token_is_401_with_an_empty_body(account, header):
    headers = {} if header is None else {"Authorization": header}
    assert ask(account, "GET", "/api/v1/service_items", **headers) == (401, b"")


@pytest.mark.parametrize("header", ["Token token=test-token", 'Token token="test-token"', "token test-token"])
def test_the_token_may_be_written_as_clients_write_it(account, header):
    assert ask(account, "GET", "/api/v1/service_items", Authorization=header)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nothing"),
        ("GET", "/api/v1/contracts/x/invoices/1"),
        ("GET", "/api/v1/contracts/0/invoice_rules"),
        ("GET", f"/api/v1/contracts/{10**30}/invoice_rules"),
        ("POST", "/api/v1/contracts/6666/invoices/search"),
        ("GET", "/"),
        ("GET", "/attachments/attachments/000/000/001/original/x"),
    ],
)
def test_what_is_not_there_is_404_with_an_empty_body(account, method, path):
    assert ask(account, method, path, Authorization="Token token=test-token") == (404, b"")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[1,]", b"<xml/>"])
def test_a_body_that_is_no_json_is_refused_in_the_vendor_s_manner(account, body):
    status, content = ask(
        account, "POST", "/api/v1/contracts/6666/invoices", body, Authorization="Token token=test-token"
    )
    assert (status, json.loads(content)) == (400, {"errors": "O corpo da requisição não é um JSON válido."})


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b'{"invoice": 3}', b'{"other": {}}'])
def test_a_body_without_an_invoice_is_an_invoice_without_fields(account, body):
    status, content = ask(
        account, "POST", "/api/v1/contracts/6666/invoices", body, Authorization="Token token=test-token"
    )
    assert status == 422
    assert json.loads(content)["errors"].keys() == {
        "description",
        "nfe_body",
        "gross_value",
        "issue_date",
        "receivables.due_date",
    }


def test_the_client_s_token_check_finds_no_company(account):
    assert account.call("GET", "companies/search?cnpj=auth_test") == (200, {"companies": []})


def sgs(account, path):
    try:
        with urllib.request.urlopen(f"{account.url}/dados/serie/bcdata.sgs.{path}") as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


@pytest.mark.parametrize(("code", "valor"), [(189, "1.52"), (190, "1.14"), (433, "0.48"), (188, "0.30"), (193, "0.39")])
def test_sgs_answers_the_shipped_series_without_a_token(account, code, valor):
    path = f"{code}/dados?formato=json&dataInicial=01/09/2018&dataFinal=30/09/2018"
    status, kind, body = sgs(account, path)
    assert (status, kind) == (200, "application/json; charset=utf-8")
    (value,) = json.loads(body)
    assert value["data"] == "01/09/2018"
    assert abs(float(value["valor"]) - float(valor)) < 2


def test_sgs_without_data_is_404_with_json(account):
    status, _, body = sgs(account, "189/dados?formato=json&dataInicial=01/01/2090&dataFinal=31/12/2090")
    assert status == 404
    assert json.loads(body)


def test_sgs_of_an_unknown_series_is_200_with_a_page(account):
    status, kind, body = sgs(account, "99999/dados?formato=json")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert body.startswith(b"<!DOCTYPE html>")


def test_sgs_answers_what_the_behaviour_lays_over_the_series(account):
    indices = {"igpm": {"2018-09": "9.99", "2018-10": None}}
    account.put_state(STATE | {"behaviour": {"price_indices": indices}})
    _, _, body = sgs(account, "189/dados?formato=json&dataInicial=01/09/2018&dataFinal=31/10/2018")
    assert json.loads(body) == [{"data": "01/09/2018", "valor": "9.99"}]
    assert len(json.loads(sgs(account, "189/dados/ultimos/3?formato=json")[2])) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"Host": "evil.example:8400"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""},
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"},
    ],
)  # fmt: skip
def test_a_web_page_cannot_reach_the_control_plane(account, headers):
    before = account.state()
    assert ask(account, "DELETE", "/_sandbox/state", **headers)[0] in {401, 404}
    assert ask(account, "GET", "/_sandbox/state", **headers)[0] in {401, 404}
    assert account.state() == before


def test_a_person_at_the_keyboard_reaches_it_by_any_name_of_the_machine(account):
    port = urlsplit(account.url).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost", "[::1]", f"LOCALHOST:{port}"):
        assert ask(account, "GET", "/_sandbox/clock", Host=host)[0] == 200
    own = f"127.0.0.1:{port}"
    assert ask(account, "GET", "/_sandbox/clock", Host=own, Origin=f"http://{own}")[0] == 200


def test_it_ends_though_connections_are_open_and_a_request_is_under_way():
    with ExitStack() as clients:
        with running_sandbox(STATE) as box:
            box.faults([{"path": "/service_items", "kind": "slow", "seconds": 600}])
            at = (urlsplit(box.url).hostname, urlsplit(box.url).port)
            idle, held = (clients.enter_context(socket.create_connection(at, timeout=60)) for _ in range(2))
            idle.sendall(b"GET /health_check HTTP/1.1\r\nHost: here\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            token = f"Authorization: Token token={box.token}\r\n".encode()
            held.sendall(b"GET /api/v1/service_items HTTP/1.1\r\nHost: here\r\n" + token + b"\r\n")

        with suppress(ConnectionResetError):
            while held.recv(4096):
                """Whatever is said to it, there is an end."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(at, timeout=60)
