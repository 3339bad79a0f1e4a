"""Who bills whom: organizations, customers (companies and people), and the contracts between them; read and sent.

What is sent about the catalogue of services stands here, too.
"""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from ciclo.billimatic.models.invoices import PaymentInformation
from ciclo.billimatic.models.reading import (
    ContractState,
    Number,
    OptionalDay,
    OptionalLastDay,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    OptionalTruth,
    Record,
    read_object,
)
from ciclo.billimatic.models.requests import Exact, Request, Text


class _Party(Record):
    id: Number
    account_id: OptionalNumber = None
    name: OptionalText = None
    address: OptionalText = None
    number: OptionalText = None
    complement: OptionalText = None
    district: OptionalText = None
    zipcode: OptionalText = None
    city: OptionalText = None
    state: OptionalText = None
    created_at: OptionalTimestamp = None


class Organization(_Party):
    """Whoever bills: one of the account's own legal persons. The CNPJ is answered with punctuation."""

    resource: ClassVar[str] = "organization"
    plural: ClassVar[str] = "organizations"

    company_name: OptionalText = None
    cnpj: OptionalText = None


class Company(_Party):
    """A customer that is a legal person; `billing_contacts` are the e-mails for billing."""

    resource: ClassVar[str] = "company"
    plural: ClassVar[str] = "companies"

    company_name: OptionalText = None
    cnpj: OptionalText = None
    state_inscription: OptionalText = None
    city_inscription: OptionalText = None
    contacts: OptionalText = None
    billing_contacts: OptionalText = None
    nfse_email: OptionalText = None
    comments: OptionalText = None
    kind: OptionalText = None
    client_since: OptionalDay = None
    myfinance_customer_id: OptionalNumber = None
    myfinance_errors: OptionalText = None
    updated_at: OptionalTimestamp = None


class Person(_Party):
    """A customer that is a natural person. The CPF is answered without punctuation."""

    resource: ClassVar[str] = "person"
    plural: ClassVar[str] = "people"

    cpf: OptionalText = None
    email: OptionalText = None
    comments: OptionalText = None
    client_since: OptionalDay = None
    allow_email_on_nfse: OptionalTruth = None
    myfinance_customer_id: OptionalNumber = None
    myfinance_errors: OptionalText = None


class Contract(Record):
    """An agreement between a supplier and a customer; the organization is one of the two, by `kind`.

    With `overdue_automatic_management` false the vendor does not bill automatically while an earlier invoice is unpaid.
    """

    resource: ClassVar[str] = "contract"
    plural: ClassVar[str] = "contracts"

    id: Number
    name: OptionalText = None
    title: OptionalText = None
    token: OptionalText = None
    description: OptionalText = None
    kind: OptionalText = None
    state: ContractState
    status: OptionalText = None
    supplier_id: OptionalNumber = None
    supplier_type: OptionalText = None
    customer_id: OptionalNumber = None
    customer_type: OptionalText = None
    comments: OptionalText = None
    init_date: OptionalDay = None
    end_date: OptionalLastDay = None
    valid_until: OptionalLastDay = None
    overdue: OptionalTruth = None
    overdue_automatic_management: OptionalTruth = None
    registration_method: OptionalText = None
    cobrato_payment_gateway_charge_config_id: OptionalNumber = None
    cobrato_payment_gateway_charge_config_name: OptionalText = None
    cancel_date: OptionalDay = None
    cancel_reason: OptionalText = None
    plan: Any = None
    created_at: OptionalTimestamp = None

    @property
    def is_active(self) -> bool:
        """Whether the contract may be billed."""
        return self.state == "active"


class Subscription(Contract):
    """A contract that was made by subscribing to a plan; what `change_plan` answers."""

    resource: ClassVar[str] = "subscription"
    plural: ClassVar[str] = "subscriptions"

    payment_information: Annotated[PaymentInformation | None, BeforeValidator(read_object)] = None


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
