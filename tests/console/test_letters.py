"""Letters to customers in the console: what was sent, how one reads, asking for one."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Letter
from console.conftest import token_in

DONE = 1


def letters_in(url):
    engine = open_engine(url)
    with Session(engine) as session:
        found = [(row.kind, row.state, row.person, row.note) for row in session.scalars(select(Letter))]
    engine.dispose()
    return found


def test_a_letter_can_be_asked_for_once_and_is_shown_as_asked_for(acting, own_year):
    page = acting.get(f"/price-updates/{DONE}/letters")
    token = token_in(page.text)
    for _ in range(2):
        form = {"csrf": token, "note": "the customer wants it on paper"}
        answer = acting.post(f"/price-updates/{DONE}/letters/after", data=form)
        assert answer.status_code == 200
    assert letters_in(own_year) == [("after", "asked", "operator", "the customer wants it on paper")]
    assert "the customer wants it on paper" in answer.text


def test_a_letter_reads_as_the_customer_reads_it_and_may_run_nothing(operator):
    answer = operator.get(f"/price-updates/{DONE}/letters/after.html")
    assert answer.status_code == 200
    assert "Valor reajustado" in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert "script-src" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/price-updates/99999/letters", "/price-updates/99999/letters/after.html"])
def test_what_is_not_there_is_said(operator, path):
    assert operator.get(path).status_code in (404, 409)


def test_who_may_only_look_asks_for_nothing(small_year, operator):
    answer = operator.post(f"/price-updates/{DONE}/letters/after", data={"note": "x"}, headers={"x-user": "viewer"})
    assert answer.status_code == 403
