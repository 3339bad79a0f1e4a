"""The receiver of webhooks: what is believed, what is refused, and that refusing changes nothing."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.database import ledger_session
from ciclo.ledger.tables import WebhookEvent
from ciclo.webhooks import WebhookSettings, create_webhook_app
from ciclo.webhooks.app import is_fresh, signature
from ciclo_sandbox.webhooks import signature as vendors_signature

WEBHOOKS = Path(__file__).resolve().parents[3] / "shared" / "api" / "webhooks"
KEY = "s3cret-of-the-account"
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
EVENT = {
    "event": "confirm_receival",
    "object_type": "Invoice",
    "object_id": 180001,
    "contract_token": "not to be kept",
    "contract_id": 10,
}
RECEIVABLE = EVENT | {
    "event": "charge_creation_error",
    "object_type": "Receivable",
    "object_id": 9,
    "invoice_id": 180002,
}


@pytest.fixture
def receiver(ledger_engine):
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret=SecretStr(KEY)),
        open_session=lambda: Session(ledger_engine),
        clock=lambda: NOW,
    )
    with TestClient(app) as client:
        yield client


@pytest.fixture
def recorded(ledger_engine):
    def read():
        with Session(ledger_engine) as session:
            return list(session.scalars(select(WebhookEvent).order_by(WebhookEvent.id)))

    return read


def send(client, event=EVENT, *, request_id="req-1", key=KEY, body=None, **headers):
    content = json.dumps(event).encode() if body is None else body
    signed = {
        "X-Billimatic-RequestId": request_id,
        "X-Billimatic-Signature": signature(key.encode(), request_id, content),
    }
    return client.post("/billimatic", content=content, headers=signed | headers)


def test_a_signed_event_is_recorded_without_the_contracts_token(receiver, recorded):
    answer = send(receiver)
    assert (answer.status_code, answer.json()) == (200, {"recorded": True})
    (event,) = recorded()
    assert (event.event, event.object_id, event.invoice_id, event.contract_id) == (
        "confirm_receival", 180001, 180001, 10,
    )  # fmt: skip
    assert (event.received_at, event.handled_at) == (NOW, None)
    assert "not to be kept" not in str(vars(event))


def test_an_event_of_a_receivable_names_its_invoice(receiver, recorded):
    send(receiver, RECEIVABLE)
    assert recorded()[0].invoice_id == 180002


@pytest.mark.parametrize(
    ("object_id", "invoice_id"),
    [(180001, 180001), ("180001", 180001), (" 180001 ", 180001), ("id-do-objeto", None)],
)
def test_an_id_may_be_a_number_or_a_string_and_a_word_that_is_none_names_no_invoice(
    receiver, recorded, object_id, invoice_id
):
    assert send(receiver, EVENT | {"object_id": object_id, "contract_id": "10"}).json() == {"recorded": True}
    (event,) = recorded()
    assert (event.invoice_id, event.contract_id) == (invoice_id, 10)


def test_an_event_of_a_contract_alone_is_taken_though_it_was_withdrawn_or_is_new(receiver, recorded):
    # Refused, it would be sent five times more.
    assert send(receiver, {"event": "renewal", "status": "ok", "contract_token": "t"}).json() == {"recorded": True}
    (event,) = recorded()
    assert (event.object_type, event.object_id, event.invoice_id) == ("Contract", 0, None)


@pytest.mark.parametrize(("plan", "object_id"), [(792, 792), ("792", 792), ("id-do-novo-plano", 0)])
def test_a_change_of_plan_is_recorded_and_names_no_invoice(receiver, recorded, plan, object_id):
    answer = send(receiver, {"event": "change_plan", "plan_id": plan, "contract_token": "not to be kept"})
    assert answer.json() == {"recorded": True}
    (event,) = recorded()
    assert (event.event, event.object_type, event.object_id, event.invoice_id) == (
        "change_plan", "Plan", object_id, None,
    )  # fmt: skip


DOCUMENTED = sorted(WEBHOOKS.glob("*.json"))


@pytest.mark.skipif(not DOCUMENTED, reason=f"no documented payloads at {WEBHOOKS}")
@pytest.mark.parametrize("file", DOCUMENTED, ids=lambda file: file.stem)
def test_a_documented_payload_is_accepted(receiver, recorded, file):
    body = json.loads(file.read_text())["body"]
    answer = send(receiver, body)
    assert answer.status_code == 200
    assert [event.event for event in recorded()] == ([body["event"]] if "event" in body else [])


def test_the_signature_is_the_one_that_the_vendor_gives():
    body = b'{"event": "emit"}'
    assert signature(b"key", "id-1", body) == vendors_signature("key", "id-1", body)
    assert signature(b"key", "id-1", body) == "2091df132c5267a50ad58068da119c2bd88872ec"


def test_a_replayed_request_changes_nothing_and_is_answered_as_delivered(receiver, recorded):
    send(receiver)
    answer = send(receiver)
    assert (answer.status_code, answer.json()) == (200, {"recorded": False})
    assert len(recorded()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Billimatic-Signature": "0" * 40},
        {"X-Billimatic-Signature": ""},
        {"X-Billimatic-Signature": "é".encode()},
        {"X-Billimatic-RequestId": "another"},
        {"X-Billimatic-RequestId": ""},
        {"X-Billimatic-RequestId": "x" * 201},
    ],
)
def test_a_request_that_the_vendor_did_not_sign_is_refused(receiver, recorded, headers):
    assert send(receiver, **headers).status_code == 401
    assert recorded() == []


def test_another_key_and_a_changed_body_are_refused(receiver, recorded):
    assert send(receiver, key="guessed").status_code == 401
    signed = signature(KEY.encode(), "req-1", json.dumps(EVENT).encode())
    changed = json.dumps(EVENT | {"object_id": 2}).encode()
    assert send(receiver, body=changed, **{"X-Billimatic-Signature": signed}).status_code == 401
    assert recorded() == []


def test_an_upper_case_signature_is_the_same(receiver):
    signed = signature(KEY.encode(), "req-1", json.dumps(EVENT).encode()).upper()
    assert send(receiver, **{"X-Billimatic-Signature": signed}).status_code == 200


@pytest.mark.parametrize(
    ("header", "stamp"),
    [
        ("X-Billimatic-Timestamp", str(int((NOW - timedelta(seconds=301)).timestamp()))),
        ("X-Billimatic-Timestamp", (NOW - timedelta(days=1)).isoformat()),
        ("X-Billimatic-Timestamp", (NOW + timedelta(hours=1)).isoformat()),
        ("X-Billimatic-Timestamp", "yesterday"),
        ("X-Billimatic-Timestamp", "9" * 40),
        ("Date", format_datetime(NOW - timedelta(hours=1))),
    ],
)
def test_an_old_or_unreadable_timestamp_is_refused(receiver, recorded, header, stamp):
    answer = send(receiver, **{header: stamp})
    assert (answer.status_code, answer.json()) == (400, {"error": "too old"})
    assert recorded() == []


@pytest.mark.parametrize("stamp", [None, str(int(NOW.timestamp())), "2026-01-10T12:04:59", format_datetime(NOW)])
def test_a_timestamp_within_the_window_or_none_is_fine(stamp):
    assert is_fresh(stamp, NOW, timedelta(seconds=300))


def test_ten_megabytes_are_refused_unread(receiver, recorded):
    answer = send(receiver, body=b" " * 10_000_000)
    assert answer.status_code == 413
    assert recorded() == []


def test_a_large_body_that_hides_its_length_is_refused(receiver, recorded):
    def chunks():
        for _ in range(100):
            yield b" " * 10_000

    answer = receiver.post("/billimatic", content=chunks())
    assert answer.status_code == 413
    assert recorded() == []


@pytest.mark.parametrize("signed", [True, False])
def test_the_probe_is_answered_and_records_nothing(receiver, recorded, signed):
    answer = send(receiver, {"test": True}) if signed else receiver.post("/billimatic", json={"test": True})
    assert (answer.status_code, answer.json()) == (200, {"test": True})
    assert recorded() == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"not json", b"[" * 60_000, b'{"test": false}', b"{}", b'{"event": "emit"}', b"\xff\xfe",
        json.dumps(EVENT | {"object_id": "x" * 101}).encode(), json.dumps(EVENT | {"object_id": 2**70}).encode(),
        json.dumps(EVENT | {"object_id": True}).encode(), json.dumps(EVENT | {"contract_id": False}).encode(),
        json.dumps(EVENT | {"object_id": 1.5}).encode(), json.dumps(EVENT | {"object_id": float("nan")}).encode(),
        json.dumps(EVENT | {"object_id": {"id": 1}}).encode(), json.dumps(EVENT | {"object_id": [1]}).encode(),
        json.dumps(EVENT | {"object_id": "9" * 60}).encode(), b'{"event": "emit", "object_id": ' + b"9" * 5000 + b"}",
        json.dumps(EVENT | {"object_id": -1}).encode(), json.dumps(EVENT | {"event": "x" * 101}).encode(),
    ],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_refused(receiver, recorded, body):
    assert send(receiver, body=body).status_code == 400
    assert recorded() == []


def test_an_event_disguised_as_a_probe_needs_a_signature(receiver, recorded):
    assert receiver.post("/billimatic", json=EVENT | {"test": True}).status_code == 401
    assert recorded() == []


def test_without_a_secret_nothing_is_believed(ledger_engine):
    app = create_webhook_app(settings=WebhookSettings, open_session=lambda: Session(ledger_engine))
    with TestClient(app) as client:
        assert send(client, key="").status_code == 503


def test_the_secret_may_lie_in_a_file_and_be_changed(tmp_path, ledger_engine):
    file = tmp_path / "secret"
    file.write_text("first\n")
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret_file=file),
        open_session=lambda: Session(ledger_engine),
        clock=lambda: NOW,
    )
    with TestClient(app) as client:
        assert send(client, key="first").status_code == 200
        file.write_text("second")
        assert send(client, key="first", request_id="req-2").status_code == 401
        assert send(client, key="second", request_id="req-2").status_code == 200
        file.unlink()
        assert send(client, key="second", request_id="req-3").status_code == 503


def test_headers_can_have_other_names(ledger_engine):
    names = {"request_id_header": "X-Id", "signature_header": "X-Sign"}
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret=SecretStr(KEY), **names),
        open_session=lambda: Session(ledger_engine),
    )
    body = json.dumps(EVENT).encode()
    with TestClient(app) as client:
        answer = client.post(
            "/billimatic", content=body, headers={"X-Id": "1", "X-Sign": signature(KEY.encode(), "1", body)}
        )
    assert answer.status_code == 200


def test_a_ledger_that_is_away_asks_the_vendor_to_try_again(tmp_path, caplog):
    url = f"sqlite:///{tmp_path}/never-migrated.db"
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret=SecretStr(KEY)), open_session=lambda: ledger_session(url)
    )
    with TestClient(app) as client:
        assert send(client).status_code == 503
    assert str(tmp_path) not in caplog.text


def test_the_settings_never_show_the_secret():
    assert KEY not in repr(WebhookSettings(secret=SecretStr(KEY)))


def test_a_replay_long_after_the_event_was_handled_is_still_known(receiver, recorded, ledger_engine):
    from ciclo.ledger.repositories import WebhookRepository

    send(receiver)
    with Session(ledger_engine) as session:
        WebhookRepository(session).handled([recorded()[0].id], at=NOW)
        session.commit()
    assert send(receiver).json() == {"recorded": False}
    assert recorded()[0].handled_at == NOW


def test_a_body_that_trickles_in_is_cut_off(ledger_engine):
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret=SecretStr(KEY)),
        open_session=lambda: Session(ledger_engine),
        clock=lambda: NOW,
        patience=0.05,
    )
    answers, pieces = [], []

    async def receive():
        if pieces:
            await asyncio.sleep(3600)
        pieces.append(b"{")
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(message):
        answers.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/billimatic", "raw_path": b"/billimatic", "root_path": "",
        "query_string": b"", "scheme": "http", "http_version": "1.1", "headers": [(b"host", b"x")],
        "client": ("192.0.2.1", 1), "server": ("x", 80),
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), timeout=60))
    assert answers[0]["status"] == 408
