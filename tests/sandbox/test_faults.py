import http.client
import json
import socket
import time
from datetime import date
from urllib.parse import urlsplit

import pytest

from sandbox.small_state import STATE, invoice_form, rule_form

INVOICES = "contracts/6666/invoices"


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    yield sandbox
    sandbox.clear_faults()


def raw_post(account):
    """Create an invoice over a socket of its own; return status and body as they came."""
    connection = http.client.HTTPConnection(urlsplit(account.url).netloc, timeout=10)
    headers = {"Authorization": f"Token token={account.token}"}
    try:
        connection.request("POST", f"/api/v1/{INVOICES}", json.dumps(invoice_form()), headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def created(account):
    return len(account.state()["invoices"])


def test_a_fault_strikes_as_often_as_it_says_and_where_it_says(account):
    account.faults([{"kind": "error_before", "status": 503, "method": "POST", "path": "/invoices$", "count": 2}])
    statuses = [account.call("POST", INVOICES, invoice_form())[0] for _ in range(3)]
    assert statuses == [503, 503, 201]
    assert account.call("GET", "service_items")[0] == 200


def test_error_before_changes_nothing_and_error_after_everything(account):
    account.faults([{"kind": "error_before", "count": 1}, {"kind": "error_after", "count": 1, "status": 502}])
    assert account.call("POST", INVOICES, invoice_form()) == (500, None)
    assert created(account) == 0
    assert account.call("POST", INVOICES, invoice_form()) == (502, None)
    assert created(account) == 1


@pytest.mark.parametrize(("kind", "made"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_timeout_holds_the_connection_and_then_closes_it(account, kind, made):
    account.faults([{"kind": kind, "seconds": 0.1, "count": 1}])
    began = time.monotonic()
    with pytest.raises(http.client.RemoteDisconnected):
        raw_post(account)
    assert time.monotonic() - began >= 0.09  # a loop of events may wake some milliseconds early
    assert created(account) == made


def test_a_client_that_gives_up_waiting_finds_the_change_made(account):
    account.faults([{"kind": "timeout_after", "seconds": 60, "count": 1}])
    address = urlsplit(account.url)
    with socket.create_connection((address.hostname, address.port), timeout=0.2) as opened:
        body = json.dumps(invoice_form()).encode()
        head = f"POST /api/v1/{INVOICES} HTTP/1.1\r\nHost: x\r\nAuthorization: Token token={account.token}\r\n"
        opened.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with pytest.raises(TimeoutError):
            opened.recv(1)
    assert created(account) == 1


@pytest.mark.parametrize(("kind", "made"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_is_a_tcp_reset(account, kind, made):
    account.faults([{"kind": kind, "count": 1}])
    with pytest.raises(ConnectionResetError):
        raw_post(account)
    assert created(account) == made


def test_a_rate_limit_says_when_to_come_back(account):
    account.faults([{"kind": "rate_limit", "seconds": 3, "count": 1}])
    status, headers, _ = raw_post(account)
    assert (status, headers["Retry-After"]) == (429, "3")
    assert created(account) == 0


def test_a_slow_request_is_answered_all_the_same(account):
    account.faults([{"kind": "slow", "seconds": 0.1, "count": 1}])
    began = time.monotonic()
    assert raw_post(account)[0] == 201
    assert time.monotonic() - began >= 0.09  # a loop of events may wake some milliseconds early


def test_a_malformed_answer_is_no_json_but_the_change_is_made(account):
    account.faults([{"kind": "malformed", "count": 1}])
    status, _, body = raw_post(account)
    assert status == 201
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert created(account) == 1


def test_an_answer_without_a_body_is_malformed_too(account):
    number = account.call("POST", INVOICES, invoice_form())[1]["invoice"]["id"]
    account.faults([{"kind": "malformed", "count": 1}])
    with pytest.raises(json.JSONDecodeError):
        account.call("DELETE", f"{INVOICES}/{number}")
    assert created(account) == 0
    assert [(each["status"], each["fault"]) for each in account.requests(method="DELETE")] == [(200, "malformed")]


def test_a_late_commit_answers_a_timeout_and_changes_later(account):
    account.faults([{"kind": "late_commit", "seconds": 0.1, "count": 1}])
    assert account.call("POST", INVOICES, invoice_form()) == (504, None)
    assert created(account) == 0
    deadline = time.monotonic() + 5
    while created(account) == 0:
        assert time.monotonic() < deadline
    assert created(account) == 1


def test_a_late_commit_changes_nothing_in_a_state_that_was_put_meanwhile(account):
    account.faults([{"kind": "late_commit", "seconds": 0.2, "count": 1}])
    assert account.call("POST", INVOICES, invoice_form()) == (504, None)
    account.put_state(STATE)
    time.sleep(0.4)
    assert created(account) == 0


def test_a_truncated_page_ends_in_the_middle(account):
    account.call("POST", INVOICES, invoice_form())
    account.faults([{"kind": "truncated_page", "path": "search", "count": 1}])
    connection = http.client.HTTPConnection(urlsplit(account.url).netloc, timeout=10)
    connection.request(
        "GET", "/api/v1/organizations/564/invoices/search", headers={"Authorization": "Token token=test-token"}
    )
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_the_same_seed_strikes_the_same_requests(account):
    def struck(seed):
        account.faults([{"kind": "error_before", "probability": 0.5, "seed": seed}])
        return [account.call("GET", "service_items")[0] for _ in range(30)]

    assert struck(7) == struck(7)
    assert struck(7) != struck(8)


def test_the_log_names_the_fault(account):
    account.clear_requests()
    account.faults([{"kind": "reset_before", "count": 1}])
    with pytest.raises(ConnectionResetError):
        raw_post(account)
    (entry,) = account.requests()
    assert (entry["status"], entry["fault"], entry["at_clock"]) == (0, "reset_before", "2018-12-10")


@pytest.mark.parametrize(
    ("fault", "message"),
    [({"kind": "earthquake"}, "kind"), ({"kind": "slow", "path": "("}, "not a regular expression"), ({}, "kind")],
)
def test_a_fault_that_cannot_be_is_refused(account, fault, message):
    for given in ([fault], fault):
        status, body = account._send("PUT", "/_sandbox/faults", given, {})
        assert status == 422
        assert message in body["errors"]


SEARCH = "organizations/564/invoices/search"


def many(account, count):
    for _ in range(count):
        account.call("POST", INVOICES, invoice_form())


def ids(account, page, per_page=2):
    return [each["id"] for each in account.call("GET", f"{SEARCH}?page={page}&per_page={per_page}")[1]["invoices"]]


def test_a_stale_search_leaves_out_what_is_younger_by_the_sandboxs_own_clock(account):
    account.set_clock(date(2018, 12, 10), "09:00")
    many(account, 3)
    account.set_clock(date(2018, 12, 14), "09:00")
    many(account, 2)
    account.faults([{"kind": "stale_search", "method": "GET", "path": "/invoices/search$", "seconds": 432000}])
    assert account.call("GET", f"{SEARCH}?page=1")[1] == {"page": 1, "per_page": 50, "total_pages": 0, "invoices": []}
    account.set_clock(date(2018, 12, 15), "09:01")
    assert [ids(account, page) for page in (1, 2, 3)] == [[1, 2], [3], []]
    assert account.call("GET", f"{SEARCH}?per_page=2")[1]["total_pages"] == 2
    assert account.call("GET", f"{INVOICES}/5")[0] == 200
    account.set_clock(date(2018, 12, 20), "09:00")
    assert len(ids(account, 1, 50)) == 5


def test_a_stale_search_works_beside_another_fault(account):
    account.clear_requests()
    many(account, 1)
    stale = {"kind": "stale_search", "seconds": 3600}
    account.faults([{"kind": "error_after", "method": "GET", "path": "/search$", "count": 1}, stale])
    assert account.call("GET", SEARCH)[0] == 500
    assert account.call("GET", SEARCH)[1]["invoices"] == []
    assert account.call("GET", "contracts/6666/receivables/search")[1]["receivables"] == []
    assert [entry["fault"] for entry in account.requests(method="GET")] == [
        "error_after", "stale_search", "stale_search",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        (f"{SEARCH}?per_page=2", {"page": 1, "per_page": 2, "total_pages": 0, "invoices": []}),
        ("organizations/564/contracts", {"contracts": []}),
    ],
)
def test_an_empty_list_is_answered_as_if_nothing_were_there(account, path, empty):
    many(account, 1)
    account.faults([{"kind": "empty_list", "method": "GET", "count": 1}])
    assert account.call("GET", path)[1] == empty
    assert account.call("GET", path)[1] != empty


def test_an_html_page_comes_with_200_and_nothing_is_changed(account):
    account.faults([{"kind": "html_page", "count": 1}])
    status, headers, body = raw_post(account)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert body.startswith(b"<!DOCTYPE html>")
    assert created(account) == 0


def test_one_record_of_a_list_is_odd_and_says_whose_it_is(account):
    many(account, 5)
    account.faults([{"kind": "odd_record", "method": "GET", "seed": 4}])
    invoices = account.call("GET", SEARCH)[1]["invoices"]
    odd = [each for each in invoices if "odd_field" in each]
    assert (len(invoices), len(odd)) == (5, 1)
    assert (odd[0]["contract_id"], odd[0]["state"], odd[0]["gross_value"]) == (6666, "under_review", None)
    assert odd[0]["receivables"][0]["due_date"] is None


def test_an_odd_rule_has_a_period_unit_that_nobody_knows(account):
    account.call("POST", "contracts/6666/invoice_rules", rule_form())
    account.faults([{"kind": "odd_record", "path": "/invoice_rules$"}])
    (rule,) = account.call("GET", "contracts/6666/invoice_rules")[1]["invoice_rules"]
    assert rule["additional_information"]["period_unit"] == "daily"


def test_a_page_shifts_while_it_is_read(account):
    many(account, 6)
    account.faults([{"kind": "shifted_page", "method": "GET", "path": "/search$"}])
    assert [ids(account, page) for page in (1, 2, 3, 4, 5)] == [[1, 2], [2, 3], [4, 5], [6], []]


def test_a_faults_path_is_searched_without_the_query(account):
    account.faults([{"kind": "error_before", "path": "/search$"}])
    assert account.call("GET", f"{SEARCH}?page=1&per_page=2")[0] == 500


def test_what_somebody_else_asks_is_neither_struck_nor_noted(account):
    account.clear_requests()
    account.faults([{"kind": "error_before"}])
    headers = {"Authorization": f"Token token={account.token}", "X-Sandbox-Person": "1"}
    assert account._send("POST", f"/api/v1/{INVOICES}", invoice_form(), headers)[0] == 201
    assert account.requests() == []
