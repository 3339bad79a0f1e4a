"""What a rehearsal came to: the document that `ciclo rehearse --json` prints, and the same as a story for people."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.states import IN_PRICES
from ciclo.jobs.rehearsal.attention import closed_on, newest_attempts, obstacles_of
from ciclo.jobs.rehearsal.play import Rehearsal
from ciclo.jobs.rehearsal.vendor import Json, day_of, planned_date
from ciclo.ledger.database import open_session
from ciclo.ledger.tables import PriceUpdateExecution, ScheduledUpdate


def outcome_of(rehearsal: Rehearsal) -> Json:
    """Return what a rehearsal came to, as JSON values: dates ISO, money and factors decimal strings."""
    scenario = rehearsal.scenario
    with open_session(rehearsal.engine) as session:
        months = list(_months(session, scenario.organization_id, scenario.today, scenario.until))
        updates = list(_price_updates(session, scenario.organization_id))
    return {
        "invoices": [_invoice(invoice) for invoice in rehearsal.vendor.state()["invoices"]],
        "attention": [shown.document() for shown in rehearsal.attention.rows],
        "months": months,
        "price_updates": updates,
        "runs": [run.document() for run in rehearsal.runs],
        "requests": rehearsal.vendor.requests(),
    }


def _invoice(invoice: Json) -> Json:
    accrual = day_of(invoice.get("accrual_date"))
    return {
        "id": invoice["id"],
        "contract_id": invoice["contract_id"],
        "customer_id": invoice.get("customer_id"),
        "planned_date": _iso(planned_date(invoice)),
        "issue_date": _iso(day_of(invoice.get("issue_date"))),
        "accrual_month": f"{accrual:%Y-%m}" if accrual else None,
        "gross_value": _money(invoice.get("gross_value")),
        "state": invoice.get("state"),
        "description": invoice.get("description"),
        "comments": invoice.get("comments"),
        "receivables": [
            {
                "due_date": _iso(day_of(part.get("due_date"))),
                "gross_value": _money(part.get("gross_value")),
                "state": part.get("state"),
            }
            for part in invoice.get("receivables", ())
        ],
    }


def _months(session: Session, organization_id: int, first: date, last: date) -> Iterator[Json]:
    closed = closed_on(session, organization_id)
    month = first_of_month(first)
    attempts = {each.billing_month: each for each in newest_attempts(session, organization_id, month)}
    while month <= last:
        yield {
            "month": f"{month:%Y-%m}",
            "closed_on": _iso(closed.get(month)),
            "obstacles": obstacles_of(attempts[month]) if month in attempts else [],
        }
        month = add_months(month, 1)


def _price_updates(session: Session, organization_id: int) -> Iterator[Json]:
    query = select(PriceUpdateExecution).where(PriceUpdateExecution.organization_id == organization_id)
    order = PriceUpdateExecution.execution_date, PriceUpdateExecution.id
    for execution in session.scalars(query.order_by(*order)):
        scheduled = session.get(ScheduledUpdate, (organization_id, execution.scheduled_update_id))
        evidence, applied = execution.evidence or {}, execution.state in {state.value for state in IN_PRICES}
        yield {
            "rule_id": execution.rule_id,
            "service_item_id": scheduled.service_item_id if scheduled else None,
            "execution_date": execution.execution_date.isoformat(),
            "state": "applied" if applied else execution.state,
            "months": [used["month"] for used in evidence.get("months", ())],
            "factor": f"{execution.factor:f}" if execution.factor is not None else None,
            "prices": [{"old": str(each["old"]), "new": str(each["new"])} for each in evidence.get("prices", ())],
            "applied_on": _iso(execution.changed_at.date()) if applied else None,
        }


def _money(written: str | None) -> str | None:
    return f"{Decimal(written):.2f}" if written is not None else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def story(outcome: Json) -> list[str]:
    """Tell a rehearsal day by day: what was planned to be billed, what was shown to a person, what closed."""
    days: dict[str, list[str]] = defaultdict(list)
    for invoice in outcome["invoices"]:
        what = f"invoice {invoice['id']} of contract {invoice['contract_id']}, BRL {invoice['gross_value']}"
        cancelled = " (cancelled)" if invoice["state"] == "cancelled" else ""
        days[invoice["planned_date"] or ""].append(f"planned for this day: {what}{cancelled}")
    for update in outcome["price_updates"]:
        prices = "; ".join(f"{each['old']} → {each['new']}" for each in update["prices"])
        days[update["execution_date"]].append(f"price update of rule {update['rule_id']}, {update['state']}: {prices}")
    for run in outcome["runs"]:
        if run["outcome"] == "red":
            days[run["on"]].append(f"{run['dag_id']} failed: {_first_line(run['message'])}")
    for shown in outcome["attention"]:
        days[shown["shown_on"]].append(f"shown ({shown['kind']}): {_first_line(shown['message'])}")
        if shown["cleared_on"]:
            days[shown["cleared_on"]].append(f"no longer shown: {_first_line(shown['message'])}")
    for month in outcome["months"]:
        if month["closed_on"]:
            days[month["closed_on"]].append(f"{month['month']} is closed")
    lines = [line for day in sorted(days) for line in (day, *(f"  {each}" for each in days[day]))]
    still_open = [each["month"] for each in outcome["months"] if not each["closed_on"]]
    living = sum(invoice["state"] != "cancelled" for invoice in outcome["invoices"])
    requests: dict[str, Any] = outcome["requests"]
    asked = ", ".join(f"{number} {method}" for method, number in requests.items())
    return [*lines, f"{living} living invoices; months still open: {', '.join(still_open) or 'none'}; {asked}"]


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
