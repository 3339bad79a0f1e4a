"""A rule from a template: the request laid over the template.

The rule: every field comes from the template and what the request gives overrides it; services and updates are
overridden entry by entry, `receivables_additional_information` and `payment_information` as a whole.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import or_

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json, ValidationRefusal, entries
from ciclo_sandbox.storage import INVOICE_TEMPLATES

_COPIED: Final = (
    "gross_value", "description", "nfe_body", "management_type", "automatic_email_template_id",
    "notification_ruler_id", "days_until_automatic_nfe_emission", "emites_service_values_id",
    "emites_service_value_name", "cobrato_charge_config_id", "cobrato_charge_config_name",
    "cobrato_charge_template_id", "cobrato_charge_template_name", "finance_category", "finance_revenue_center",
    "myfinance_sale_account_id", "myfinance_sale_account_name", "notify_customer", "apply_negative_updates",
)  # fmt: skip
_SCHEDULE: Final = ("month_quantity", "period_unit", "accrual_month_quantity")
_SERVICE: Final = ("service_item_id", "description", "units", "unit_value")
_UPDATE: Final = ("service_item_id", "price_index", "month_quantity", "days_until_update", "init_date")


def from_template(account: Account, contract: Json, params: Json) -> Json:
    """Return the parameters of a whole rule: the template's, overridden by the request's.

    Raises:
        ValidationRefusal: The template is not one of the contract's organization.
    """
    template = _template(account, contract, params["invoice_template_id"])
    whole = {field: template[field] for field in _COPIED} | params
    whole["additional_information"] = {field: template[field] for field in _SCHEDULE} | _object(
        params.get("additional_information")
    )
    _lay_due_dates(whole, template, params)
    payment = params.get("payment_information")
    whole["payment_information"] = payment if isinstance(payment, dict) else _payment_of(template)
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


def _template(account: Account, contract: Json, given: Any) -> Json:
    number, owner = casting.identifier(given), account.owner(contract)
    table = INVOICE_TEMPLATES.c
    visible = or_(table.organization_id.is_(None), table.organization_id == owner)
    found = list(account.invoice_templates.every(table.id == number, visible)) if number else []
    if not found:
        message = f"Não foi possível encontrar o modelo de faturamento com ID {casting.text(given)}"
        raise ValidationRefusal({"invoice_template_id": message})
    return found[0]


def _object(given: Any) -> Json:
    return given if isinstance(given, dict) else {}


def _payment_of(template: Json) -> Json:
    return {"payment_method": template["payment_method"]}


def _lay_due_dates(whole: Json, template: Json, params: Json) -> None:
    # On record (185006), the request's object replaces the template's: what it leaves out is null, charge type and all.
    if isinstance(params.get("receivables_additional_information"), dict):
        return
    due = template["receivables_additional_information"]
    whole["receivables_additional_information"] = {
        field: due[field] for field in ("day_number", "day_quantity", "month_quantity", "parcel_number")
    } | {"only_business_days": bool(due["only_business_days"])}
    if "charge_type" not in params:
        whole["template_charge_type"] = due["charge_type"]


def _overridden(originals: Sequence[Json], changes: Sequence[Json], fields: Sequence[str], key: str) -> list[Json]:
    """Return the request's entries (each laid over the template's that it names), then the template's other ones."""
    known = {line["id"]: {field: line.get(field) for field in fields} for line in originals}
    laid: dict[Any, Json] = {}
    for position, entry in enumerate(changes):
        number = casting.identifier(entry.get(key))
        slot = number if number in known else f"new {position}"
        base = laid.get(slot) or known.get(number or 0, {"template": None})
        laid[slot] = base | {name: value for name, value in entry.items() if name != "id"}
    rest = [line | {"untouched": True} for number, line in known.items() if number not in laid]
    return [line for line in (*laid.values(), *rest) if not casting.boolean(line.get("_destroy"))]


def _joins(update: Json) -> bool:
    """Tell whether an update joins the rule: a template's needs an `init_date` from the request."""
    return "template" in update or update.get("init_date") is not None
