"""Who bills whom: organizations, customers (companies and people), contracts and subscriptions."""

from ciclo.billimatic.endpoints.sending import Endpoints, Fields
from ciclo.billimatic.errors import NotFoundError
from ciclo.billimatic.models.parties import (
    Company,
    CompanyChange,
    Contract,
    ContractChange,
    NewCompany,
    NewContract,
    NewOrganization,
    NewPerson,
    Organization,
    OrganizationChange,
    Person,
    PersonChange,
    Subscription,
)
from ciclo.billimatic.models.reading import Listing


class Parties(Endpoints):
    """The account's organizations, customers and contracts."""

    def organizations(self) -> Listing[Organization]:
        """The account's organizations (documented since 2026-06)."""
        return self._list(Organization, "organizations")

    def search_organization(self, cnpj: str) -> Organization | None:
        """The organization with this CNPJ, with or without punctuation; None if there is none."""
        try:
            return self._one(Organization, "organizations/search", {"cnpj": cnpj})
        except NotFoundError:
            return None

    def create_organization(self, organization: NewOrganization | Fields) -> Organization:
        """Add an organization to the account."""
        return self._sent(Organization, "POST", "organizations", organization)

    def update_organization(self, organization_id: int, changes: OrganizationChange | Fields) -> Organization:
        """Change the given fields of an organization."""
        return self._sent(Organization, "PATCH", f"organizations/{organization_id}", changes)

    def delete_organization(self, organization_id: int) -> None:
        """Remove an organization; a `RejectedError` while it has contracts."""
        self._exchange.write("DELETE", f"organizations/{organization_id}")

    def companies(self) -> Listing[Company]:
        """The account's customers that are legal persons."""
        return self._list(Company, "companies")

    def company(self, company_id: int) -> Company:
        """One customer that is a legal person."""
        return self._one(Company, f"companies/{company_id}")

    def search_companies(self, cnpj: str) -> Listing[Company]:
        """The customers with this CNPJ, with or without punctuation."""
        return self._list(Company, "companies/search", {"cnpj": cnpj})

    def create_company(self, company: NewCompany | Fields) -> Company:
        """Add a customer that is a legal person."""
        return self._sent(Company, "POST", "companies", company)

    def update_company(self, company_id: int, changes: CompanyChange | Fields) -> Company:
        """Change the given fields of a customer."""
        return self._sent(Company, "PATCH", f"companies/{company_id}", changes)

    def delete_company(self, company_id: int) -> None:
        """Remove a customer; a `RejectedError` while it has contracts."""
        self._exchange.write("DELETE", f"companies/{company_id}")

    def people(self) -> Listing[Person]:
        """The account's customers that are natural persons."""
        return self._list(Person, "people")

    def person(self, person_id: int) -> Person:
        """One customer that is a natural person."""
        return self._one(Person, f"people/{person_id}")

    def search_people(self, cpf: str) -> Listing[Person]:
        """The customers with this CPF."""
        return self._list(Person, "people/search", {"cpf": cpf})

    def create_person(self, person: NewPerson | Fields) -> Person:
        """Add a customer that is a natural person."""
        return self._sent(Person, "POST", "people", person)

    def update_person(self, person_id: int, changes: PersonChange | Fields) -> Person:
        """Change the given fields of a customer."""
        return self._sent(Person, "PATCH", f"people/{person_id}", changes)

    def delete_person(self, person_id: int) -> None:
        """Remove a customer; a `RejectedError` while there are contracts."""
        self._exchange.write("DELETE", f"people/{person_id}")

    def contracts(self) -> Listing[Contract]:
        """The organization's active contracts."""
        return self._list(Contract, self._in_organization("contracts"))

    def contract(self, contract_id: int) -> Contract:
        """One contract of the organization, active or not."""
        return self._one(Contract, self._in_organization(f"contracts/{contract_id}"))

    def search_contracts(self, *, name: str | None = None, customer_id: int | None = None) -> Listing[Contract]:
        """Contracts of the account by (part of) their name, or by customer; a `BadRequestError` without either."""
        given = {"name": name, "customer_id": customer_id}
        params = {key: str(value) for key, value in given.items() if value is not None}
        return self._list(Contract, "contracts/search", params)

    def create_contract(self, contract: NewContract | Fields) -> Contract:
        """Create a contract."""
        return self._sent(Contract, "POST", "contracts", contract)

    def update_contract(self, contract_id: int, changes: ContractChange | Fields) -> Contract:
        """Change the given fields of a contract."""
        return self._sent(Contract, "PATCH", f"contracts/{contract_id}", changes)

    def delete_contract(self, contract_id: int) -> None:
        """Remove a contract."""
        self._exchange.write("DELETE", f"contracts/{contract_id}")

    def change_plan(self, subscription_token: str, new_plan_id: int) -> Subscription:
        """Put a subscription on another plan; the token is the contract's, which the webhook names as well."""
        path = f"subscriptions/{subscription_token}/change_plan"
        return self._sent(Subscription, "PATCH", path, {"new_plan_id": new_plan_id})
