"""Terms of contracts and what-if in the console; months of one's own for an update that waits."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import ContractTerm, IndexValue, PriceUpdateExecution
from console.conftest import token_in

CONTRACT = 100
PARKED = 3
CAP = {"kind": "cap", "percent": "5,5", "effective_from": "2025-01-01", "clause": "7.2", "note": "signed in January"}


def terms_in(url):
    engine = open_engine(url)
    with Session(engine) as session:
        rows = session.scalars(select(ContractTerm).order_by(ContractTerm.id))
        found = [
            (row.kind, row.percent and f"{row.percent:f}", row.clause, row.person, row.effective_to) for row in rows
        ]
    engine.dispose()
    return found


def enter(client, **fields):
    token = token_in(client.get(f"/contracts/{CONTRACT}/terms").text)
    return client.post(f"/contracts/{CONTRACT}/terms", data={"csrf": token, **fields})


def test_a_term_is_entered_with_author_and_note_and_ended(acting, own_year):
    answer = enter(acting, **CAP)
    assert answer.status_code == 200
    assert terms_in(own_year) == [("cap", "5.5", "7.2", "operator", None)]
    assert "signed in January" in answer.text

    token = token_in(answer.text)
    ended = acting.post(
        f"/contracts/{CONTRACT}/terms/1/end", data={"csrf": token, "last_day": "2025-12-31", "note": "amended"}
    )
    assert ended.status_code == 200
    assert terms_in(own_year)[0][4].isoformat() == "2025-12-31"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "nothing"},
        {"percent": "five"},
        {"percent": ""},
        {"index": "ipca"},
        {"effective_from": ""},
        {"effective_from": "2025-13-01"},
        {"effective_to": "2024-01-01"},
        {"note": ""},
    ],
    ids=lambda wrong: " ".join(f"{name}={value}" for name, value in wrong.items()),
)
def test_what_cannot_be_agreed_is_said_beside_the_form_and_nothing_is_kept(acting, own_year, wrong):
    answer = enter(acting, **(CAP | wrong))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert terms_in(own_year) == []


def test_a_contract_that_is_not_there_has_no_terms(operator):
    assert operator.get("/contracts/99999/terms").status_code == 404


def test_the_whole_book_by_another_index_says_what_a_years_billing_changes_by(operator):
    page = operator.get("/price-updates/what-if?index=ipca&replaces=igpm")
    assert page.status_code == 200
    assert "A year&#39;s billing changes by" in page.text or "A year's billing changes by" in page.text
    assert "IPCA" in page.text
    rows = operator.get("/price-updates/what-if?index=ipca&replaces=igpm&format=csv").text.splitlines()
    assert rows[0].startswith("\N{ZERO WIDTH NO-BREAK SPACE}Contract;Rule;")
    assert len(rows) > 1


def test_a_cap_that_is_no_number_is_said_and_nothing_is_computed(operator):
    answer = operator.get("/price-updates/what-if?cap=many")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_an_assumption_that_meets_nothing_shows_nothing(operator):
    assert "No coming readjustment matches" in operator.get("/price-updates/what-if?cap=5&update=999999").text


def test_months_of_ones_own_are_chosen_for_an_update_that_waits(acting, own_year):
    engine = open_engine(own_year)
    with Session(engine) as session:
        execution = session.scalars(
            select(PriceUpdateExecution).where(PriceUpdateExecution.state.in_(["proposed", "parked"]))
        ).first()
        number = execution.id
        prices = [{"service_id": 0, "old": "100.00", "new": "107.00"}]
        figure = {"basis": "letter", "hash": "h", "prices": prices}
        evidence = {"months": [], "prices": prices, "figures": [figure], "offered_first": "letter"}
        session.execute(
            update(PriceUpdateExecution)
            .where(PriceUpdateExecution.id == number)
            .values(state="parked", evidence=evidence, proposal_hash="h", approved_by=None, approved_at=None)
        )
        session.commit()
        page = acting.get(f"/price-updates/{number}")
        assert 'name="first_month"' in page.text
        form = {"csrf": token_in(page.text), "note": "three months", "basis": "window"}
        wrong = acting.post(f"/price-updates/{number}/apply", data={**form, "first_month": "", "last_month": "x"})
        assert wrong.status_code == 422
        months = {"first_month": "2025-01", "last_month": "2025-03"}
        assert acting.post(f"/price-updates/{number}/apply", data={**form, **months}).status_code == 200
        session.expire_all()
        chosen = session.get(PriceUpdateExecution, number)
        assert (chosen.state, chosen.evidence["decision"]["months"]) == ("planned", ["2025-01", "2025-03"])
    engine.dispose()


def test_a_month_of_a_substitute_is_compared_with_the_values_of_its_own_index(acting, own_year):
    engine = open_engine(own_year)
    with Session(engine) as session:
        evidence = dict(session.get(PriceUpdateExecution, 1).evidence)
        first, *rest = evidence["months"]
        evidence["months"] = [{**first, "index": "ipca", "value": "9.99"}, *rest]
        session.add(
            IndexValue(
                price_index="ipca",
                month=date.fromisoformat(first["month"]),
                revision=1,
                value=Decimal("9.99"),
                source="SGS",
                fetched_at=datetime(2025, 6, 1, tzinfo=UTC),
            )
        )
        session.execute(update(PriceUpdateExecution).where(PriceUpdateExecution.id == 1).values(evidence=evidence))
        session.commit()
    engine.dispose()

    page = acting.get("/price-updates/1").text

    assert "IPCA</th>" in page
    assert 'class="danger"' not in page[page.index('id="evidence"') : page.index('id="prices"')]
