"""What is sent about organizations, customers, contracts and the catalogue of services."""

from datetime import date
from typing import Literal

from ciclo.billimatic.models.requests import Exact, Request, Text


class OrganizationChange(Request):
    """Changes of an organization."""

    name: Text | None = None
    cnpj: Text | None = None
    company_name: str | None = None
    address: str | None = None
    number: str | None = None
    complement: str | None = None
    district: str | None = None
    zipcode: str | None = None
    city: str | None = None
    state: str | None = None


class NewOrganization(OrganizationChange):
    """An organization to add to the account."""

    name: Text
    cnpj: Text


class CompanyChange(OrganizationChange):
    """Changes of a customer that is a legal person; `billing_contacts` are e-mails."""

    state_inscription: str | None = None
    city_inscription: str | None = None
    contacts: str | None = None
    billing_contacts: str | None = None
    comments: str | None = None
    nfse_email: str | None = None
    client_since: date | None = None


class NewCompany(CompanyChange):
    """A customer that is a legal person."""

    name: Text
    cnpj: Text


class PersonChange(Request):
    """Changes of a customer that is a natural person."""

    name: Text | None = None
    cpf: Text | None = None
    email: str | None = None
    zipcode: str | None = None
    address: str | None = None
    number: str | None = None
    complement: str | None = None
    district: str | None = None
    city: str | None = None
    state: str | None = None
    comments: str | None = None
    client_since: date | None = None
    allow_email_on_nfse: bool | None = None


class NewPerson(PersonChange):
    """A customer that is a natural person."""

    name: Text
    cpf: Text


class ContractChange(Request):
    """Changes of a contract."""

    kind: Literal["sale", "purchase"] | None = None
    name: Text | None = None
    title: Text | None = None
    description: str | None = None
    comments: str | None = None
    customer_id: int | None = None
    customer_type: Literal["Company", "Person"] | None = None
    supplier_id: int | None = None
    supplier_type: Literal["Company", "Person"] | None = None
    init_date: date | None = None
    end_date: date | None = None
    overdue_automatic_management: bool | None = None
    cobrato_payment_gateway_charge_config_id: int | None = None
    cobrato_payment_gateway_charge_config_name: str | None = None


class NewContract(ContractChange):
    """A contract; in a sale the supplier, in a purchase the customer is an organization. The name is unique."""

    kind: Literal["sale", "purchase"]
    name: Text
    title: Text
    customer_id: int
    customer_type: Literal["Company", "Person"]
    supplier_id: int
    supplier_type: Literal["Company", "Person"]


class ServiceItemChange(Request):
    """Changes of a service of the catalogue; `value` is its list price in BRL."""

    name: Text | None = None
    description: str | None = None
    value: Exact | None = None


class NewServiceItem(ServiceItemChange):
    """A service for the catalogue; the name is unique."""

    name: Text
