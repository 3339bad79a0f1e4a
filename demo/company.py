"""The demo company as a sandbox state file: contracts, rules, catalogue, two invoices made by hand, paying customers.

The rule here: the same day gives the same file, byte for byte; nothing is random and nothing reads the clock.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any, Final

from demo import catalogue, vendor_shapes
from demo.portfolio import CONTRACTS
from demo.sales import Contract

Json = dict[str, Any]

YEAR_START: Final = date(2025, 1, 1)
YEAR_END: Final = date(2025, 12, 31)
COLLECTED_BY: Final = date(2026, 1, 31)
"""The day up to which customers pay: what was issued in December is due by then."""
DEMO_TOKEN: Final = "demo-token-of-the-local-sandbox"  # noqa: S105 - opens nothing but the sandbox on loopback

# Customers pay as follows once a receivable falls due; the two in a hundred that are left never pay.
PAYMENTS: Final = (
    {"share": 0.82, "days_after_due": 0},
    {"share": 0.12, "days_after_due": 6},
    {"share": 0.04, "days_after_due": 25},
)

# Before Ciclo somebody billed these by hand: customer, rule title, issue date, due date. Ciclo has to adopt them.
BY_HAND: Final = (
    ("Advocacia Prado e Nogueira", "Mensalidade", date(2025, 1, 16), date(2025, 1, 21)),
    ("Clínica Veterinária Bem Querer Ltda.", "Mensalidade", date(2025, 1, 8), date(2025, 1, 18)),
)


def demo_state(today: date = YEAR_END) -> Json:
    """Return the company in the sandbox's state-file shape, as the vendor would answer it on `today`.

    `today` decides which contracts are already cancelled and which invoices made by hand are already paid.
    """
    ids = vendor_shapes.Numbering(
        contract=3001,
        customer=5001,
        rule=70001,
        service=300001,
        information=40001,
        update=1001,
        invoice=180001,
        receivable=190001,
    )
    contracts: list[Json] = []
    rules: list[Json] = []
    for sold in CONTRACTS:
        contract, its_rules = _contract_with_rules(sold, ids, today)
        contracts.append(contract)
        rules.extend(its_rules)
    return {
        "token": DEMO_TOKEN,
        "organizations": [{"id": catalogue.ORGANIZATION_ID, "name": catalogue.ORGANIZATION_NAME}],
        "service_items": catalogue.service_items(),
        "email_templates": catalogue.email_templates(),
        "contracts": contracts,
        "invoice_templates": catalogue.invoice_templates(),
        "invoice_rules": rules,
        "invoices": _invoices_made_by_hand(contracts, rules, ids, today),
        "behaviour": {"emit_on_issue_date": True, "payments": [dict(payment) for payment in PAYMENTS], "seed": 2025},
    }


def write_state(path: Path, today: date = YEAR_END) -> Path:
    """Write `demo_state(today)` to `path` as readable JSON; return the path."""
    text = json.dumps(demo_state(today), ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


def _contract_with_rules(sold: Contract, ids: vendor_shapes.Numbering, today: date) -> tuple[Json, list[Json]]:
    contract = vendor_shapes.contract(
        sold,
        contract_id=sold.id or ids.next("contract"),
        customer_id=sold.customer_id or ids.next("customer"),
        organization_id=catalogue.ORGANIZATION_ID,
        today=today,
    )
    rules = [vendor_shapes.invoice_rule(rule, sold, contract, ids, catalogue.SERVICE_NAMES) for rule in sold.rules]
    return contract, rules


def _invoices_made_by_hand(
    contracts: list[Json], rules: list[Json], ids: vendor_shapes.Numbering, today: date
) -> list[Json]:
    contract_ids = {contract["name"].split(" - ")[0]: contract["id"] for contract in contracts}
    by_title = {(rule["contract_id"], rule["additional_information"]["title"]): rule for rule in rules}
    return [
        vendor_shapes.invoice_made_by_hand(
            by_title[contract_ids[customer], title], issue_date=issued, due_date=due, ids=ids, today=today
        )
        for customer, title, issued, due in BY_HAND
        if issued <= today
    ]
