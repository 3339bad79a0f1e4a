"""Invoice rules: list, create whole or from a template, change, remove.

An invalid rule is refused with every message at once, by the dotted path of its field. Of a template, every field comes
from the template and what the request gives overrides it: nested objects field by field, services and scheduled updates
entry by entry.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

from fastapi import Response
from sqlalchemy import or_

from ciclo_sandbox import billables, generation, parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    INVALID,
    NOT_LISTED,
    Json,
    NotFoundRefusal,
    ValidationRefusal,
    collection,
    entries,
    nothing,
    ok,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.billables import refuse_unknown
from ciclo_sandbox.calendar import implied_charge_type
from ciclo_sandbox.catalogue import is_once
from ciclo_sandbox.forms import InvoiceRuleBody
from ciclo_sandbox.models import InvoiceRule
from ciclo_sandbox.rule_terms import assemble_due_dates, assemble_schedule, assemble_updates, left_open
from ciclo_sandbox.storage import INVOICE_RULES, INVOICE_TEMPLATES

_COPIED: Final = (
    "gross_value", "description", "nfe_body", "management_type", "automatic_email_template_id",
    "notification_ruler_id", "days_until_automatic_nfe_emission", "emites_service_values_id",
    "emites_service_value_name", "cobrato_charge_config_id", "cobrato_charge_config_name",
    "cobrato_charge_template_id", "cobrato_charge_template_name", "finance_category", "finance_revenue_center",
    "myfinance_sale_account_id", "myfinance_sale_account_name", "notify_customer", "apply_negative_updates",
    "issue_nfse",
)  # fmt: skip
_DUE_DATES: Final = ("day_number", "day_quantity", "month_quantity", "parcel_number")
_SCHEDULE: Final = ("month_quantity", "period_unit", "accrual_month_quantity")
_SERVICE: Final = ("service_item_id", "description", "units", "unit_value")
_UPDATE: Final = ("service_item_id", "price_index", "month_quantity", "days_until_update", "init_date")


def rule_from_template(account: Account, contract: Json, params: Json) -> Json:
    """Return the parameters of a whole rule: the template's, overridden by the request's.

    Raises:
        ValidationRefusal: The template is not one of the contract's organization, or serves invoices only.
    """
    template = _template(account, contract, params["invoice_template_id"])
    if template is None or is_once(template):
        number = parsing.text(params["invoice_template_id"])
        message = f"Não foi possível encontrar o modelo de faturamento com ID {number}"
        raise ValidationRefusal({"invoice_template_id": message})
    due = template["receivables_additional_information"] or {}
    whole = {field: template[field] for field in _COPIED} | {"charge_type": due.get("charge_type")} | params
    due_dates = {field: due.get(field) for field in _DUE_DATES}
    for nested, original in (
        ("additional_information", {field: template[field] for field in _SCHEDULE}),
        (
            "receivables_additional_information",
            due_dates | {"only_business_days": bool(due.get("only_business_days"))},
        ),
        ("payment_information", _payment_of(template)),
    ):
        whole[nested] = original | (params.get(nested) or {})
    whole["services"] = _overridden(
        template["services"], entries(params.get("services")), _SERVICE, "invoice_template_service_item_id"
    )
    updates = _overridden(
        template["scheduled_updates"],
        entries(params.get("scheduled_updates")),
        _UPDATE,
        "invoice_template_scheduled_update_id",
    )
    # a template's joins the rule only with an `init_date` from the request
    whole["scheduled_updates"] = [each for each in updates if "template" in each or each.get("init_date") is not None]
    return whole


def invoice_from_template(account: Account, contract: Json, params: Json) -> Json:
    """Return the parameters of an invoice: those of a template with periodicity once, overridden by the request's.

    Raises:
        NotFoundRefusal: There is no such template in the account (one that has none takes any).
        ValidationRefusal: The template serves rules only.
    """
    template = _template(account, contract, params["invoice_template_id"])
    if template is None:
        refuse_unknown(account.invoice_templates)
        return params
    if not is_once(template):
        raise ValidationRefusal({"invoice_template_id": INVALID})
    services = [{field: line.get(field) for field in _SERVICE} for line in template["services"]]
    whole = {field: template[field] for field in _COPIED} | {"services": services} | params
    whole["payment_information"] = _payment_of(template) | (params.get("payment_information") or {})
    return whole


def _template(account: Account, contract: Json, given: Any) -> Json | None:
    number, owner = parsing.identifier(given), account.owner(contract)
    table = INVOICE_TEMPLATES.c
    visible = or_(table.organization_id.is_(None), table.organization_id == owner)
    return next(account.invoice_templates.every(table.id == number, visible), None) if number else None


def _payment_of(template: Json) -> Json:
    fields = ("payment_method", "financial_account_id", "financial_charge_template_id", "charging_account_id")
    return {field: template[field] for field in fields} | {"installments": template["card_installments"]}


def _overridden(originals: Sequence[Json], changes: Sequence[Json], fields: Sequence[str], key: str) -> list[Json]:
    """Return the request's entries (each laid over the template's that it names), then the template's other ones."""
    known = {line["id"]: {field: line.get(field) for field in fields} for line in originals}
    laid: dict[Any, Json] = {}
    for position, entry in enumerate(changes):
        number = parsing.identifier(entry.get(key))
        slot = number if number in known else f"new {position}"
        base = laid.get(slot) or known.get(number or 0, {"template": None})
        laid[slot] = base | {name: value for name, value in entry.items() if name != "id"}
    rest = [line | {"untouched": True} for number, line in known.items() if number not in laid]
    return [line for line in (*laid.values(), *rest) if not parsing.boolean(line.get("_destroy"))]


router = Endpoints("invoice rules")
_RULES: Final = "/contracts/{contract_id}/invoice_rules"
_RULE: Final = "/contracts/{contract_id}/invoice_rules/{rule_id}"
_FLAGS: Final = ("notify_customer", "apply_negative_updates")


@router.get(_RULES, responses=refused(404), response_model=under("invoice_rules", list[InvoiceRule]))
async def index(account: TheAccount, contract_id: Id) -> Response:
    """List the rules of a contract, the newest first, as printed."""
    contract = account.contract(contract_id)
    newest_first = (INVOICE_RULES.c.id.desc(),)
    mine = INVOICE_RULES.c.contract_id == contract["id"]
    return collection("invoice_rules", account.rules.answers(mine, order=newest_first))


@router.post(_RULES, status_code=201, responses=refused(400, 404, 422),
             response_model=under("invoice_rule", InvoiceRule))  # fmt: skip
async def create(account: TheAccount, contract_id: Id, body: InvoiceRuleBody) -> Response:
    """Create a rule, whole or from a template."""
    contract = account.contract(contract_id)
    params = billables.asked_of(account, body.named())
    from_template = parsing.filled(params.get("invoice_template_id")) is not None
    if from_template:
        params = rule_from_template(account, contract, params)
    rule = billables.blank_billable(account, contract, account.sequences.next("invoices"))
    rule |= {"notify_customer": False, "apply_negative_updates": False}
    rule |= {"additional_information": None, "scheduled_updates": [], "receivables_additional_information": None}
    errors: billables.Errors = {}
    if params.get("approval_status") == "blocked":
        rule["approval_status"] = "blocked"
    _assign(account, rule, params, errors, creating=True, at_once=from_template)
    if not errors and rule["additional_information"] is None:
        # On record, a rule wrong in its own fields is not told about the missing ones of its schedule.
        errors = {"additional_information.title": BLANK, "additional_information.init_date": BLANK}
    if errors:
        raise ValidationRefusal(errors)
    generation.rule_created(account, rule)
    return ok("invoice_rule", account.rules.add(rule), status=201)


@router.change(_RULE, responses=refused(400, 404, 422),
               response_model=under("invoice_rule", InvoiceRule))  # fmt: skip
async def update(account: TheAccount, contract_id: Id, rule_id: Id, body: InvoiceRuleBody) -> Response:
    """Change a rule: what the request names, nested objects partially when they carry their id."""
    rule = _find(account, contract_id, rule_id)
    before = deepcopy(rule)
    errors: billables.Errors = {}
    _assign(account, rule, billables.asked_of(account, body.named()), errors, creating=False)
    if errors:
        raise ValidationRefusal(errors)
    if account.behaviour.shape == 2026:
        rule["payment_value"] = None  # as printed, since December 2018
    generation.rule_changed(account, before, rule)
    return ok("invoice_rule", account.rules.change(rule))


@router.delete(_RULE, status_code=204, responses=refused(404))
async def destroy(account: TheAccount, contract_id: Id, rule_id: Id) -> Response:
    """Remove a rule; the behaviour says what becomes of its invoices."""
    rule = _find(account, contract_id, rule_id)
    generation.rule_deleted(account, rule)
    account.rules.remove(rule["id"])
    return nothing()


def _find(account: Account, contract_id: int, rule_id: int) -> Json:
    contract = account.contract(contract_id)
    rule = account.rules.get(rule_id)
    if rule is None or rule["contract_id"] != contract["id"]:
        raise NotFoundRefusal
    return rule


def _assign(
    account: Account, rule: Json, params: Json, errors: billables.Errors, *, creating: bool, at_once: bool = False
) -> None:
    before, forgiven = rule["gross_value"], left_open(rule)
    billables.assign(account, rule, params, errors, creating=creating)
    for flag in _FLAGS:
        if flag in params:
            rule[flag] = bool(parsing.boolean(params[flag]))
    fill = billables.service_filler(account, errors, at_once=at_once)
    rule["services"] = billables.merged(rule["services"], entries(params.get("services")), fill)
    billables.set_gross_value(rule, params, errors)
    if creating or (rule["payment_value"] is not None and rule["gross_value"] != before):
        rule["payment_value"] = rule["gross_value"]
    _assign_charge(account, rule, params, errors)
    assemble_schedule(account, rule, params.get("additional_information"), errors)
    updates = entries(params.get("scheduled_updates"))
    assemble_updates(account, rule, updates, errors, at_once=at_once, forgiven=forgiven)
    billables.assign_payment_information(account, rule, params.get("payment_information"), errors, installments=1)


def _assign_charge(account: Account, rule: Json, params: Json, errors: billables.Errors) -> None:
    charge_type = parsing.filled(params.get("charge_type"))
    if charge_type not in (None, "fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"):
        errors["charge_type"] = NOT_LISTED
        return
    if charge_type:
        rule["charge_type"] = charge_type
    given = params.get("receivables_additional_information")
    due_dates = given if isinstance(given, dict) else None
    if due_dates is not None:
        charge_type = charge_type or rule.get("charge_type") or _implied(rule["receivables_additional_information"])
    assemble_due_dates(account, rule, due_dates, charge_type, errors)


def _implied(terms: Json | None) -> str | None:
    """Return the charge type of a rule that the state gives as it is answered; none, if it has no terms yet."""
    has_terms = terms and any(terms[field] is not None for field in ("day_number", "day_quantity", "month_quantity"))
    return implied_charge_type(terms) if terms and has_terms else None
