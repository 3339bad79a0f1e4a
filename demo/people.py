"""What people do in the demonstration: at the vendor through its API and screens, in Ciclo by the console's actions.

Everything that Ciclo shows has a way to settle it; `settle` takes each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import httpx
from sqlalchemy.orm import Session

from ciclo.domain.findings import FindingKind
from ciclo.domain.states import ReasonKind
from ciclo.ledger.actions import acknowledge_finding, release_period
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.attention import FindingRow
from demo.company import ORGANIZATION_ID, TOKEN
from demo.ledger_view import Stopped

OPERATOR: Final = "Ana (finance)"
DESCRIPTION: Final = "Visitas técnicas trimestrais"

NOTES: Final = {
    ReasonKind.REFUSED: "The rule has its description now.",
    ReasonKind.REMOVED_AT_VENDOR: "It was deleted by mistake: bill it.",
}
"""Why a parked period is released."""
KNOWN: Final = {
    FindingKind.VALUE_EDITED: "The month's usage was added, as agreed with the customer.",
    FindingKind.AMOUNT_DIFFERS: "The month's usage was added, as agreed with the customer.",
    FindingKind.DATE_MOVED: "The customer asked for a later date.",
    FindingKind.SPLIT: "Paid in two parts, as agreed with the customer.",
    FindingKind.DUE_DATE_CHANGED: "Paid in two parts, as agreed with the customer.",
}
"""Why a finding may stay."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was shown, how many times, and what a person did about it."""

    matter: str
    count: int
    action: str
    note: str


def settle(
    ledger_url: str, vendor_url: str, stopped: Sequence[Stopped], findings: Sequence[FindingRow]
) -> list[Settled]:
    """Settle what waits for a person and can be settled; return what was done, the parked periods first.

    Raises:
        httpx.HTTPError: the vendor refuses a correction.
    """
    done = []
    for kind, note in NOTES.items():
        periods = [period for period in stopped if period.kind == kind]
        if not periods:
            continue
        correction = "release"
        if kind is ReasonKind.REFUSED:
            for contract_id, rule_id in sorted({(period.contract_id, period.rule_id) for period in periods}):
                describe_rule(vendor_url, contract_id, rule_id, DESCRIPTION)
            correction = "describe the rule at the vendor, release"
        done.append(Settled(f"parked: {kind.value}", release(ledger_url, periods, note), correction, note))
    twice = [finding for finding in findings if finding.kind == FindingKind.DUPLICATED_REMOTELY]
    for finding in twice:
        cancel_invoice(vendor_url, finding.subject_id)
    if twice:
        matter, note = "finding: duplicated_remotely", "Typed in by hand, though the vendor had made it."
        done.append(Settled(matter, len(twice), "cancel the second at the vendor", note))
    for known, note in KNOWN.items():
        seen = [finding for finding in findings if finding.kind == known]
        if seen:
            done.append(Settled(f"finding: {known.value}", acknowledge(ledger_url, seen, note), "acknowledge", note))
    return done


# -- at the vendor -----------------------------------------------------------------------------------------------------


def describe_rule(vendor_url: str, contract_id: int, rule_id: int, description: str) -> None:
    """Give a rule a description, by the vendor's API, as its screens would.

    Raises:
        httpx.HTTPError: the vendor refused it.
    """
    body = {"invoice_rule": {"description": description}}
    _ask("PUT", f"{vendor_url}/api/v1/contracts/{contract_id}/invoice_rules/{rule_id}", body)


def cancel_invoice(vendor_url: str, invoice_id: int) -> None:
    """Cancel an invoice on the vendor's screen.

    Raises:
        httpx.HTTPError: there is no such invoice.
    """
    _ask("POST", f"{vendor_url}/_sandbox/invoices/{invoice_id}/cancel")


def let_time_pass(vendor_url: str, today: date) -> None:
    """Move the vendor's clock: invoices whose issue date has come are issued, customers pay as they are wont to.

    Raises:
        httpx.HTTPError: the sandbox does not answer.
    """
    _ask("PUT", f"{vendor_url}/_sandbox/clock", {"today": today.isoformat()})


def _ask(method: str, url: str, body: Any = None) -> None:
    headers = {"Authorization": f"Token token={TOKEN}"}
    answer = httpx.request(method, url, json=body, headers=headers, timeout=120, trust_env=False)
    answer.raise_for_status()


# -- in Ciclo's console ------------------------------------------------------------------------------------------------


def release(ledger_url: str, periods: Sequence[Stopped], note: str) -> int:
    """Release parked periods with a note, in the operator's name; return how many were still parked."""
    return _act(ledger_url, release_period, [period.period_id for period in periods], note)


def acknowledge(ledger_url: str, findings: Sequence[FindingRow], note: str) -> int:
    """Say of findings, with a note, that they are known; return of how many nobody had said it."""
    return _act(ledger_url, acknowledge_finding, [finding.id for finding in findings], note)


def _act(ledger_url: str, action: Any, ids: Sequence[int], note: str) -> int:
    engine = open_engine(ledger_url)
    try:
        with Session(engine) as session:
            outcomes = [
                action(session, ORGANIZATION_ID, number, person=OPERATOR, note=note, at=datetime.now(UTC))
                for number in ids
            ]
            session.commit()
    finally:
        engine.dispose()
    return sum(outcome.changed for outcome in outcomes)
