"""Subscriptions and plans: contracts that a customer signs on a page of the vendor's.

Of all these calls only `change_plan` is left (plans and subscriptions were withdrawn in 2023, the checkout in 2019).
The others answer in the shape that the documents showed last; nothing is billed by a plan.
"""

import secrets
from typing import Any, Final

import orjson
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import or_

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, Json, NotFoundRefusal, ValidationRefusal, collection, ok
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.forms import PlanBody, SubscriptionBody
from ciclo_sandbox.models import Company, Contract, PaymentInformation, Plan
from ciclo_sandbox.storage import CONTRACTS, PLANS

router = Endpoints("subscriptions")
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


@router.get(_PLANS, responses=refused(404), response_model=under("plans", list[Plan]))
async def plans(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's plans (withdrawn)."""
    number = account.organization(organization_id)["id"]
    visible = or_(PLANS.c.organization_id == number, PLANS.c.organization_id.is_(None))
    return collection("plans", account.plans.answers(visible))


@router.post(_PLANS, status_code=201, responses=refused(400, 404, 422), response_model=under("plan", Plan))
async def create_plan(account: TheAccount, organization_id: Id, body: PlanBody) -> Response:
    """Create a plan (withdrawn)."""
    number = account.organization(organization_id)["id"]
    plan = Plan(id=account.sequences.next("plans"), created_at=account.clock.stamp()).model_dump()
    _assign(plan, body.named())
    return ok("plan", account.plans.add(plan | {"organization_id": number}), status=201)


@router.change(f"{_PLANS}/{{plan_id}}", responses=refused(400, 404, 422), response_model=under("plan", Plan))
async def update_plan(account: TheAccount, organization_id: Id, plan_id: Id, body: PlanBody) -> Response:
    """Change a plan (withdrawn)."""
    account.organization(organization_id)
    plan = account.plans.get(plan_id)
    if plan is None:
        raise NotFoundRefusal
    _assign(plan, body.named())
    return ok("plan", account.plans.change(plan))


@router.post("/subscriptions", status_code=201, responses=refused(400, 404), response_model=_ONE)
async def create(account: TheAccount, body: SubscriptionBody) -> Response:
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


@router.get("/subscriptions/token/{token}", responses=refused(404), response_model=_ONE)
async def show(account: TheAccount, token: str) -> Response:
    """Show a subscription (withdrawn)."""
    return ok("subscription", _shown(orjson.dumps(_found(account, token))))


@router.patch("/subscriptions/{token}/change_plan", responses=refused(400, 404), response_model=_ONE)
async def change_plan(account: TheAccount, token: str, body: SubscriptionBody) -> Response:
    """Let a subscription go on with another plan."""
    contract = _found(account, token)
    contract["plan"] = _plan(account, body.named().get("new_plan_id"))
    account.events.append({"event": "change_plan", "plan_id": contract["plan"]["id"], "contract_token": token})
    payment = PaymentInformation(created_at=contract["created_at"], installments=1).model_dump()
    return ok("subscription", _shown(account.contracts.change(contract), payment_information=_of_2019(payment)))


@router.patch("/subscriptions/{token}/cancel", responses=refused(404), response_model=_ONE)
async def cancel(account: TheAccount, token: str) -> Response:
    """Cancel a subscription (withdrawn): it ends with what is paid."""
    contract = _found(account, token)
    contract["end_date"] = contract["valid_until"] or parsing.brazilian(account.clock.today)
    return ok("subscription", _shown(account.contracts.change(contract)))


@router.post("/subscriptions/checkout/{token}", status_code=200, responses=refused(400, 404), response_model=_ONE)
async def check_out(account: TheAccount, token: str, body: SubscriptionBody) -> Response:
    """Sign a subscription that waits for its customer (withdrawn)."""
    contract = _found(account, token)
    contract["status"] = "established"
    payment = PaymentInformation(created_at=account.clock.stamp(), installments=1, payment_method=_method(body))
    payment.id = account.sequences.next("payment_information")
    written = account.contracts.change(contract)
    return ok("subscription", _shown(written, payment_information=_of_2019(payment.model_dump())))


@router.patch("/subscriptions/{token}/update_payment_information", responses=refused(400, 404), response_model=_ONE)
async def pay_otherwise(account: TheAccount, token: str, body: SubscriptionBody) -> Response:
    """Pay a subscription another way (withdrawn)."""
    written = orjson.dumps(_found(account, token))
    return ok("subscription", _shown(written, payment_information={"payment_method": _method(body)}))


def _method(body: SubscriptionBody) -> str:
    given = body.named().get("payment_information")
    return (parsing.filled(given.get("type")) if isinstance(given, dict) else None) or "billet"


def _of_2019(payment: Json) -> Json:
    later = ("financial_charge_template_id", "financial_account_id", "charging_account_id")
    return {field: value for field, value in payment.items() if field not in later}


def _found(account: Account, token: str) -> Json:
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


def _assign(plan: Json, params: Json) -> None:
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
