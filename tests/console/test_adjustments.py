"""Adjustments in the console: added with a preview of the invoice, withdrawn, accepted where Ciclo proposes them."""

import re
from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import SAO_PAULO
from ciclo.ledger.actions import bill_difference
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Adjustment, Invoice, Period
from console.conftest import token_in


@pytest.fixture
def planned(own_year):
    """A planned period of the small year: its id, and a session to look with."""
    engine = open_engine(own_year, read_only=True)
    with Session(engine) as session:
        query = select(Period).where(Period.state == "planned").order_by(Period.id).limit(1)
        yield session.scalars(query).one(), session
    engine.dispose()


def send(acting, period, path="adjust", **fields):
    token = token_in(acting.get(f"/periods/{period.id}/adjust").text)
    return acting.post(f"/periods/{period.id}/{path}", data={"csrf": token, "note": "combinado", **fields})


def form_of(page):
    form = page.text[page.text.index('/adjust"') :]
    return {name: re.search(rf'name="{name}" value="(\w+)"', form).group(1) for name in ("csrf", "seen")}


def amounts(page):
    return re.findall(r"<strong>R\$\s([\d.,]+)</strong>", page.text)


def number(shown):
    return Decimal(shown.replace(".", "").replace(",", "."))


def rows(session):
    session.rollback()
    return session.scalars(select(Adjustment).execution_options(populate_existing=True)).all()


def test_a_preview_shows_the_invoice_and_changes_nothing(acting, planned):
    period, session = planned
    page = send(acting, period, kind="discount", percent="10", do="preview")
    rule, now, then = amounts(page)
    assert rule == now
    assert number(then) == number(now) * 9 / 10
    assert 'name="percent" inputmode="decimal" maxlength="30" value="10"' in page.text
    assert rows(session) == []


def test_what_is_added_stands_on_the_periods_page_and_in_the_list_and_is_withdrawn(acting, planned):
    period, session = planned
    page = send(acting, period, kind="line", unit_value="1.234,50", description="Visita técnica", do="add")
    assert page.status_code == 200
    [row] = rows(session)
    assert (str(row.unit_value), row.origin, row.person, row.note) == ("1234.50", "console", "operator", "combinado")
    for path in (f"/periods/{period.id}", "/adjustments", f"/adjustments?month={period.issue_date:%Y-%m}"):
        assert "Visita técnica" in acting.get(path).text
    token = token_in(page.text)
    fields = {"csrf": token, "note": "doch nicht", "period": period.id}
    assert acting.post(f"/adjustments/{row.id}/withdraw", data=fields).status_code == 200
    assert [row.state for row in rows(session)] == ["withdrawn"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "line", "unit_value": "1.500"}, "may be meant in two ways: write 1500 or 1,5"),
        ({"kind": "discount", "percent": "zehn"}, "is not a decimal number"),
        ({"kind": "discount"}, "either an amount or a per cent"),
        ({"kind": "quantity", "service": "Nada", "quantity": "1"}, "the rule has no service"),
        ({}, "Choose what differs"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form(acting, planned, fields, said):
    period, session = planned
    page = send(acting, period, do="add", **fields)
    assert (page.status_code, rows(session)) == (422, [])
    assert said in page.text


def test_what_cannot_be_is_said_in_the_readers_language(acting, planned):
    period, _session = planned
    acting.get("/periods?lang=pt_BR", follow_redirects=True)
    page = send(acting, period, do="add", kind="quantity", service="{Nada}", quantity="1")
    assert page.status_code == 422
    assert "Serviço: a regra não tem o serviço “{Nada}”" in page.text


def test_an_amount_that_was_not_billed_is_said_in_the_form_and_billed_by_itself(acting, own_year, planned):
    engine = open_engine(own_year, read_only=True)
    with Session(engine) as session:
        issued = Period.state == "issued", Invoice.state == "received", Invoice.gone_at.is_(None)
        query = select(Period).join(Invoice, Invoice.invoice_id == Period.invoice_id).where(*issued)
        period = session.scalars(query.order_by(Period.id).limit(1)).one()
        assert 'id="missing-amount"' in acting.get(f"/periods/{period.id}/adjust").text
        assert 'id="missing-amount"' not in acting.get(f"/periods/{planned[0].id}/adjust").text
        assert send(acting, period, "complement", amount="fünfzig").status_code >= 400
        assert rows(session) == []
        for said in ("by an invoice of its own", "with this note already"):
            page = send(acting, period, "complement", amount="1.050,25")
            assert (page.status_code, said in page.text) == (200, True), page.text
        [row] = rows(session)
        assert (row.origin, row.unit_value) == ("complement", Decimal("1050.25"))
        session.rollback()
    engine.dispose()


def newest_issued(session):
    """The newest period that is issued, with its invoice."""
    query = select(Period, Invoice).join(Invoice, Invoice.invoice_id == Period.invoice_id)
    wanted = Period.state == "issued", Invoice.state.in_(["to_receive", "received"]), Invoice.gone_at.is_(None)
    return session.execute(query.where(*wanted).order_by(Period.issue_date.desc()).limit(1)).one()


@pytest.mark.parametrize(
    ("path", "origin", "message"),
    [
        ("difference", "difference", "will be in the invoice of"),
        ("complement", "complement", "by an invoice of its own"),
    ],
)
def test_a_difference_of_an_issued_invoice_goes_into_the_next_one_or_into_one_of_its_own(
    acting, own_year, path, origin, message
):
    engine = open_engine(own_year)
    with Session(engine, expire_on_commit=False) as session:
        period, invoice = newest_issued(session)
        invoice.gross_value -= 1000
        session.commit()
        page = send(acting, period, path)
        assert page.status_code == 200, page.text
        [row] = rows(session)
        assert (row.kind, row.origin, row.unit_value > 0) == ("line", origin, True)
        assert row.description == f"Diferença de {period.accrual_month:%m/%Y}"
        assert message in page.text
        for page in (f"/periods/{period.id}", f"/periods/{period.id}/adjust"):
            assert row.description in acting.get(page).text, "what bills its difference stands on its page"
        session.rollback()
    engine.dispose()


def test_the_same_adjustment_is_added_once_a_form_and_again_where_it_is_said_again(acting, planned):
    period, session = planned
    page = acting.get(f"/periods/{period.id}/adjust")
    discount = {"kind": "discount", "amount": "5", "note": "combinado", "do": "add"}

    first, twice = (acting.post(f"/periods/{period.id}/adjust", data=form_of(page) | discount) for _ in range(2))

    assert "Added." in first.text
    assert "It was added before: nothing was added." in twice.text
    [row] = rows(session)
    withdrawn = {"csrf": form_of(first)["csrf"], "note": "doch nicht", "period": period.id}
    page = acting.post(f"/adjustments/{row.id}/withdraw", data=withdrawn)
    again = acting.post(f"/periods/{period.id}/adjust", data=form_of(page) | discount)
    assert "Added." in again.text
    assert [each.state for each in rows(session)] == ["withdrawn", "open"]


@pytest.mark.parametrize("path", ["difference", "complement"])
def test_a_difference_that_has_changed_since_it_was_shown_is_not_billed(acting, own_year, path):
    engine = open_engine(own_year)
    with Session(engine, expire_on_commit=False) as session:
        period, invoice = newest_issued(session)
        invoice.gross_value -= 10
        session.commit()
        shown = acting.get(f"/periods/{period.id}/adjust")
        form = shown.text[shown.text.index('/difference"') :]
        given = {name: re.search(rf'name="{name}" value="(\w+)"', form).group(1) for name in ("csrf", "seen")}
        invoice.gross_value -= 1000
        session.commit()
        page = acting.post(f"/periods/{period.id}/{path}", data=given | {"note": "ten"})
        assert "Nothing was done" in page.text
        assert rows(session) == []
        session.rollback()
    engine.dispose()


def test_the_next_invoice_of_a_difference_is_counted_from_the_day_in_sao_paulo(own_year):
    engine = open_engine(own_year)
    with Session(engine) as session:
        planned = session.scalars(select(Period).where(Period.state == "planned").order_by(Period.issue_date)).first()
        query = select(Period).where(Period.rule_id == planned.rule_id, Period.state == "issued")
        issued = session.scalars(query.order_by(Period.issue_date.desc())).first()
        evening = datetime.combine(planned.issue_date, time(23, 30), SAO_PAULO).astimezone(UTC)
        by = {"person": "ana", "note": "agreed", "at": evening}
        session.get(Invoice, (issued.organization_id, issued.invoice_id)).gross_value -= 1000
        said = bill_difference(session, issued.organization_id, issued.id, **by).message
        assert f"the invoice of {planned.issue_date:%d/%m/%Y}" in said
        session.rollback()
    engine.dispose()
