"""The answers of 2018: what the vendor added later is left out, and what it calls otherwise is as it was.

Everything in the sandbox is in the shape of 2026. A state whose `behaviour` has `"shape": 2018` is answered through
here; changes.md of the vendor's history gives the year of each field.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

_BILLABLE: Final = frozenset({
    "issue_nfse", "nfse_template_id", "finance_category_id", "finance_revenue_center_id",
    "automatic_management_on_business_days", "nfse_url", "fatura_url",
})  # fmt: skip
_RECEIVABLE: Final = frozenset({"myfinance_receivable_account_id", "billet_url", "boleto_url"})
_CONTRACT: Final = frozenset({"overdue_automatic_management"})
_TEMPLATE: Final = frozenset({
    "issue_nfse", "card_installments", "financial_account_id", "financial_charge_template_id", "charging_account_id",
})  # fmt: skip
_LATER: Final[Mapping[str, frozenset[str]]] = {
    "invoice": _BILLABLE,
    "invoices": _BILLABLE,
    "invoice_rule": _BILLABLE,
    "invoice_rules": _BILLABLE,
    "invoice_template": _TEMPLATE,
    "invoice_templates": _TEMPLATE,
    "receivable": _RECEIVABLE,
    "receivables": _RECEIVABLE,
    "payment_information": frozenset({
        "financial_charge_template_id", "financial_account_id", "charging_account_id",
    }),
    "contract": _CONTRACT,
    "contracts": _CONTRACT,
    "company": frozenset({"nfse_email", "updated_at"}),
    "companies": frozenset({"nfse_email", "updated_at"}),
}  # fmt: skip
_LISTED_WITHOUT: Final = _CONTRACT | {
    "overdue", "valid_until", "cobrato_payment_gateway_charge_config_id", "cobrato_payment_gateway_charge_config_name",
    "plan",
}  # fmt: skip
_CONTRACT_LIST: Final = re.compile(r"/organizations/\d+/contracts$")


def of_2018(path: str, body: bytes, base_url: str) -> bytes:
    """Return the body that answers a path, in the shape of 2018."""
    answered = orjson.loads(body)
    if _CONTRACT_LIST.search(path):
        _strip(answered, {"contracts": _LISTED_WITHOUT}, base_url)
    return orjson.dumps(_strip(answered, _LATER, base_url))


def _strip(value: Any, later: Mapping[str, frozenset[str]], base_url: str, kind: str = "") -> Any:
    if isinstance(value, list):
        for each in value:
            _strip(each, later, base_url, kind)
    elif isinstance(value, dict):
        for field in later.get(kind, ()):
            value.pop(field, None)
        if kind == "attachments" and str(value.get("url")).startswith("/"):
            value["url"] = base_url + value["url"]
        for field, each in value.items():
            _strip(each, later, base_url, field)
    return value
