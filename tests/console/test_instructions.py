"""Instructions in the console: what can be asked for, once; what is taken back; who may not."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Instruction, Invoice, Receivable
from console.conftest import token_in


def rows_of(url, query):
    engine = open_engine(url)
    with Session(engine) as session:
        found = session.scalars(query).all()
    engine.dispose()
    return found


def instructions_in(url):
    found = rows_of(url, select(Instruction).order_by(Instruction.id))
    return [
        (row.kind, row.subject_id, row.state, row.person, row.facts.get("amount"), row.facts.get("day"))
        for row in found
    ]


@pytest.fixture
def owed(own_year):
    """A receivable that waits for money."""
    return rows_of(own_year, select(Receivable).where(Receivable.state == "to_receive").order_by(Receivable.due_date))[
        0
    ]


def test_a_receipt_is_asked_for_once_shown_and_taken_back(acting, own_year, owed):
    path = f"/invoices/{owed.invoice_id}/instructions"
    page = acting.get(path)
    assert "Record receipt" in page.text
    form = {"csrf": token_in(page.text), "kind": "receive", "receivable": str(owed.receivable_id)}
    form |= {"amount": "1.234,50", "day": "2025-11-10", "note": "seen on the statement"}
    first, second = acting.post(path, data=form), acting.post(path, data=form)

    assert "tells the vendor" in first.text
    assert "Already asked for by operator" in second.text
    asked = ("receive", owed.receivable_id, "asked", "operator", "1234.50", "2025-11-10")
    assert instructions_in(own_year) == [asked]
    assert "R$ 1.234,50" in second.text
    assert "Record receipt</button>" not in second.text

    back = acting.post("/instructions/1/withdraw", data={"csrf": form["csrf"], "note": "wrong customer"})
    assert "the vendor is told nothing" in back.text
    assert [row[2] for row in instructions_in(own_year)] == ["withdrawn"]
    assert "Record receipt</button>" in back.text


def test_what_is_received_can_be_undone_and_what_is_not_issued_be_approved_or_blocked(operator, small_year):
    line = rows_of(small_year, select(Receivable).where(Receivable.state == "received"))[0]
    assert "Undo receipt</button>" in operator.get(f"/invoices/{line.invoice_id}/instructions").text
    planned = rows_of(small_year, select(Receivable).where(Receivable.state == "to_emit"))
    for line in planned[:1]:
        page = operator.get(f"/invoices/{line.invoice_id}/instructions").text
        for label in ("Approve</button>", "Block</button>", "Create boletos</button>"):
            assert label in page


@pytest.mark.parametrize(
    ("approval", "offered", "said"),
    [("approved", {"Block"}, "Approved"), ("blocked", {"Approve"}, "Blocked"), (None, {"Approve", "Block"}, None)],
)
def test_of_approve_and_block_that_is_offered_which_the_vendors_answer_leaves(
    acting, own_year, approval, offered, said
):
    engine = open_engine(own_year)
    with engine.begin() as connection:
        changed = update(Invoice).where(Invoice.invoice_id == 80_014)
        connection.execute(changed.values(state="to_emit", approval_status=approval))
    engine.dispose()
    page = acting.get("/invoices/80014/instructions").text
    assert {name for name in ("Approve", "Block") if f"{name}</button>" in page} == offered
    assert ("The vendor has not said whether it is approved" in page) == (approval is None)
    assert said is None or f"<dt>Approval</dt><dd>{said}</dd>" in page


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"amount": "plenty"}, 422),
        ({"day": "yesterday"}, 422),
        ({"kind": "burn"}, 422),
        ({"note": ""}, 422),
        ({"amount": "0"}, 409),
        ({"day": "2999-01-01"}, 409),
        ({"receivable": "1"}, 404),
        ({"kind": "approve"}, 409),
        ({"csrf": "0"}, 403),
    ],
)
def test_what_cannot_be_meant_changes_nothing(acting, own_year, owed, change, status):
    path = f"/invoices/{owed.invoice_id}/instructions"
    form = {"csrf": token_in(acting.get(path).text), "kind": "receive", "receivable": str(owed.receivable_id)}
    answer = acting.post(path, data=form | {"amount": "1,00", "day": "2025-11-10", "note": "x"} | change)
    assert answer.status_code == status, answer.text
    assert instructions_in(own_year) == []


def test_who_may_only_look_asks_for_nothing_and_sees_no_form(small_year, operator, owed):
    path = f"/invoices/{owed.invoice_id}/instructions"
    viewer = {"x-user": "viewer"}
    assert 'name="note"' not in operator.get(path, headers=viewer).text
    for each in (path, "/instructions/1/withdraw"):
        assert operator.post(each, data={"kind": "receive", "note": "x"}, headers=viewer).status_code == 403


@pytest.mark.parametrize("path", ["/invoices/99/instructions", "/instructions/99/withdraw"])
def test_what_is_not_there_is_said(acting, path):
    token = token_in(acting.get("/invoices/80001/instructions").text)
    answer = acting.post(path, data={"csrf": token, "kind": "approve", "note": "x"})
    assert answer.status_code == 404
    assert acting.get("/invoices/99/instructions").status_code == 404


def test_the_lists_lead_there(operator, owed):
    assert "/instructions" in operator.get("/receivables").text
    assert "/instructions" in operator.get(f"/periods/{owed.invoice_id - 80_000}").text
