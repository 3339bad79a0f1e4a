"""Every documented exchange, the withdrawn too: a state of the example's own ids, the request as printed, the answer.

Compared are the status and, field by field, what the example answers: its fields, lists as long and in the same order,
and the values, as far as they are not new with each request.
"""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DOCUMENTED = Path(__file__).parents[3] / "shared" / "api" / "documented"
Json = dict[str, Any]

READ_OTHERWISE = {
    # The search for due dates of 2022 is printed with a receivable that is due on the first day of 2023.
    "receivables_search": ("due_date_to=31-12-2022", "due_date_to=01-01-2023"),
}
BLANK_BEFORE_2025 = ("", None)  # an older page prints what is null by now
NEW_WHEN_CREATED = re.compile(r"[._](id|created_at|updated_at|token|url)$")
# What an update adds or sends without its id is new; of a subscription nothing else is known.
CHANGED = re.compile(
    r"\.updated_at$|^\.subscription\.payment_information\.|"
    r"\.(services|scheduled_updates|attachments|payment_information|\w*additional_information)\.(id|created_at)$"
)
STATE_KEYS = {
    "organization": "organizations", "company": "companies", "person": "people", "service_item": "service_items",
    "email_template": "email_templates", "charge_template": "charge_templates",
    "financial_account": "financial_accounts", "nfse_template": "nfse_templates", "nfse": "nfses", "plan": "plans",
    "contract": "contracts",
    "invoice_template": "invoice_templates", "invoice_rule": "invoice_rules", "invoice": "invoices",
    "subscription": "contracts",
}  # fmt: skip
TEMPLATE = {
    "id": 26, "description": "another", "month_quantity": 12, "apply_negative_updates": True,
    "financial_charge_template_id": 2, "financial_account_id": 51,
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
}  # fmt: skip


def exchanges() -> list[Any]:
    return [
        pytest.param(path.stem, exchange, id=f"{path.parent.name}/{path.stem}#{number}")
        for path in sorted(DOCUMENTED.rglob("*.json"))
        for number, exchange in enumerate(json.loads(path.read_text(encoding="utf-8"))["exchanges"])
    ]


@pytest.mark.skipif(not DOCUMENTED.is_dir(), reason=f"no documents at {DOCUMENTED}")
@pytest.mark.parametrize(("name", "exchange"), exchanges())
def test_a_documented_request_gets_an_answer_of_the_documented_shape(sandbox, name, exchange):
    request, answer = exchange["request"], exchange["response"]
    path = request["path"].replace("{organization_id}", "2115").replace("/plans/{id}", "/plans/783")
    path = path.replace(*READ_OTHERWISE.get(name, ("", "")))
    sandbox.put_state(state_before(request["method"], path, request["body"], answer["body"]))

    if path.startswith("/api/v1/"):
        status, body = sandbox.call(request["method"], path.removeprefix("/api/v1/"), request["body"])
    else:
        status, body = sandbox._send(request["method"], path, None, {})

    assert status == answer["status"], body
    new = NEW_WHEN_CREATED if request["method"] == "POST" else CHANGED
    assert [each for each in differences(answer["body"], body) if not new.search(each.split(":")[0])] == []


def state_before(method: str, path: str, body: Any, answer: Any) -> Json:
    state: Json = {key: [] for key in STATE_KEYS.values()}
    state |= {"token": "test-token", "today": "2018-12-11"}
    creates = method == "POST" and "checkout" not in path
    for root, value in (answer or {}).items():
        key = STATE_KEYS.get(root, root)
        if key in state and not creates:
            state[key] += copy.deepcopy(value if isinstance(value, list) else [value])
    ids = {name: int(number) for name, number in re.findall(r"/(\w+)/(\d+)", path)}
    if method == "DELETE":
        (kind, number) = list(ids.items())[-1]
        state[kind].append({"id": number, "name": "Gone"} | ({"contract_id": ids["contracts"]} if len(ids) > 1 else {}))
    organization = ids.get("organizations", 2115)
    if organization not in {each["id"] for each in state["organizations"]} and "search?cnpj" not in path:
        state["organizations"].append({"id": organization, "name": "Organization"})
    undo(path, body, state)
    add_contracts(state, ids, answer, organization, is_undone=path.endswith("/undo_receipt"))
    add_what_is_asked_for(state, path, body, answer)
    return state


def undo(path: str, body: Any, state: Json) -> None:
    """Take back what the request did to what its answer shows."""
    for invoice in state["invoices"]:
        if path.endswith("/approve"):
            invoice["approval_status"] = "blocked"
        if path.endswith("/block"):
            invoice["approval_status"] = "approved"
    for root, kind in (("invoice", "invoices"), ("invoice_rule", "invoice_rules")):
        sent = body.get(root, {}) if isinstance(body, dict) else {}
        for document in state[kind]:
            for lines in ("services", "receivables", "scheduled_updates", "attachments"):
                added = sum(not line.get("id") for line in sent.get(lines, ()))
                newest = sorted(line["id"] for line in document.get(lines, ()))[-added:] if added else ()
                document[lines] = [line for line in document.get(lines, ()) if line["id"] not in newest]


def add_contracts(state: Json, ids: dict[str, int], answer: Any, organization: int, *, is_undone: bool) -> None:
    shown = next(iter((answer or {}).values()), None) if isinstance(answer, dict) else None
    billed = {**(shown if isinstance(shown, dict) else {})}
    numbers = {ids.get("contracts")} | {each["contract_id"] for each in state["invoices"]}
    known = {contract["id"] for contract in state["contracts"]}
    for number in sorted(numbers - {None} - known):
        customer = {"customer_id": billed.get("customer_id", 1954), "customer_type": billed.get("customer_type")}
        state["contracts"].append({"id": number, "name": f"C {number}", "supplier_id": organization} | customer)
    contract = ids.get("contracts")
    if "invoices" in ids and not state["invoices"]:
        state["invoices"].append(an_invoice(ids["invoices"], contract, 182348))
    if "receivables" in ids:
        line = shown if isinstance(shown, dict) else {}
        state["invoices"] = [an_invoice(line.get("invoice_id", 184535), contract, ids["receivables"])]
        state["invoices"][0]["receivables"][0] |= line | ({"state": "received"} if is_undone else {})
    for found in (answer or {}).get("receivables", ()) if isinstance(answer, dict) else ():
        invoice = copy.deepcopy(found["invoice"])
        invoice["receivables"] = [{field: value for field, value in found.items() if field != "invoice"}]
        state["invoices"].append(invoice)


def an_invoice(number: int, contract: int | None, receivable: int) -> Json:
    line = {"id": receivable, "due_date": "29/10/2024", "state": "to_receive"}
    return {"id": number, "contract_id": contract, "gross_value": 50, "issue_date": "02/12/2018", "receivables": [line]}


def add_what_is_asked_for(state: Json, path: str, body: Any, answer: Any) -> None:
    sent = next(iter(body.values())) if isinstance(body, dict) and len(body) == 1 else body
    sent = sent if isinstance(sent, dict) else {}
    shown = next(iter(answer.values())) if isinstance(answer, dict) else {}
    billed = shown.get("services", ()) if isinstance(shown, dict) else ()
    for line, named in zip(sent.get("services", ()), billed, strict=False):
        state["service_items"].append({"id": int(line["service_item_id"]), "name": named["name"]})
    if sent.get("invoice_template_id") == TEMPLATE["id"]:
        state["invoice_templates"].append(copy.deepcopy(TEMPLATE))
    if sent.get("plan_id"):
        state["plans"].append(copy.deepcopy(shown["plan"]))
    if path.endswith("/contracts") and sent.get("customer_type") == "Person":
        state["people"].append({"id": int(sent["customer_id"]), "name": "Somebody"})
        state["organizations"].append({"id": int(sent["supplier_id"]), "name": "Seller"})
    if path.endswith("/invoices"):
        state["invoice_templates"].append({"id": 1, "period_unit": "once", "emites_service_value_name": None})


def differences(printed: Any, answered: Any, place: str = "") -> Iterator[str]:
    if isinstance(printed, dict) and isinstance(answered, dict):
        for field, value in printed.items():
            if field not in answered:
                yield f"{place}.{field} is missing"
            else:
                yield from differences(value, answered[field], f"{place}.{field}")
    elif isinstance(printed, list) and isinstance(answered, list):
        if len(printed) != len(answered):
            yield f"{place}: {len(printed)} entries printed, {len(answered)} answered"
        for one, other in zip(printed, answered, strict=False):
            yield from differences(one, other, place)
    elif (type(printed), printed) != (type(answered), answered) and (printed, answered) != BLANK_BEFORE_2025:
        yield f"{place}: {printed!r} printed, {answered!r} answered"
