"""The state file: read and checked, put into an account, and written out again.

An unreadable file is refused whole, in one line that names the file and the line or the field. What the state leaves
out gets the API's default, what it gives stays as it is, an explicit null included; what it names but does not describe
(a contract's customer, a service's item) is made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ciclo_sandbox import billables, parsing
from ciclo_sandbox.account import DEFAULT_TOKEN, SEQUENCES, Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.behaviour import Behaviour
from ciclo_sandbox.calendar import DAY
from ciclo_sandbox.models import (
    AdditionalInformation,
    Billable,
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
    PaymentInformation,
    Person,
    Plan,
    ReceivablesAdditionalInformation,
    ServiceItem,
)
from ciclo_sandbox.models import Service as ServiceLine
from ciclo_sandbox.parsing import CountableDay, Identifier, Many

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
    today: CountableDay | None = None
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
    sequences: dict[str, Annotated[int, Field(ge=0, lt=2**62)]] = Field(default_factory=dict)


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
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).removeprefix(".")
        message = f"{source}: {place}: {first['msg'].removeprefix('Value error, ')}"
        raise StateError(message) from error


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
    behaviour = account.behaviour.model_dump(mode="json", exclude_unset=True)
    head = {"token": account.token, "today": account.clock.today, "behaviour": behaviour}
    yield orjson.dumps(head | {"sequences": account.sequences.last()})[:-1]
    for kind, documents in kinds.items():
        yield b',"' + kind.encode() + b'":['
        pieces = documents.written()
        yield b",".join(islice(pieces, _PIECE))
        while piece := b",".join(islice(pieces, _PIECE)):
            yield b"," + piece
        yield b"]"
    yield b"}"


def load_state(account: Account, state: StateFile) -> None:
    """Replace everything in the account by a state.

    Raises:
        StateError: Two resources of a kind share an id, or one names a contract that is not there.
    """
    account.clear()
    account.token = state.token or account.token or DEFAULT_TOKEN
    account.behaviour = state.behaviour
    if state.today:
        account.clock.today = state.today
    account.clock.time = None
    account.clock.machinery_ran = account.clock.today - DAY  # moved to this very day, its machinery runs
    account.remember("machinery_ran", account.clock.machinery_ran.isoformat())
    account.remember("token", account.token)
    account.remember("behaviour", state.behaviour.model_dump(mode="json", exclude_unset=True))
    account.remember("today", account.clock.today.isoformat())
    _Loader(account).load(state)


class _Loader:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._sequences = account.sequences
        self._stamp = account.clock.stamp()
        self._iso_stamp = account.clock.iso_stamp()

    def load(self, state: StateFile) -> None:
        account = self._account
        for kind, last in state.sequences.items():
            self._sequences.continue_after(kind, [last])
        contracts = self._numbered("contracts", state.contracts)
        rules = self._billables("invoice_rules", state.invoice_rules, contracts)
        invoices = self._billables("invoices", state.invoices, contracts)
        self._load_parties(state, contracts, (*rules, *invoices))
        account.contracts.load(contracts)
        for kind in _CATALOGUES:
            getattr(account, kind).load(self._numbered(kind, getattr(state, kind)))
        templates = self._numbered("invoice_templates", state.invoice_templates)
        everything = (*templates, *rules, *invoices)
        items = self._numbered("service_items", state.service_items)
        account.service_items.load(self._with_items_in_use(items, everything))
        for template in templates:
            _complete_services(template)
            for update in template["scheduled_updates"]:
                update["invoice_template_id"] = template["id"]
                self._stamp_update(update)
        for rule, given in zip(rules, state.invoice_rules, strict=True):
            self._complete_rule(rule, given)
        for invoice, given_invoice in zip(invoices, state.invoices, strict=True):
            self._complete_invoice(invoice, given_invoice)
        self._number_nested(everything)
        account.invoice_templates.load(templates)
        account.rules.load(rules)
        account.invoices.load(invoices)

    def _numbered(self, kind: str, resources: Sequence[BaseModel]) -> list[Json]:
        documents = [resource.model_dump(by_alias=True) for resource in resources]
        given = [document["id"] for document in documents if document["id"] is not None]
        _check_unique(kind, given)
        sequence = SEQUENCES.get(kind, kind)
        self._sequences.continue_after(sequence, given)
        for document, resource in zip(documents, resources, strict=True):
            document["id"] = document["id"] or self._sequences.next(sequence)
            for field in {"created_at", "updated_at"} & document.keys() - resource.model_fields_set:
                document[field] = self._iso_stamp if kind in _STAMPED_IN_ISO else self._stamp
        return documents

    def _load_parties(self, state: StateFile, contracts: Sequence[Json], billed: Sequence[Json]) -> None:
        """Load organizations and customers, and make those that a contract, rule or invoice names besides."""
        account = self._account
        organizations = self._numbered("organizations", state.organizations or ())
        companies = self._numbered("companies", state.companies)
        people = self._numbered("people", state.people)
        known = {document["id"] for document in (*organizations, *companies)}
        if state.organizations is None:
            # A state without organizations has those that its contracts bill for.
            sides = {"purchase": "customer_id"}
            owners = {contract[sides.get(contract["kind"], "supplier_id")] for contract in contracts} - {None} - known
            organizations += [self._party(Organization, number) for number in sorted(owners)]
            known |= owners
        named = {(contract[f"{side}_type"], contract[f"{side}_id"])
                 for contract in contracts for side in ("customer", "supplier")}  # fmt: skip
        named |= {(document["customer_type"], document["customer_id"]) for document in billed}
        missing = {(kind == "Person", number) for kind, number in named if number}
        known_people = {person["id"] for person in people}
        for is_person, number in sorted(missing):
            if is_person and number not in known_people:
                people.append(self._party(Person, number))
            elif not is_person and number not in known:
                companies.append(self._party(Company, number))
        self._sequences.continue_after("companies", (document["id"] for document in (*organizations, *companies)))
        self._sequences.continue_after("people", (document["id"] for document in people))
        account.organizations.load(organizations)
        account.companies.load(companies)
        account.people.load(people)

    def _party(self, kind: type[Organization | Company | Person], number: int) -> Json:
        party: Json = kind(id=number, name=f"{kind.__name__} {number}", created_at=self._stamp).model_dump()
        return party

    def _billables(self, kind: str, resources: Sequence[Billable], contracts: Sequence[Json]) -> list[Json]:
        known = {contract["id"]: contract for contract in contracts}
        documents = self._numbered(kind, resources)
        for position, (document, resource) in enumerate(zip(documents, resources, strict=True)):
            contract = known.get(document["contract_id"])
            if contract is None:
                message = f"{kind}[{position}].contract_id: there is no contract {document['contract_id']}"
                raise StateError(message)
            for field in {"customer_id", "customer_type"} - resource.model_fields_set:
                document[field] = contract[field]
            _complete_values(document, resource.model_fields_set)
            for line, receivable in zip(document["receivables"], resource.receivables, strict=True):
                if "state" not in receivable.model_fields_set:
                    line["state"] = document["state"]
        return documents

    def _with_items_in_use(self, items: list[Json], documents: Sequence[Json]) -> list[Json]:
        """Return the catalogue, with an item for every service of one that the state leaves out."""
        known = {item["id"]: item for item in items}
        by_name = {item["name"]: item["id"] for item in items}
        for document in documents:
            by_name |= _named_by_updates(document, by_name)
        for line in (line for document in documents for line in document["services"]):
            number = line["service_item_id"] or by_name.get(line["name"] or "")
            if number not in known:
                self._sequences.continue_after("service_items", [number])
                number = number or self._sequences.next("service_items")
                item = ServiceItem(id=number, name=line["name"] or f"Service {number}", value=line["unit_value"])
                known[number] = item.model_dump()
                by_name[item.name] = number
            line["service_item_id"] = number
            line["name"] = line["name"] or known[number]["name"]
        return list(known.values())

    def _complete_rule(self, rule: Json, given: InvoiceRule) -> None:
        missing = _NESTED_OBJECTS.keys() - given.model_fields_set
        for field in missing:
            rule[field] = _NESTED_OBJECTS[field]().model_dump()
        if "additional_information" in missing:
            rule["additional_information"] |= {"init_date": self._account.clock.today.isoformat(), "month_quantity": 1}
        if "receivables_additional_information" in missing:
            rule["receivables_additional_information"]["day_number"] = 1
        for field in ("payment_information", "additional_information"):
            self._stamp_nested(rule[field], getattr(given, field), self._stamp)
        due = rule["receivables_additional_information"]
        for update in (*rule["scheduled_updates"], *([due] if due else ())):
            update["invoice_rule_id"] = rule["id"]
            self._stamp_update(update)
        for update, scheduled in zip(rule["scheduled_updates"], given.scheduled_updates, strict=True):
            if "execution_date" not in scheduled.model_fields_set:
                update["execution_date"] = update["init_date"]

    def _stamp_update(self, update: Json) -> None:
        update["created_at"] = update["created_at"] or self._iso_stamp
        update["updated_at"] = update["updated_at"] or update["created_at"]

    @staticmethod
    def _stamp_nested(nested: Json | None, given: BaseModel | None, stamp: str | None) -> None:
        if nested and (given is None or "created_at" not in given.model_fields_set):
            nested["created_at"] = stamp

    def _complete_invoice(self, invoice: Json, given: Invoice) -> None:
        if "payment_information" not in given.model_fields_set:
            invoice["payment_information"] = PaymentInformation().model_dump()
        self._stamp_nested(invoice["payment_information"], given.payment_information, invoice["created_at"])
        for line, receivable in zip(invoice["receivables"], given.receivables, strict=True):
            line["invoice_id"] = invoice["id"]
            self._stamp_nested(line, receivable, invoice["created_at"])
        asked = [receivable.model_fields_set for receivable in given.receivables]
        if any(not {"gross_value", "payment_value"} <= fields for fields in asked):
            shared = {**invoice, "receivables": [dict(line) for line in invoice["receivables"]]}
            billables.share_out(shared)
            for line, share, fields in zip(invoice["receivables"], shared["receivables"], asked, strict=True):
                line |= {field: share[field] for field in {"gross_value", "payment_value"} - fields}

    def _number_nested(self, documents: Sequence[Json]) -> None:
        for kind, place in _NESTED.items():
            # A template's due dates are an object without an id of its own.
            nested = [entry for document in documents for entry in place(document) if entry and "id" in entry]
            given = [entry["id"] for entry in nested if entry["id"] is not None]
            _check_unique(kind, given)
            self._sequences.continue_after(kind, given)
            for entry in nested:
                entry["id"] = entry["id"] or self._sequences.next(kind)
        for field, kind in _NUMBERED_ELSEWHERE.items():
            lines = (line for document in documents for line in document.get("receivables") or ())
            self._sequences.continue_after(kind, map(parsing.identifier, (line[field] for line in lines)))


def _check_unique(kind: str, given: Sequence[int]) -> None:
    seen: set[int] = set()
    for number in given:
        if number in seen:
            message = f"{kind}: id {number} is there twice"
            raise StateError(message)
        seen.add(number)


def _many(field: str) -> Callable[[Json], Iterable[Any]]:
    return lambda document: document.get(field) or ()


def _one(field: str) -> Callable[[Json], Iterable[Any]]:
    return lambda document: (document.get(field),)


_CATALOGUES: Final = (
    "email_templates", "charge_templates", "financial_accounts", "nfse_templates", "nfses", "plans",
)  # fmt: skip
_STAMPED_IN_ISO: Final = frozenset({"charge_templates", "financial_accounts", "nfse_templates"})
_NESTED_OBJECTS: Final[dict[str, type[BaseModel]]] = {
    "payment_information": PaymentInformation,
    "additional_information": AdditionalInformation,
    "receivables_additional_information": ReceivablesAdditionalInformation,
}
_NUMBERED_ELSEWHERE: Final = {"cobrato_charge_id": "cobrato_charges", "finance_receivable_id": "finance_receivables"}
_NESTED: Final[dict[str, Callable[[Json], Iterable[Any]]]] = {
    "services": _many("services"),
    "receivables": _many("receivables"),
    "attachments": _many("attachments"),
    "scheduled_updates": _many("scheduled_updates"),
    "payment_information": _one("payment_information"),
    "additional_information": _one("additional_information"),
    "receivables_additional_information": _one("receivables_additional_information"),
}


def _named_by_updates(document: Json, by_name: Mapping[str, int]) -> dict[str, int]:
    """Return the items of services whose answer tells their names only: those that the readjustments name.

    An update names a service of its rule. Where as many services as items are left over, they are each other's, in
    their order.
    """
    told = [line["service_item_id"] or by_name.get(line["name"] or "") for line in document["services"]]
    names = dict.fromkeys(line["name"] for line, item in zip(document["services"], told, strict=True) if not item)
    asked = dict.fromkeys(update["service_item_id"] for update in document.get("scheduled_updates", ()))
    items = [item for item in asked if item is not None and item not in told]
    return dict(zip(names, items, strict=True)) if None not in names and len(names) == len(items) else {}


def _complete_values(document: Json, given: Iterable[str]) -> None:
    _complete_services(document)
    # These two follow another field unless the state says otherwise; null is otherwise.
    for field, source in (("payment_value", "gross_value"), ("estimated_issue_date", "issue_date")):
        if field not in given:
            document[field] = document[source]


def _complete_services(document: Json) -> None:
    for line in document["services"]:
        line["units"] = line["units"] or "1.0"
        line["unit_value"] = line["unit_value"] or line["value"] or "0.0"
        value = parsing.cents(Decimal(line["units"]) * Decimal(line["unit_value"]))
        line["value"] = line["value"] or parsing.amount(value)
    if document["gross_value"] is None and document["services"]:
        total = sum((Decimal(line["value"]) for line in document["services"]), Decimal(0))
        document["gross_value"] = parsing.amount(total)
