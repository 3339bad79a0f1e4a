"""Rules in number for the benchmarks: as the domain's values, and as a state of the sandbox.

The one rule: the same mix at every size, so that sizes can be compared. Prices are made up; dates cover month ends.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.recurrence import AccrualMonth, Recurrence

TOKEN: Final = "token-of-the-benchmarks"  # noqa: S105 - of a sandbox that lives for a minute
ORGANIZATION: Final = 7
RULES_A_CONTRACT: Final = 20

Json = dict[str, Any]
Rule = tuple[Recurrence, Charge, AccrualMonth]

CHARGES: Final = (
    Charge(ChargeType.FIXED_DAY, day_number=5),
    Charge(ChargeType.FIXED_DAY, day_number=31),
    Charge(ChargeType.LAST_DAY_OF_MONTH),
    Charge(ChargeType.DAY_QUANTITY, day_quantity=15),
)


def rules(count: int, *, year: int = 2020) -> Iterator[Rule]:
    """Yield monthly rules that began in `year`, on every day of a month, with the kinds of due dates in turn."""
    for number in range(count):
        init_date = date(year, number % 12 + 1, 1).replace(day=min(number % 31 + 1, 28 if number % 12 == 1 else 30))
        yield Recurrence(init_date, month_quantity=1), CHARGES[number % len(CHARGES)], AccrualMonth.SAME_MONTH


def company(count: int) -> Json:
    """Return a sandbox state with `count` monthly rules of one receivable, twenty a contract."""
    contracts = -(-count // RULES_A_CONTRACT)
    return {
        "token": TOKEN,
        "organizations": [{"id": ORGANIZATION, "name": "Luz do Sul Serviços Ltda."}],
        "contracts": [_contract(number) for number in range(1, contracts + 1)],
        "invoice_rules": [_rule(number) for number in range(1, count + 1)],
        "behaviour": {"emit_on_issue_date": False, "payments": [], "seed": 1},
    }


def _contract(number: int) -> Json:
    return {
        "id": number,
        "name": f"Contrato {number}",
        "supplier_id": ORGANIZATION,
        "supplier_type": "Company",
        "customer_id": number,
        "customer_type": "Company",
        "state": "active",
    }


def _rule(number: int) -> Json:
    return {
        "id": number,
        "contract_id": (number - 1) // RULES_A_CONTRACT + 1,
        "gross_value": f"{100 + number % 900}.5",
        "description": f"Mensalidade {number}",
        "nfe_body": "$DESCRICAO",
        "additional_information": {
            "title": f"Regra {number}",
            "init_date": f"2025-01-{number % 28 + 1:02}",
            "period_unit": "monthly",
            "month_quantity": 1,
            "end_date": None,
            "accrual_month_quantity": "same_month",
        },
        "receivables_additional_information": {"day_number": number % 28 + 1},
    }
