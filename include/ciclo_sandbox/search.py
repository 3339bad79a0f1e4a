"""The searches: in a contract, across an organization (paginated), what is late, and a contract's receivables.

The rule: a parameter that cannot be read is refused with 400 and its name, never ignored.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, select

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Answer, Json, ParameterRefusal, Request, collection
from ciclo_sandbox.fields import STATES
from ciclo_sandbox.invoice_documents import past_due, with_receivable
from ciclo_sandbox.storage import INVOICES, RECEIVABLES

PER_PAGE: Final = 50
MOST_PER_PAGE: Final = 100
_UNREADABLE: Final = "Parâmetro(s) obrigatório(s) para busca não encontrado(s) ou inválido(s): "
_INVALID: Final = "Parâmetro(s) inválido(s) para busca: "


def in_contract(account: Account, request: Request) -> Answer:
    """Search a contract's invoices by issue date, both days required and included."""
    contract = account.contract(request.ids["contract_id"])
    days = {name: casting.day(request.query.get(name)) for name in ("issue_date_from", "issue_date_to")}
    if missing := [name for name, found in days.items() if found is None]:
        raise ParameterRefusal(_UNREADABLE + ", ".join(missing))
    first, last = (casting.iso(found) for found in days.values())
    between = INVOICES.c.issue_date.between(first, last)
    order = (INVOICES.c.issue_date,)
    return collection(
        "invoices", account.invoices.answers(INVOICES.c.contract_id == contract["id"], between, order=order)
    )


def late(account: Account, request: Request) -> Answer:
    """List a contract's invoices with at least one receivable past due and unpaid."""
    contract = account.contract(request.ids["contract_id"])
    mine = (RECEIVABLES.c.contract_id == contract["id"],)
    conditions = (INVOICES.c.contract_id == contract["id"], with_receivable(*mine, *past_due(account.clock.today)))
    return collection("invoices", account.invoices.answers(*conditions, order=(INVOICES.c.issue_date,)))


def in_organization(account: Account, request: Request) -> Answer:
    """Search an organization's invoices, a page at a time, by id."""
    organization = account.organization(request.ids["organization_id"])
    conditions = [INVOICES.c.organization_id == organization["id"], *_filters(account, organization, request.query)]
    page = max(casting.integer(request.query.get("page")) or 1, 1)
    per_page = casting.integer(request.query.get("per_page")) or PER_PAGE
    per_page = min(max(per_page, 1), MOST_PER_PAGE)
    page = min(page, 2**40)
    total, found = account.invoices.page(conditions, page=page, per_page=per_page)
    head = orjson.dumps({"page": page, "per_page": per_page, "total_pages": -(-total // per_page)})
    return Answer(200, head[:-1] + b',"invoices":[' + b",".join(found) + b"]}")


def _filters(account: Account, organization: Json, query: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    bad = [name for name in _BOUNDS if query.get(f"q[{name}]") and casting.day(query[f"q[{name}]"]) is None]
    state = query.get("q[state_eq]")
    if state and state not in (*STATES, "late"):
        bad.append("state_eq")
    if bad:
        raise ParameterRefusal(_INVALID + ", ".join(bad))
    yield from _bounds(query, INVOICES.c.issue_date, "issue_date")
    mine = RECEIVABLES.c.organization_id == organization["id"]
    if due := list(_bounds(query, RECEIVABLES.c.due_date, "receivables_due_date")):
        yield with_receivable(mine, *due)
    if state == "late":
        yield with_receivable(mine, *past_due(account.clock.today))
    elif state:
        yield INVOICES.c.state == state


_BOUNDS: Final = ("issue_date_gteq", "issue_date_lteq", "receivables_due_date_gteq", "receivables_due_date_lteq")


def _bounds(query: Mapping[str, str], column: Any, name: str) -> Iterator[ColumnElement[bool]]:
    if first := casting.day(query.get(f"q[{name}_gteq]")):
        yield column >= first.isoformat()
    if last := casting.day(query.get(f"q[{name}_lteq]")):
        yield column <= last.isoformat()


def receivables(account: Account, request: Request) -> Answer:
    """Search a contract's receivables by due date and state, by due date."""
    contract = account.contract(request.ids["contract_id"])
    conditions = [RECEIVABLES.c.contract_id == contract["id"], *_receivable_filters(account, request.query)]
    rows = account.invoices.receivable_rows(*conditions)
    invoices = account.invoices.every(INVOICES.c.id.in_(select(RECEIVABLES.c.invoice_id).where(*conditions)))
    by_id: dict[int, Json] = {line["id"]: line for invoice in invoices for line in invoice["receivables"]}
    return Answer(200, orjson.dumps({"receivables": [by_id[row[0]] for row in rows]}))


def _receivable_filters(account: Account, query: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    days = {name: casting.day(query.get(name)) for name in ("due_date_from", "due_date_to")}
    bad = [name for name, found in days.items() if found is None and query.get(name)]
    state = query.get("state")
    if state and state not in (*STATES, "late"):
        bad.append("state")
    if bad:
        raise ParameterRefusal(_INVALID + ", ".join(bad))
    if first := casting.iso(days["due_date_from"]):
        yield RECEIVABLES.c.due_date >= first
    if last := casting.iso(days["due_date_to"]):
        yield RECEIVABLES.c.due_date <= last
    if state == "late":
        yield from past_due(account.clock.today)
    elif state:
        yield RECEIVABLES.c.state == state
