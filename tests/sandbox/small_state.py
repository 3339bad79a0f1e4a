"""The small account that most tests begin with: one organization, two contracts, two services."""

from typing import Any

Json = dict[str, Any]

STATE: Json = {
    "token": "test-token",
    "organizations": [{"id": 564, "name": "Seller"}],
    "contracts": [
        {"id": 6666, "name": "One", "title": "One", "customer_id": 574, "supplier_id": 564, "token": "0d0e40e5"},
        {"id": 8818, "name": "Two", "title": "Two", "customer_id": 578, "supplier_id": 564},
    ],
    "service_items": [{"id": 31, "name": "Online"}, {"id": 57, "name": "Support", "description": "By phone"}],
}


def invoice_form(**changes: Any) -> Json:
    """Return the body that creates an invoice of 100.00, issued on 10/12/2018 and due on the 20th."""
    form = {
        "gross_value": 100.0,
        "issue_date": "2018-12-10",
        "description": "Mensalidade",
        "nfe_body": "$DESCRICAO",
        "receivables": [{"due_date": "2018-12-20"}],
    }
    return {"invoice": form | changes}


def rule_form(**changes: Any) -> Json:
    """Return the body that creates a monthly rule of 100.00, due on the next day 23."""
    form = {
        "gross_value": 100.0,
        "description": "Mensalidade",
        "nfe_body": "$DESCRICAO",
        "charge_type": "fixed_day",
        "receivables_additional_information": {"day_number": 23},
        "additional_information": {"title": "Regra", "init_date": "2018-12-10", "month_quantity": 1},
    }
    return {"invoice_rule": form | changes}


def services(*lines: tuple[int, float, float]) -> list[Json]:
    """Return services of (service item, units, unit value)."""
    return [{"service_item_id": item, "units": units, "unit_value": value} for item, units, value in lines]
