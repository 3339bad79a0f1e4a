"""Contracts and organizations' lists of them.

A contract belongs to the organization that sells by it, a purchase contract also to the one that buys by it.
"""

import secrets
from collections.abc import Callable, Container
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Response
from sqlalchemy import ColumnElement, and_, delete, or_

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    NOT_LISTED,
    Json,
    NotFoundRefusal,
    ParameterRefusal,
    ValidationRefusal,
    collection,
    nothing,
    ok,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.billables import refuse_unknown
from ciclo_sandbox.forms import ContractBody
from ciclo_sandbox.models import Contract
from ciclo_sandbox.storage import CONTRACTS, INVOICE_RULES, INVOICES, RECEIVABLES

router = Endpoints("contracts")
_ORGANIZATION: Final = "/organizations/{organization_id}/contracts"

_REQUIRED: Final = ("name", "title", "kind", "customer_id", "supplier_id")
_CASTS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        ("name", "title", "description", "comments", "kind", "customer_type", "supplier_type"), parsing.text
    ),
    "cobrato_payment_gateway_charge_config_name": parsing.text,
    **dict.fromkeys(("customer_id", "supplier_id"), parsing.identifier),
    "cobrato_payment_gateway_charge_config_id": parsing.identifier,
    **dict.fromkeys(("init_date", "end_date"), lambda given: parsing.brazilian(parsing.day(given))),
}
# On record (2016), the answer to a creation comes before the account gives the contract its token and status.
_GIVEN_LATER: Final = ("token", "status")


@router.get(_ORGANIZATION, responses=refused(404), response_model=under("contracts", list[Contract]))
async def index(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's active contracts."""
    number = account.organization(organization_id)["id"]
    active = or_(CONTRACTS.c.state != "inactive", CONTRACTS.c.state.is_(None))
    return collection("contracts", account.contracts.answers(_of_organization(number), active))


@router.get(f"{_ORGANIZATION}/{{contract_id}}", responses=refused(404), response_model=under("contract", Contract))
async def show(account: TheAccount, organization_id: Id, contract_id: Id) -> Response:
    """Show a contract of an organization, active or not."""
    number = account.organization(organization_id)["id"]
    found = account.contracts.answers(CONTRACTS.c.id == contract_id, _of_organization(number))
    if not found:
        raise NotFoundRefusal
    return ok("contract", found[0])


@router.get("/contracts/search", responses=refused(400), response_model=under("contracts", list[Contract]))
async def search(
    account: TheAccount,
    name: Annotated[str | None, Query(description="A part of the name; case matters.")] = None,
    customer_id: Annotated[str | None, Query(description="Id of the customer.")] = None,
) -> Response:
    """Search the account's contracts by a part of their name, by customer, or both; by name's order."""
    conditions: list[ColumnElement[bool]] = []
    customer = parsing.identifier(customer_id)
    # On record a name that is asked for must be one; the customer's id may stand alone.
    if not name and (name is not None or customer_id is None):
        raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: name")
    if customer_id is not None and customer is None:
        raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: customer_id")
    if name:
        # LIKE of SQLite knows no case; the vendor's does (on record: "contrato" does not find "Contrato Teste").
        literal = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
        conditions.append(CONTRACTS.c.name.op("GLOB")(f"*{literal}*"))
    if customer is not None:
        conditions.append(CONTRACTS.c.customer_id == customer)
    return collection("contracts", account.contracts.answers(*conditions, order=(CONTRACTS.c.name,)))


@router.post("/contracts", status_code=201, responses=refused(400, 404, 422),
             response_model=under("contract", Contract))  # fmt: skip
async def create(account: TheAccount, body: ContractBody) -> Response:
    """Create a contract between an organization of the account and somebody else."""
    contract = Contract(id=account.sequences.next("contracts"), created_at=account.clock.stamp()).model_dump()
    contract |= {"token": secrets.token_hex(16), "kind": None}
    _assign(account, contract, body.named(), named=_REQUIRED)
    written = account.contracts.add(contract)
    if account.behaviour.shape == 2018:
        written = orjson.dumps(orjson.loads(written) | dict.fromkeys(_GIVEN_LATER))
    return ok("contract", written, status=201)


@router.change("/contracts/{contract_id}", responses=refused(400, 404, 422), response_model=under("contract", Contract))
async def update(account: TheAccount, contract_id: Id, body: ContractBody) -> Response:
    """Change a contract."""
    contract = account.contracts.get(contract_id)
    if contract is None:
        raise NotFoundRefusal
    params = body.named()
    _assign(account, contract, params, named=params)
    return ok("contract", account.contracts.change(contract))


@router.delete("/contracts/{contract_id}", status_code=204, responses=refused(404))
async def destroy(account: TheAccount, contract_id: Id) -> Response:
    """Remove a contract with its rules and invoices."""
    number = account.contract(contract_id)["id"]
    for table in (INVOICES, RECEIVABLES, INVOICE_RULES):
        account.connection.execute(delete(table).where(table.c.contract_id == number))
    account.contracts.remove(number)
    return nothing()


def _of_organization(number: int) -> ColumnElement[bool]:
    buys = and_(CONTRACTS.c.kind == "purchase", CONTRACTS.c.customer_id == number)
    return or_(CONTRACTS.c.organization_id == number, buys)


def _assign(account: Account, contract: Json, params: Json, *, named: Container[str]) -> None:
    for field, cast in _CASTS.items():
        if field in params:
            contract[field] = cast(params[field])
    if "overdue_automatic_management" in params:
        contract["overdue_automatic_management"] = (
            bool(parsing.boolean(params["overdue_automatic_management"]))
            and contract["registration_method"] != "subscription"
        )
    for side in ("customer", "supplier"):
        if f"{side}_id" in named:
            _find_party(account, contract[f"{side}_type"], contract[f"{side}_id"])
    # What an update does not name is as it was, and is not asked about.
    errors = {field: found for field, found in _errors(account, contract).items() if field in named}
    if errors:
        raise ValidationRefusal(errors)


def _find_party(account: Account, kind: str | None, number: int | None) -> None:
    """Refuse a customer or supplier that is not in the account; an account that knows none of its kind takes any."""
    known = account.people if kind == "Person" else account.companies
    if number and account.party(kind, number) is None:
        refuse_unknown(known)


def _errors(account: Account, contract: Json) -> dict[str, str | list[str]]:
    errors: dict[str, str | list[str]] = {}
    for field in _REQUIRED:
        if not parsing.filled(contract[field]):
            errors[field] = [BLANK]
    if contract["kind"] not in ("sale", "purchase") and "kind" not in errors:
        errors["kind"] = [NOT_LISTED]
    namesakes = account.contracts.every(CONTRACTS.c.name == contract["name"], CONTRACTS.c.id != contract["id"])
    if "name" not in errors and any(namesakes):
        errors["name"] = ["Já existe um contrato com este nome nesta conta."]
    sells = contract["kind"] == "sale" and "supplier_id" not in errors
    buys = contract["kind"] == "purchase" and "customer_id" not in errors
    if sells and account.organizations.peek(contract["supplier_id"]) is None:
        errors["supplier_id"] = ["O fornecedor deve ser uma organização."]
    if buys and account.organizations.peek(contract["customer_id"]) is None:
        errors["customer_id"] = ["O cliente deve ser uma organização."]
    return errors
