"""Who gets what: nobody gets nothing, a viewer looks, an operator acts, and only from our own forms."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period
from console.conftest import console, token_in
from console.small_year import PARKED
from console.views import PAGES


def every_route(app):
    """Every path and method that the app answers."""
    for context in app.routes:
        for route in getattr(getattr(context, "original_router", None), "routes", [context]):
            for method in getattr(route, "methods", None) or {"GET"}:
                yield method, route.path


def filled_in(path: str) -> str:
    samples = {
        "{period_id}": "27",
        "{finding_id}": "1",
        "{execution_id}": "1",
        "{contract_id}": "100",
        "{rule_id}": "1000",
    }
    samples |= {"{month}": "2025-10", "{name}": "console.css"}
    for parameter, value in samples.items():
        path = path.replace(parameter, value)
    return path


def test_an_anonymous_visitor_gets_nothing_on_any_route(visitor, small_year):
    routes = sorted(set(every_route(console(small_year))))
    assert len(routes) > 20

    for method, path in routes:
        answer = visitor.request(method, filled_in(path))
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.text in {"Not signed in.", ""}
        assert "set-cookie" not in answer.headers


def test_routes_that_document_the_app_do_not_exist(operator):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert operator.get(path).status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_every_page_and_no_form_that_acts(visitor, path):
    page = visitor.get(path, headers={"x-user": "viewer"})

    assert page.status_code == 200
    assert 'name="csrf"' not in page.text
    assert "Release" not in page.text.replace("Released", "")


@pytest.mark.parametrize("action", ["release", "cancel", "settle"])
def test_a_viewer_who_sends_an_action_is_refused(acting, own_year, action):
    token = token_in(acting.get(f"/periods/{PARKED}").text)

    answer = acting.post(f"/periods/{PARKED}/{action}", data={"csrf": token, "note": "x"}, headers={"x-user": "viewer"})

    assert answer.status_code == 403
    assert "permission" in answer.text
    assert state_of(own_year, PARKED) == "parked"


def test_an_action_without_our_token_is_refused(acting, own_year):
    acting.get("/")

    for data in ({"note": "x"}, {"note": "x", "csrf": "0" * 64}, {"note": "x", "csrf": "é"}):
        assert acting.post(f"/periods/{PARKED}/release", data=data).status_code == 403
    assert state_of(own_year, PARKED) == "parked"


def test_a_token_of_another_browser_is_refused(acting, own_year):
    with TestClient(console(own_year), headers={"x-user": "operator"}) as other:
        token = token_in(other.get(f"/periods/{PARKED}").text)

    assert acting.post(f"/periods/{PARKED}/release", data={"csrf": token, "note": "x"}).status_code == 403


def test_a_form_sent_from_another_site_is_refused(acting, own_year):
    token = token_in(acting.get(f"/periods/{PARKED}").text)

    for origin in ("cross-site", "same-site", "none"):
        headers = {"sec-fetch-site": origin}
        answer = acting.post(f"/periods/{PARKED}/release", data={"csrf": token, "note": "x"}, headers=headers)
        assert answer.status_code == 403
    assert state_of(own_year, PARKED) == "parked"


def test_the_browsers_cookie_is_out_of_reach_of_scripts_and_other_sites(acting):
    cookie = acting.get("/").headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_form_that_is_too_large_is_refused(acting):
    token = token_in(acting.get(f"/periods/{PARKED}").text)

    answer = acting.post(f"/periods/{PARKED}/release", data={"csrf": token, "note": "x" * 20_000})

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"note": "x"}', "application/json", 415),
        (b"note=%FF%FE" + b"&a=1" * 50, "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
    ],
)
def test_a_body_that_is_no_form_is_refused(acting, content, kind, status):
    assert (
        acting.post(f"/periods/{PARKED}/release", content=content, headers={"content-type": kind}).status_code == status
    )


@pytest.mark.parametrize(
    "path",
    [
        "/?month=2025-13",
        "/?month=9999-01",
        "/periods?state=nonsense",
        "/periods?months=13",
        "/periods/list?page=0",
        "/periods/list?size=100000",
        "/periods/list?sort=id;drop",
        "/periods/list?contract=99999999999999999999",
        f"/search?q={'x' * 5000}",
        "/periods/0",
        "/periods/99999999999999999999",
        "/receivables?as_of=yesterday",
        "/months/2025-13",
        "/runs",
    ],
)
def test_a_parameter_out_of_its_bounds_is_a_422_that_names_it(operator, path):
    answer = operator.get(path)

    assert answer.status_code == 422
    assert "cannot be used" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/periods/999999",
        "/findings/999",
        "/contracts/9",
        "/rules/9",
        "/price-updates/99",
        "/nowhere",
        "/?org=7",
        "/static/../app.py",
        "/static/app.py",
    ],
)
def test_what_is_not_there_is_a_designed_404(operator, path):
    answer = operator.get(path)

    assert answer.status_code == 404
    assert "Back to billing" in answer.text


def test_every_answer_forbids_what_is_not_ours(operator):
    headers = operator.get("/").headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def state_of(url: str, period_id: int) -> str | None:
    engine = open_engine(url)
    with Session(engine) as session:
        state = session.scalar(select(Period.state).where(Period.id == period_id))
    engine.dispose()
    return state
