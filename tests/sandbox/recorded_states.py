"""For each recorded exchange, the small state in which it makes sense: what was there before the request.

A state is built from the recording alone (the answer, with what the request changed put back), never from
what the sandbox would do.
"""

import copy
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]

ORGANIZATION = 564
CUSTOMERS = {219: 565, 225: 574, 6666: 574, 6667: 562, 8818: 578, 9545: 574, 254: 21}
SERVICE_ITEMS = [
    {
        "id": 31,
        "account_id": 32,
        "name": "Serviço Online 1",
        "description": "O serviço online número um.",
        "value": 123.45,
    },
    {"id": 57, "account_id": 32, "name": "Service Item Updated", "description": "Description", "value": 450},
    {"id": 3, "account_id": 32, "name": "Aluguel", "description": ""},
    {"id": 34, "account_id": 32, "name": "Cobrato", "description": ""},
]


def state_before(name: str, exchange: Json) -> Json:
    """Return the state in which the recorded `exchange` of the recording `name` was made."""
    state = _account()
    for prefix, prepare in _PREPARE.items():
        if name.startswith(prefix):
            prepare(state, name, exchange)
    return state


def today_of(recorded_at: str) -> str:
    """Return the ISO date of "Fri, 08 Apr 2016 18:59:22 GMT" as it was in São Paulo, three hours behind."""
    moment = datetime.strptime(recorded_at, "%a, %d %b %Y %H:%M:%S %Z") - timedelta(hours=3)  # noqa: DTZ007
    return moment.date().isoformat()


def _account() -> Json:
    return {
        "token": "recorded",
        "behaviour": {"shape": 2018},
        "organizations": [
            {"id": number, "name": f"Organization {number}"} for number in (ORGANIZATION, 486, 1890, 2052, 1)
        ],
        "service_items": copy.deepcopy(SERVICE_ITEMS),
        "contracts": [_contract(number, customer) for number, customer in CUSTOMERS.items()],
        "invoice_templates": [],
        "email_templates": [],
        "invoice_rules": [],
        "invoices": [],
    }


def _contract(number: int, customer: int) -> Json:
    names = {219: "Prestação de Serviço Um", 6666: "Contrato de Teste Para o CLIENT", 8818: "Contrato Teste II"}
    return {
        "id": number,
        "name": names.get(number, f"Contract {number}"),
        "title": "Contract",
        "customer_id": customer,
        "customer_type": "Company",
        "supplier_id": ORGANIZATION,
        "kind": "sale",
    }


def _contracts(state: Json, name: str, exchange: Json) -> None:
    answer = exchange["response"]["body"]
    if isinstance(answer, dict) and "success" in name and "create" not in name:
        shown = answer.get("contracts") or ([answer["contract"]] if "contract" in answer else [])
        known = {contract["id"] for contract in shown}
        state["contracts"] = [c for c in state["contracts"] if c["id"] not in known and "list" not in name]
        # The account has them in the order of their ids; the answer may be in another.
        state["contracts"] += sorted(copy.deepcopy(shown), key=lambda contract: contract["id"])
    if name == "contracts/destroy/success":
        state["contracts"].append(_contract(7392, 574))
    if name.endswith("contract_from_another_organization"):
        state["contracts"].append(_contract(8126, 574) | {"supplier_id": 486})


def _service_items(state: Json, name: str, exchange: Json) -> None:
    answer = exchange["response"]["body"]
    if name.startswith("service_items/list"):
        state["service_items"] = copy.deepcopy(answer["service_items"])
    if name == "service_items/create/success":
        state["service_items"] = state["service_items"][:1]
    if name.endswith("attached_to_a_serviceable"):
        state["invoices"] = [_invoice(144097) | {"services": [{"id": 200537, "name": "Service Item Updated"}]}]


def _email_templates(state: Json, name: str, exchange: Json) -> None:
    if "success" in name:
        state["email_templates"] = copy.deepcopy(exchange["response"]["body"]["email_templates"])


def _invoice_templates(state: Json, name: str, exchange: Json) -> None:
    if "success" in name:
        state["invoice_templates"] = [copy.deepcopy(exchange["response"]["body"]["invoice_template"])]


def _invoice(number: int, contract: int = 6666) -> Json:
    """The invoice 144097 of 2016 as it was before anybody changed it."""
    return {
        "id": number,
        "contract_id": contract,
        "gross_value": "100.0",
        "issue_date": "01/10/2016",
        "description": "FATURAMENTO",
        "nfe_body": "FATURAMENTO",
        "created_at": "19/09/2016 17:08:45 -03:00",
        "receivables": [{"id": number + 1, "due_date": "01/11/2016", "created_at": "19/09/2016 17:40:54 -03:00"}],
    }


def _invoices(state: Json, name: str, exchange: Json) -> None:
    answer = exchange["response"]["body"]
    shown = answer if isinstance(answer, dict) else {}
    if "invoices" in shown:
        state["invoices"] = copy.deepcopy(shown["invoices"])
    elif "invoice" in shown and "/create/" not in name:
        state["invoices"] = [_undone(name, copy.deepcopy(shown["invoice"]))]
    elif exchange["response"]["status"] == 422 and "/create/" not in name:
        number = int(exchange["request"]["path"].split("/")[6])
        states = {
            "invoice_is_not_to_emit": {"state": "to_receive"},
            "invoice_already_blocked": {"approval_status": "blocked"},
        }
        state["invoices"] = [_invoice(number) | states.get(name.rsplit("/", 1)[-1], {})]
    if name.endswith(("only_to_emit_and_cancelled_invoices", "contract_with_no_late_invoices")):
        state["invoices"] = [_invoice(1, 219), _invoice(2, 219) | {"state": "cancelled"}]
    if name.endswith("contract_with_no_late_invoices"):
        due_later = [{"due_date": "01/10/2017", "state": "to_receive"}]
        state["invoices"].append(_invoice(3, 219) | {"state": "to_receive", "receivables": due_later})


def _undone(name: str, invoice: Json) -> Json:
    """Take back what the recorded request did to an invoice."""
    last = name.rsplit("/", 1)[-1]
    invoice["state"] = "to_emit" if invoice["state"] == 0 else invoice["state"]
    invoice.setdefault("receivables", [{"id": 140252, "due_date": "01/11/2016"}])
    if name == "invoices/approve/success":
        invoice["approval_status"] = "blocked"
    elif name == "invoices/block/success":
        invoice["approval_status"] = "approved"
    elif last == "invoice_attributes":
        invoice["description"] = "FATURAMENTO"
    elif last == "creates_service":
        invoice |= {"services": [], "gross_value": "100.0", "payment_value": "100.0"}
    elif last == "updates_service":
        invoice["services"][0] |= {"units": "2.0", "value": "200.0"}
        invoice |= {"gross_value": "200.0", "payment_value": "200.0"}
    elif last == "deletes_service":
        gone = {"id": 200537, "name": "Serviço Online 1", "units": "3.0", "unit_value": "100.0"}
        invoice["services"] = [gone]
    elif last == "updates_receivable":
        for receivable, value in zip(invoice["receivables"], ("40.0", "60.0"), strict=True):
            receivable["value"] = value
    elif last == "deletes_receivable":
        kept = invoice["receivables"][0] | {"value": "50.0"}
        gone = kept | {"id": 156067, "due_date": "01/11/2016"}
        invoice["receivables"] = [gone, kept]
    return invoice


def _rule(number: int, contract: int) -> Json:
    return {
        "id": number,
        "contract_id": contract,
        "gross_value": "100.0",
        "description": "Faturamento",
        "additional_information": {"id": 1, "init_date": "2016-09-02", "title": "REGRA", "month_quantity": 6},
        "receivables_additional_information": {"id": 1, "day_number": 23},
    }


def _rules(state: Json, name: str, exchange: Json) -> None:
    path = exchange["request"]["path"].split("/")
    answer = exchange["response"]["body"]
    status = exchange["response"]["status"]
    if name.startswith("invoice_rules/list"):
        state["invoice_rules"] = copy.deepcopy(answer["invoice_rules"])
    elif "/update/" in name and status == 200:
        state["invoice_rules"] = [_unchanged(name, copy.deepcopy(answer["invoice_rule"]), exchange)]
    elif "/update/" in name and status == 422:
        rule = _rule(int(path[6]), int(path[4]))
        rule["services"] = [{"id": 232811, "name": "Service Item Updated", "service_item_id": 57}]
        rule["scheduled_updates"] = [_update(206)]
        state["invoice_rules"] = [rule]
    if "template" in name or name.startswith("invoice_rules/create/failed_to_remove"):
        state["invoice_templates"] = _templates(name, exchange)


def _update(number: int) -> Json:
    return {
        "id": number,
        "price_index": "ipca",
        "init_date": "2016-10-02",
        "month_quantity": 12,
        "days_until_update": 5,
        "remind_at": "2016-09-27",
    }


def _unchanged(name: str, rule: Json, exchange: Json) -> Json:
    """Take back what the recorded request did to a rule."""
    last = name.rsplit("/", 1)[-1]
    if last == "rule_attributes":
        rule |= {"gross_value": "100.0", "description": "Faturamento"}
    elif last == "new_scheduled_update":
        rule["scheduled_updates"] = []
    elif last == "existing_scheduled_update":
        stamps = {"created_at": rule["scheduled_updates"][0]["created_at"]}
        rule["scheduled_updates"] = [_update(209) | stamps]
        rule["services"][0]["service_item_id"], rule["services"][1]["service_item_id"] = 31, 57
    elif last == "management_manual":
        rule |= {"management_type": "automatic", "days_until_automatic_nfe_emission": 3}
        rule["automatic_email_template_id"] = 1
    elif last == "receivables_additional_information_atttributes":
        rule["receivables_additional_information"] |= {"day_number": 23, "parcel_number": None}
    elif last == "rule_new_monthly_additional_information":
        rule["additional_information"] |= {
            "id": 7000,
            "title": "Old",
            "init_date": "2017-06-05",
            "end_date": "2018-06-04",
        }
    else:
        before = {"title": "Old", "month_quantity": 3, "period_unit": "monthly", "init_date": "2017-06-12"}
        if last == "rule_weekly_with_init_and_end_date":
            before |= {"period_unit": "weekly", "month_quantity": None, "end_date": "2018-07-07"}
        changed = exchange["request"]["body"]["invoice_rule"]["additional_information"]
        rule["additional_information"] |= {field: value for field, value in before.items() if field in changed}
    return rule


def _templates(name: str, exchange: Json) -> list[Json]:
    """The templates 6 and 14 as they were on 19 to 21 December 2018; they were edited between the recordings."""
    answer = exchange["response"]["body"] or {}
    rule = answer.get("invoice_rule", {})
    copied = (
        "management_type", "automatic_email_template_id", "notification_ruler_id", "days_until_automatic_nfe_emission",
        "emites_service_values_id", "emites_service_value_name", "myfinance_sale_account_id",
        "myfinance_sale_account_name", "notify_customer", "apply_negative_updates",
    )  # fmt: skip
    template: Json = {field: rule[field] for field in copied if field in rule}
    template |= {
        "id": 6,
        "name": "Modelo",
        "description": "teste",
        "month_quantity": 12,
        "payment_method": "payment_gateway",
    }
    template["receivables_additional_information"] = {"charge_type": "fixed_day", "day_number": 1, "parcel_number": 2}
    template["services"] = [
        {
            "id": 246359,
            "name": "Carteira",
            "service_item_id": 39,
            "description": "",
            "units": "2.5",
            "unit_value": "5.75",
        },
        {
            "id": 246358,
            "name": "Billimatic",
            "service_item_id": 370,
            "description": "",
            "units": 1,
            "unit_value": "49.9",
        },
    ]
    whole_rule = name.endswith("for_all_services")
    template["scheduled_updates"] = [
        {"id": 543, "price_index": "ipca", "month_quantity": 12, "service_item_id": None if whole_rule else 39},
        {"id": 555, "price_index": "ipca", "month_quantity": 12},
    ]
    if name.endswith("one_changed_scheduled_update"):
        template["scheduled_updates"][0]["service_item_id"] = None
    if name.startswith("invoice_rules/create/failed_to_remove"):
        template["description"] = ""
    if name.endswith("with_changed_values"):
        template |= {"automatic_email_template_id": 83, "days_until_automatic_nfe_emission": 0}
        template["receivables_additional_information"] = {"charge_type": "last_day_of_month", "parcel_number": 2}
    return [template, _template_14(template)]


def _template_14(template: Json) -> Json:
    due = {"charge_type": "fixed_day_and_month_quantity", "day_number": 12, "month_quantity": 3, "parcel_number": 4}
    services = [
        {
            "id": 11210,
            "name": "Serviço 1",
            "service_item_id": 1,
            "description": "",
            "units": "2.5",
            "unit_value": "5.75",
        },
        {"id": 11209, "name": "App", "service_item_id": 11, "description": "", "units": 1, "unit_value": "49.9"},
    ]
    updates = [
        {"id": 475, "price_index": "igpm", "month_quantity": 12, "service_item_id": 1},
        {"id": 481, "price_index": "igpdi", "days_until_update": 7, "service_item_id": 11},
    ]
    return template | {
        "id": 14,
        "accrual_month_quantity": "previous_month",
        "receivables_additional_information": due,
        "services": services,
        "scheduled_updates": updates,
    }


_PREPARE = {
    "contracts/": _contracts,
    "service_items/": _service_items,
    "email_templates/": _email_templates,
    "invoice_templates/": _invoice_templates,
    "invoices/": _invoices,
    "invoice_rules/": _rules,
}
