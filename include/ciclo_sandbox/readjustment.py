"""The vendor's own readjustment of prices, for a behaviour that asks for it.

The rule: on the execution date the services' unit values (or the rule's gross value) take the index's last months,
and the execution date moves on. The index is the shipped series, each month out from the 13th of the next.
"""

from datetime import date
from decimal import Decimal
from typing import Final

from ciclo.domain.calendar import add_months, month_number
from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.sgs import values

_OUT_ON: Final = 13


def apply_due_updates(account: Account, rule: Json, today: date) -> bool:
    """Apply what has come due to a rule; return whether anything did."""
    if not account.behaviour.apply_scheduled_updates:
        return False
    applied = False
    for update in sorted(rule["scheduled_updates"], key=lambda each: each["execution_date"] or ""):
        while (execution := casting.day(update["execution_date"])) and execution <= today and update["month_quantity"]:
            _apply(account, rule, update, execution)
            applied = True
    return applied


def _apply(account: Account, rule: Json, update: Json, execution: date) -> None:
    factor = _factor(account, update, execution)
    if factor < 1 and not rule["apply_negative_updates"]:
        factor = Decimal(1)
    for line in rule["services"]:
        if update["service_item_id"] in (None, line["service_item_id"]):
            _reprice(line, factor)
    if rule["services"]:
        total = sum((Decimal(line["value"]) for line in rule["services"]), Decimal(0))
    else:
        total = casting.cents(Decimal(rule["gross_value"]) * factor)
    rule["gross_value"] = rule["payment_value"] = casting.amount(total)
    first = casting.day(update["init_date"]) or execution
    moved = month_number(execution) - month_number(first) + update["month_quantity"]
    update["execution_date"] = casting.iso(add_months(first, moved))
    update["notified"] = False
    update["updated_at"] = account.clock.iso_stamp()


def _factor(account: Account, update: Json, execution: date) -> Decimal:
    last = add_months(execution.replace(day=1), -1 if execution.day >= _OUT_ON else -2)
    window = [add_months(last, -back) for back in range(update["month_quantity"])]
    series = values(account, update["price_index"])
    factor = Decimal(1)
    for month in window:
        factor *= 1 + series.get(month, Decimal(0)) / 100
    return factor


def _reprice(line: Json, factor: Decimal) -> None:
    unit_value = casting.cents(Decimal(line["unit_value"]) * factor)
    line["unit_value"] = casting.amount(unit_value)
    line["value"] = casting.amount(casting.cents(unit_value * Decimal(line["units"])))
