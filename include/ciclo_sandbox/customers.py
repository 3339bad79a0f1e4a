"""Organizations, companies and people: whom the account bills for, and whom it bills.

A CNPJ or CPF is taken with or without punctuation. The vendor answers a CNPJ with it and a CPF without (as recorded),
and gives organizations and companies their ids from one sequence (an organization is a company of the account's own).
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, select

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    INVALID,
    Json,
    NotFoundRefusal,
    ParameterRefusal,
    ValidationRefusal,
    collection,
    nothing,
    ok,
)
from ciclo_sandbox.api import Endpoints, Id, TheAccount, refused, under
from ciclo_sandbox.forms import CompanyBody, OrganizationBody, PersonBody
from ciclo_sandbox.models import Company, Organization, Person
from ciclo_sandbox.storage import COMPANIES, ORGANIZATIONS, PEOPLE, Documents

router = Endpoints("customers")
_NOT_FOR_SEARCH: Final = "Parâmetro(s) inválido(s) para busca: {}"
_USED: Final = "Não é possível apagar {}, pois existem contratos associados."
_LENGTHS: Final = {"cnpj": 14, "cpf": 11}
_WEIGHTS: Final = {
    "cnpj": ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)),
    "cpf": ((10, 9, 8, 7, 6, 5, 4, 3, 2), (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)),
}
_KEPT_BY_THE_VENDOR: Final = frozenset({
    "id", "account_id", "kind", "created_at", "updated_at", "myfinance_customer_id", "myfinance_errors",
})  # fmt: skip

Cnpj = Annotated[str | None, Query(description="Registration number, with or without punctuation.")]
Cpf = Annotated[str | None, Query(description="Registration number, with or without punctuation.")]


@dataclass(frozen=True)
class _Kind:
    root: str
    document: str
    model: type[BaseModel]
    sequence: str
    named: str

    def of(self, account: Account) -> Documents:
        return {
            "organization": account.organizations, "company": account.companies, "person": account.people,
        }[self.root]  # fmt: skip


_ORGANIZATION: Final = _Kind("organization", "cnpj", Organization, "companies", "esta organização")
_COMPANY: Final = _Kind("company", "cnpj", Company, "companies", "esta empresa")
_PERSON: Final = _Kind("person", "cpf", Person, "people", "esta pessoa")


@router.get("/organizations", responses=refused(), response_model=under("organizations", list[Organization]))
async def organizations(account: TheAccount) -> Response:
    """List the account's organizations."""
    return collection("organizations", account.organizations.answers())


@router.get("/organizations/search", responses=refused(400, 404), response_model=under("organization", Organization))
async def search_organization(account: TheAccount, cnpj: Cnpj = None) -> Response:
    """Find the organization of a CNPJ."""
    found = account.organizations.answers(_numbered(_ORGANIZATION, cnpj, ORGANIZATIONS.c.registration))
    if not found:
        raise NotFoundRefusal
    return ok("organization", found[0])


@router.post("/organizations", status_code=201, responses=refused(400, 422),
             response_model=under("organization", Organization))  # fmt: skip
async def create_organization(account: TheAccount, body: OrganizationBody) -> Response:
    """Create an organization."""
    return _create(account, _ORGANIZATION, body.named())


@router.change("/organizations/{organization_id}", responses=refused(400, 404, 422),
               response_model=under("organization", Organization))  # fmt: skip
async def update_organization(account: TheAccount, organization_id: Id, body: OrganizationBody) -> Response:
    """Change an organization."""
    return _update(account, _ORGANIZATION, organization_id, body.named())


@router.delete("/organizations/{organization_id}", status_code=204, responses=refused(404, 422))
async def destroy_organization(account: TheAccount, organization_id: Id) -> Response:
    """Remove an organization without contracts."""
    return _destroy(account, _ORGANIZATION, organization_id)


@router.get("/companies", responses=refused(), response_model=under("companies", list[Company]))
async def companies(account: TheAccount) -> Response:
    """List the companies, by name."""
    return collection("companies", account.companies.answers(order=(COMPANIES.c.name,)))


@router.get("/companies/search", responses=refused(400), response_model=under("companies", list[Company]))
async def search_companies(account: TheAccount, cnpj: Cnpj = None) -> Response:
    """Find companies by CNPJ."""
    return collection("companies", account.companies.answers(_numbered(_COMPANY, cnpj, COMPANIES.c.registration)))


@router.get("/companies/{company_id}", responses=refused(404), response_model=under("company", Company))
async def company(account: TheAccount, company_id: Id) -> Response:
    """Show a company."""
    return ok("company", _shown(account, _COMPANY, company_id))


@router.post("/companies", status_code=201, responses=refused(400, 422), response_model=under("company", Company))
async def create_company(account: TheAccount, body: CompanyBody) -> Response:
    """Create a company."""
    return _create(account, _COMPANY, body.named())


@router.change("/companies/{company_id}", responses=refused(400, 404, 422), response_model=under("company", Company))
async def update_company(account: TheAccount, company_id: Id, body: CompanyBody) -> Response:
    """Change a company."""
    return _update(account, _COMPANY, company_id, body.named())


@router.delete("/companies/{company_id}", status_code=204, responses=refused(404, 422))
async def destroy_company(account: TheAccount, company_id: Id) -> Response:
    """Remove a company without contracts."""
    return _destroy(account, _COMPANY, company_id)


@router.get("/people", responses=refused(), response_model=under("people", list[Person]))
async def people(account: TheAccount) -> Response:
    """List the people, by name."""
    return collection("people", account.people.answers(order=(PEOPLE.c.name,)))


@router.get("/people/search", responses=refused(400), response_model=under("people", list[Person]))
async def search_people(account: TheAccount, cpf: Cpf = None) -> Response:
    """Find people by CPF."""
    return collection("people", account.people.answers(_numbered(_PERSON, cpf, PEOPLE.c.registration)))


@router.get("/people/{person_id}", responses=refused(404), response_model=under("person", Person))
async def person(account: TheAccount, person_id: Id) -> Response:
    """Show a person."""
    return ok("person", _shown(account, _PERSON, person_id))


@router.post("/people", status_code=201, responses=refused(400, 422), response_model=under("person", Person))
async def create_person(account: TheAccount, body: PersonBody) -> Response:
    """Create a person."""
    return _create(account, _PERSON, body.named())


@router.change("/people/{person_id}", responses=refused(400, 404, 422), response_model=under("person", Person))
async def update_person(account: TheAccount, person_id: Id, body: PersonBody) -> Response:
    """Change a person."""
    return _update(account, _PERSON, person_id, body.named())


@router.delete("/people/{person_id}", status_code=204, responses=refused(404, 422))
async def destroy_person(account: TheAccount, person_id: Id) -> Response:
    """Remove a person without contracts."""
    return _destroy(account, _PERSON, person_id)


def _numbered(kind: _Kind, given: str | None, column: ColumnElement[str]) -> ColumnElement[bool]:
    if not given:
        raise ParameterRefusal(_NOT_FOR_SEARCH.format(kind.document))
    # What has no digits is nobody's number; nor is it that of those who have none.
    return column == (_digits(given) or "-")


def _shown(account: Account, kind: _Kind, number: int) -> bytes:
    found = kind.of(account).answer(number)
    if found is None:
        raise NotFoundRefusal
    return found


def _create(account: Account, kind: _Kind, params: Json) -> Response:
    party = kind.model(id=account.sequences.next(kind.sequence), created_at=account.clock.stamp()).model_dump()
    party["name"] = None
    if "updated_at" in party:
        party["updated_at"] = party["created_at"]
    _assign(account, kind, party, params, asked={"name", kind.document})
    return ok(kind.root, kind.of(account).add(party), status=201)


def _update(account: Account, kind: _Kind, number: int, params: Json) -> Response:
    party = kind.of(account).get(number)
    if party is None:
        raise NotFoundRefusal
    if "updated_at" in party:
        party["updated_at"] = account.clock.stamp()
    _assign(account, kind, party, params, asked=params)
    return ok(kind.root, kind.of(account).change(party))


def _destroy(account: Account, kind: _Kind, number: int) -> Response:
    if kind.of(account).peek(number) is None:
        raise NotFoundRefusal
    sides = ("customer", "supplier")
    of_people = kind is _PERSON
    for contract in account.contracts.every():
        if any(contract[f"{side}_id"] == number and (contract[f"{side}_type"] == "Person") == of_people
               for side in sides):  # fmt: skip
            raise ValidationRefusal({"base": [_USED.format(kind.named)]})
    kind.of(account).remove(number)
    return nothing()


def _assign(account: Account, kind: _Kind, party: Json, params: Json, *, asked: Container[str]) -> None:
    errors: dict[str, str | list[str]] = {}
    for field in params.keys() & party.keys() - _KEPT_BY_THE_VENDOR:
        if field == "client_since":
            party[field] = parsing.brazilian(parsing.day(params[field]))
        elif field == "allow_email_on_nfse":
            party[field] = bool(parsing.boolean(params[field]))
        elif field == kind.document:
            party[field] = _written(kind.document, parsing.text(params[field]))
        else:
            party[field] = parsing.text(params[field])
    if "name" in asked and not parsing.filled(party["name"]):
        errors["name"] = [BLANK]
    if kind.document in asked and (message := _document_error(account, kind, party)):
        errors[kind.document] = [message]
    if "zipcode" in params and parsing.filled(party["zipcode"]) and len(_digits(party["zipcode"])) != 8:
        errors["zipcode"] = [INVALID]
    if errors:
        raise ValidationRefusal(errors)


def _document_error(account: Account, kind: _Kind, party: Json) -> str | None:
    digits = _digits(party[kind.document] or "")
    if not digits:
        return BLANK
    if not _is_valid(kind.document, digits):
        return INVALID
    table = kind.of(account).table
    query = select(table.c.id).where(table.c.registration == digits, table.c.id != party["id"])
    return "já está em uso" if account.connection.execute(query).first() else None


def _is_valid(document: str, digits: str) -> bool:
    """Tell whether the last two digits check the others (module 11, as the revenue service defines them)."""
    if len(digits) != _LENGTHS[document] or len(set(digits)) == 1:
        return False
    for weights in _WEIGHTS[document]:
        rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % 11
        if int(digits[len(weights)]) != (0 if rest < 2 else 11 - rest):
            return False
    return True


def _digits(written: str) -> str:
    return "".join(letter for letter in written if letter in "0123456789")


def _written(document: str, given: str | None) -> str | None:
    digits = _digits(given or "")
    if len(digits) != _LENGTHS[document]:
        return given
    if document == "cpf":
        return digits
    return f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}/{digits[8:12]}-{digits[12:]}"
