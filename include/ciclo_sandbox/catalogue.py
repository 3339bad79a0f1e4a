"""Service items, e-mail templates, invoice templates, and the company search that a client tries its token with.

The rule: the catalogues answer what the state file says; only service items can be changed.
"""

from typing import Any

from sqlalchemy import ColumnElement, Table, or_

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    Answer,
    Json,
    NotFoundRefusal,
    ParameterRefusal,
    Request,
    ValidationRefusal,
    collection,
    ok,
)
from ciclo_sandbox.storage import EMAIL_TEMPLATES, INVOICE_TEMPLATES, SERVICE_ITEMS


def email_templates(account: Account, request: Request) -> Answer:
    """List an organization's e-mail templates."""
    return collection("email_templates", account.email_templates.answers(_visible(account, request, EMAIL_TEMPLATES)))


def invoice_templates(account: Account, request: Request) -> Answer:
    """List an organization's invoice templates."""
    visible = _visible(account, request, INVOICE_TEMPLATES)
    return collection("invoice_templates", account.invoice_templates.answers(visible))


def invoice_template(account: Account, request: Request) -> Answer:
    """Show an invoice template of an organization."""
    visible = _visible(account, request, INVOICE_TEMPLATES)
    found = account.invoice_templates.answers(INVOICE_TEMPLATES.c.id == request.ids["id"], visible)
    if not found:
        raise NotFoundRefusal
    return ok("invoice_template", found[0])


def companies(_account: Account, request: Request) -> Answer:
    """Search companies by CNPJ; the sandbox knows none, which is all that a client's token check asks."""
    if not request.query.get("cnpj"):
        raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: cnpj")
    return collection("companies", [])


def service_items(account: Account, _request: Request) -> Answer:
    """List the account's service items."""
    return collection("service_items", account.service_items.answers())


def search_service_item(account: Account, request: Request) -> Answer:
    """Find the service item of a name."""
    name = request.query.get("name")
    if not name:
        raise ParameterRefusal("Parâmetro(s) inválido(s) para busca: name")
    found = account.service_items.answers(SERVICE_ITEMS.c.name == name)
    if not found:
        raise NotFoundRefusal
    return ok("service_item", found[0])


def create_service_item(account: Account, request: Request) -> Answer:
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
    _assign(account, item, request.params("service_item"))
    return ok("service_item", account.service_items.add(item), status=201)


def update_service_item(account: Account, request: Request) -> Answer:
    """Change a service item."""
    item = _service_item(account, request)
    _assign(account, item, request.params("service_item"))
    return ok("service_item", account.service_items.change(item))


def destroy_service_item(account: Account, request: Request) -> Answer:
    """Remove a service item that nothing uses."""
    item = _service_item(account, request)
    if _is_used(account, item):
        refusal = "Não foi possível apagar este serviço. Verifique se há faturamentos ou planos associados ao mesmo."
        raise ValidationRefusal({"base": [refusal]})
    account.service_items.remove(item["id"])
    return Answer(204)


def _visible(account: Account, request: Request, table: Table) -> ColumnElement[bool]:
    # A template's answer does not say whose it is: without an organization it is everybody's.
    number = account.organization(request.ids["organization_id"])["id"]
    return or_(table.c.organization_id == number, table.c.organization_id.is_(None))


def _service_item(account: Account, request: Request) -> Json:
    item = account.service_items.get(request.ids["id"])
    if item is None:
        raise NotFoundRefusal
    return item


def _assign(account: Account, item: Json, params: Json) -> None:
    errors: dict[str, list[str]] = {}
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
