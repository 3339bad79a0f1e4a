"""A small company in the sandbox's state-file shape: what is left out gets the API's default."""

from datetime import date
from typing import Any

from ciclo.domain.recurrence import DateRange
from ciclo.ledger.repositories import Scope

YEAR = Scope(DateRange.days(date(2025, 1, 1), date(2025, 12, 31)))
TODAY = date(2026, 1, 10)
"""The sandbox's day in the tests."""

TOKEN = "t0ken-of-the-tests"
ORGANIZATION = 7

State = dict[str, Any]


def contract(contract_id: int = 10, **given: Any) -> State:
    """An active contract of organization 7."""
    return {
        "id": contract_id,
        "name": f"Contrato {contract_id}",
        "supplier_id": ORGANIZATION,
        "supplier_type": "Company",
        "customer_id": 1000 + contract_id,
        "customer_type": "Company",
        "state": "active",
        **given,
    }


def rule(rule_id: int = 1, contract_id: int = 10, *, init_date: str = "2025-01-10", **given: Any) -> State:
    """A monthly rule of R$ 150,00, issued on the 10th, due on the next 1st, agreed upon two years before."""
    timing = {
        "title": f"Regra {rule_id}",
        "init_date": init_date,
        "period_unit": "monthly",
        "month_quantity": 1,
        "end_date": None,
        "accrual_month_quantity": "same_month",
        **given.pop("timing", {}),
    }
    charge = given.pop("charge", {"day_number": 1})
    return {
        "id": rule_id,
        "contract_id": contract_id,
        "gross_value": "150.0",
        "description": f"Mensalidade {rule_id}",
        "nfe_body": "$DESCRICAO",
        "additional_information": timing,
        "receivables_additional_information": charge,
        "created_at": "05/01/2023 10:15:00 -03:00",
        **given,
    }


def service(service_id: int, unit_value: str, *, units: str = "1.0", item: int | None = None) -> State:
    """A service of a rule."""
    return {
        "id": service_id,
        "name": f"Serviço {item or service_id}",
        "description": "",
        "unit_value": unit_value,
        "units": units,
        "service_item_id": item or service_id,
    }


def scheduled_update(update_id: int = 500, *, init_date: str = "2025-06-10", **given: Any) -> State:
    """A yearly readjustment by IGP-M of a whole rule."""
    return {
        "id": update_id,
        "price_index": "igpm",
        "init_date": init_date,
        "execution_date": init_date,
        "month_quantity": 12,
        "days_until_update": 7,
        "service_item_id": None,
        **given,
    }


def company(*rules: State, contracts: list[State] | None = None, **given: Any) -> State:
    """A state with the rules and the contracts they need."""
    needed = sorted({each["contract_id"] for each in rules})
    return {
        "token": TOKEN,
        "organizations": [{"id": ORGANIZATION, "name": "Luz do Sul Serviços Ltda."}],
        "contracts": contracts if contracts is not None else [contract(number) for number in needed],
        "invoice_rules": list(rules),
        "behaviour": {"emit_on_issue_date": False, "payments": [], "seed": 1},
        **given,
    }
