"""The state file: read and checked, and written out again.

The rule: an unreadable file is refused whole, in one line that names the file and the line or the field.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.behaviour import Behaviour
from ciclo_sandbox.fields import Identifier, Many
from ciclo_sandbox.models import (
    ChargeTemplate,
    Company,
    Contract,
    EmailTemplate,
    FinancialAccount,
    Invoice,
    InvoiceRule,
    InvoiceTemplate,
    Nfse,
    NfseTemplate,
    Organization,
    Person,
    Plan,
    ServiceItem,
)
from ciclo_sandbox.models import Service as ServiceLine

_PIECE: Final = 1000


class StateError(Exception):
    """A state that cannot be used; the message is one line that names the file and the place in it."""


class _KnownService(ServiceLine):
    service_item_id: Identifier = None


class _StateTemplate(InvoiceTemplate):
    organization_id: Identifier = None
    services: Many[_KnownService] = Field(default_factory=list)  # type: ignore[assignment]


class _StateRule(InvoiceRule):
    charge_type: str | None = None
    generated: dict[str, Any] | None = None
    services: Many[_KnownService] = Field(default_factory=list)  # type: ignore[assignment]


class _StateInvoice(Invoice):
    generated: dict[str, Any] | None = None
    person: str | None = None
    state_before: str | None = None
    services: Many[_KnownService] = Field(default_factory=list)  # type: ignore[assignment]


class _StatePlan(Plan):
    organization_id: Identifier = None


class StateFile(BaseModel):
    """The whole state: every resource as the API answers it."""

    model_config = ConfigDict(extra="ignore")

    token: str | None = None
    today: date | None = None
    organizations: list[Organization] | None = None
    companies: Many[Company] = Field(default_factory=list)
    people: Many[Person] = Field(default_factory=list)
    service_items: Many[ServiceItem] = Field(default_factory=list)
    email_templates: Many[EmailTemplate] = Field(default_factory=list)
    charge_templates: Many[ChargeTemplate] = Field(default_factory=list)
    financial_accounts: Many[FinancialAccount] = Field(default_factory=list)
    nfse_templates: Many[NfseTemplate] = Field(default_factory=list)
    nfses: Many[Nfse] = Field(default_factory=list)
    plans: Many[_StatePlan] = Field(default_factory=list)
    contracts: Many[Contract] = Field(default_factory=list)
    invoice_templates: Many[_StateTemplate] = Field(default_factory=list)
    invoice_rules: Many[_StateRule] = Field(default_factory=list)
    invoices: Many[_StateInvoice] = Field(default_factory=list)
    behaviour: Behaviour = Field(default_factory=Behaviour)


def read_state_file(path: Path) -> StateFile:
    """Read a state file.

    Raises:
        StateError: It cannot be read, is not JSON, or has a field that makes no sense.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise StateError(message) from error
    return parse_state(content, source=str(path))


def parse_state(content: bytes, *, source: str) -> StateFile:
    """Check a state's JSON; `source` names it in the error.

    Raises:
        StateError: Not JSON (names the line), or a wrong field (names it).
    """
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        message = f"{source}: line {error.lineno}: {error.msg}"
        raise StateError(message) from error
    if not isinstance(raw, dict):
        message = f"{source}: line 1: the state must be a JSON object"
        raise StateError(message)
    try:
        return StateFile.model_validate(_modern(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = f"{source}: {_place(first['loc'])}: {first['msg'].removeprefix('Value error, ')}"
        raise StateError(message) from error


def _place(location: Iterable[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")


def _modern(raw: Json) -> Json:
    """Bring rules answered before 2018 into today's shape: their one `scheduled_update` is the list's only entry."""
    rules = raw.get("invoice_rules")
    if isinstance(rules, list):
        for rule in rules:
            if isinstance(rule, dict) and isinstance(rule.get("scheduled_update"), dict):
                rule.setdefault("scheduled_updates", [rule["scheduled_update"]])
    return raw


def dump_state(account: Account) -> Iterator[bytes]:
    """Yield the account's state as JSON, in pieces, in the shape of the state file."""
    kinds = {
        "organizations": account.organizations,
        "companies": account.companies,
        "people": account.people,
        "service_items": account.service_items,
        "email_templates": account.email_templates,
        "charge_templates": account.charge_templates,
        "financial_accounts": account.financial_accounts,
        "nfse_templates": account.nfse_templates,
        "nfses": account.nfses,
        "plans": account.plans,
        "contracts": account.contracts,
        "invoice_templates": account.invoice_templates,
        "invoice_rules": account.rules,
        "invoices": account.invoices,
    }
    yield orjson.dumps(
        {"token": account.token, "behaviour": account.behaviour.model_dump(mode="json", exclude_unset=True)}
    )[:-1]
    for kind, documents in kinds.items():
        yield b',"' + kind.encode() + b'":['
        pieces = documents.written()
        yield b",".join(islice(pieces, _PIECE))
        while piece := b",".join(islice(pieces, _PIECE)):
            yield b"," + piece
        yield b"]"
    yield b"}"
