"""What people do in the demonstration: an operator corrects a rule and releases what was parked, customers pay.

The rule here: people act at the vendor through its API, in Ciclo through the actions that the console offers, and time
passes by the sandbox's clock. The demonstration itself never writes to either.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

import httpx
from sqlalchemy.orm import Session

from ciclo.ledger.actions import release_period
from ciclo.ledger.database import open_engine
from demo.company import DEMO_TOKEN
from demo.ledger_view import Stopped

OPERATOR: Final = "Ana (finance)"


def describe_rule(vendor_url: str, contract_id: int, rule_id: int, description: str) -> None:
    """Give a rule a description, by the vendor's API, as its screens would.

    Raises:
        httpx.HTTPError: the vendor refused it.
    """
    httpx.put(
        f"{vendor_url}/api/v1/contracts/{contract_id}/invoice_rules/{rule_id}",
        json={"invoice_rule": {"description": description}},
        headers={"Authorization": f"Token token={DEMO_TOKEN}"},
        timeout=30,
        trust_env=False,
    ).raise_for_status()


def release(ledger_url: str, organization_id: int, periods: Iterable[Stopped], note: str) -> int:
    """Release parked periods with a note, in the operator's name; return how many were still parked."""
    engine = open_engine(ledger_url)
    try:
        with Session(engine) as session:
            outcomes = [
                release_period(
                    session, organization_id, period.period_id, person=OPERATOR, note=note, at=datetime.now(UTC)
                )
                for period in periods
            ]
            session.commit()
    finally:
        engine.dispose()
    return sum(outcome.changed for outcome in outcomes)


def let_time_pass(vendor_url: str, today: date) -> None:
    """Move the vendor's clock: invoices whose issue date has come are issued, customers pay as they are wont to.

    Raises:
        httpx.HTTPError: the sandbox does not answer.
    """
    clock = httpx.put(f"{vendor_url}/_sandbox/clock", json={"today": today.isoformat()}, timeout=120, trust_env=False)
    clock.raise_for_status()
