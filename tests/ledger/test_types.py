"""Money, decimals and instants come back from both databases exactly as they went in."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import StatementError

from ciclo.ledger.tables import Organization, Period, Price
from factories import period_row


def _price(unit_value):
    return {
        "organization_id": 7,
        "rule_id": 1,
        "service_id": 0,
        "effective_from": datetime(2025, 1, 1, tzinfo=UTC).date(),
        "unit_value": unit_value,
        "source": "rule",
        "created_at": datetime(2025, 1, 1, tzinfo=UTC),
    }


def test_sums_of_money_are_exact(session):
    amounts = [Decimal("0.10"), Decimal("0.20"), Decimal("9999999999999.99")]
    session.add_all(Period(**period_row(rule_id=number, gross_value=each)) for number, each in enumerate(amounts))
    session.flush()
    assert session.scalar(select(func.sum(Period.gross_value))) == Decimal("10000000000000.29")


@pytest.mark.parametrize("wrong", [0.1, Decimal("0.001"), 5])
def test_what_is_not_whole_cents_is_refused(session, wrong):
    session.add(Period(**period_row(gross_value=wrong)))
    with pytest.raises(StatementError, match="whole cents"):
        session.flush()


@pytest.mark.parametrize("digits", ["1.0496363255892006511709517201141492253161553", "0.00000000000000000001", "12"])
def test_a_factor_keeps_every_digit(session, digits):
    session.add(Price(**_price(Decimal(digits))))
    session.flush()
    session.expire_all()
    assert session.scalar(select(Price.unit_value)) == Decimal(digits)


def test_a_float_is_refused_as_a_price(session):
    session.add(Price(**_price(0.5)))
    with pytest.raises(StatementError, match="finite Decimal"):
        session.flush()


def test_an_instant_comes_back_in_utc(session):
    local = datetime(2026, 1, 10, 9, tzinfo=timezone(timedelta(hours=-3)))
    session.add(Organization(organization_id=1, name=None, first_seen_at=local))
    session.flush()
    session.expire_all()
    found = session.scalar(select(Organization.first_seen_at))
    assert found == local
    assert found.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(session):
    session.add(Organization(organization_id=1, name=None, first_seen_at=datetime(2026, 1, 10)))  # noqa: DTZ001
    with pytest.raises(StatementError, match="needs a time zone"):
        session.flush()
