"""The account's catalogues: service items, and the templates that invoices and rules are made with."""

from typing import Annotated, Any

from fastapi import Query, Response
from sqlalchemy import ColumnElement, Table, or_

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    Json,
    NotFoundRefusal,
    ParameterRefusal,
    ValidationRefusal,
    collection,
    nothing,
    ok,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.forms import ServiceItemBody
from ciclo_sandbox.models import EmailTemplate, InvoiceTemplate, Organization, ServiceItem
from ciclo_sandbox.storage import EMAIL_TEMPLATES, INVOICE_TEMPLATES, SERVICE_ITEMS

router = Endpoints("catalogues")
_NOT_FOR_SEARCH = "Parâmetro(s) inválido(s) para busca: {}"


@router.get("/organizations/{organization_id}/email_templates", responses=refused(404),
            response_model=under("email_templates", list[EmailTemplate]))  # fmt: skip
async def email_templates(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's e-mail templates."""
    visible = _visible(account, organization_id, EMAIL_TEMPLATES)
    return collection("email_templates", account.email_templates.answers(visible))


@router.get("/organizations/{organization_id}/invoice_templates", responses=refused(404),
            response_model=under("invoice_templates", list[InvoiceTemplate]))  # fmt: skip
async def invoice_templates(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's invoice templates."""
    visible = _visible(account, organization_id, INVOICE_TEMPLATES)
    return collection("invoice_templates", account.invoice_templates.answers(visible))


@router.get("/organizations/{organization_id}/invoice_templates/{template_id}", responses=refused(404),
            response_model=under("invoice_template", InvoiceTemplate))  # fmt: skip
async def invoice_template(account: TheAccount, organization_id: Id, template_id: Id) -> Response:
    """Show an invoice template of an organization."""
    visible = _visible(account, organization_id, INVOICE_TEMPLATES)
    found = account.invoice_templates.answers(INVOICE_TEMPLATES.c.id == template_id, visible)
    if not found:
        raise NotFoundRefusal
    return ok("invoice_template", found[0])


@router.get("/companies/search", responses=refused(400), response_model=under("companies", list[Organization]))
async def companies(cnpj: Annotated[str | None, Query(description="Registration number.")] = None) -> Response:
    """Search companies by CNPJ; the sandbox knows none, which is all that a client's token check asks."""
    if not cnpj:
        raise ParameterRefusal(_NOT_FOR_SEARCH.format("cnpj"))
    return collection("companies", [])


@router.get("/service_items", responses=refused(), response_model=under("service_items", list[ServiceItem]))
async def service_items(account: TheAccount) -> Response:
    """List the account's service items."""
    return collection("service_items", account.service_items.answers())


@router.get("/service_items/search", responses=refused(400, 404), response_model=under("service_item", ServiceItem))
async def search_service_item(
    account: TheAccount, name: Annotated[str | None, Query(description="The exact name.")] = None
) -> Response:
    """Find the service item of a name."""
    if not name:
        raise ParameterRefusal(_NOT_FOR_SEARCH.format("name"))
    found = account.service_items.answers(SERVICE_ITEMS.c.name == name)
    if not found:
        raise NotFoundRefusal
    return ok("service_item", found[0])


@router.post("/service_items", status_code=201, responses=refused(400, 422),
             response_model=under("service_item", ServiceItem))  # fmt: skip
async def create_service_item(account: TheAccount, body: ServiceItemBody) -> Response:
    """Create a service item."""
    first = next(iter(account.service_items.every()), {"account_id": 1})
    item = {
        "id": account.sequences.next("service_items"),
        "account_id": first["account_id"],
        "name": None,
        "description": None,
        "value": None,
        "unit": "item",
    }
    _assign(account, item, body.named())
    return ok("service_item", account.service_items.add(item), status=201)


@router.change("/service_items/{item_id}", responses=refused(400, 404, 422),
                  response_model=under("service_item", ServiceItem))  # fmt: skip
async def update_service_item(account: TheAccount, item_id: Id, body: ServiceItemBody) -> Response:
    """Change a service item."""
    item = _service_item(account, item_id)
    _assign(account, item, body.named())
    return ok("service_item", account.service_items.change(item))


@router.delete("/service_items/{item_id}", status_code=204, responses=refused(404, 422))
async def destroy_service_item(account: TheAccount, item_id: Id) -> Response:
    """Remove a service item that nothing uses."""
    item = _service_item(account, item_id)
    if _is_used(account, item):
        refusal = "Não foi possível apagar este serviço. Verifique se há faturamentos ou planos associados ao mesmo."
        raise ValidationRefusal({"base": [refusal]})
    account.service_items.remove(item["id"])
    return nothing()


def _visible(account: Account, organization_id: int, table: Table) -> ColumnElement[bool]:
    # A template's answer does not say whose it is: without an organization it is everybody's.
    number = account.organization(organization_id)["id"]
    return or_(table.c.organization_id == number, table.c.organization_id.is_(None))


def _service_item(account: Account, number: int) -> Json:
    item = account.service_items.get(number)
    if item is None:
        raise NotFoundRefusal
    return item


def _assign(account: Account, item: Json, params: Json) -> None:
    errors: dict[str, str | list[str]] = {}
    for field in ("name", "description", "unit"):
        if field in params:
            item[field] = casting.text(params[field])
    if "value" in params:
        number = casting.decimal(params["value"])
        item["value"] = None if number is None else casting.amount(number)
        if number is None and casting.filled(params["value"]):
            errors["value"] = ["não é um número"]
    if not casting.filled(item["name"]):
        errors["name"] = [BLANK]
    elif account.service_items.answers(SERVICE_ITEMS.c.name == item["name"], SERVICE_ITEMS.c.id != item["id"]):
        errors["name"] = ["já está em uso"]
    if errors:
        raise ValidationRefusal(errors)


def _is_used(account: Account, item: Json) -> bool:
    documents = (account.invoices, account.rules, account.invoice_templates)
    if any(_uses(document, item) for kind in documents for document in kind.every(kind.table.c.hidden.is_not(None))):
        return True
    return any(_plan_sells(contract["plan"], item) for contract in account.contracts.every())


def _uses(document: Json, item: Json) -> bool:
    return any(line["service_item_id"] == item["id"] for line in document.get("services") or ())


def _plan_sells(plan: Any, item: Json) -> bool:
    products = plan.get("products") if isinstance(plan, dict) else None
    return any(isinstance(product, dict) and product.get("name") == item["name"] for product in products or ())
