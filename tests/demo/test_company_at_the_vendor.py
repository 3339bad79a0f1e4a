"""The sandbox takes the demo company as it is: nothing refused, nothing changed, nothing left out."""

from collections.abc import Iterator
from typing import Any

import pytest

from ciclo_sandbox.testing import SandboxControl, running_sandbox
from demo.company import ORGANIZATION_ID, TOKEN, WRITTEN_FOR, as_written

STATE = as_written()
CONTRACT_OF_THE_SEED = 255


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(STATE, today=WRITTEN_FOR) as control:
        yield control


def by_id(resources: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {resource["id"]: resource for resource in resources}


@pytest.mark.parametrize(
    "kind",
    ["contracts", "invoice_rules", "invoices", "service_items", "email_templates", "invoice_templates"],
)
def test_every_resource_is_held_as_it_was_written_down(sandbox: SandboxControl, kind: str):
    held = by_id(sandbox.state()[kind])

    assert held.keys() == by_id(STATE[kind]).keys()
    for number, given in by_id(STATE[kind]).items():
        assert not differences(given, held[number]), number


def differences(given: Any, held: Any) -> Any:
    """What was written down and is not held; fields that the vendor adds do not count."""
    if isinstance(given, dict):
        found = {key: differences(value, held.get(key, "absent")) for key, value in given.items()}
        return {key: difference for key, difference in found.items() if difference}
    if isinstance(given, list):
        if len(given) != len(held):
            return f"{len(held)} instead of {len(given)}"
        found_in_list = [differences(one, other) for one, other in zip(given, held, strict=True)]
        return [difference for difference in found_in_list if difference]
    return None if given == held else f"{held!r} instead of {given!r}"


def test_the_vendor_lists_every_contract_and_every_rule(sandbox: SandboxControl):
    status, answer = sandbox.call("GET", f"organizations/{ORGANIZATION_ID}/contracts")
    active = [contract["id"] for contract in STATE["contracts"] if contract["state"] == "active"]
    assert (status, sorted(contract["id"] for contract in answer["contracts"])) == (200, sorted(active))

    listed = [
        rule["id"]
        for contract in STATE["contracts"]
        for rule in sandbox.call("GET", f"contracts/{contract['id']}/invoice_rules")[1]["invoice_rules"]
    ]
    assert sorted(listed) == sorted(rule["id"] for rule in STATE["invoice_rules"])


def test_the_token_is_the_one_that_the_demonstration_uses(sandbox: SandboxControl):
    assert sandbox.token == TOKEN


def test_the_vendor_creates_the_documented_rule_from_the_documented_template(sandbox: SandboxControl):
    request = {
        "invoice_template_id": 26,
        "description": "teste",
        "additional_information": {"title": "Regra nova", "init_date": "20/12/2018", "month_quantity": 12},
        "scheduled_updates": [
            {
                "invoice_template_scheduled_update_id": entry,
                "init_date": "20/12/2019",
                "month_quantity": 12,
                "days_until_update": 7,
            }
            for entry in (490, 492)
        ],
    }
    seed = next(rule for rule in STATE["invoice_rules"] if rule["id"] == 6955)

    status, answer = sandbox.call("POST", f"contracts/{CONTRACT_OF_THE_SEED}/invoice_rules", {"invoice_rule": request})

    created = answer["invoice_rule"]
    assert status == 201
    for field in ("gross_value", "description", "customer_id", "customer_type", "nfe_body", "apply_negative_updates"):
        assert created[field] == seed[field], field
    assert [service["value"] for service in created["services"]] == ["45.0", "50.0"]
    assert [
        (update["price_index"], update["service_item_id"], update["remind_at"])
        for update in created["scheduled_updates"]
    ] == [("igpdi", 1, "2019-12-13"), ("ipcfipe", 7, "2019-12-13")]
