"""The console over a small year, with who is looking chosen by a header: `operator`, `viewer` or nobody."""

import re
import shutil
from collections.abc import Callable, Iterator
from copy import copy
from functools import cache
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import make_url
from starlette.datastructures import State

from ciclo.console import User, create_app
from ciclo.console.database import Ledger
from ciclo.ledger.database import open_engine
from console.factories import NOW
from console.small_year import IN_DOUBT, fill_small_year
from ledgers import migrate

Click = Callable[..., Response]


def current_user(request: Request) -> User:
    name = request.headers.get("x-user")
    if not name:
        raise HTTPException(401, "Not authenticated")
    return User(id=name, name=name)


def can_act(request: Request) -> bool:
    return request.headers.get("x-user") == "operator"


def console(url: str) -> FastAPI:
    """The console as a plugin would make it, at the small year's own time, on a ledger of its own."""
    app = copy(_console())
    app.state = State({**app.state._state, "ledger": Ledger(url)})
    return app


@cache  # to describe its routes takes longer than to make a page
def _console() -> FastAPI:
    return create_app(current_user=current_user, can_act=can_act, secret="known", clock=lambda: NOW)


def token_in(html: str) -> str:
    """The CSRF token of the first form on a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', html)
    assert found, "the page holds no form"
    return found.group(1)


@pytest.fixture(scope="session")
def small_year(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a SQLite ledger with the small year, which no test changes."""
    url = f"sqlite:///{tmp_path_factory.mktemp('small') / 'ledger.db'}"
    migrate(url)
    engine = open_engine(url)
    fill_small_year(engine)
    engine.dispose()
    return url


@pytest.fixture
def own_year(small_year: str, tmp_path: Path) -> str:
    """URL of a SQLite ledger with the small year, which this test may change."""
    copy = shutil.copy(make_url(small_year).database, tmp_path / "own.db")
    return f"sqlite:///{copy}"


@pytest.fixture
def visitor(small_year: str) -> Iterator[TestClient]:
    """Nobody: no user is named."""
    with TestClient(console(small_year)) as client:
        yield client


@pytest.fixture
def operator(small_year: str) -> Iterator[TestClient]:
    """Who may act, on a ledger that is only read."""
    with TestClient(console(small_year), headers={"x-user": "operator"}) as client:
        yield client


@pytest.fixture
def acting(own_year: str) -> Iterator[TestClient]:
    """Who may act, on a ledger of this test's own."""
    with TestClient(console(own_year), headers={"x-user": "operator"}) as client:
        yield client


@pytest.fixture
def click(acting: TestClient) -> Click:
    """Send an action's form with a note, and with the token of a page that holds such a form."""

    def send(action: str, note: str = "checked with the vendor") -> Response:
        token = token_in(acting.get(f"/periods/{IN_DOUBT}").text)
        return acting.post(action, data={"csrf": token, "note": note})

    return send
