"""A list too long to be counted and sorted: its own order, as many pages as were counted, and a word about it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries import paging, periods
from ciclo.ledger.queries import search as searching
from ciclo.ledger.queries.contracts import contract_listing
from ciclo.ledger.queries.paging import MOST_ROWS, PageRequest
from ciclo.ledger.queries.periods import GridFilter, PeriodFilter, grid, period_listing
from ciclo.ledger.queries.receivables import ReceivableFilter, receivable_listing
from ciclo.ledger.tables import Contract, Organization, Receivable
from console.conftest import console
from console.factories import ORGANIZATION, SEEN, Rows, a_contract, a_period, a_rule

NAMES = 1_000
"""Contracts are called by one of so many names, in turn: their numbers are another order."""


def write_contracts(engine: Engine, count: int) -> None:
    common = {"organization_id": ORGANIZATION, "state": "active", "payload": {}, "first_seen_at": SEEN, "seen_at": SEEN}
    rows = [
        {**common, "contract_id": number, "name": f"Cliente {number % NAMES:04d}"} for number in range(1, count + 1)
    ]
    with engine.begin() as connection:
        connection.execute(
            insert(Organization), {"organization_id": ORGANIZATION, "name": "Longa", "first_seen_at": SEEN}
        )
        connection.execute(insert(Contract), rows)


def test_a_list_is_counted_and_sorted_as_far_as_it_goes_and_no_further(ledger_engine):
    write_contracts(ledger_engine, MOST_ROWS)
    by_number = PageRequest(2, 25, "contract", descending=True)
    with Session(ledger_engine) as session:
        last = contract_listing(ORGANIZATION).page(session, by_number)
        assert (last.total, last.longer, last.rows[0].contract_id) == (MOST_ROWS, False, MOST_ROWS - 25)

        more = {"organization_id": ORGANIZATION, "contract_id": 10**6, "name": "Zé", "state": "active"}
        session.execute(insert(Contract), more | {"payload": {}, "first_seen_at": SEEN, "seen_at": SEEN})
        first = contract_listing(ORGANIZATION).page(session, by_number)
        beyond = contract_listing(ORGANIZATION).page(session, PageRequest(MOST_ROWS // 25 + 1))
        found = contract_listing(ORGANIZATION, text="zé").page(session, by_number)

    assert (first.total, first.longer, first.pages, first.request.sort) == (MOST_ROWS, True, MOST_ROWS // 25, "")
    assert {row.name for row in first.rows} == {"Cliente 0000"}
    assert beyond.rows == ()
    assert (found.total, found.longer) == (1, False)


@pytest.mark.parametrize(
    ("language", "says"), [("en", "more than 100.000 contracts"), ("pt-BR", "mais de 100.000 contratos")]
)
def test_its_page_says_so_and_offers_no_other_order(sqlite_url, language, says):
    engine = open_engine(sqlite_url)
    write_contracts(engine, MOST_ROWS + 1)
    engine.dispose()
    with TestClient(console(sqlite_url), headers={"x-user": "viewer", "accept-language": language}) as client:
        long, short = client.get("/contracts").text, client.get("/contracts?q=Cliente+0007").text

    assert says in long
    assert "sort=name" not in long
    assert "sort=name" in short


def receivable(number, *, state, issued, due):
    money = {"percentage": Decimal(100), "gross_value": Decimal("10.00"), "first_seen_at": SEEN, "seen_at": SEEN}
    own = {"receivable_id": number, "invoice_id": number, "contract_id": 1, "state": state}
    return money | own | {"organization_id": ORGANIZATION, "issue_date": issued, "due_date": due}


JANUARY, FEBRUARY, MARCH = (date(2025, month, 1) for month in (1, 2, 3))
RECEIVABLES = [
    receivable(1, state="received", issued=FEBRUARY, due=FEBRUARY),
    receivable(2, state="to_receive", issued=JANUARY, due=MARCH),
    receivable(3, state="to_emit", issued=MARCH, due=JANUARY),
    receivable(4, state="received", issued=JANUARY, due=JANUARY),
    receivable(5, state="cancelled", issued=JANUARY, due=JANUARY),
]


@pytest.mark.parametrize(
    ("narrowed", "short", "long"),
    [
        ({"state": "not_cancelled"}, [3, 4, 1, 2], [4, 1, 3]),
        ({"issued": DateRange(JANUARY, MARCH)}, [4, 5, 1, 2], [2, 4, 5]),
        ({"state": "received"}, [4, 1], [4, 1]),
    ],
)
def test_a_list_without_an_index_of_its_order_has_another_one_where_it_is_too_long(
    ledger_engine, monkeypatch, narrowed, short, long
):
    with Session(ledger_engine) as session:
        session.execute(insert(Receivable), RECEIVABLES)

        def numbers():
            listing = receivable_listing(ORGANIZATION, ReceivableFilter(MARCH, **narrowed))
            pages = (listing.page(session, PageRequest(number, 1)) for number in range(1, len(RECEIVABLES) + 1))
            return [row.receivable_id for page in pages for row in page.rows]

        assert numbers() == short
        monkeypatch.setattr(paging, "MOST_ROWS", 3)
        assert numbers() == long


def test_the_grid_of_too_many_rules_goes_by_the_numbers_of_their_contracts(ledger_engine, monkeypatch):
    rows = Rows()
    rows.add(Organization, name="Longa", first_seen_at=SEEN)
    for contract_id, name in ((1, "Zuleica"), (2, "Ana")):
        a_contract(rows, contract_id, name)
        for rule_id in (10 * contract_id, 10 * contract_id + 1):
            a_rule(rows, rule_id, contract_id, f"Regra {rule_id}", JANUARY)
    rows.write(ledger_engine)
    with Session(ledger_engine) as session:

        def rules(text=""):
            wanted = GridFilter(DateRange(JANUARY, MARCH), text=text)
            return [row.rule.rule_id for row in grid(session, ORGANIZATION, wanted, PageRequest(1, 4))[1]]

        assert (rules(), rules("ana"), rules("REGRA 1"), rules("21")) == ([20, 21, 10, 11], [20, 21], [10, 11], [21])
        monkeypatch.setattr(paging, "MOST_ROWS", 3)
        assert (rules(), rules("ana")) == ([10, 11, 20, 21], [20, 21])


@pytest.fixture
def bars(ledger_engine, monkeypatch):
    """Three bars and a hotel, each with a rule and two periods, in lists that are long by so few."""
    rows = Rows()
    rows.add(Organization, name="Longa", first_seen_at=SEEN)
    for number, name in ((1, "Bar Zuleica"), (2, "Bar do Bento"), (3, "Hotel"), (4, "Bar da Ana")):
        a_contract(rows, number, name)
        a_rule(rows, 10 * number, number, f"Regra {number}", JANUARY)
        for period, month in ((10 * number, FEBRUARY), (10 * number + 1, JANUARY)):
            a_period(rows, period, 10 * number, number, month.replace(day=number))
    rows.write(ledger_engine)
    monkeypatch.setattr(periods, "MOST_ROWS", 3)
    monkeypatch.setattr(periods, "FOUND", 2)
    return ledger_engine


@pytest.mark.parametrize("few", [20_000, 0], ids=["looked up", "asked for their names"])
def test_what_many_of_a_long_list_are_called_is_counted_and_paged_less_far(bars, monkeypatch, few):
    monkeypatch.setattr(searching, "FEW", few)
    by_name = PageRequest(1, 2, "rule", descending=True)
    window = DateRange(JANUARY, MARCH)
    with Session(bars) as session:
        rules = grid(session, ORGANIZATION, GridFilter(window, text="bar"), by_name)[0]
        assert (rules.total, rules.longer, [row.rule_id for row in rules.rows]) == (2, True, [10, 20])
        one = grid(session, ORGANIZATION, GridFilter(window, text="ana"), by_name)[0]
        assert (one.total, one.longer, [row.rule_id for row in one.rows]) == (1, False, [40])

        listing = period_listing(session, ORGANIZATION, PeriodFilter(text="BAR"))
        page = listing.page(session, by_name)
        assert (page.total, page.longer, page.pages, [row.id for row in page.rows]) == (2, True, 1, [40, 20])
        assert listing.page(session, replace(by_name, number=2)).rows == ()
        assert [row.id for row in listing.every(session, by_name)] == [41, 40, 21, 20, 11, 10]
        for text in ("hotel", "REGRA 3"):
            two = period_listing(session, ORGANIZATION, PeriodFilter(text=text)).page(session, PageRequest())
            assert (two.total, two.longer, [row.id for row in two.rows]) == (2, False, [30, 31])


@pytest.mark.parametrize("few", [20_000, 0], ids=["looked up", "asked for their names"])
def test_of_a_list_that_is_not_long_all_are_counted_and_sorted_by_a_text_too(bars, monkeypatch, few):
    monkeypatch.setattr(searching, "FEW", few)
    monkeypatch.setattr(periods, "MOST_ROWS", 8)
    by_name = PageRequest(1, 4, "rule", descending=True)
    with Session(bars) as session:
        page = period_listing(session, ORGANIZATION, PeriodFilter(text="bar")).page(session, by_name)
        rules = grid(session, ORGANIZATION, GridFilter(DateRange(JANUARY, MARCH), text="bar"), by_name)[0]
    assert (page.total, page.longer, [row.id for row in page.rows]) == (6, False, [41, 40, 21, 20])
    assert (rules.total, rules.longer, [row.rule_id for row in rules.rows]) == (3, False, [40, 20, 10])


@pytest.mark.parametrize(
    ("language", "says"), [("en", ("more than 2 rules", "more than 2 periods")),
                           ("pt-BR", ("mais de 2 regras", "mais de 2 períodos"))]
)  # fmt: skip
def test_pages_by_a_text_say_so_and_the_file_has_all(bars, language, says):
    app = console(bars.url.render_as_string(hide_password=False))
    with TestClient(app, headers={"x-user": "viewer", "accept-language": language}) as client:
        pages = [client.get(f"{path}?q=bar&month=2025-02").text for path in ("/periods", "/periods/list")]
        listed = client.get("/periods/list?q=bar").text
        file = client.get("/periods/list?q=bar&format=csv").text
    app.state.ledger.dispose()
    assert says[0] in pages[0]
    assert says[1] in pages[1]
    assert says[1] in listed
    assert len(file.splitlines()) == 1 + 6
