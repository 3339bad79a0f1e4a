"""Forms that somebody else made up, and bodies that nobody should send: refused, and the ledger is as it was."""

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from ciclo.console import User, create_app
from ciclo.console.security import CSRF_COOKIE, LARGEST_BODY, TokenSigner
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period
from console.conftest import token_in
from console.factories import NOW
from console.small_year import PARKED, fill_small_year

SECRET = "the deployment's secret"
ACTION = f"/periods/{PARKED}/release"


def current_user(request: Request) -> User:
    name = request.headers["x-user"]
    return User(name, name)


def everybody_may(request: Request) -> bool:
    return True


@pytest.fixture
def console(sqlite_url):
    """The console for ana, who may act, as may bia."""
    engine = open_engine(sqlite_url)
    fill_small_year(engine)
    app = create_app(
        current_user=current_user, can_act=everybody_may, secret=SECRET, ledger_url=sqlite_url, clock=lambda: NOW
    )
    with TestClient(app, headers={"x-user": "ana"}) as client:
        yield client
    with Session(engine) as session:
        assert session.get(Period, PARKED).state == "parked"
    app.state.ledger.dispose()
    engine.dispose()


def nonce_of(client):
    client.get("/")
    return client.cookies[CSRF_COOKIE]


def test_the_token_of_one_user_is_no_use_to_another_in_the_same_browser(console):
    token = token_in(console.get(f"/periods/{PARKED}").text)
    form = {"csrf": token, "note": "x"}
    assert console.post(ACTION, data=form, headers={"x-user": "bia"}).status_code == 403


def test_a_token_signed_with_a_guessed_secret_is_refused(console):
    for guess in ("", "secret", "airflow", SECRET.upper()):
        form = {"csrf": TokenSigner(guess).sign(nonce_of(console), "ana"), "note": "x"}
        assert console.post(ACTION, data=form).status_code == 403


def test_a_cookie_and_token_that_another_user_was_given_are_refused(console):
    console.get("/", headers={"x-user": "bia"})
    form = {"csrf": TokenSigner(SECRET).sign(console.cookies[CSRF_COOKIE], "bia"), "note": "x"}
    assert console.post(ACTION, data=form).status_code == 403


@pytest.mark.parametrize("nonce", ["", "x", "x" * 43, "é" * 43, "x" * 5000])
def test_a_cookie_that_was_made_up_opens_nothing(console, nonce):
    headers = {"cookie": f"{CSRF_COOKIE}={nonce}".encode()}
    for token in ("", nonce, TokenSigner("guess").sign(nonce, "ana")):
        assert console.post(ACTION, data={"csrf": token, "note": "x"}, headers=headers).status_code == 403


def test_a_token_in_the_address_or_in_a_header_is_no_token(console):
    token = token_in(console.get(f"/periods/{PARKED}").text)
    answer = console.post(f"{ACTION}?csrf={token}", data={"note": "x"}, headers={"x-csrf-token": token})
    assert answer.status_code == 403


def test_no_action_is_done_by_a_link(console):
    for action in ("release", "cancel", "settle"):
        assert console.get(f"/periods/{PARKED}/{action}").status_code in {404, 405}


def test_a_body_that_hides_its_length_is_refused(console):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    pieces = (b"a" * LARGEST_BODY for _ in range(100))
    assert console.post(ACTION, content=pieces, headers=headers).status_code == 413


@pytest.mark.parametrize("path", ["/search?q=", "/contracts?q=", "/runs?dag_id=", "/periods/list?sort="])
def test_sixty_kilobytes_in_the_address_are_refused_and_not_repeated(console, path):
    answer = console.get(path + "x" * 60_000)
    assert answer.status_code in {414, 422}
    assert len(answer.content) < 60_000
