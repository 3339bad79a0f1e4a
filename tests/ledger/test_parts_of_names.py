"""Looking contracts and rules up by a part of a name: what an index of parts finds is what the names themselves say."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.ledger.database import downgrade, open_engine, upgrade
from ciclo.ledger.queries import periods
from ciclo.ledger.queries import search as searching
from ciclo.ledger.queries.paging import PageRequest, contains
from ciclo.ledger.queries.search import LARGEST_ID, MOST, few_called, search
from ciclo.ledger.tables import Contract, Period, Rule
from factories import period_row
from ledgers import engine_with

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
COMMON = {"organization_id": 7, "payload": {}, "first_seen_at": NOW, "seen_at": NOW}
NAMES = [
    "Padaria Três Irmãos Ltda.", "PADARIA TRÊS IRMÃOS LTDA.", "100% certo", "a_b", "aXb", "c:\\novo", "O'Brien \"Zé\"",
    "İstanbul", "ΟΔΟΣ", "Straße", "é", "e\u0301", "", " ", "  dois  espaços ", "日本語の契約", "🙂🙂", "ab" * 40,
    "Contrato 0012", "Contrato 00123", "longa " * 500 + "fim",
]  # fmt: skip
LETTERS = st.text(st.sampled_from("abAB éÉçãÃ%_\\'\"1209İıßΣσς日🙂"), max_size=12)  # noqa: RUF001 - they are meant
WANTED = st.one_of(
    LETTERS,
    st.builds(lambda name, start, size: name[start : start + size], st.sampled_from(NAMES), st.integers(0, 30),
              st.integers(1, 60)),
    st.sampled_from(NAMES).map(str.swapcase),
    st.text(max_size=4).filter(lambda wanted: "\0" not in wanted and wanted.isprintable()),
)  # fmt: skip
PROPERTY = settings(
    max_examples=150, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def store(session, names):
    """Store contracts of some names, and as many rules with them as titles, of other contracts' numbers."""
    contracts = [
        COMMON | {"contract_id": number, "name": name, "state": "active"} for number, name in enumerate(names, 1)
    ]
    common = COMMON | {"version": 1, "init_date": date(2025, 1, 1)}
    rules = [
        common | {"rule_id": 100_000 + number, "contract_id": 200_000 + number, "title": name}
        for number, name in enumerate(names, 1)
    ]
    session.execute(insert(Contract), contracts)
    session.execute(insert(Rule), rules)


@pytest.fixture
def stored(session):
    store(session, NAMES)
    return session


def by_name_alone(session, key, name, wanted):
    return set(session.scalars(select(key).where(key.class_.organization_id == 7, contains(name, wanted))))


KINDS = [(Contract.contract_id, Contract.name), (Rule.rule_id, Rule.title)]


@PROPERTY
@given(wanted=WANTED.filter(bool))
@example(wanted="%")
@example(wanted="_")
@example(wanted="\\")
@example(wanted="ΟΔΟΣ")
@example(wanted="οδος")
@example(wanted="i̇st")
@example(wanted="longa " * 400)
@example(wanted="longa " * 400 + "meio")
def test_a_part_of_a_name_finds_exactly_those_that_contain_it(stored, wanted):
    for key, name in KINDS:
        assert set(few_called(stored, 7, key, name, wanted)) == by_name_alone(stored, key, name, wanted)


@PROPERTY
@given(wanted=WANTED.filter(bool), names=st.lists(LETTERS, min_size=1, max_size=4))
def test_so_does_the_index_alone_whatever_is_stored(postgres_url_of_parts, wanted, names):
    with Session(postgres_url_of_parts) as session:
        store(session, [*names, *(f"{name}{wanted}" for name in names)])
        for key, name in KINDS:
            assert set(few_called(session, 7, key, name, wanted)) == by_name_alone(session, key, name, wanted)
        session.rollback()


@pytest.fixture
def postgres_url_of_parts(postgres_url):
    """An engine whose statements read no table without an index."""
    with engine_with(postgres_url, "enable_seqscan = off") as engine:
        yield engine


@pytest.mark.parametrize(
    ("asked", "walked"), [(10_000, 5_000), (10, 50), (10, 3)], ids=["few", "among the first", "not among the first"]
)
@pytest.mark.parametrize("wanted", ["0", "contrato", "CONTRATO 2", "zé", "o 9"])
def test_the_first_hits_are_the_first_by_name_however_they_are_looked_for(session, monkeypatch, asked, walked, wanted):
    names = [f"Contrato {number * 7919 % 1000:03d}" for number in range(60)] + ["Zé", "Zélia", "Zé"]
    store(session, names)
    monkeypatch.setattr(searching, "FEW", 0)
    monkeypatch.setattr(searching, "ASKED", asked)
    monkeypatch.setattr(searching, "WALKED", walked)
    expected = sorted((name, number) for number, name in enumerate(names, 1) if wanted.lower() in name.lower())[:MOST]
    hits = [hit for hit in search(session, 7, wanted) if hit.title]
    assert [(hit.title, hit.id) for hit in hits if hit.kind == "contract"] == expected
    assert [(hit.title, hit.id - 100_000) for hit in hits if hit.kind == "rule"] == expected
    assert session.in_transaction()


def test_of_many_that_are_not_among_the_first_by_name_some_are_shown_and_no_index_is_asked(session, monkeypatch):
    names = [f"Zona {number * 7 % 40:02d}" for number in range(40)] + [f"Alfa {number}" for number in range(100)]
    store(session, names)
    session.execute(text("ANALYZE"))
    for name, value in (("FEW", 100), ("ASKED", 40), ("WALKED", 60)):
        monkeypatch.setattr(searching, name, value)
    asked = []
    event.listen(
        session.get_bind(), "before_cursor_execute", lambda _c, _cursor, *statement: asked.append(statement[0])
    )
    hits = [hit.title for hit in search(session, 7, "ZONA")]
    assert hits == [f"Zona {number:02d}" for number in range(MOST)] * 2
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    assert any("MATERIALIZED" in statement for statement in asked) != on_postgresql


def test_settings_of_a_search_end_with_it(postgres_url):
    engine = open_engine(postgres_url)
    with Session(engine) as session:
        store(session, NAMES)
        before = [session.scalar(text(f"SHOW {name}")) for name in ("enable_seqscan", "work_mem")]
        assert search(session, 7, "dois") != ()
        assert [session.scalar(text(f"SHOW {name}")) for name in ("enable_seqscan", "work_mem")] == before
    engine.dispose()


@pytest.mark.parametrize(("few", "asked"), [(0, 1_000), (1, 1_000), (20_000, 1_000), (20_000, 4), (3, 4)])
def test_lists_by_a_text_are_the_same_however_many_are_called_so(session, monkeypatch, few, asked):
    monkeypatch.setattr(searching, "FEW", few)
    monkeypatch.setattr(searching, "ASKED", asked)
    store(session, ["Padaria", "Bar", "padaria da Rua", "Hotel"])
    for number in range(1, 5):  # of the contract of that number, by the rule of the next
        title = (number % 4) + 1
        session.add(Period(**period_row(
            id=number, organization_id=7, contract_id=number, rule_id=100_000 + title, invoice_id=None, state="planned",
        )))  # fmt: skip
    session.flush()
    session.execute(text("UPDATE rules SET contract_id = 4 WHERE rule_id = 100002"))
    window = DateRange(date(2025, 1, 1), date(2026, 1, 1))

    def found(wanted):
        listing = periods.period_listing(session, 7, periods.PeriodFilter(text=wanted))
        rules = periods.grid(session, 7, periods.GridFilter(window, text=wanted), PageRequest())[0]
        return (
            {row.id for row in listing.page(session, PageRequest()).rows},
            {row.rule_id - 100_000 for row in rules.rows},
        )

    assert found("PADARIA") == ({1, 2, 3, 4}, {1, 3})
    assert found("hotel") == ({3, 4}, {2, 4})
    assert found("rua") == ({2, 3}, {3})
    assert found("museu") == (set(), set())


def test_a_ledger_of_some_size_is_asked_by_the_index(postgres_url):
    engine = open_engine(postgres_url)
    asked = []
    with Session(engine) as session:
        store(session, [f"Cliente {number:05d}" for number in range(5_000)])
        session.execute(text("ANALYZE contracts, rules"))
        event.listen(engine, "before_cursor_execute", lambda _c, _cursor, *statement: asked.append(statement[:2]))
        for key, name in KINDS:
            assert len(few_called(session, 7, key, name, "04217")) == 1
        lookups = [statement for statement in asked if "MATERIALIZED" in statement[0]]
        plans = ["\n".join(session.connection().exec_driver_sql(f"EXPLAIN {sql}", values).scalars())
                 for sql, values in lookups]  # fmt: skip
    engine.dispose()
    assert ["ix_contracts_pieces" in plans[0], "ix_rules_pieces" in plans[1]] == [True, True]


def test_an_older_ledger_gets_the_index_and_gives_it_back(ledger_engine):
    downgrade(ledger_engine, "0020")
    with Session(ledger_engine) as session:
        store(session, NAMES)
        session.commit()
    upgrade(ledger_engine)
    with Session(ledger_engine) as session:
        assert [hit.title for hit in search(session, 7, "padaria")] == sorted(NAMES[:2]) * 2


def test_a_number_too_large_for_an_id_is_a_text(stored):
    assert search(stored, 7, str(LARGEST_ID + 1)) == ()
