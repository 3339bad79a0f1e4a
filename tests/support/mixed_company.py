"""A company in the mixed world: half of its rules were entered over the vendor's API, which generated their invoices.

The other half is there without invoices, as rules beyond the vendor's horizon are: nobody makes theirs but Ciclo.
"""

import json
from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from ciclo.domain.money import cents
from ciclo.sgs.series import index_report
from ciclo_sandbox.generation import issue_dates
from company import State, company, contract, rule, scheduled_update
from simulated_vendor import SimulatedClock, SimulatedVendor

DEEDS = ("append_description", "change_value", "move_date", "bill_late", "delete", "cancel_and_copy", "split")
"""What people do to the vendor's invoices."""
BASE = Decimal("1000.00")
"""Price of every rule, in BRL, until it is readjusted."""
RULES_OF_A_CONTRACT = 4
HORIZON_DAYS = 730
FIRST_ID = 1

Key = tuple[int, date]
"""A period: its rule and its issue date."""


def mixed_company(size: int, *, start: date, readjusted: Sequence[date] = (), share: float = 0.05) -> State:
    """Return the state at the vendor on the morning of `start`, with its behaviour from then on.

    Every second rule was entered over the API between a month and twenty months before, or so long ago that what was
    generated ends within the year that begins; the others nobody has made an invoice of. A third of all is readjusted
    once, on the day of `readjusted` whose turn it is.
    """
    rules = [_rule(number, start, readjusted) for number in range(FIRST_ID, size + FIRST_ID)]
    given = [each for each in rules if each["id"] % 2]
    entered = [each for each in rules if each not in given]
    contracts = [contract(number) for number in sorted({each["contract_id"] for each in rules})]
    items = [{"id": number, "name": f"Serviço {number}"} for number in range(3, size + FIRST_ID, 3)]
    vendor = SimulatedVendor(
        SimulatedClock(),
        company(
            contracts=contracts, service_items=items, behaviour={"emit_on_issue_date": True, "payments": _PAYMENTS}
        ),
        today=min(_first_day(each) for each in rules) - timedelta(days=1),
    )
    numbers = {}
    for order, each in enumerate(sorted(entered, key=_first_day)):
        # nobody enters two rules in the same second
        vendor.move(_first_day(each), time(9, order // 60 % 60, order % 60))
        numbers[each["id"]] = _enter(vendor, each)
    vendor.move(start, time(0, 5))
    state: State = json.loads(vendor.dump())
    vendor.shut_down()
    behaviour = {
        "emit_on_issue_date": True,
        "payments": _PAYMENTS,
        "people": [{"share": share, "do": deed} for deed in DEEDS],
        "readjust_window": "published",
        "seed": 7,
    }
    # its own numbers lie above all that the vendor gave
    shift = max((each["id"] for each in (*state["invoices"], *state["invoice_rules"])), default=0)
    return {
        **state,
        "invoice_rules": [*state["invoice_rules"], *({**each, "id": each["id"] + shift} for each in given)],
        "behaviour": behaviour,
    }


_PAYMENTS = [{"share": 0.8, "days_after_due": 0}, {"share": 0.15, "days_after_due": 9}]


def _rule(number: int, start: date, readjusted: Sequence[date]) -> State:
    """Return a rule; of every twelve one bills a quarter, and four have a service."""
    day = number % 28 + 1
    months_before = (1 + number % 20) if number % 12 else 18 + number % 5
    year, month = divmod(start.year * 12 + start.month - 1 - months_before, 12)
    given: State = {"gross_value": f"{BASE}", "description": f"Plano {number}"}
    timing = {"month_quantity": 3} if number % 12 == 6 else {}
    if number % 3 == 0:
        given["services"] = [
            {"service_item_id": number, "unit_value": f"{BASE / 4}", "units": "4.0", "description": ""}
        ]
    if readjusted and number % 3 == 1:
        on = readjusted[number // 3 % len(readjusted)]
        given["scheduled_updates"] = [scheduled_update(5000 + number, init_date=on.isoformat())]
    contract_id = 10 + (number - FIRST_ID) // RULES_OF_A_CONTRACT
    init_date = date(year, month + 1, day).isoformat()
    return rule(number, contract_id, init_date=init_date, timing=timing, charge={"day_quantity": 10}, **given)


def _first_day(each: State) -> date:
    return date.fromisoformat(each["additional_information"]["init_date"])


def _enter(vendor: SimulatedVendor, each: State) -> int:
    """Enter a rule over the API, as its screens would; return its number."""
    body = {name: each[name] for name in ("description", "nfe_body", "additional_information") if name in each}
    body["receivables_additional_information"] = each["receivables_additional_information"]
    body["services"] = each.get("services", [])
    if not body["services"]:
        body["gross_value"] = each["gross_value"]
    wanted = ("price_index", "init_date", "month_quantity", "days_until_update")
    body["scheduled_updates"] = [{name: u[name] for name in wanted} for u in each.get("scheduled_updates", ())]
    answer = vendor.ask("POST", f"contracts/{each['contract_id']}/invoice_rules", {"invoice_rule": body})
    return int(answer["invoice_rule"]["id"])


def expected_periods(state: State, first: date, last: date) -> dict[Key, Decimal]:
    """Return every period that the rules call for in some days, with its price by the published index values alone."""
    expected = {}
    for each in state["invoice_rules"]:
        for day in issue_dates(each, last):
            if day >= first:
                expected[each["id"], day] = price_on(each, day)
    return expected


def price_on(each: dict[str, Any], day: date) -> Decimal:
    """Return the price of a rule of this company on a day."""
    for update in each.get("scheduled_updates") or ():
        on = date.fromisoformat(update["init_date"])
        if on <= day:
            return raised(each, on)
    return BASE


def raised(each: dict[str, Any], on: date) -> Decimal:
    """Return the price of a rule once it was readjusted on a day, by the twelve months of IGP-M before it."""
    last = date(on.year - (on.month == 1), (on.month - 2) % 12 + 1, 1)
    begun = date(last.year - (last.month < 12), last.month % 12 + 1, 1)
    factor = Decimal(index_report("igpm", begun, last)["factor"])
    if not each.get("apply_negative_updates"):
        factor = max(factor, Decimal(1))
    if each.get("services"):
        return cents(BASE / 4 * factor) * 4
    return cents(BASE * factor)
