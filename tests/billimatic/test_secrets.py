"""A canary token is planted; nothing that a person or a log may see repeats it."""

import logging
import ssl
import traceback
from pathlib import Path

import pytest

import ciclo
from ciclo.billimatic import ApiError, BillimaticClient

CANARY = "canary-4f1d9a"
OURS = Path(ciclo.__file__).parent

FAULTS = [
    {"status": 401},
    {"status": 500, "body": b"trace: Authorization Token token=canary-4f1d9a"},
    {"status": 422, "body": {"errors": {"token": "canary-4f1d9a is wrong"}}},
    {"status": 429, "headers": {"Retry-After": "9999"}},
    {"status": 200, "body": b"<html>"},
    {"fault": "disconnect"},
    {"fault": "reset"},
]


def _locals_of_our_frames(error: BaseException) -> str:
    """What a log that prints local variables would show of Ciclo's own frames, causes included."""
    shown, found = [], error
    while found is not None:
        frames = traceback.TracebackException.from_exception(found, capture_locals=True).stack
        shown += [repr(frame.locals) for frame in frames if Path(frame.filename).is_relative_to(OURS)]
        found = found.__cause__
    return "".join(shown)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", [lambda api: api.contracts(), lambda api: api.create_invoice(1, {"a": 1})])
def test_no_failure_shows_the_token(server, client, act, caplog, fault, call):
    caplog.set_level(logging.DEBUG)
    server.play(act(**fault))
    with pytest.raises(ApiError) as caught:
        call(client)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    assert CANARY not in shown
    assert CANARY not in _locals_of_our_frames(caught.value)
    assert CANARY not in caplog.text


def test_a_server_that_echoes_the_token_in_its_request_id_does_not_spread_it(server, client, act):
    server.play(act(status=422, headers={"X-Request-Id": f"id-{CANARY}"}))
    with pytest.raises(ApiError) as caught:
        client.create_invoice(1, {"a": 1})
    assert caught.value.request_id == "id-***"


def test_no_success_logs_the_token(server, client, act, caplog):
    caplog.set_level(logging.DEBUG)
    server.play(act(body={"contracts": []}))
    client.contracts()
    assert caplog.text
    assert CANARY not in caplog.text


def test_a_client_does_not_show_its_token(client):
    assert CANARY not in repr(client)
    assert CANARY not in str(client)
    assert CANARY not in repr(client._exchange)


def test_the_token_never_follows_a_redirect(server, client, act):
    server.play(act(status=302, headers={"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(ApiError):
        client.contracts()
    assert {seen.path for seen in server.seen} == {"/api/v1/organizations/564/contracts"}


def test_certificates_are_verified():
    with BillimaticClient(base_url="https://billing.example", token=CANARY, organization_id=1) as client:
        context = client._exchange._http._transport._pool._ssl_context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
