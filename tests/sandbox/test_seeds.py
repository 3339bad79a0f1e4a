"""The seeds' request bodies, sent as printed, get the printed answers.

Where the printed examples contradict each other, `READ_OTHERWISE` says how they are read; docs/sandbox.md says why.
"""

import json
from pathlib import Path

import pytest

SEEDS = Path(__file__).parents[3] / "shared" / "api" / "seeds"
pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason=f"no seeds at {SEEDS}")

NEW_EVERY_TIME = {"id", "invoice_id", "invoice_rule_id", "created_at", "updated_at", "url"}
READ_OTHERWISE = {
    # Printed by the update and the details of the very invoice that the create example answers otherwise:
    # an older server's answers, whose nulls are read as "not answered yet".
    "invoice.approval_status",
    "invoice.estimated_issue_date",
    "invoice.management_type",
    "invoice.emites_service_value_name",
    # What the finance system said an hour later.
    "receivables.myfinance_errors",
    # What came after 2018 stands in the printed examples too.
    "invoice.nfse_template_id",
    "invoice.issue_nfse",
    "payment_information.financial_charge_template_id",
    "payment_information.financial_account_id",
    # Printed in another encoding.
    "services.name",
}


def printed(number: str) -> list[dict]:
    text = next(SEEDS.glob(f"{number}_*")).read_text(encoding="utf-8")
    return [json.loads(block.split("```")[0]) for block in text.split("```json")[1:]]


def differences(example, answer, place=""):
    if isinstance(example, dict) and isinstance(answer, dict):
        for field in example:
            if field not in answer and f"{place}.{field}" not in READ_OTHERWISE:
                yield f"{place}.{field} is missing"
            elif field not in NEW_EVERY_TIME and f"{place}.{field}" not in READ_OTHERWISE:
                yield from differences(example[field], answer[field], field if field in answer else place)
    elif isinstance(example, list) and isinstance(answer, list) and len(example) == len(answer):
        for one, other in zip(example, answer, strict=True):
            yield from differences(one, other, place)
    elif example != answer:
        yield f"{place}: {example!r} printed, {answer!r} answered"


@pytest.fixture
def account(sandbox):
    sandbox.put_state(
        {
            "token": "test-token",
            "behaviour": {"shape": 2018},
            "organizations": [{"id": 486, "name": "Seller"}],
            "contracts": [
                {"id": 11986, "name": "One", "customer_id": 1954, "supplier_id": 486},
                {"id": 255, "name": "Two", "customer_id": 16, "customer_type": "Person", "supplier_id": 486},
            ],
            "service_items": [{"id": 383, "name": "Serviço Teste Doc"}],
            "invoice_templates": [TEMPLATE],
        }
    )
    return sandbox


TEMPLATE = {
    "id": 26,
    "description": "another",
    "month_quantity": 12,
    "apply_negative_updates": True,
    "receivables_additional_information": {"charge_type": "fixed_day", "day_number": 1},
    "services": [
        {"id": 1, "name": "Serviço 1", "service_item_id": 1, "description": "", "units": 1, "unit_value": 45},
        {"id": 2, "name": "Serviço 7", "service_item_id": 7, "description": "", "units": 1, "unit_value": 50},
    ],
    "scheduled_updates": [
        {"id": 490, "price_index": "igpdi", "service_item_id": 1},
        {"id": 491, "price_index": "igpm"},
        {"id": 492, "price_index": "ipcfipe", "service_item_id": 7},
    ],
}


def test_the_create_example(account):
    body, example = printed("000")
    status, answer = account.call("POST", "contracts/11986/invoices", body)
    assert status == 201
    assert list(differences(example["invoice"], answer["invoice"], "invoice")) == []


def test_the_update_example_adds_the_service_that_it_names_without_an_id(account):
    created = account.call("POST", "contracts/11986/invoices", printed("000")[0])[1]["invoice"]
    body, example = printed("001")
    body["invoice"]["receivables"][0]["id"] = created["receivables"][0]["id"]
    status, answer = account.call("PATCH", f"contracts/11986/invoices/{created['id']}", body)
    assert status == 200
    assert list(differences(example["invoice"], answer["invoice"], "invoice")) == []
    assert answer["invoice"]["estimated_issue_date"] is None
    assert answer["invoice"]["management_type"] is None


def test_the_details_example(account):
    created = account.call("POST", "contracts/11986/invoices", printed("000")[0])[1]["invoice"]
    status, answer = account.call("GET", f"contracts/11986/invoices/{created['id']}")
    assert status == 200
    assert answer["invoice"] == created
    assert list(differences(printed("003")[1]["invoice"], answer["invoice"], "invoice")) == []


def test_the_rule_from_a_template_example(account):
    body, example = printed("002")
    status, answer = account.call("POST", "contracts/255/invoice_rules", body)
    assert status == 201
    example["invoice_rule"]["emites_service_value_name"] = ""
    assert list(differences(example["invoice_rule"], answer["invoice_rule"], "rule")) == []
