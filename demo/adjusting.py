"""What differs from the rules in the company's year, and who says so: people in the console, the metering by a file."""

import csv
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.ledger.actions import NewAdjustment, add_adjustments, bill_again, prorate_period, set_rule
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period
from demo.company import ORGANIZATION_ID, company
from demo.ledger_view import LedgerView
from demo.people import OPERATOR, cancel_invoice

Json = dict[str, Any]

AS_SAID = (AdjustmentKind.DISCOUNT, AdjustmentKind.LINE)
"""What people agreed with customers; pauses are known before anything is billed, part months are proposed by Ciclo."""


def adjustments(*kinds: AdjustmentKind) -> list[Json]:
    """Return what differs of some kinds, or of all, in the year that ends now."""
    found: list[Json] = company()["adjustments"]
    return [each for each in found if not kinds or each["kind"] in kinds]


def measured_and_paused(ledger_url: str) -> str:
    """Say of rules that they are billed by quantities, and pause what is paused; return what was done, in words."""
    rules = company()["measured"]
    pauses = adjustments(AdjustmentKind.SKIP)
    engine = open_engine(ledger_url)
    with Session(engine) as session:
        for rule_id in rules:
            set_rule(session, ORGANIZATION_ID, rule_id, person=OPERATOR, at=_now(), waits_for_quantities=True)
        _add(session, pauses)
        session.commit()
    engine.dispose()
    stretches = ", ".join(f"contract {each['contract_id']} from {each['from']} to {each['to']}" for each in pauses)
    return f"rules {', '.join(map(str, rules))} wait for quantities; paused: {stretches}"


def write_metering(path: Path) -> int:
    """Write what was measured as a file for `import_adjustments`; return how many rows it has."""
    rows = adjustments(AdjustmentKind.QUANTITY)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def agree(ledger: LedgerView, ledger_url: str) -> list[str]:
    """Add what was agreed with customers and accept the part months that Ciclo proposes; return it in words."""
    said = adjustments(*AS_SAID)
    parts = adjustments(AdjustmentKind.PRORATE)
    lines = [f"{each['kind']} for rule {each['rule_id']}: {each['note']}" for each in said]
    engine = open_engine(ledger_url)
    with Session(engine) as session:
        _add(session, said)
        for part in parts:
            period = ledger.period(part["rule_id"], date.fromisoformat(part["period"]))
            done = prorate_period(session, ORGANIZATION_ID, period.id, person=OPERATOR, note=part["note"], at=_now())
            lines.append(f"part month of rule {part['rule_id']}, {period.issue_date}, as proposed: {done.message}")
        session.commit()
    engine.dispose()
    return lines


def cancel_what_is_wrong(ledger: LedgerView, vendor_url: str) -> list[Period]:
    """Cancel at the vendor what was billed to the wrong CNPJ; return the invoices' periods."""
    wrong = [ledger.period(each["rule_id"], date.fromisoformat(each["period"])) for each in company()["billed_again"]]
    for period in wrong:
        cancel_invoice(vendor_url, period.invoice_id or 0)
    return wrong


def bill_cancelled_again(ledger: LedgerView, ledger_url: str) -> int:
    """Let the periods of those invoices be billed again; return how many."""
    engine = open_engine(ledger_url)
    done = 0
    with Session(engine) as session:
        for each in company()["billed_again"]:
            period = ledger.period(each["rule_id"], date.fromisoformat(each["period"]))
            outcome = bill_again(session, ORGANIZATION_ID, period.id, person=OPERATOR, note=each["note"], at=_now())
            done += outcome.changed
        session.commit()
    engine.dispose()
    return done


def _add(session: Session, rows: Iterable[Json]) -> None:
    add_adjustments(session, ORGANIZATION_ID, [_new(row) for row in rows], origin="console", person=OPERATOR, at=_now())


def _new(row: Json) -> NewAdjustment:
    given: Json = {"from": "from_date", "to": "to_date"}
    values = {given.get(name, name): value for name, value in row.items() if name != "kind"}
    for name in ("period", "from_date", "to_date"):
        if name in values:
            values[name] = date.fromisoformat(values[name])
    for name in ("quantity", "unit_value", "percent"):
        if name in values:
            values[name] = Decimal(values[name])
    return NewAdjustment(kind=AdjustmentKind(row["kind"]), **values)


def _now() -> datetime:
    return datetime.now(UTC)
