"""`ciclo parked`: list, release, cancel, as a person types them."""

import json
from datetime import date

import pytest
import typer
from typer.testing import CliRunner

from ciclo.cli.ledger import parked
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.domain.wording import said
from ciclo.ledger.actions import NoSuchRow, UnusableNote
from company import company, rule


@pytest.fixture
def place(company_of, sqlite_url, monkeypatch):
    """A company with one parked period, number 1, and the ledger that the command finds."""
    monkeypatch.setenv("CICLO_LEDGER_URL", sqlite_url)
    monkeypatch.setenv("LOGNAME", "ana")
    found = company_of(company(rule(1)))
    found.expand()
    (period,) = found.ctx.periods.of_rules([1], DateRange(date(2025, 1, 1), date(2025, 2, 1)))
    found.ctx.periods.claim_these([period.id], owner="x", lease_until=found.ctx.clock(), at=found.ctx.clock())
    found.ctx.periods.park([period], reason="the API refused it: valor inválido", at=found.ctx.clock())
    found.ctx.session.commit()
    return found


@pytest.fixture
def run():
    app = typer.Typer()
    app.add_typer(parked, name="parked")
    return lambda *arguments: CliRunner().invoke(app, ["parked", *arguments])


def state_of(place, number):
    place.ctx.session.expire_all()
    period = place.ctx.periods.get(number)
    place.ctx.session.rollback()
    return period.state


def number(place):
    found = place.ctx.periods.in_state(PeriodState.PARKED)[0].id
    place.ctx.session.rollback()
    return found


def test_the_list_shows_age_amount_place_and_reason(place, run):
    result = run("list")
    assert result.exit_code == 0
    assert "R$ 150,00  Contrato 10, rule 1, 2025-01-10: the API refused it: valor inválido" in result.output
    assert "1 parked, R$ 150,00 at risk" in result.output


def test_the_list_can_be_read_by_a_program(place, run):
    (entry,) = json.loads(run("list", "--json", "--organization", "7").output)
    assert (entry["amount"], entry["issue_date"], entry["contract_id"]) == ("150.00", "2025-01-10", 10)
    assert str(run("list", "--json", "--organization", "8").exception) == "There is no organization 8 in this ledger."


@pytest.mark.parametrize(("command", "state"), [("release", "planned"), ("cancel", "cancelled")])
def test_a_decision_is_kept_with_name_and_note(place, run, command, state):
    period = number(place)
    result = run(command, str(period), "--note", "agreed with the customer")
    assert result.exit_code == 0, result.output
    assert state_of(place, period) == state
    entry = place.ctx.audit.trail("period", period)[-1]
    assert (entry.person, entry.to_state) == ("ana", state)
    assert "agreed with the customer" in said(entry.reason)


def test_whose_an_invoice_beside_it_is_can_be_said(place, run):
    period = number(place)
    beside = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": [900, 901], "amount": "7.00"})
    place.ctx.periods.get(period).reason = beside
    place.ctx.session.commit()

    assert "asks again" in run("release", str(period), "--note", "bill it").output
    for command in (["its-own", "--invoice", "901"], ["not-its-own"]):
        place.ctx.session.expire_all()
        place.ctx.periods.park([place.ctx.periods.get(period)], reason=beside, at=place.ctx.clock())
        place.ctx.session.commit()
        result = run(*command, str(period), "--note", "seen")
        assert result.exit_code == 0, result.output
        assert state_of(place, period) == "planned"
        place.ctx.session.expire_all()
        assert place.ctx.periods.get(period).reason.kind == command[0].replace("-", "_")


def test_deciding_twice_says_who_was_first(place, run):
    period = str(number(place))
    run("release", period, "--note", "yes")
    again = run("release", period, "--note", "yes")
    assert "already released by ana" in again.output


@pytest.mark.parametrize(
    ("arguments", "error"), [(("999", "--note", "x"), NoSuchRow), (("1", "--note", " "), UnusableNote)]
)
def test_what_cannot_be_decided_is_an_error(place, run, arguments, error):
    assert isinstance(run("release", *arguments).exception, error)
