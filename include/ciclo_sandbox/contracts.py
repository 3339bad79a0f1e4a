"""Contracts and organizations' lists of them.

The rule: a contract belongs to the organization that sells by it, a purchase contract also to the one that buys by it.
"""

import secrets
from collections.abc import Container
from typing import Annotated, Final

import orjson
from fastapi import Query, Response
from sqlalchemy import ColumnElement, and_, delete, or_

from ciclo_sandbox import casting
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
from ciclo_sandbox.forms import ContractBody
from ciclo_sandbox.models import Contract, ListedContract
from ciclo_sandbox.storage import CONTRACTS, INVOICE_RULES, INVOICES, RECEIVABLES

router = Endpoints("contracts")

_REQUIRED: Final = ("name", "title", "kind", "customer_id", "supplier_id")
_LISTED: Final = frozenset(ListedContract.model_fields)
_TEXTS: Final = ("name", "title", "description", "comments", "kind", "customer_type", "supplier_type")
_TEXTS_TOO: Final = ("cobrato_payment_gateway_charge_config_name",)
_NUMBERS: Final = ("customer_id", "supplier_id", "cobrato_payment_gateway_charge_config_id")
_DAYS: Final = ("init_date", "end_date")
# On record (2016), the answer to a creation comes before the account gives the contract its token and status.
_GIVEN_LATER: Final = ("token", "status")


@router.get("/organizations/{organization_id}/contracts", responses=refused(404),
            response_model=under("contracts", list[ListedContract]))  # fmt: skip
async def index(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's contracts."""
    number = account.organization(organization_id)["id"]
    contracts = account.contracts.every(_of_organization(number))
    return collection("contracts", [orjson.dumps(_listed(contract)) for contract in contracts])


@router.get("/organizations/{organization_id}/contracts/{contract_id}", responses=refused(404),
            response_model=under("contract", Contract))  # fmt: skip
async def show(account: TheAccount, organization_id: Id, contract_id: Id) -> Response:
    """Show a contract of an organization."""
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
    """Search the account's contracts by a part of their name, or by customer; by name's order, case matters."""
    conditions = []
    if customer_id is not None and name is None:
        customer = casting.identifier(customer_id)
        if customer is None:
            raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: customer_id")
        conditions.append(CONTRACTS.c.customer_id == customer)
    else:
        if not name:
            raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: name")
        # LIKE of SQLite knows no case; the vendor's does (on record: "contrato" does not find "Contrato Teste").
        conditions.append(CONTRACTS.c.name.op("GLOB")(f"*{_literal(name)}*"))
    return collection("contracts", account.contracts.answers(*conditions, order=(CONTRACTS.c.name,)))


@router.post("/contracts", status_code=201, responses=refused(400, 422), response_model=under("contract", Contract))
async def create(account: TheAccount, body: ContractBody) -> Response:
    """Create a contract between an organization of the account and somebody else."""
    contract = Contract(id=account.sequences.next("contracts"), created_at=account.clock.stamp()).model_dump()
    contract["token"] = secrets.token_hex(16)
    contract["kind"] = None
    _assign(account, contract, body.named(), named=_REQUIRED)
    written = account.contracts.add(contract)
    return ok("contract", orjson.dumps(orjson.loads(written) | dict.fromkeys(_GIVEN_LATER)), status=201)


@router.change("/contracts/{contract_id}", responses=refused(400, 404, 422),
                  response_model=under("contract", Contract))  # fmt: skip
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


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _listed(contract: Json) -> Json:
    return {field: value for field, value in contract.items() if field in _LISTED}


def _assign(account: Account, contract: Json, params: Json, *, named: Container[str]) -> None:
    for field in (*_TEXTS, *_TEXTS_TOO):
        if field in params:
            contract[field] = casting.text(params[field])
    for field in _NUMBERS:
        if field in params:
            contract[field] = casting.identifier(params[field])
    for field in _DAYS:
        if field in params:
            contract[field] = casting.brazilian(casting.day(params[field]))
    # What an update does not name is as it was, and is not asked about.
    errors = {field: found for field, found in _errors(account, contract).items() if field in named}
    if errors:
        raise ValidationRefusal(errors)


def _errors(account: Account, contract: Json) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for field in _REQUIRED:
        if not casting.filled(contract[field]):
            errors[field] = [BLANK]
    if contract["kind"] not in ("sale", "purchase") and "kind" not in errors:
        errors["kind"] = [NOT_LISTED]
    namesakes = account.contracts.every(CONTRACTS.c.name == contract["name"], CONTRACTS.c.id != contract["id"])
    if "name" not in errors and any(namesakes):
        errors["name"] = ["Já existe um contrato com este nome nesta conta."]
    _check_parties(account, contract, errors)
    return errors


def _check_parties(account: Account, contract: Json, errors: dict[str, list[str]]) -> None:
    sells = contract["kind"] == "sale" and "supplier_id" not in errors
    buys = contract["kind"] == "purchase" and "customer_id" not in errors
    if sells and account.organizations.peek(contract["supplier_id"]) is None:
        errors["supplier_id"] = ["O fornecedor deve ser uma organização."]
    if buys and account.organizations.peek(contract["customer_id"]) is None:
        errors["customer_id"] = ["O cliente deve ser uma organização."]
