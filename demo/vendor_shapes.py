"""The vendor's JSON shapes for the demo company: contracts, rules, catalogue entries, invoices made by hand.

The rule here: every field is there, named and typed as the vendor answers it (the reference's recordings of 2018 and
2019): money as decimal strings, ISO dates inside `additional_information` and `scheduled_updates`, Brazilian elsewhere.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any, Final

from demo import sales

Json = dict[str, Any]
CENTS: Final = Decimal("0.01")
EMAIL_TEMPLATE_ID: Final = 217


class Numbering:
    """Sequential ids per kind of resource: the same company gets the same ids every time."""

    def __init__(self, **first: int) -> None:
        self._counters: dict[str, Iterator[int]] = {kind: count(start) for kind, start in first.items()}

    def next(self, kind: str) -> int:
        """Return the next free id of `kind`."""
        return next(self._counters[kind])


def contract(sold: sales.Contract, *, contract_id: int, customer_id: int, organization_id: int, today: date) -> Json:
    """Return a contract as the vendor answers it on `today`; it is inactive from the day it was cancelled."""
    first = min((rule.init for rule in sold.rules), default=today)
    cancelled = sold.cancelled_on is not None and sold.cancelled_on <= today
    return {
        "id": contract_id,
        "name": f"{sold.customer} - {sold.title}",
        "title": sold.title,
        "token": None,
        "description": "",
        "customer_id": customer_id,
        "customer_type": _customer_type(sold),
        "supplier_id": organization_id,
        "supplier_type": "Company",
        "state": "inactive" if cancelled else "active",
        "comments": "",
        "init_date": brazilian(first),
        "end_date": None,
        "created_at": _timestamp(first),
        "kind": "sale",
        "status": "established",
        "registration_method": "regular",
        "cancel_date": brazilian(sold.cancelled_on) if sold.cancelled_on and cancelled else None,
        "cancel_reason": "Encerramento a pedido do cliente" if cancelled else None,
    }


def invoice_rule(rule: sales.Rule, sold: sales.Contract, owner: Json, ids: Numbering, names: dict[int, str]) -> Json:
    """Return a rule as the vendor answers it, with `charge_type` and each service's `service_item_id` besides.

    `owner` is the contract's JSON, `names` the catalogue's service names by id.
    """
    rule_id = rule.id or ids.next("rule")
    created = rule.init
    services = [_service(line, ids, names) for line in rule.price] if isinstance(rule.price, tuple) else []
    return {
        "id": rule_id,
        "contract_id": owner["id"],
        "issue_date": None,
        "estimated_issue_date": None,
        "gross_value": amount(gross_value(rule)),
        "payment_value": amount(gross_value(rule)),
        "description": f"{sold.title} - {rule.title}" if rule.description is None else rule.description,
        "state": "to_emit",
        "cancelled_automatically": False,
        "nfe_service": None,
        "nfe_verification": None,
        "nfe_issue_date": None,
        "nfe_body": "$DESCRICAO",
        "nfe_issued": False,
        "number": None,
        "created_at": _timestamp(created),
        "management_type": "automatic" if rule.automatic else "manual",
        "accrual_date": None,
        "comments": None,
        "customer_id": owner["customer_id"],
        "customer_type": owner["customer_type"],
        **_empty_finance_fields(),
        "days_until_automatic_nfe_emission": 0,
        "automatic_nfe_issue_date": None,
        "automatic_email_template_id": EMAIL_TEMPLATE_ID if rule.automatic else None,
        "approval_status": "blocked" if rule.blocked else "approved",
        "notification_ruler_id": None,
        "notify_customer": rule.notify_customer,
        "apply_negative_updates": rule.apply_negative_updates,
        "receivables": [],
        "services": services,
        "attachments": [],
        "payment_information": _payment_information(rule, created, ids),
        "additional_information": _additional_information(rule, created, ids),
        "scheduled_updates": [_scheduled_update(update, rule_id, created, ids) for update in rule.updates],
        "charge_type": rule.due.charge_type,
        "receivables_additional_information": _due_information(rule.due, rule_id, created, ids),
    }


def invoice_made_by_hand(rule: Json, *, issue_date: date, due_date: date, ids: Numbering, today: date) -> Json:
    """Return an invoice that somebody typed in for a plain-amount rule: one receivable, paid on its due date."""
    invoice_id = ids.next("invoice")
    state = "received" if due_date <= today else "to_receive"
    created = f"{brazilian(issue_date)} 10:30:00 -03:00"
    return {
        "id": invoice_id,
        "contract_id": rule["contract_id"],
        "issue_date": brazilian(issue_date),
        "estimated_issue_date": brazilian(issue_date),
        "gross_value": rule["gross_value"],
        "payment_value": rule["gross_value"],
        "description": rule["description"],
        "state": state,
        "cancelled_automatically": False,
        "nfe_service": None,
        "nfe_verification": None,
        "nfe_issue_date": None,
        "nfe_body": rule["nfe_body"],
        "nfe_issued": False,
        "number": None,
        "created_at": created,
        "management_type": "manual",
        "accrual_date": issue_date.replace(day=1).isoformat(),
        "comments": None,
        "customer_id": rule["customer_id"],
        "customer_type": rule["customer_type"],
        **_empty_finance_fields(),
        "days_until_automatic_nfe_emission": 0,
        "automatic_nfe_issue_date": None,
        "automatic_email_template_id": None,
        "approval_status": "approved",
        "notification_ruler_id": None,
        "receivables": [_sole_receivable(rule, invoice_id, due_date, state, created, ids)],
        "services": [],
        "attachments": [],
        "payment_information": {**rule["payment_information"], "id": ids.next("information"), "created_at": created},
    }


def gross_value(rule: sales.Rule) -> Decimal:
    """Return a rule's gross value: the plain amount, or its lines' sum, each rounded half up to cents."""
    if isinstance(rule.price, Decimal):
        return rule.price
    return sum((_value(line) for line in rule.price), Decimal(0))


def amount(value: Decimal) -> str:
    """Return a decimal as the vendor writes it: at least one decimal, no trailing zeros besides (`700.0`, `14.38`)."""
    text = f"{value.normalize():f}"
    return text if "." in text else f"{text}.0"


def brazilian(day: date) -> str:
    """Return `dd/mm/yyyy`."""
    return f"{day:%d/%m/%Y}"


def _customer_type(sold: sales.Contract) -> str:
    return "Person" if sold.person else "Company"


def _value(line: sales.Line) -> Decimal:
    return (line.units * line.unit_value).quantize(CENTS, ROUND_HALF_UP)


def _service(line: sales.Line, ids: Numbering, names: dict[int, str]) -> Json:
    return {
        "id": ids.next("service"),
        "service_item_id": line.service_item_id,
        "name": names[line.service_item_id],
        "description": "",
        "unit_value": amount(line.unit_value),
        "units": amount(line.units),
        "value": amount(_value(line)),
    }


def _payment_information(rule: sales.Rule, created: date, ids: Numbering) -> Json:
    return {
        "id": ids.next("information"),
        "payment_method": rule.payment_method,
        "cobrato_card_id": "--",
        "card_expiration_month": "--",
        "card_expiration_year": "--",
        "installments": 1,
        "created_at": _timestamp(created),
    }


def _additional_information(rule: sales.Rule, created: date, ids: Numbering) -> Json:
    weekly = rule.every == "weekly"
    return {
        "id": ids.next("information"),
        "init_date": rule.init.isoformat(),
        "title": rule.title,
        "period_unit": "weekly" if weekly else "monthly",
        "month_quantity": None if weekly else rule.every,
        "end_date": rule.end.isoformat() if rule.end else None,
        "created_at": _timestamp(created),
        "accrual_month_quantity": "previous_month" if rule.previous_month else "same_month",
    }


def _scheduled_update(update: sales.Update, rule_id: int, created: date, ids: Numbering) -> Json:
    return {
        "id": ids.next("update"),
        "invoice_rule_id": rule_id,
        "execution_date": update.execution_date.isoformat(),
        "month_quantity": update.every,
        "price_index": update.index,
        "created_at": _iso_timestamp(created),
        "updated_at": _iso_timestamp(created),
        "init_date": update.first.isoformat(),
        "days_until_update": update.days_until_update,
        "remind_at": (update.execution_date - timedelta(days=update.days_until_update)).isoformat(),
        "notified": False,
        "service_item_id": update.service_item_id,
        "invoice_template_id": None,
    }


def _due_information(due: sales.Due, rule_id: int, created: date, ids: Numbering) -> Json:
    return {
        "id": ids.next("information"),
        "day_number": due.day_number,
        "parcel_number": due.parcels,
        "invoice_rule_id": rule_id,
        "created_at": _iso_timestamp(created),
        "updated_at": _iso_timestamp(created),
        "day_quantity": due.day_quantity,
        "month_quantity": due.month_quantity,
        "only_business_days": due.only_business_days,
    }


def _sole_receivable(rule: Json, invoice_id: int, due_date: date, state: str, created: str, ids: Numbering) -> Json:
    received = state == "received"
    return {
        "id": ids.next("receivable"),
        "invoice_id": invoice_id,
        "due_date": brazilian(due_date),
        "value": "100.0",
        "gross_value": rule["gross_value"],
        "payment_value": rule["gross_value"],
        "received_value": rule["gross_value"] if received else None,
        "received_at": brazilian(due_date) if received else None,
        "created_at": created,
        "state": state,
        "payment_gateway_status": None,
        "cobrato_charge_id": None,
        "cobrato_errors": None,
        "finance_receivable_id": None,
        "myfinance_sale_id": None,
        "finance_entity_id": None,
        "myfinance_errors": None,
    }


def _empty_finance_fields() -> Json:
    """Return the finance, charge and tax fields of a company that has none of these systems connected."""
    return {
        "emites_service_values_id": None,
        "emites_service_value_name": "",
        "finance_category": "",
        "finance_revenue_center": "",
        "myfinance_sale_account_id": None,
        "myfinance_sale_account_name": "",
        "cobrato_charge_config_id": None,
        "cobrato_charge_config_name": "",
        "cobrato_charge_template_id": None,
        "cobrato_charge_template_name": "",
    }


def _timestamp(day: date) -> str:
    return f"{day:%d/%m/%Y} 09:00:00 -03:00"


def _iso_timestamp(day: date) -> str:
    return f"{day.isoformat()}T09:00:00.000-03:00"
