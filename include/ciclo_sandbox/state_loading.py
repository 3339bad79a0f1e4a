"""A state goes into an account: ids, defaults, and the references between resources.

The rule: what the state leaves out gets the API's default, what it gives stays as it is, an explicit null included.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

from ciclo_sandbox import casting, lines
from ciclo_sandbox.account import DEFAULT_TOKEN, Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.calendar import DAY
from ciclo_sandbox.models import (
    AdditionalInformation,
    Billable,
    PaymentInformation,
    ReceivablesAdditionalInformation,
    RulePaymentInformation,
    ServiceItem,
)
from ciclo_sandbox.sequences import SEQUENCES
from ciclo_sandbox.state import StateError, StateFile


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
        contracts = self._numbered("contracts", state.contracts)
        account.organizations.load(_organizations(state, contracts))
        account.contracts.load(contracts)
        account.email_templates.load(self._numbered("email_templates", state.email_templates))
        templates = self._numbered("invoice_templates", state.invoice_templates)
        rules = self._billables("invoice_rules", state.invoice_rules, contracts)
        invoices = self._billables("invoices", state.invoices, contracts)
        everything = (*templates, *rules, *invoices)
        items = self._numbered("service_items", state.service_items)
        account.service_items.load(self._with_items_in_use(items, everything))
        self._complete(templates, rules, invoices)
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
        for document in documents:
            document["id"] = document["id"] or self._sequences.next(sequence)
            if "created_at" in document:
                document["created_at"] = document["created_at"] or self._stamp
        return documents

    def _billables(self, kind: str, resources: Sequence[Billable], contracts: Sequence[Json]) -> list[Json]:
        known = {contract["id"]: contract for contract in contracts}
        documents = self._numbered(kind, resources)
        for position, (document, resource) in enumerate(zip(documents, resources, strict=True)):
            contract = known.get(document["contract_id"])
            if contract is None:
                message = f"{kind}[{position}].contract_id: there is no contract {document['contract_id']}"
                raise StateError(message)
            for field in ("customer_id", "customer_type"):
                document[field] = document[field] or contract[field]
            _complete_values(document, resource.model_fields_set)
            _complete_states(document, resource.receivables)
        return documents

    def _with_items_in_use(self, items: list[Json], documents: Iterable[Json]) -> list[Json]:
        """Return the catalogue, with an item for every service of one that the state leaves out."""
        known = {item["id"]: item for item in items}
        by_name = {item["name"]: item["id"] for item in items}
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

    def _complete(self, templates: Iterable[Json], rules: Iterable[Json], invoices: Iterable[Json]) -> None:
        for template in templates:
            _complete_services(template)
            for update in template["scheduled_updates"]:
                update["invoice_template_id"] = template["id"]
                self._stamp_update(update)
        for rule in rules:
            self._complete_rule(rule)
        for invoice in invoices:
            self._complete_invoice(invoice)

    def _complete_rule(self, rule: Json) -> None:
        rule["payment_information"] = rule["payment_information"] or RulePaymentInformation().model_dump()
        rule["additional_information"] = (
            rule["additional_information"]
            or AdditionalInformation(init_date=self._account.clock.today.isoformat(), month_quantity=1).model_dump()
        )
        rule["receivables_additional_information"] = (
            rule["receivables_additional_information"] or ReceivablesAdditionalInformation(day_number=1).model_dump()
        )
        for nested in (rule["payment_information"], rule["additional_information"]):
            nested["created_at"] = nested["created_at"] or self._stamp
        for update in (*rule["scheduled_updates"], rule["receivables_additional_information"]):
            update["invoice_rule_id"] = rule["id"]
            self._stamp_update(update)
        for update in rule["scheduled_updates"]:
            update["execution_date"] = update["execution_date"] or update["init_date"]

    def _stamp_update(self, update: Json) -> None:
        update["created_at"] = update["created_at"] or self._iso_stamp
        update["updated_at"] = update["updated_at"] or update["created_at"]

    def _complete_invoice(self, invoice: Json) -> None:
        invoice["payment_information"] = invoice["payment_information"] or PaymentInformation().model_dump()
        payment = invoice["payment_information"]
        payment["created_at"] = payment["created_at"] or invoice["created_at"]
        for receivable in invoice["receivables"]:
            receivable["invoice_id"] = invoice["id"]
            receivable["created_at"] = receivable["created_at"] or invoice["created_at"]
        for field in ("gross_value", "payment_value"):
            if any(receivable[field] is None for receivable in invoice["receivables"]):
                whole = invoice[field]
                lines.share_out(invoice["receivables"], field, None if whole is None else Decimal(whole))

    def _number_nested(self, documents: Sequence[Json]) -> None:
        for kind, place in _NESTED.items():
            # A template's due dates are an object without an id of its own.
            nested = [entry for document in documents for entry in place(document) if entry and "id" in entry]
            given = [entry["id"] for entry in nested if entry["id"] is not None]
            _check_unique(kind, given)
            self._sequences.continue_after(kind, given)
            for entry in nested:
                entry["id"] = entry["id"] or self._sequences.next(kind)


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


_NESTED: Final[dict[str, Callable[[Json], Iterable[Any]]]] = {
    "services": _many("services"),
    "receivables": _many("receivables"),
    "attachments": _many("attachments"),
    "scheduled_updates": _many("scheduled_updates"),
    "payment_information": _one("payment_information"),
    "additional_information": _one("additional_information"),
    "receivables_additional_information": _one("receivables_additional_information"),
}


def _organizations(state: StateFile, contracts: Iterable[Json]) -> list[Json]:
    """Return the state's organizations; if it leaves them out, those that its contracts bill for."""
    if state.organizations is not None:
        return [organization.model_dump() for organization in state.organizations]
    sides = {"purchase": "customer_id"}
    owners = {contract[sides.get(contract["kind"], "supplier_id")] for contract in contracts}
    return [{"id": number, "name": f"Organization {number}"} for number in sorted(owners - {None})]


def _complete_values(document: Json, given: Iterable[str]) -> None:
    _complete_services(document)
    # These two follow another field unless the state says otherwise; null is otherwise.
    for field, source in (("payment_value", "gross_value"), ("estimated_issue_date", "issue_date")):
        if field not in given:
            document[field] = document[source]


def _complete_states(document: Json, receivables: Sequence[BaseModel]) -> None:
    for line, receivable in zip(document["receivables"], receivables, strict=True):
        if "state" not in receivable.model_fields_set:
            line["state"] = document["state"]


def _complete_services(document: Json) -> None:
    for line in document["services"]:
        line["units"] = line["units"] or "1.0"
        line["unit_value"] = line["unit_value"] or line["value"] or "0.0"
        value = casting.cents(Decimal(line["units"]) * Decimal(line["unit_value"]))
        line["value"] = line["value"] or casting.amount(value)
    if document["gross_value"] is None:
        total = sum((Decimal(line["value"]) for line in document["services"]), Decimal(0))
        document["gross_value"] = casting.amount(total)
