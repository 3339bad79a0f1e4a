"""A rule or an invoice from a template: the request laid over the template.

Every field comes from the template and what the request gives overrides it: nested objects field by field, services and
scheduled updates entry by entry.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import or_

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import INVALID, Json, ValidationRefusal, entries
from ciclo_sandbox.billables import refuse_unknown
from ciclo_sandbox.catalogue import is_once
from ciclo_sandbox.storage import INVOICE_TEMPLATES

_COPIED: Final = (
    "gross_value", "description", "nfe_body", "management_type", "automatic_email_template_id",
    "notification_ruler_id", "days_until_automatic_nfe_emission", "emites_service_values_id",
    "emites_service_value_name", "cobrato_charge_config_id", "cobrato_charge_config_name",
    "cobrato_charge_template_id", "cobrato_charge_template_name", "finance_category", "finance_revenue_center",
    "myfinance_sale_account_id", "myfinance_sale_account_name", "notify_customer", "apply_negative_updates",
    "issue_nfse",
)  # fmt: skip
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
    for nested, original in (
        ("additional_information", {field: template[field] for field in _SCHEDULE}),
        ("receivables_additional_information", _due_dates_of(due)),
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
    whole["scheduled_updates"] = [update for update in updates if _joins(update)]
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


def _due_dates_of(due: Json) -> Json:
    fields = ("day_number", "day_quantity", "month_quantity", "parcel_number")
    return {field: due.get(field) for field in fields} | {"only_business_days": bool(due.get("only_business_days"))}


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


def _joins(update: Json) -> bool:
    """Tell whether an update joins the rule: a template's needs an `init_date` from the request."""
    return "template" in update or update.get("init_date") is not None
