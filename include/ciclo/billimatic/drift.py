"""What the vendor's answers hold that the models do not know yet: fields, words of enumerations, nulls, odd records.

The API changes every year, and its documentation after it. A `Drift` says where, never what a customer is called: paths
and words of enumerations only, and each once, however many records show it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, get_args

from pydantic.fields import FieldInfo

from ciclo.billimatic.client import BillimaticClient
from ciclo.billimatic.errors import AuthenticationError
from ciclo.billimatic.models.reading import Answer, Listing, OddRecord, Record
from ciclo.billimatic.paging import Search
from ciclo.http.errors import ApiError

CONTRACTS, ROWS = 10, 50
"""How many contracts and rows of a search are looked at: enough to meet what the account has, in few requests."""

WORDS: Mapping[str, frozenset[str]] = {
    "invoice.state": frozenset({"to_emit", "to_receive", "received", "cancelled"}),
    "receivable.state": frozenset({"to_emit", "to_receive", "received", "cancelled"}),
    "invoice_rule.state": frozenset({"to_emit", "to_receive", "received", "cancelled"}),
    "contract.state": frozenset({"active", "inactive"}),
    "contract.status": frozenset({"established", "trial"}),
    "contract.kind": frozenset({"sale", "purchase"}),
    "contract.registration_method": frozenset({"regular", "subscription"}),
    "customer_type": frozenset({"Company", "Person"}),
    "supplier_type": frozenset({"Company", "Person"}),
    "management_type": frozenset({"manual", "automatic"}),
    "approval_status": frozenset({"approved", "blocked"}),
    "period_unit": frozenset({"monthly", "weekly"}),
    "accrual_month_quantity": frozenset({"same_month", "previous_month", "next_month"}),
    "price_index": frozenset({"igpm", "ipca", "igpdi", "inpc", "ipcfipe"}),
    "charge_type": frozenset({"fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"}),
    "payment_method": frozenset({"billet", "payment_gateway", "transfer", "pjbank", "boleto"}),
    "interest_type": frozenset({"without", "fixed", "percentage"}),
    "fine_type": frozenset({"without", "fixed", "percentage"}),
    "nfse.status": frozenset({"Emitida"}),
}
"""Words of the enumerations that are on record, by field, or by resource and field where the name has two meanings."""

_KNOWN_IN_THE_PAYLOAD_ONLY = {
    "invoice_rule": re.compile(r"issue_date|estimated_issue_date|accrual_date|scheduled_update"),
    "nfse": re.compile(
        r"(customer|organization)_\w+|service_provided_\w+|servico_prestado_\w+|\w*carga_tributaria\w*|"
        r"iss_retido_fonte|request_sent"
    ),
}
_WORD = re.compile(r"[A-Za-zÀ-ÿ_]{1,40}")


class DriftKind(StrEnum):
    """What is new about an answer."""

    FIELD = "field"
    VALUE = "value"
    NULL = "null"
    FORM = "form"
    """A value that cannot be read at all: its record is odd."""


@dataclass(frozen=True, slots=True, order=True)
class Drift:
    """Something of an answer that the models do not know.

    Attributes:
        kind: What is new about it.
        path: Resource and field (`invoice.receivables.state`).
        word: The word of an enumeration, or empty.
    """

    kind: DriftKind
    path: str
    word: str = ""

    def __str__(self) -> str:
        match self.kind:
            case DriftKind.FIELD:
                return f"{self.path}: a field that the models do not know"
            case DriftKind.VALUE:
                return f"{self.path}: the word {self.word or '(a longer text)'} was never seen before"
            case DriftKind.NULL:
                return f"{self.path}: nothing, where there always was something"
            case DriftKind.FORM:
                return f"{self.path}: a form that cannot be read"


@dataclass(slots=True)
class Survey:
    """What a look at an account found."""

    records: dict[str, int] = field(default_factory=dict)
    """Records looked at, by resource."""
    drifts: set[Drift] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    """Endpoints that could not be read, in words."""

    def take(self, records: Iterable[Record], odd: Iterable[OddRecord]) -> None:
        """Compare records with their models."""
        for record in records:
            self.records[record.resource] = self.records.get(record.resource, 0) + 1
            self.drifts |= set(drifts_of(type(record), record.payload))
        for each in odd:
            self.records[each.resource] = self.records.get(each.resource, 0) + 1
            self.drifts |= {_drift_of_odd(each, path) for path in each.fields}


def drifts_of(model: type[Answer], answer: Mapping[str, Any]) -> Iterator[Drift]:
    """Compare an answer with the model that reads it, objects inside included."""
    yield from _drifts(model, answer, model.resource)


def survey(api: BillimaticClient) -> Survey:
    """Look at a part of everything that an account answers; reads only.

    Raises:
        AuthenticationError: The token is refused.
        TransientApiError: The API does not answer.
    """
    found = Survey()
    contracts = api.contracts()
    found.take(contracts, contracts.odd)
    for read, name in (
        (api.organizations, "organizations"),
        (api.companies, "companies"),
        (api.people, "people"),
        (api.service_items, "service_items"),
        (api.email_templates, "email_templates"),
        (api.charge_templates, "charge_templates"),
        (api.financial_accounts, "financial_accounts"),
        (api.nfse_templates, "nfse_templates"),
        (api.invoice_templates, "invoice_templates"),
    ):
        _look(found, name, read)
    for contract in contracts[:CONTRACTS]:
        _look(found, f"invoice_rules of contract {contract.id}", partial(api.invoice_rules, contract.id))
    _look(found, "invoices/search", lambda: _first_rows(api.search_invoices(per_page=ROWS)))
    _look(found, "nfses/search", lambda: _first_rows(api.search_nfses(per_page=ROWS)))
    return found


def _look(found: Survey, name: str, read: Callable[[], Listing[Any]]) -> None:
    try:
        listing = read()
    except AuthenticationError:
        raise
    except ApiError as error:
        found.failures.append(f"{name}: {error}")
    else:
        found.take(listing, listing.odd)


def _first_rows(search: Search[Any]) -> Listing[Any]:
    rows = [row for _, row in zip(range(ROWS), search, strict=False)]
    return Listing(tuple(rows), tuple(search.odd))


def _drifts(model: type[Answer], answer: Mapping[str, Any], path: str) -> Iterator[Drift]:
    fields = _fields(model)
    known = _KNOWN_IN_THE_PAYLOAD_ONLY.get(model.resource)
    for name, value in answer.items():
        here = f"{path}.{name}"
        if name not in fields:
            if known is None or not known.fullmatch(name):
                yield Drift(DriftKind.FIELD, here)
            continue
        if _is_nothing(value):
            if fields[name].is_required():
                yield Drift(DriftKind.NULL, here)
            continue
        words = WORDS.get(f"{model.resource}.{name}") or WORDS.get(name)
        if words is not None and isinstance(value, str) and value not in words:
            yield Drift(DriftKind.VALUE, here, value if _WORD.fullmatch(value) else "")
        inner = _answer_in(fields[name].annotation)
        for each in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(each, Mapping):
                yield from _drifts(inner, each, here)


def _fields(model: type[Answer]) -> dict[str, FieldInfo]:
    """Return a model's fields under every name that the API gives them."""
    fields = {name: info for name, info in model.model_fields.items() if name != "payload"}
    for info in model.model_fields.values():
        for alias in getattr(info.validation_alias, "choices", [info.validation_alias]):
            if isinstance(alias, str):
                fields[alias] = info
    return fields


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in {"", "--"})


def _answer_in(annotation: Any) -> type[Answer] | None:
    """Return the model of the objects inside a field, if it holds any."""
    if isinstance(annotation, type) and issubclass(annotation, Answer):
        return annotation
    return next(filter(None, map(_answer_in, get_args(annotation))), None)


def _drift_of_odd(odd: OddRecord, path: str) -> Drift:
    where = ".".join(part for part in path.split(".") if not part.isdecimal())
    value: Any = odd.payload
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)]
    kind = DriftKind.NULL if _is_nothing(value) else DriftKind.FORM
    return Drift(kind, odd.resource if where == "it" else f"{odd.resource}.{where}")
