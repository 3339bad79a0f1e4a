"""docs/hook.md, block by block, against the sandbox: what is documented is what is tested."""

import re
from datetime import date
from pathlib import Path

import pytest

from ciclo.billimatic import BillimaticClient
from ciclo_sandbox.testing import running_sandbox

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "hook.md").read_text(encoding="utf-8")
CONTRACT, ORGANIZATION, TOKEN = 11986, 564, "t0ken-of-the-page"
STATE = {
    "token": TOKEN,
    "organizations": [{"id": ORGANIZATION, "name": "Luz do Sul Serviços Ltda."}],
    "contracts": [
        {
            "id": CONTRACT,
            "name": "Contrato de suporte",
            "supplier_id": ORGANIZATION,
            "supplier_type": "Company",
            "customer_id": 1954,
            "customer_type": "Company",
            "state": "active",
        }
    ],
    "service_items": [{"id": 383, "name": "Setup"}, {"id": 384, "name": "Training"}],
    "invoice_templates": [
        {
            "id": 26,
            "name": "Suporte",
            "gross_value": "45.0",
            "month_quantity": 12,
            "period_unit": "monthly",
            "description": "Suporte",
            "nfe_body": "$DESCRICAO",
            "receivables_additional_information": {"charge_type": "fixed_day", "day_number": 10},
            "services": [
                {
                    "id": 3,
                    "name": "Setup",
                    "description": "",
                    "units": "1.0",
                    "unit_value": "45.0",
                    "value": "45.0",
                    "service_item_id": 383,
                }
            ],
            "scheduled_updates": [{"id": 490, "price_index": "igpm", "month_quantity": 12, "days_until_update": 7}],
        }
    ],
    "invoices": [
        {
            "id": 180001,
            "contract_id": CONTRACT,
            "issue_date": "10/12/2025",
            "gross_value": "150.0",
            "description": "Mensalidade",
            "state": "to_receive",
            "receivables": [
                {
                    "id": 182001,
                    "invoice_id": 180001,
                    "due_date": "20/12/2025",
                    "value": "100.0",
                    "gross_value": "150.0",
                    "state": "to_receive",
                }
            ],
        }
    ],
}


@pytest.fixture
def vendor(connection):
    with running_sandbox(STATE, today=date(2026, 1, 10)) as sandbox:
        connection(host=sandbox.url, password=TOKEN, extra={"organization_id": ORGANIZATION})
        yield sandbox


def test_the_page_does_what_it_says(vendor):
    place: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) > 7
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"docs/hook.md, block {number}", "exec"), place)  # noqa: S102 - our own page


def test_the_page_names_every_method_of_the_client():
    methods = {name for name in vars(BillimaticClient) if not name.startswith("_")}
    methods -= {"at_once", "close", "longest_request", "longest_call"}
    families = re.findall(r"\| ([^|]*`[^|]*) \|$", PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(families)))
    left_out = {name for name in methods - named if not name.startswith(("create_", "update_", "delete_"))}
    assert left_out == set()
