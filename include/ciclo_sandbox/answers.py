"""What the vendor's API answers: documents under their root, and its three ways of saying no.

Everything in the sandbox is in the shape of 2026. A state whose `behaviour` has `"shape": 2018` is answered in the
shape of that year: what the vendor added later is left out, and what it calls otherwise is as it was.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import Response

Json = dict[str, Any]
JSON: Final = "application/json; charset=utf-8"
BLANK: Final = "não pode ficar em branco"
NOT_NUMERIC: Final = "deve ser numérico"
NOT_LISTED: Final = "não está incluído na lista"
INVALID: Final = "não é válido"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body as it goes over the wire (or empty)."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON.encode()


class Refusal(Exception):
    """The request is answered with something other than success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class NotFoundRefusal(Refusal):
    """404 with an empty body: the resource, or a parent of it, is not in this account."""

    def __init__(self) -> None:
        super().__init__(Answer(404))


class ParameterRefusal(Refusal):
    """A search with bad parameters, or a body that is not JSON: `{"errors": "<message>"}`."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(Answer(status, orjson.dumps({"errors": message})))


class ValidationRefusal(Refusal):
    """422 with one message for each field path, or a list of messages for contracts, customers and service items."""

    def __init__(self, errors: Mapping[str, str | list[str]]) -> None:
        super().__init__(Answer(422, orjson.dumps({"errors": errors})))


def ok(root: str, document: bytes, status: int = 200) -> Response:
    """Answer one stored document under its root."""
    return Response(b'{"' + root.encode() + b'":' + document + b"}", status, media_type=JSON)


def collection(root: str, documents: Iterable[bytes]) -> Response:
    """Answer stored documents under their root."""
    return Response(b'{"' + root.encode() + b'":[' + b",".join(documents) + b"]}", media_type=JSON)


def page(root: str, documents: Iterable[bytes], *, number: int, per_page: int, total: int) -> Response:
    """Answer one page of stored documents under their root."""
    head = orjson.dumps({"page": number, "per_page": per_page, "total_pages": -(-total // per_page)})
    return Response(head[:-1] + b',"' + root.encode() + b'":[' + b",".join(documents) + b"]}", media_type=JSON)


def nothing() -> Response:
    """Answer that it is done, without a body."""
    return Response(status_code=204)


def entries(value: Any) -> list[Json]:
    """Return the objects of a nested list; an object of objects is read as its values, as the vendor's server does."""
    if isinstance(value, dict):
        value = list(value.values())
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []


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
