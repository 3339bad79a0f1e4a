"""The account's catalogues: service items, templates, accounts that receive, and tax documents."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from operator import eq, ge, le, ne
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Request, Response
from sqlalchemy import ColumnElement, or_

from ciclo_sandbox import parsing
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
    page,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, page_asked, paged, refused, under
from ciclo_sandbox.forms import ServiceItemBody
from ciclo_sandbox.models import (
    ChargeTemplate,
    EmailTemplate,
    FinancialAccount,
    InvoiceTemplate,
    Nfse,
    NfseTemplate,
    ServiceItem,
)
from ciclo_sandbox.storage import SERVICE_ITEMS, Documents

router = Endpoints("catalogues")
_NOT_FOR_SEARCH: Final = "Parâmetro(s) inválido(s) para busca: {}"
_ORGANIZATION: Final = "/organizations/{organization_id}"


@router.get(f"{_ORGANIZATION}/email_templates", responses=refused(404),
            response_model=under("email_templates", list[EmailTemplate]))  # fmt: skip
async def email_templates(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's e-mail templates, by name."""
    return collection("email_templates", _visible(account, account.email_templates, organization_id))


@router.get(f"{_ORGANIZATION}/nfse_templates", responses=refused(404),
            response_model=under("nfse_templates", list[NfseTemplate]))  # fmt: skip
async def nfse_templates(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's NFS-e templates, by name."""
    return collection("nfse_templates", _visible(account, account.nfse_templates, organization_id))


@router.get(f"{_ORGANIZATION}/invoice_templates", responses=refused(404),
            response_model=under("invoice_templates", list[InvoiceTemplate]))  # fmt: skip
async def invoice_templates(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's invoice templates, by name."""
    return collection("invoice_templates", _visible(account, account.invoice_templates, organization_id))


@router.get(f"{_ORGANIZATION}/invoice_templates/search", responses=refused(400, 404),
            response_model=under("invoice_templates", list[InvoiceTemplate]))  # fmt: skip
async def search_invoice_templates(
    account: TheAccount,
    organization_id: Id,
    kind: Annotated[str | None, Query(alias="type", description="invoice or invoice_rule.")] = None,
) -> Response:
    """List the templates that serve invoices (periodicity once), or those that serve rules (all others)."""
    account.organization(organization_id)
    if kind not in ("invoice", "invoice_rule"):
        raise ParameterRefusal(_NOT_FOR_SEARCH.format("type"))
    found = _visible(account, account.invoice_templates, organization_id)
    serving = (each for each in found if is_once(orjson.loads(each)) == (kind == "invoice"))
    return collection("invoice_templates", serving)


@router.get(f"{_ORGANIZATION}/invoice_templates/{{template_id}}", responses=refused(404),
            response_model=under("invoice_template", InvoiceTemplate))  # fmt: skip
async def invoice_template(account: TheAccount, organization_id: Id, template_id: Id) -> Response:
    """Show an invoice template of an organization."""
    return ok("invoice_template", _one(account, account.invoice_templates, template_id, organization_id))


@router.get(f"{_ORGANIZATION}/charge_templates", responses=refused(404),
            response_model=under("charge_templates", list[ChargeTemplate]))  # fmt: skip
async def charge_templates(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's charge templates, by name."""
    return collection("charge_templates", _visible(account, account.charge_templates, organization_id))


@router.get(f"{_ORGANIZATION}/charge_templates/{{template_id}}", responses=refused(404),
            response_model=under("charge_template", ChargeTemplate))  # fmt: skip
async def charge_template(account: TheAccount, organization_id: Id, template_id: Id) -> Response:
    """Show a charge template of an organization."""
    return ok("charge_template", _one(account, account.charge_templates, template_id, organization_id))


@router.get("/charge_templates", responses=refused(), response_model=under("charge_templates", list[ChargeTemplate]))
async def all_charge_templates(account: TheAccount) -> Response:
    """List the account's charge templates, as the path was in March 2021."""
    return collection("charge_templates", _visible(account, account.charge_templates, None))


@router.get("/charge_templates/{template_id}", responses=refused(404),
            response_model=under("charge_template", ChargeTemplate))  # fmt: skip
async def any_charge_template(account: TheAccount, template_id: Id) -> Response:
    """Show a charge template, as the path was in March 2021."""
    return ok("charge_template", _one(account, account.charge_templates, template_id, None))


@router.get(f"{_ORGANIZATION}/financial_accounts", responses=refused(404),
            response_model=under("financial_accounts", list[FinancialAccount]))  # fmt: skip
async def financial_accounts(account: TheAccount, organization_id: Id) -> Response:
    """List an organization's accounts that receive."""
    return collection("financial_accounts", _visible(account, account.financial_accounts, organization_id))


@router.get(f"{_ORGANIZATION}/financial_accounts/{{financial_account_id}}", responses=refused(404),
            response_model=under("financial_account", FinancialAccount))  # fmt: skip
async def financial_account(account: TheAccount, organization_id: Id, financial_account_id: Id) -> Response:
    """Show an account that receives."""
    return ok("financial_account", _one(account, account.financial_accounts, financial_account_id, organization_id))


def is_once(template: Json) -> bool:
    """Tell whether a template serves invoices only.

    How the periodicity "once" reads is nowhere shown: taken for it are a unit `once` and, for want of any number of
    months, a template that is not weekly.
    """
    return template["period_unit"] == "once" or (template["period_unit"] != "weekly" and not template["month_quantity"])


def _visible(account: Account, documents: Documents, organization_id: int | None) -> list[bytes]:
    conditions = [] if organization_id is None else [_of(account, documents, organization_id)]
    return documents.answers(*conditions, order=(documents.table.c.name,))


def _of(account: Account, documents: Documents, organization_id: int) -> ColumnElement[bool]:
    # An invoice template's answer does not say whose it is: without an organization it is everybody's.
    column: ColumnElement[int | None] = documents.table.c.organization_id
    return or_(column == account.organization(organization_id)["id"], column.is_(None))


def _one(account: Account, documents: Documents, number: int, organization_id: int | None) -> bytes:
    conditions = [] if organization_id is None else [_of(account, documents, organization_id)]
    found = documents.answers(documents.table.c.id == number, *conditions)
    if not found:
        raise NotFoundRefusal
    return found[0]


# --- Tax documents

# What the search calls by a number is answered as a word; 3 and 5 are named nowhere.
_STATUSES: Final = {"1": "Emitida", "2": "Cancelada", "4": "Cancelando", "6": "Erro ao cancelar"}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {"_not_eq": ne, "_eq": eq, "_gteq": ge, "_lteq": le}


@router.get(f"{_ORGANIZATION}/nfses/search", responses=refused(400, 404), response_model=paged("nfses", Nfse))
async def nfses(
    request: Request,
    account: TheAccount,
    organization_id: Id,
    number: Annotated[str | None, Query(alias="page", description="Page, from 1.")] = None,
    per_page: Annotated[str | None, Query(description="Entries on a page; 50 unless given, at most 100.")] = None,
) -> Response:
    """Search an organization's tax documents: `q[<field>_eq]`, `_not_eq`, `_gteq`, `_lteq`, `_in][]`, `_not_in][]`."""
    of_organization = _of(account, account.nfses, organization_id)
    filters = list(_filters(request.query_params.multi_items()))
    found = [nfse for nfse in account.nfses.every(of_organization) if all(_meets(nfse, *each) for each in filters)]
    at, size = page_asked(number, per_page)
    wanted = (orjson.dumps(nfse) for nfse in found[(at - 1) * size : at * size])
    return page("nfses", wanted, number=at, per_page=size, total=len(found))


def _filters(query: list[tuple[str, str]]) -> Iterator[tuple[str, str, list[str]]]:
    asked: dict[str, list[str]] = {}
    for name, value in query:
        if name.startswith("q["):
            asked.setdefault(name.removeprefix("q[").removesuffix("[]").removesuffix("]"), []).append(value)
    for name, values in asked.items():
        suffix = next((each for each in (*_COMPARISONS, "_not_in", "_in") if name.endswith(each)), "")
        field = name.removesuffix(suffix)
        if not suffix or field not in Nfse.model_fields:
            raise ParameterRefusal(_NOT_FOR_SEARCH.format(name))
        yield field, suffix, values


def _meets(nfse: Json, field: str, suffix: str, values: list[str]) -> bool:
    wanted = [_STATUSES.get(value, value) if field == "status" else value for value in values]
    if suffix in ("_in", "_not_in"):
        return any(eq(*_comparable(nfse[field], each)) for each in wanted) == (suffix == "_in")
    if nfse[field] is None:
        return suffix == "_not_eq"
    return _COMPARISONS[suffix](*_comparable(nfse[field], wanted[-1]))


def _comparable(answered: Any, asked: str) -> tuple[Any, Any]:
    """Return a field's value and a filter's as two days, two numbers, or else two texts."""
    days = parsing.day(str(answered)[:10]), parsing.day(asked[:10])
    if isinstance(days[0], date) and isinstance(days[1], date):
        return days
    numbers = parsing.decimal(answered), parsing.decimal(asked)
    if isinstance(numbers[0], Decimal) and isinstance(numbers[1], Decimal):
        return numbers
    return parsing.text(answered) or "", asked


# --- Service items


@router.get("/service_items", responses=refused(), response_model=under("service_items", list[ServiceItem]))
async def service_items(account: TheAccount) -> Response:
    """List the account's service items, the last name first, as on record and in the documents."""
    return collection("service_items", account.service_items.answers(order=(SERVICE_ITEMS.c.name.desc(),)))


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


def _service_item(account: Account, number: int) -> Json:
    item = account.service_items.get(number)
    if item is None:
        raise NotFoundRefusal
    return item


def _assign(account: Account, item: Json, params: Json) -> None:
    errors: dict[str, str | list[str]] = {}
    for field in ("name", "description", "unit"):
        if field in params:
            item[field] = parsing.text(params[field])
    if "value" in params:
        number = parsing.decimal(params["value"])
        item["value"] = None if number is None else parsing.amount(number)
        if number is None and parsing.filled(params["value"]):
            errors["value"] = ["não é um número"]
    if not parsing.filled(item["name"]):
        errors["name"] = [BLANK]
    elif account.service_items.answers(SERVICE_ITEMS.c.name == item["name"], SERVICE_ITEMS.c.id != item["id"]):
        errors["name"] = ["já está em uso"]
    if errors:
        raise ValidationRefusal(errors)


def _is_used(account: Account, item: Json) -> bool:
    for kind in (account.invoices, account.rules, account.invoice_templates):
        for document in kind.every(kind.table.c.hidden.is_not(None)):
            if any(line["service_item_id"] == item["id"] for line in document.get("services") or ()):
                return True
    plans = (*account.plans.every(), *(contract["plan"] or {} for contract in account.contracts.every()))
    return any(product["name"] == item["name"] for plan in plans for product in plan.get("products") or ())
