"""What an audit asks of the vendor and how much memory it takes, of an account of 10,000 contracts over two years."""

import os
import sys
from typing import Any

from bench.figures import Bench, Figure
from bench.servers import ORGANIZATION, TOKEN, Sandbox, run_alone

Json = dict[str, Any]

MONTHS = 24
PAGE = 100
SPARE = 50
"""Requests besides those that the size of the account asks for."""
MOST_MEMORY = 500
"""Megabytes."""
RANGE = ("--from", "2024-01", "--to", "2025-12")


def measure_audit(bench: Bench) -> list[Figure]:
    """Count, once, the requests of an audit in a process of its own, and take the most memory it ever had."""
    count = bench.size(500, 10_000)
    bench.sandbox.control("PUT", "state", _account(count))
    bench.sandbox.control("DELETE", "requests")
    memory = _audited(bench.sandbox)
    made = bench.sandbox.control("GET", "requests/count")
    if any(not method.startswith("GET") for method in made["by_method_and_status"]):
        raise AssertionError(f"an audit has written: {made}")
    most = count + count * MONTHS / PAGE * 1.05 + SPARE
    title = f"{count:,} contracts, {MONTHS} months"
    return [
        Figure("audit", title, "requests", [float(made["total"])], "contracts + invoices/100 x 1.05 + 50", [most],
               at_most=1.0),
        Figure("audit", title, "MB", [memory], at_most=MOST_MEMORY),
    ]  # fmt: skip


def _audited(sandbox: Sandbox) -> float:
    """Return the megabytes that the audit took at most."""
    command = [sys.executable, "-m", "ciclo.cli", "audit", "--url", sandbox.url, "--organization", str(ORGANIZATION)]
    environment = {**os.environ, "CICLO_TOKEN": TOKEN}
    code, megabytes = run_alone([*command, *RANGE], environment)
    if code:
        raise AssertionError("the audit failed")
    return megabytes


def _account(count: int) -> Json:
    contracts, rules, invoices = [], [], []
    for number in range(1, count + 1):
        text = f"Mensalidade {number}"
        contracts.append({"id": number, "name": f"Contrato {number}", "supplier_id": ORGANIZATION,
                          "customer_id": 1_000_000 + number, "state": "active"})  # fmt: skip
        rules.append({
            "id": 10_000_000 + number, "contract_id": number, "gross_value": "150.0", "description": text,
            "additional_information": {"title": text, "init_date": "2024-01-10", "month_quantity": 1},
            "receivables_additional_information": {"day_quantity": 10},
        })  # fmt: skip
        for month in range(MONTHS):
            day = f"10/{month % 12 + 1:02}/{2024 + month // 12}"
            invoices.append({
                "id": 20_000_000 + number * MONTHS + month, "contract_id": number, "gross_value": "150.0",
                "issue_date": day, "description": text, "state": "received",
                "receivables": [{"due_date": day.replace("10/", "20/", 1), "value": "100.0", "state": "received"}],
            })  # fmt: skip
    return {"token": TOKEN, "organizations": [{"id": ORGANIZATION, "name": "Companhia"}],
            "contracts": contracts, "invoice_rules": rules, "invoices": invoices}  # fmt: skip
