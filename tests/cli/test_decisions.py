"""Commands by which people decide: a number that is none, an organization that is not there, twice, half given."""

import re

import pytest
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Organization, RuleSetting
from console.factories import ORGANIZATION
from console.small_year import PARKED, fill_small_year

RULE, CONTRACT, ANOTHER = 1000, 100, 101
"""A rule, its contract, and a contract that has other rules."""


@pytest.fixture
def year(sqlite_url, monkeypatch):
    """The small year in the ledger that commands find; a session to look with."""
    engine = open_engine(sqlite_url)
    fill_small_year(engine)
    monkeypatch.setenv("CICLO_LEDGER_URL", sqlite_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.mark.parametrize(
    "command",
    [
        ("parked", "list"),
        ("findings", "list"),
        ("instruct", "list"),
        ("adjust", "prorate", "never"),
        ("terms", "list", "--contract", "100"),
        ("updates", "what-if"),
        ("findings", "acknowledge", "1", "--note", "x"),
    ],
)
def test_an_organization_that_is_not_there_has_nothing_to_list_or_to_decide(ciclo, year, command):
    told = ciclo(*command, "--organization", 2170)
    assert told == (1, "", "error: There is no organization 2170 in this ledger.\n")
    assert {row.prorate for row in year.query(Organization)} == {None}


@pytest.mark.parametrize(
    "command", [("parked", "release"), ("why",), ("findings", "acknowledge"), ("adjust", "withdraw")]
)
def test_a_number_that_no_ledger_can_hold_is_one_line(ciclo, year, command):
    note = () if command == ("why",) else ("--note", "x")
    code, out, err = ciclo(*command, "9" * 30, *note)
    assert (code, out) == (1, "")
    assert err == "error: a number is larger than the ledger or the calendar can hold\n"


def test_what_is_not_given_of_a_rule_stays_as_it_is(ciclo, year):
    assert ciclo("adjust", "rule", RULE, "--waits", "--notice-days", 9)[1] == f"Rule {RULE} waits for quantities.\n"

    told = ciclo("adjust", "rule", RULE, "--lead-days", 10)

    assert told == (0, f"Rule {RULE} waits for quantities.\n", "")
    year.rollback()
    setting = year.get(RuleSetting, (ORGANIZATION, RULE))
    assert (setting.waits_for_quantities, setting.notice_days, setting.lead_days) == (True, 9, 10)
    year.rollback()
    assert "does not wait" in ciclo("adjust", "rule", RULE, "--no-waits")[1]
    year.rollback()
    assert (setting.waits_for_quantities, setting.notice_days, setting.lead_days) == (False, 9, 10)


def test_a_term_is_agreed_once_and_about_a_rule_of_its_contract(ciclo, year):
    def add(contract):
        given = ("--kind", "cap", "--percent", "8", "--from", "2026-01-01", "--rule", RULE, "--note", "signed")
        return ciclo("terms", "add", "--organization", ORGANIZATION, "--contract", contract, *given)

    first, second = add(CONTRACT), add(CONTRACT)

    assert first[0] == 0
    assert (second[0], second[2].startswith("error: That is agreed already: term 1, entered by ")) == (1, True)
    assert add(ANOTHER) == (1, "", f"error: Contract {ANOTHER} has no rule {RULE}.\n")


def test_what_a_state_does_not_allow_is_said_without_a_riddle(ciclo, year):
    code, out, err = ciclo("parked", "release", 1, "--note", "x")
    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: The period of \S+ is issued: it cannot be released\.\n", err)


@pytest.mark.parametrize(("language", "told"), [("en", "1 parked, "), ("pt_BR", "1 parado, ")])
def test_one_is_not_several(ciclo, year, language, told):
    assert f"\n{told}" in ciclo("--lang", language, "parked", "list")[1]
    assert ciclo("--lang", "en", "parked", "cancel", PARKED, "--note", "x")[0] == 0
