"""A list too long to be counted and sorted: its own order, as many pages as were counted, and a word about it."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.contracts import contract_listing
from ciclo.ledger.queries.paging import MOST_ROWS, PageRequest
from ciclo.ledger.tables import Contract, Organization
from console.conftest import console
from console.factories import ORGANIZATION, SEEN

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
