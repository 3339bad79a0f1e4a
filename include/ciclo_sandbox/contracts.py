"""Contracts and organizations' lists of them; subscriptions and plans, which customers sign on a page of the vendor's.

A contract belongs to the organization that sells by it, a purchase contract also to the one that buys by it.

Of the calls about subscriptions only `change_plan` is left (plans and subscriptions were withdrawn in 2023, the
checkout in 2019). The others answer in the shape that the documents showed last; nothing is billed by a plan.
"""

import secrets
from collections.abc import Callable, Collection
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field
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
from ciclo_sandbox.forms import ContractBody, PlanBody, SubscriptionBody
from ciclo_sandbox.models import Company, Contract, PaymentInformation, Plan
from ciclo_sandbox.storage import CONTRACTS, INVOICE_RULES, INVOICES, PLANS, RECEIVABLES

router = Endpoints("contracts")
_ORGANIZATION: Final = "/organizations/{organization_id}/contracts"

_PARTIES: Final = ("Company", "Person")
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
    contract |= {"token": secrets.token_hex(16), "kind": None, "customer_type": None, "supplier_type": None}
    params = body.named()
    _assign(account, contract, params, named={*_REQUIRED, "customer_type", "supplier_type", *params})
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
    before = account.owner(contract)
    _assign(account, contract, params, named=params)
    written = account.contracts.change(contract)
    if account.owner(contract) != before:
        account.invoices.follow(contract_id)
    return ok("contract", written)


@router.delete("/contracts/{contract_id}", status_code=204, responses=refused(404))
async def destroy(account: TheAccount, contract_id: Id) -> Response:
    """Remove a contract with its rules and invoices."""
    number = account.contract(contract_id)["id"]
    for table in (INVOICES, RECEIVABLES, INVOICE_RULES):
        account.connection.execute(delete(table).where(table.c.contract_id == number))
    account.contracts.remove(number)
    account.invoices.forget()
    return nothing()


def _of_organization(number: int) -> ColumnElement[bool]:
    buys = and_(CONTRACTS.c.kind == "purchase", CONTRACTS.c.customer_id == number)
    return or_(CONTRACTS.c.organization_id == number, buys)


def _assign(account: Account, contract: Json, params: Json, *, named: Collection[str]) -> None:
    for field, cast in _CASTS.items():
        if field in params:
            contract[field] = cast(params[field])
    if "overdue_automatic_management" in params:
        contract["overdue_automatic_management"] = (
            bool(parsing.boolean(params["overdue_automatic_management"]))
            and contract["registration_method"] != "subscription"
        )
    for side in ("customer", "supplier"):
        kind, number = contract[f"{side}_type"], contract[f"{side}_id"]
        if kind in _PARTIES and f"{side}_id" in named and number and account.party(kind, number) is None:
            refuse_unknown(account.people if kind == "Person" else account.companies)  # one that knows none takes any
    # What an update does not name is as it was, and is not asked about; the kind says what both sides must be.
    asked = {*named, "customer_id", "supplier_id"} if "kind" in named else named
    errors = {field: found for field, found in _errors(account, contract).items() if field in asked}
    if errors:
        raise ValidationRefusal(errors)


def _errors(account: Account, contract: Json) -> dict[str, str | list[str]]:
    errors: dict[str, str | list[str]] = {}
    for field in _REQUIRED:
        if not parsing.filled(contract[field]):
            errors[field] = [BLANK]
    if contract["kind"] not in ("sale", "purchase") and "kind" not in errors:
        errors["kind"] = [NOT_LISTED]
    for field in ("customer_type", "supplier_type"):
        if contract[field] not in _PARTIES:
            errors[field] = [NOT_LISTED if parsing.filled(contract[field]) else BLANK]
    namesakes = account.contracts.every(CONTRACTS.c.name == contract["name"], CONTRACTS.c.id != contract["id"])
    if "name" not in errors and any(namesakes):
        errors["name"] = ["Já existe um contrato com este nome nesta conta."]
    sells = contract["kind"] == "sale" and "supplier_id" not in errors
    buys = contract["kind"] == "purchase" and "customer_id" not in errors
    if sells and not _is_organization(account, contract, "supplier"):
        errors["supplier_id"] = ["O fornecedor deve ser uma organização."]
    if buys and not _is_organization(account, contract, "customer"):
        errors["customer_id"] = ["O cliente deve ser uma organização."]
    return errors


def _is_organization(account: Account, contract: Json, side: str) -> bool:
    """Tell whether one side of a contract is an organization; a person may have the id of one."""
    return contract[f"{side}_type"] != "Person" and account.organizations.peek(contract[f"{side}_id"]) is not None


subscriptions = Endpoints("subscriptions")
_PLANS: Final = "/organizations/{organization_id}/plans"
_PERIODS: Final = {1: "Mensalmente", 2: "Bimestralmente", 3: "Trimestralmente", 6: "Semestralmente", 12: "Anualmente"}
_WHOLE: Final = ("_id", "_period", "_quantity", "_limit", "_update")
_NOT_SHOWN: Final = frozenset({"customer_type", "overdue_automatic_management"})


class Subscription(BaseModel):
    """A contract by subscription, with its plan and perhaps how it is paid."""

    model_config = ConfigDict(extra="allow")

    id: int = Field(description="Id of the contract.")
    token: str | None = Field(description="Token that names it.")
    plan: dict[str, Any] | None = Field(description="Its plan.")


_ONE: Final = under("subscription", Subscription)


@subscriptions.get(_PLANS, responses=refused(404), response_model=under("plans", list[Plan]))
async def plans(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's plans (withdrawn)."""
    number = account.organization(organization_id)["id"]
    visible = or_(PLANS.c.organization_id == number, PLANS.c.organization_id.is_(None))
    return collection("plans", account.plans.answers(visible))


@subscriptions.post(_PLANS, status_code=201, responses=refused(400, 404, 422), response_model=under("plan", Plan))
async def create_plan(account: TheAccount, organization_id: Id, body: PlanBody) -> Response:
    """Create a plan (withdrawn)."""
    number = account.organization(organization_id)["id"]
    plan = Plan(id=account.sequences.next("plans"), created_at=account.clock.stamp()).model_dump()
    _assign_plan(plan, body.named())
    return ok("plan", account.plans.add(plan | {"organization_id": number}), status=201)


@subscriptions.change(f"{_PLANS}/{{plan_id}}", responses=refused(400, 404, 422), response_model=under("plan", Plan))
async def update_plan(account: TheAccount, organization_id: Id, plan_id: Id, body: PlanBody) -> Response:
    """Change a plan (withdrawn)."""
    account.organization(organization_id)
    plan = account.plans.get(plan_id)
    if plan is None:
        raise NotFoundRefusal
    _assign_plan(plan, body.named())
    return ok("plan", account.plans.change(plan))


@subscriptions.delete(f"{_PLANS}/{{plan_id}}", status_code=204, responses=refused(404))
async def destroy_plan(account: TheAccount, organization_id: Id, plan_id: Id) -> Response:
    """Remove a plan (withdrawn)."""
    account.organization(organization_id)
    if account.plans.peek(plan_id) is None:
        raise NotFoundRefusal
    account.plans.remove(plan_id)
    return nothing()


@subscriptions.post("/subscriptions", status_code=201, responses=refused(400, 404), response_model=_ONE)
async def create_subscription(account: TheAccount, body: SubscriptionBody) -> Response:
    """Create a subscription with its customer (withdrawn)."""
    params = body.named()
    plan = _plan(account, params.get("plan_id"))
    given = params.get("customer")
    customer = given if isinstance(given, dict) else {}
    seller = next(account.organizations.every(), None)
    if seller is None:
        raise NotFoundRefusal
    stamp, today = account.clock.stamp(), parsing.brazilian(account.clock.today)
    company = Company(id=account.sequences.next("companies"), name=parsing.text(customer.get("name")), created_at=stamp)
    account.companies.add(company.model_dump())
    name = f"Assinatura {company.name or ''} - {plan['name']}"
    contract = Contract(id=account.sequences.next("contracts"), name=name, title=name, created_at=stamp).model_dump()
    contract |= {"customer_id": company.id, "supplier_id": seller["id"], "token": secrets.token_hex(16)}
    contract |= {"registration_method": "subscription", "status": "trial", "plan": plan}
    for field in ("cobrato_payment_gateway_charge_config_id", "cobrato_payment_gateway_charge_config_name"):
        contract[field] = plan[field]
    contract |= {"init_date": today, "end_date": today, "valid_until": today}
    return ok("subscription", _shown(account.contracts.add(contract)), status=201)


@subscriptions.get("/subscriptions/token/{token}", responses=refused(404), response_model=_ONE)
async def show_subscription(account: TheAccount, token: str) -> Response:
    """Show a subscription (withdrawn)."""
    return ok("subscription", _shown(orjson.dumps(_found_subscription(account, token))))


@subscriptions.patch("/subscriptions/{token}/change_plan", responses=refused(400, 404), response_model=_ONE)
async def change_plan(account: TheAccount, token: str, body: SubscriptionBody) -> Response:
    """Let a subscription go on with another plan."""
    contract = _found_subscription(account, token)
    contract["plan"] = _plan(account, body.named().get("new_plan_id"))
    account.events.append({"event": "change_plan", "plan_id": contract["plan"]["id"], "contract_token": token})
    payment = PaymentInformation(created_at=contract["created_at"], installments=1).model_dump()
    return ok("subscription", _shown(account.contracts.change(contract), payment_information=_of_2019(payment)))


@subscriptions.patch("/subscriptions/{token}/cancel", responses=refused(404), response_model=_ONE)
async def cancel_subscription(account: TheAccount, token: str) -> Response:
    """Cancel a subscription (withdrawn): it ends with what is paid."""
    contract = _found_subscription(account, token)
    contract["end_date"] = contract["valid_until"] or parsing.brazilian(account.clock.today)
    return ok("subscription", _shown(account.contracts.change(contract)))


@subscriptions.post(
    "/subscriptions/checkout/{token}", status_code=200, responses=refused(400, 404), response_model=_ONE
)
async def check_out(account: TheAccount, token: str, body: SubscriptionBody) -> Response:
    """Sign a subscription that waits for its customer (withdrawn)."""
    contract = _found_subscription(account, token)
    contract["status"] = "established"
    payment = PaymentInformation(created_at=account.clock.stamp(), installments=1, payment_method=_method(body))
    payment.id = account.sequences.next("payment_information")
    written = account.contracts.change(contract)
    return ok("subscription", _shown(written, payment_information=_of_2019(payment.model_dump())))


@subscriptions.patch(
    "/subscriptions/{token}/update_payment_information", responses=refused(400, 404), response_model=_ONE
)
async def pay_otherwise(account: TheAccount, token: str, body: SubscriptionBody) -> Response:
    """Pay a subscription another way (withdrawn)."""
    written = orjson.dumps(_found_subscription(account, token))
    return ok("subscription", _shown(written, payment_information={"payment_method": _method(body)}))


def _method(body: SubscriptionBody) -> str:
    given = body.named().get("payment_information")
    return (parsing.filled(given.get("type")) if isinstance(given, dict) else None) or "billet"


def _of_2019(payment: Json) -> Json:
    later = ("financial_charge_template_id", "financial_account_id", "charging_account_id")
    return {field: value for field, value in payment.items() if field not in later}


def _found_subscription(account: Account, token: str) -> Json:
    found = next(account.contracts.every(CONTRACTS.c.token == token), None)
    if found is None:
        raise NotFoundRefusal
    return found


def _shown(contract: bytes, **more: Any) -> bytes:
    answered: Json = orjson.loads(contract) | more
    return orjson.dumps({field: value for field, value in answered.items() if field not in _NOT_SHOWN})


def _plan(account: Account, given: Any) -> Json:
    """Return a plan of the account; one that only its contracts know counts too."""
    number = parsing.identifier(given)
    plans = (*account.plans.every(), *(contract["plan"] for contract in account.contracts.every() if contract["plan"]))
    plan = next((plan for plan in plans if plan["id"] == number), None)
    if plan is None:
        raise NotFoundRefusal
    return {field: value for field, value in plan.items() if field in Plan.model_fields}


def _assign_plan(plan: Json, params: Json) -> None:
    unchanging = {"id", "created_at", "features", "products", "translated_billing_period", "translated_charging_method"}
    for field in plan.keys() & params.keys() - unchanging:
        if field == "price":
            plan[field] = parsing.amount(parsing.decimal(params[field]) or parsing.CENTS * 0)
        elif field.endswith(_WHOLE):
            number = parsing.integer(params[field])
            # As printed: a plan without readjustment has no periodicity of it, and no notice.
            plan[field] = None if field.startswith("readjustment") and not number else number
        elif isinstance(plan[field], bool):
            plan[field] = bool(parsing.boolean(params[field]))
        else:
            given = parsing.text(params[field])
            plan[field] = (given or None) if plan[field] is None else given
    plan["translated_billing_period"] = _PERIODS.get(plan["billing_period"] or 1, "Mensalmente")
    if not parsing.filled(plan["name"]):
        raise ValidationRefusal({"name": [BLANK]})
