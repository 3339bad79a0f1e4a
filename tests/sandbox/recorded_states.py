"""For each recorded exchange, the small state in which it makes sense: what was there before the request.

A state is built from the recording alone (the answer, with what the request changed put back), never from
what the sandbox would do.
"""

import copy
import re
from collections.abc import Iterator, Sequence
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


# What the services of templates are called, and their items: an answer tells the names only.
TEMPLATE_ITEMS = {"Carteira": 39, "Billimatic": 370, "Serviço 1": 1, "App": 11, "Aluguel": 3, "Cobrato": 34}
NOT_COPIED = ("receivables", "attachments", "payment_information", "additional_information")
DUE_TERMS = ("day_number", "day_quantity", "month_quantity", "parcel_number", "only_business_days")
DUE = {"charge_type": "fixed_day", "day_number": 1, "parcel_number": 2}


def state_before(name: str, exchange: Json) -> Json:
    """Return the state in which the recorded `exchange` of the recording `name` was made."""
    state = _account()
    for prefix, prepare in _PREPARE.items():
        if name.startswith(prefix):
            prepare(state, name, exchange)
    if exchange["response"]["status"] not in (401, 404):
        _add_what_is_named(state, exchange)
    return state


def _add_what_is_named(state: Json, exchange: Json) -> None:
    """Add what the request names by its id, since the answer says that it is there."""
    contract = 6666
    for kind, number in re.findall(r"/(\w+)/(\d+)", exchange["request"]["path"]):
        contract = int(number) if kind == "contracts" else contract
        if kind in _MINIMAL and int(number) not in {each["id"] for each in state[kind]}:
            state[kind].append(_MINIMAL[kind](int(number), contract))
    for document, lines, sent in _nested(state, exchange["request"]):
        known = {line["id"] for line in document.get(lines, ())}
        named = [entry["id"] for entry in sent if entry.get("id") and entry["id"] not in known]
        document[lines] = [*document.get(lines, ()), *(_LINES[lines] | {"id": number} for number in named)]


def _take_back_what_was_added(state: Json, exchange: Json) -> None:
    """Take the entries without an id, which an update adds, out of the document that was answered."""
    for document, lines, sent in _nested(state, exchange["request"]):
        added = sum(not entry.get("id") for entry in sent)
        newest = sorted(line["id"] for line in document.get(lines, ()))[-added:] if added else ()
        document[lines] = [line for line in document.get(lines, ()) if line["id"] not in newest]
    for sent in (exchange["request"]["body"] or {}).values():
        for document in (*state["invoices"], *state["invoice_rules"]):
            for field in ("additional_information", "receivables_additional_information", "payment_information"):
                if sent.get(field) and "id" not in sent[field] and document.get(field):
                    document[field] |= {"id": 1}  # sent without its id, it took the place of another


def _nested(state: Json, request: Json) -> Iterator[tuple[Json, str, list[Json]]]:
    """Yield the invoice or rule of a request, the name of a list inside it, and what is sent for that list."""
    body = request["body"] or {}
    for root, kind in (("invoice", "invoices"), ("invoice_rule", "invoice_rules")):
        for document in state[kind] if root in body and request["method"] != "POST" else ():
            for lines in _LINES:
                yield document, lines, body[root].get(lines) or []


def _name_items(state: Json, exchange: Json, answered: Json) -> None:
    """Call the service items that a request names as their services are called in the answer."""
    for sent in (exchange["request"]["body"] or {}).values():
        named = [line for line in sent.get("services") or () if line.get("service_item_id") and not line.get("id")]
        for line, shown in zip(named, answered.get("services", ())[-len(named) :], strict=False):
            other = [item for item in state["service_items"] if item["id"] != line["service_item_id"]]
            other = [item for item in other if item["name"] != shown["name"]]
            item = {"id": line["service_item_id"], "name": shown["name"], "description": shown.get("description")}
            state["service_items"] = [*other, item]


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
    if name.startswith("contracts/create") and exchange["response"]["status"] != 404:
        sent = exchange["request"]["body"]
        sides = {sent.get(f"{side}_id") for side in ("customer", "supplier") if sent.get(f"{side}_type") != "Person"}
        strangers = sides - {None, *(each["id"] for each in state["organizations"])}
        state["companies"] = [{"id": number, "name": f"Company {number}"} for number in sorted(strangers)]
    if name.endswith("contract_from_another_organization"):
        state["contracts"].append(_contract(8126, 574) | {"supplier_id": 486})


def _service_items(state: Json, name: str, exchange: Json) -> None:
    answer = exchange["response"]["body"]
    if name.startswith("service_items/list"):
        state["service_items"] = copy.deepcopy(answer["service_items"])
    shown = [answer["service_item"]] if "service_item" in (answer or {}) else []
    for item in shown:
        there = [each for each in state["service_items"] if item["id"] != each["id"] and item["name"] != each["name"]]
        state["service_items"] = there + ([] if "/create/" in name else [copy.deepcopy(item)])
    if name.endswith("attached_to_a_serviceable"):
        state["invoices"] = [_invoice(144097) | {"services": [{"id": 200537, "name": "Service Item Updated"}]}]


def _email_templates(state: Json, name: str, exchange: Json) -> None:
    if "success" in name:
        state["email_templates"] = copy.deepcopy(exchange["response"]["body"]["email_templates"])


def _invoice_templates(state: Json, name: str, exchange: Json) -> None:
    if "success" in name:
        answer = copy.deepcopy(exchange["response"]["body"])
        state["invoice_templates"] = answer.get("invoice_templates", [answer.get("invoice_template")])


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
        _take_back_what_was_added(state, exchange)
    elif exchange["response"]["status"] == 422 and "/create/" not in name:
        number = int(exchange["request"]["path"].split("/")[6])
        states = {
            "invoice_is_not_to_emit": {"state": "to_receive"},
            "invoice_already_blocked": {"approval_status": "blocked"},
        }
        state["invoices"] = [_invoice(number) | states.get(name.rsplit("/", 1)[-1], {})]
    if "invoice" in shown:
        _name_items(state, exchange, shown["invoice"])
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
    if name.startswith("invoice_rules/list/success"):
        state["invoice_rules"] = copy.deepcopy(answer["invoice_rules"])
    elif "/update/" in name and status == 200:
        state["invoice_rules"] = [_unchanged(name, copy.deepcopy(answer["invoice_rule"]), exchange)]
        _take_back_what_was_added(state, exchange)
    elif "/update/" in name and status == 422:
        rule = _rule(int(path[6]), int(path[4]))
        if exchange["request"]["body"]["invoice_rule"].keys() & {"services", "scheduled_updates"}:
            rule["services"] = [{"id": 232811, "name": "Service Item Updated", "service_item_id": 57}]
            rule["scheduled_updates"] = [_update(206)]
        state["invoice_rules"] = [rule]
    if "template" in name or name.startswith("invoice_rules/create/failed_to_remove"):
        state["invoice_templates"] = _templates(exchange)


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
    elif changed := exchange["request"]["body"]["invoice_rule"].get("additional_information"):
        before = {"title": "Old", "month_quantity": 3, "period_unit": "monthly", "init_date": "2017-06-12"}
        if last == "rule_weekly_with_init_and_end_date":
            before |= {"period_unit": "weekly", "month_quantity": None, "end_date": "2018-07-07"}
        rule["additional_information"] |= {field: value for field, value in before.items() if field in changed}
    return rule


def _templates(exchange: Json) -> list[Json]:
    """The template that a request names, as it must have been for the answer: they were edited between the recordings.

    Of one that was refused nothing is known; those are the templates 6 and 14.
    """
    sent, answer = exchange["request"]["body"]["invoice_rule"], exchange["response"]["body"]
    rule = answer.get("invoice_rule")
    if rule is None:
        refused = {"gross_value": 100, "receivables_additional_information": DUE}
        is_described = "description" not in answer["errors"]
        return [refused | {"id": number, "description": "teste" if is_described else ""} for number in (6, 14)]
    schedule, due = rule["additional_information"], rule["receivables_additional_information"]
    copied = {field for field in rule if field not in (*sent, "id", *NOT_COPIED)}
    template = {field: copy.deepcopy(rule[field]) for field in copied}
    template |= {field: schedule[field] for field in ("month_quantity", "period_unit", "accrual_month_quantity")}
    template |= {"id": sent["invoice_template_id"], "payment_method": rule["payment_information"]["payment_method"]}
    overridden = dict.fromkeys(sent.get("receivables_additional_information", ()), 2)
    terms = {field: due[field] for field in DUE_TERMS} | {"charge_type": _charge_type(due)}
    template["receivables_additional_information"] = terms | overridden
    for lines, key in (
        ("services", "invoice_template_service_item_id"), ("scheduled_updates", "invoice_template_scheduled_update_id"),
    ):  # fmt: skip
        template[lines] = list(_template_lines(sent.get(lines, ()), rule[lines], key))
    for line in template["services"]:
        line["service_item_id"] = TEMPLATE_ITEMS.get(line.get("name"))
    return [template]


def _charge_type(due: Json) -> str:
    if due["day_quantity"] is not None:
        return "day_quantity"
    if due["day_number"] is None:
        return "last_day_of_month"
    return "fixed_day" if due["month_quantity"] is None else "fixed_day_and_month_quantity"


def _template_lines(sent: Sequence[Json], answered: Sequence[Json], key: str) -> Iterator[Json]:
    """Yield a template's services or updates: those that the request overrides or drops, then the untouched ones.

    That is their order in the answer, too; an override may come in several entries.
    """
    slots: dict[Any, bool] = {}
    for position, entry in enumerate(sent):
        slot = entry.get(key, f"added {position}")
        slots[slot] = slots.get(slot, False) or bool(entry.get("_destroy"))
    shown = iter(answered)
    for slot, is_dropped in slots.items():
        line = {"name": "Cobrato", "price_index": "ipca", "month_quantity": 12} if is_dropped else next(shown)
        if isinstance(slot, int):
            yield line | {"id": slot, "init_date": None, "execution_date": None, "remind_at": None}
    yield from (line | {"id": 900000 + number, "init_date": None} for number, line in enumerate(shown))


_MINIMAL = {
    "organizations": lambda number, _contract: {"id": number, "name": f"Organization {number}"},
    "contracts": lambda number, _contract_of: _contract(number, 574),
    "invoices": _invoice,
    "invoice_rules": _rule,
    "service_items": lambda number, _contract: {"id": number, "name": f"Item {number}"},
}
_LINES: dict[str, Json] = {
    "services": {"name": "Service Item Updated", "service_item_id": 57, "units": "1.0", "unit_value": "100.0"},
    "receivables": {"due_date": "01/11/2016"},
    "scheduled_updates": _update(206),
    "attachments": {"filename": "a.pdf"},
}
_PREPARE = {
    "contracts/": _contracts,
    "service_items/": _service_items,
    "email_templates/": _email_templates,
    "invoice_templates/": _invoice_templates,
    "invoices/": _invoices,
    "invoice_rules/": _rules,
}
