"""Texts of any length: they can be stored, sorted and found, because no index holds one whole."""

import random
import string
from datetime import UTC, date, datetime
from hashlib import sha256

import pytest
from sqlalchemy import Text, UniqueConstraint, insert, select
from sqlalchemy.orm import Session

from ciclo.ledger.database import downgrade, upgrade
from ciclo.ledger.queries.contracts import contract_listing
from ciclo.ledger.queries.paging import PageRequest
from ciclo.ledger.queries.search import search
from ciclo.ledger.repositories.contracts import ShapeRepository
from ciclo.ledger.tables import Adjustment, Base, Contract, Kept, Rule

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
SEEN = {"first_seen_at": NOW, "seen_at": NOW}
ALPHABET = string.ascii_letters + string.digits + "áéíóúãõçÁÉÍÓÚÃÕÇ"
SHORT = {
    "state": "the models let no longer word through than 100 letters",
    "subject": "a word of ours",
    "kind": "a word of ours",
    "origin": "a system that its owner gives a name",
    "key": "a longer one is known by its hash",
    "run_id": "Airflow has no longer one than 250 letters",
    "dag_id": "Airflow has no longer one than 250 letters",
    "plan_hash": "a hash",
    "price_index": "an index of ours",
    "path": "cut where it is stored",
    "word": "a word of at most so many letters, or none",
    "request_id": "a longer one is refused",
}
"""Texts that may stand in an index as they are, and why none is too long for it."""


def any_letters(count, seed=1):
    """Letters that no compression makes much shorter."""
    return "".join(random.Random(seed).choices(ALPHABET, k=count))  # noqa: S311 - nothing secret


def indexed_texts():
    for table in [*Base.metadata.sorted_tables, *Kept.metadata.sorted_tables]:
        unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
        on_postgresql = [each for each in table.indexes if each._ddl_if is None or each._ddl_if.dialect == "postgresql"]
        for index in [table.primary_key, *unique, *on_postgresql]:
            yield from (column.name for column in index.columns if isinstance(column.type, Text))


def test_no_text_of_any_length_is_in_an_index():
    assert set(indexed_texts()) == set(SHORT)


def test_a_contract_and_a_rule_may_be_called_anything(ledger_engine):
    name, title = any_letters(10_000), any_letters(10_000, seed=2)
    own = {"organization_id": 7, "contract_id": 1, "payload": {}, **SEEN}
    rule = {"rule_id": 2, "title": title, "version": 1, "init_date": date(2025, 1, 1)}
    with Session(ledger_engine) as session:
        contracts = [own | {"name": name, "state": "active"}]
        contracts += [own | {"contract_id": 3, "name": name[:250], "state": "active"}]
        session.execute(insert(Contract), contracts)
        session.execute(insert(Rule), [own | rule])
        rows = contract_listing(7).page(session, PageRequest()).rows
        found = {(hit.kind, hit.id) for text in (name[-40:], title[5_000:5_040]) for hit in search(session, 7, text)}
        both = [hit.id for hit in search(session, 7, name[:40])]
    assert [row.name for row in rows] == [name[:250], name]
    assert found == {("contract", 1), ("rule", 2)}
    assert both == [3, 1]


def test_a_form_that_was_seen_at_a_place_of_any_length_is_seen_once(session):
    shapes = ShapeRepository(session, 7)
    path = any_letters(10_000)
    assert [shapes.see("field", path, "", at=NOW) for _ in range(2)] == [True, False]


def an_adjustment(key):
    return {
        "organization_id": 7, "contract_id": 1, "kind": "skip", "from_date": date(2025, 1, 1), "once": False,
        "origin": "file", "key": key, "note": "", "person": "ana", "created_at": NOW, "state": "open",
        "changed_at": NOW,
    }  # fmt: skip


@pytest.mark.parametrize("length", [200, 201, 1_000])
def test_an_older_ledgers_adjustments_are_known_by_the_hashes_of_long_keys(ledger_engine, length):
    key = any_letters(length)
    downgrade(ledger_engine, "0019")
    with Session(ledger_engine) as session:
        session.execute(insert(Adjustment), an_adjustment(key))
        session.commit()
    upgrade(ledger_engine)
    with Session(ledger_engine) as session:
        known = session.scalars(select(Adjustment.key)).one()
    assert known == (key if length <= 200 else sha256(key.encode()).hexdigest())
