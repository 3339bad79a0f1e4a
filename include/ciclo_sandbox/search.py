"""The invoice searches: in a contract, what is late, and across an organization (paginated).

A parameter that cannot be read is refused with 400 and its name, never ignored.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json, ParameterRefusal, collection, page
from ciclo_sandbox.api import Endpoints, Id, TheAccount, page_asked, paged, refused, under
from ciclo_sandbox.documents import past_due, with_receivable
from ciclo_sandbox.fields import STATES
from ciclo_sandbox.models import Invoice
from ciclo_sandbox.storage import INVOICES, RECEIVABLES

router = Endpoints("searches")

_DAY: Final = "dd-mm-yyyy, dd/mm/yyyy or yyyy-mm-dd"
_UNREADABLE: Final = "Parâmetro(s) obrigatório(s) para busca não encontrado(s) ou inválido(s): "
_INVALID: Final = "Parâmetro(s) inválido(s) para busca: "


_First = Annotated[str | None, Query(description=f"First day, {_DAY}.")]
_Last = Annotated[str | None, Query(description=f"Last day, {_DAY}.")]
_State = Annotated[str | None, Query(description="to_emit, to_receive, received, cancelled or late.")]
_Page = Annotated[str | None, Query(description="Page, from 1.")]
_PerPage = Annotated[str | None, Query(description="Entries on a page; 50 unless given, at most 100.")]


@router.get("/contracts/{contract_id}/invoices/search", responses=refused(400, 404),
            response_model=under("invoices", list[Invoice]))  # fmt: skip
async def in_contract(
    account: TheAccount, contract_id: Id, issue_date_from: _First = None, issue_date_to: _Last = None
) -> Response:
    """Search a contract's invoices by issue date, both days required and included."""
    contract = account.contract(contract_id)
    days = {"issue_date_from": parsing.day(issue_date_from), "issue_date_to": parsing.day(issue_date_to)}
    if missing := [name for name, found in days.items() if found is None]:
        raise ParameterRefusal(_UNREADABLE + ", ".join(missing))
    first, last = (parsing.iso(found) for found in days.values())
    between = INVOICES.c.issue_date.between(first, last)
    order = (INVOICES.c.issue_date,)
    return collection(
        "invoices", account.invoices.answers(INVOICES.c.contract_id == contract["id"], between, order=order)
    )


@router.get("/contracts/{contract_id}/invoices/late", responses=refused(404),
            response_model=under("invoices", list[Invoice]))  # fmt: skip
async def late(account: TheAccount, contract_id: Id) -> Response:
    """List a contract's invoices with at least one receivable past due and unpaid."""
    contract = account.contract(contract_id)
    mine = (RECEIVABLES.c.contract_id == contract["id"],)
    conditions = (INVOICES.c.contract_id == contract["id"], with_receivable(*mine, *past_due(account.clock.today)))
    return collection("invoices", account.invoices.answers(*conditions, order=(INVOICES.c.issue_date,)))


class InvoiceFilters(BaseModel):
    """Query of the invoice search across an organization."""

    issue_date_gteq: _First = Field(None, alias="q[issue_date_gteq]")
    issue_date_lteq: _Last = Field(None, alias="q[issue_date_lteq]")
    receivables_due_date_gteq: _First = Field(None, alias="q[receivables_due_date_gteq]")
    receivables_due_date_lteq: _Last = Field(None, alias="q[receivables_due_date_lteq]")
    state_eq: _State = Field(None, alias="q[state_eq]")
    contract_id_eq: Annotated[str | None, Query(description="Contract.")] = Field(None, alias="q[contract_id_eq]")
    customer_id_eq: Annotated[str | None, Query(description="Customer.")] = Field(None, alias="q[customer_id_eq]")
    customer_type_eq: Annotated[str | None, Query(description="Company or Person.")] = Field(
        None, alias="q[customer_type_eq]"
    )
    page: _Page = None
    per_page: _PerPage = None


@router.get("/organizations/{organization_id}/invoices/search", responses=refused(400, 404),
            response_model=paged("invoices", Invoice))  # fmt: skip
async def in_organization(
    account: TheAccount, organization_id: Id, filters: Annotated[InvoiceFilters, Query()]
) -> Response:
    """Search an organization's invoices, a page at a time, by issue date."""
    organization = account.organization(organization_id)
    query = filters.model_dump(by_alias=True)
    conditions = [INVOICES.c.organization_id == organization["id"], *_filters(account, organization, query)]
    number, per_page = page_asked(filters.page, filters.per_page)
    total, found = account.invoices.page(conditions, page=number, per_page=per_page)
    # As documented, the searches call a boleto's address otherwise than create and show do.
    shown = (each.replace(b'"billet_url":', b'"boleto_url":') for each in found)
    return page("invoices", shown, number=number, per_page=per_page, total=total)


def _filters(account: Account, organization: Json, query: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    bad = [name for name in _BOUNDS if query.get(f"q[{name}]") and parsing.day(query[f"q[{name}]"]) is None]
    state, kind = query.get("q[state_eq]"), query.get("q[customer_type_eq]")
    if state and state not in (*STATES, "late"):
        bad.append("state_eq")
    ids = {name: query[f"q[{name}_eq]"] for name in ("contract_id", "customer_id") if query.get(f"q[{name}_eq]")}
    bad += [f"{name}_eq" for name, given in ids.items() if parsing.identifier(given) is None]
    if kind and kind not in ("Company", "Person"):
        bad.append("customer_type_eq")
    if bad:
        raise ParameterRefusal(_INVALID + ", ".join(bad))
    yield from _bounds(query, INVOICES.c.issue_date, "issue_date")
    for name, given in ids.items():
        yield INVOICES.c[name] == parsing.identifier(given)
    if kind:
        yield INVOICES.c.customer_type == kind
    mine = RECEIVABLES.c.organization_id == organization["id"]
    if due := list(_bounds(query, RECEIVABLES.c.due_date, "receivables_due_date")):
        yield with_receivable(mine, *due)
    if state == "late":
        yield with_receivable(mine, *past_due(account.clock.today))
    elif state:
        yield INVOICES.c.state == state


_BOUNDS: Final = ("issue_date_gteq", "issue_date_lteq", "receivables_due_date_gteq", "receivables_due_date_lteq")


def _bounds(query: Mapping[str, Any], column: Any, name: str) -> Iterator[ColumnElement[bool]]:
    if first := parsing.day(query.get(f"q[{name}_gteq]")):
        yield column >= first.isoformat()
    if last := parsing.day(query.get(f"q[{name}_lteq]")):
        yield column <= last.isoformat()
