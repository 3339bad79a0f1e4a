import hmac
import json
import threading
import time
from datetime import date
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.small_state import STATE, invoice_form

SECRET = "shared"
TEST = b'{"test":true}'


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.news:
            (self.server.probes if body == TEST else self.server.got).append((dict(self.headers), body))
            self.server.order.append(body)
            status = self.server.answers.pop(0) if self.server.answers else 200
            self.server.news.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.probes, server.order, server.answers = [], [], [], []
    server.news = threading.Condition()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def told(receiver, count):
    """Return the first `count` webhooks, as soon as they are there."""
    with receiver.news:
        assert receiver.news.wait_for(lambda: len(receiver.got) >= count, timeout=10)
        return receiver.got[:count]


def deliveries(account, count):
    """Return what became of the first `count` events, as soon as it is known."""
    deadline = time.monotonic() + 10
    while len(found := account.deliveries()) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def settled(account, number):
    """Return what became of an event (by its number among all) once it is tried no more."""
    deadline = time.monotonic() + 10
    while not (found := account.deliveries()[number:]) or found[0]["outcome"] == "waiting":
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found[0]


@pytest.fixture
def account(sandbox, receiver):
    url = f"http://127.0.0.1:{receiver.server_address[1]}/billimatic"
    sandbox.put_state(STATE | {"behaviour": {"webhook": {"url": url, "secret": SECRET}}})
    sandbox.set_clock(date(2018, 12, 10), "09:00")
    return sandbox


def create(account):
    return account.call("POST", "contracts/6666/invoices", invoice_form())[1]["invoice"]


def test_every_event_is_told_in_order(account, receiver):
    invoice = create(account)
    number, receivable = invoice["id"], invoice["receivables"][0]["id"]
    account.call("PATCH", f"contracts/6666/invoices/{number}", {"invoice": {"comments": "x"}})
    account.emit(number)
    account.receive(receivable)
    account.undo_receival(receivable)
    account._act(f"receivables/{receivable}/receivement_error")
    account._act(f"invoices/{number}/undo_emission")
    account.cancel(number)
    account.undo_cancellation(number)
    bodies = [json.loads(body) for _, body in told(receiver, 9)]
    assert [body["event"] for body in bodies] == [
        "update", "charge_creation_success", "emit", "confirm_receival", "undo_receival", "receivement_error",
        "undo_emission", "cancel", "undo_cancellation",
    ]  # fmt: skip
    common = {"contract_token": "0d0e40e5", "contract_id": 6666}
    assert bodies[0] == {"event": "update", "object_type": "Invoice", "object_id": number, **common}
    assert bodies[1] == {
        "event": "charge_creation_success", "object_type": "Receivable", "object_id": receivable, **common,
        "invoice_id": number,
    }  # fmt: skip


def test_a_webhook_is_signed_over_request_id_and_body(account, receiver):
    account.emit(create(account)["id"])
    for headers, body in told(receiver, 2):
        signed = headers["X-Billimatic-RequestId"].encode() + body
        assert headers["X-Billimatic-Signature"] == hmac.new(SECRET.encode(), signed, sha1).hexdigest()


def test_every_delivery_is_preceded_by_a_signed_test(account, receiver):
    account.cancel(create(account)["id"])
    account.cancel(create(account)["id"])
    told(receiver, 2)
    assert [body == TEST for body in receiver.order] == [True, False, True, False]
    for headers, body in receiver.probes:
        signed = headers["X-Billimatic-RequestId"].encode() + body
        assert headers["X-Billimatic-Signature"] == hmac.new(SECRET.encode(), signed, sha1).hexdigest()
    assert len({headers["X-Billimatic-RequestId"] for headers, _ in receiver.probes + receiver.got}) == 4


def test_an_event_is_not_sent_to_a_receiver_that_fails_the_test(account, receiver):
    receiver.answers = [204]
    before = len(account.deliveries())
    account.cancel(create(account)["id"])
    waiting = deliveries(account, before + 1)[-1]
    assert (waiting["outcome"], waiting["attempts"], waiting["status"]) == ("waiting", 1, 204)
    assert receiver.got == []


def test_a_webhook_is_tried_again_hours_later_by_the_sandboxs_clock(account, receiver):
    receiver.answers = [200, 500, 200, 202]
    before = len(account.deliveries())
    account.cancel(create(account)["id"])
    deliveries(account, before + 1)
    account.set_clock(date(2018, 12, 10), "10:59")
    assert len(receiver.order) == 2
    account.set_clock(date(2018, 12, 10), "11:01")
    told(receiver, 2)
    account.set_clock(date(2018, 12, 10), "15:01")
    assert len({body for _, body in told(receiver, 3)}) == 1
    delivery = settled(account, before)
    assert (delivery["attempts"], delivery["status"]) == (3, 200)


def test_after_five_more_tries_an_event_is_given_up(account, receiver):
    receiver.answers = [503] * 6
    before = len(account.deliveries())
    account.cancel(create(account)["id"])
    account.set_clock(date(2018, 12, 13), "00:05")
    assert settled(account, before) | {"event": None} == {
        "event": None, "status": 503, "attempts": 6, "outcome": "failed",
    }  # fmt: skip
    assert receiver.got == []


def test_the_probe_says_test(account, receiver):
    status, answer = account._send("POST", "/_sandbox/webhook/test", None, {})
    assert (status, answer["status"]) == (200, 200)
    assert receiver.order == [TEST]


def test_header_names_are_configurable(account, receiver):
    url = f"http://127.0.0.1:{receiver.server_address[1]}/"
    account.webhook(url=url, secret=SECRET, request_id_header="X-Id", signature_header="X-Sum")
    account.cancel(create(account)["id"])
    headers, _ = told(receiver, 1)[0]
    assert headers["X-Id"]
    assert headers["X-Sum"]


def test_a_lost_webhook_is_never_sent(account, receiver):
    account.webhook(url=f"http://127.0.0.1:{receiver.server_address[1]}/", secret=SECRET, lost=1.0)
    before = len(account.deliveries())
    account.cancel(create(account)["id"])
    assert account.deliveries()[before:][0]["outcome"] == "lost"
    assert receiver.got == []
