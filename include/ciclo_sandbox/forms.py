"""What the vendor's API takes: bodies and queries, a sentence for each field.

A form describes what makes sense to send; it refuses nothing. What does not fit is cast or refused by whoever reads
it, in the vendor's own words, so a form keeps every value as it came.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ciclo_sandbox.answers import Json, entries
from ciclo_sandbox.parsing import said

_DAY = "dd-mm-yyyy, dd/mm/yyyy or yyyy-mm-dd"


def _any_of(*types: str) -> Any:
    return WithJsonSchema({"anyOf": [{"type": name} for name in (*types, "null")]})


Text = Annotated[Any, _any_of("string")]
Whole = Annotated[Any, _any_of("integer")]
Number = Annotated[Any, _any_of("number")]
Flag = Annotated[Any, _any_of("boolean")]
TextOrWhole = Annotated[Any, _any_of("string", "integer")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow")


_T = TypeVar("_T")
Entries = Annotated[list[_T], BeforeValidator(entries)]
Nested = Annotated[_T | None, BeforeValidator(lambda given: given if isinstance(given, dict) else None)]


class Body(BaseModel):
    """A request's body: one object under its root; a body without that root is taken as the object itself."""

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, sent: Any) -> Json:
        (root,) = cls.model_fields
        inner = sent.get(root, sent) if isinstance(sent, dict) else None
        return {root: inner if isinstance(inner, dict) else {}}

    def named(self) -> Json:
        """Return what the request names, as it was sent."""
        (root,) = type(self).model_fields
        form: BaseModel = getattr(self, root)
        return form.model_dump(by_alias=True, exclude_unset=True)


class _PartyForm(_Form):
    name: Text = said("Name; required.")
    address: Text = said("Street.")
    number: TextOrWhole = said("House number.")
    complement: Text = said("Complement of the address.")
    zipcode: Text = said("Postal code, eight digits.")
    district: Text = said("District.")
    city: Text = said("City.")
    state: Text = said("State, two letters.")


class OrganizationForm(_PartyForm):
    """An organization to create or change."""

    cnpj: Text = said("Registration number, with or without punctuation; required, unique.")
    company_name: Text = said("Registered name.")


class CompanyForm(OrganizationForm):
    """A company to create or change."""

    state_inscription: Text = said("Registration at the state.")
    city_inscription: Text = said("Registration at the city.")
    contacts: Text = said("Whom to talk to.")
    billing_contacts: Text = said("E-mail addresses for billing.")
    comments: Text = said("Free text.")
    client_since: Text = said(f"Customer since, {_DAY}.")
    nfse_email: Text = said("E-mail address for tax documents.")


class PersonForm(_PartyForm):
    """A person to create or change."""

    cpf: Text = said("Registration number, with or without punctuation; required, unique.")
    email: Text = said("E-mail address.")
    comments: Text = said("Free text.")
    client_since: Text = said(f"Customer since, {_DAY}.")
    allow_email_on_nfse: Flag = said("Whether the tax document may show the e-mail address.")


class PlanForm(_Form):
    """A plan to create or change; withdrawn in 2023."""

    name: Text = said("Name.")
    price: Number = said("Price.")
    billing_period: Whole = said("Months between invoices.")


class SubscriptionForm(_Form):
    """What a subscription call says; all but `new_plan_id` withdrawn in 2023."""

    plan_id: Whole = said("Plan of a new subscription.")
    new_plan_id: Whole = said("Plan to change to.")


class ContractForm(_Form):
    """A contract to create or change."""

    name: Text = said("Name, unique in the account.")
    title: Text = said("Title.")
    kind: Text = said("sale or purchase.")
    customer_id: Whole = said("Id of the customer; an organization of the account for a purchase.")
    customer_type: Text = said("Company or Person.")
    supplier_id: Whole = said("Id of the supplier; an organization of the account for a sale.")
    supplier_type: Text = said("Company or Person.")
    description: Text = said("Description.")
    comments: Text = said("Free text.")
    init_date: Text = said(f"First day, {_DAY}.")
    end_date: Text = said(f"Last day, {_DAY}.")
    cobrato_payment_gateway_charge_config_id: Whole = said("Charge configuration for cards.")
    cobrato_payment_gateway_charge_config_name: Text = said("Its name.")
    overdue_automatic_management: Flag = said("Whether automatic billing goes on while the customer is overdue.")


class ServiceItemForm(_Form):
    """A service item to create or change."""

    name: Text = said("Name, unique in the account.")
    description: Text = said("Description.")
    value: Number = said("Usual unit value.")
    unit: Text = said("Unit of measure.")


class ServiceForm(_Form):
    """A service to add (no id), change or remove."""

    id: Whole = said("Id of the line to change.")
    service_item_id: Whole = said("Service item.")
    description: Text = said("Description.")
    units: Number = said("Quantity.")
    unit_value: Number = said("Value of a unit.")
    destroy: Flag = Field(None, alias="_destroy", description="Whether the line goes.")
    invoice_template_service_item_id: Whole = said("The template's line to override (rule from a template).")


class ReceivableForm(_Form):
    """A receivable to add (no id), change or remove."""

    id: Whole = said("Id of the receivable to change.")
    due_date: Text = said(f"Due date, {_DAY}.")
    value: Number = said("Percentage of the gross value (wins over gross_value); one alone without either means 100.")
    gross_value: Number = said("Money; if one receivable of an invoice has it, all must.")
    destroy: Flag = Field(None, alias="_destroy", description="Whether the receivable goes.")


class AttachmentForm(_Form):
    """A file to add (no id) or remove."""

    id: Whole = said("Id of the file to remove.")
    filename: Text = said("Original name of the file.")
    content: Text = said("The file as Base64.")
    content_type: Text = said("Media type of the file.")
    destroy: Flag = Field(None, alias="_destroy", description="Whether the file goes.")


class PaymentInformationForm(_Form):
    """How it is paid."""

    id: Whole = said("Id of the payment information to change; without it a new one replaces it.")
    payment_method: Text = said("billet, payment_gateway or transfer.")
    installments: Whole = said("Installments on the card, from 1; null means 1.")
    financial_charge_template_id: Whole = said("Charge template.")
    financial_account_id: Whole = said("Account that receives.")
    charging_account_id: Text = said("Charging account (UUID).")


class _BillableForm(_Form):
    gross_value: Number = said("Gross value; with services, their sum counts instead.")
    description: Text = said("Description; required.")
    nfe_body: Text = said("Text of the NFS-e; required.")
    number: TextOrWhole = said("Number of the NFS-e.")
    nfse_service: Text = said("Service code of the NFS-e.")
    nfse_verification: Text = said("Verification code of the NFS-e.")
    comments: TextOrWhole = said("Free text (Observações).")
    management_type: Text = said("manual or automatic.")
    automatic_email_template_id: Whole = said("E-mail template; required for automatic management.")
    days_until_automatic_nfe_emission: Whole = said("Business days after receipt; 0: on the issue date.")
    notification_ruler_id: Whole = said("Dunning schedule.")
    issue_nfse: Flag = said("Whether an NFS-e is to be issued.")
    nfse_template_id: Whole = said("NFS-e template.")
    finance_category: Text = said("Category in the finance system.")
    finance_category_id: Whole = said("Its id.")
    finance_revenue_center: Text = said("Revenue centre in the finance system.")
    finance_revenue_center_id: Whole = said("Its id.")
    myfinance_sale_account_id: Whole = said("Account for receivables.")
    myfinance_sale_account_name: Text = said("Its name.")
    cobrato_charge_config_id: Whole = said("Charge configuration.")
    cobrato_charge_config_name: Text = said("Its name.")
    cobrato_charge_template_id: Whole = said("Charge template.")
    cobrato_charge_template_name: Text = said("Its name.")
    services: Entries[ServiceForm] = said("Services.", default=[])
    payment_information: Nested[PaymentInformationForm] = said("How it is paid.")


class InvoiceForm(_BillableForm):
    """An invoice to create or change."""

    issue_date: Text = said(f"Issue date, {_DAY}; required.")
    estimated_issue_date: Text = said("Expected issue date; the issue date unless given.")
    accrual_date: Text = said("Competence month, mm/yyyy.")
    approval_status: Text = said("approved or blocked; only when created.")
    payment_value: Number = said("What the customer is to pay; the gross value unless given.")
    nfe_issued: Flag = said("Whether an NFS-e was issued elsewhere.")
    nfe_issue_date: Text = said("Day on which it was.")
    invoice_template_id: Whole = said("A template with periodicity once, that everything not given comes from.")
    charge_now: Flag = said("Charge in the background right after creation; automatic and billet only.")
    receivables: Entries[ReceivableForm] = said("Due dates; at least one, totalling 100 per cent.", default=[])
    attachments: Entries[AttachmentForm] = said("Files.", default=[])


class AdditionalInformationForm(_Form):
    """When a rule issues."""

    id: Whole = said("Id, to change it; without it a new one replaces it.")
    title: Text = said("Title; required.")
    init_date: Text = said(f"Issue date of the first invoice, {_DAY}.")
    end_date: Text = said("Last day on which an invoice may be issued.")
    period_unit: TextOrWhole = said("monthly (0) or weekly (1).")
    month_quantity: Whole = said("Periodicity in months: 1, 2, 3, 6 or 12.")
    accrual_month_quantity: TextOrWhole = said("same_month, previous_month or next_month.")


class ScheduledUpdateForm(_Form):
    """A readjustment to add (no id), change or remove."""

    id: Whole = said("Id of the update to change.")
    price_index: Text = said("igpm, ipca, igpdi, inpc or ipcfipe.")
    init_date: Text = said(f"First execution, {_DAY}.")
    month_quantity: Whole = said("Periodicity in months.")
    days_until_update: Whole = said("Days between the reminder and the execution.")
    service_item_id: Whole = said("The one service it readjusts; null for the whole rule.")
    destroy: Flag = Field(None, alias="_destroy", description="Whether the update goes.")
    invoice_template_scheduled_update_id: Whole = said("The template's update to override.")


class DueDatesForm(_Form):
    """How due dates follow from the issue date."""

    id: Whole = said("Id, to change it; without it a new one replaces it.")
    day_number: Whole = said("Day of the month.")
    day_quantity: Whole = said("Days after the issue date.")
    month_quantity: Whole = said("Months after the issue date's.")
    parcel_number: Whole = said("Number of installments.")
    only_business_days: Flag = said("Whether only business days count.")


class InvoiceRuleForm(_BillableForm):
    """A rule to create or change."""

    invoice_template_id: Whole = said("Template that everything not given comes from.")
    charge_type: Text = said("fixed_day, last_day_of_month, day_quantity or fixed_day_and_month_quantity.")
    notify_customer: Flag = said("Whether the customer is told of readjustments.")
    apply_negative_updates: Flag = said("Whether an index that fell lowers the price.")
    additional_information: Nested[AdditionalInformationForm] = said("When it issues.")
    receivables_additional_information: Nested[DueDatesForm] = said("Its due dates.")
    scheduled_updates: Entries[ScheduledUpdateForm] = said("Readjustments.", default=[])


class ContractBody(Body):
    """The body around it."""

    contract: ContractForm = Field(description="What is sent.")


class ServiceItemBody(Body):
    """The body around it."""

    service_item: ServiceItemForm = Field(description="What is sent.")


class InvoiceBody(Body):
    """The body around it."""

    invoice: InvoiceForm = Field(description="What is sent.")


class InvoiceRuleBody(Body):
    """The body around it."""

    invoice_rule: InvoiceRuleForm = Field(description="What is sent.")


class ReceiptForm(_Form):
    """A receipt of a receivable."""

    received_value: Number = said("Money received; in full unless given.")
    received_at: Text = said(f"Day of the receipt, {_DAY}; today unless given.")


class ReceiptBody(Body):
    """The body around it."""

    receivable: ReceiptForm = Field(description="What is sent.")


class OrganizationBody(Body):
    """The body around it."""

    organization: OrganizationForm = Field(description="What is sent.")


class CompanyBody(Body):
    """The body around it."""

    company: CompanyForm = Field(description="What is sent.")


class PersonBody(Body):
    """The body around it."""

    person: PersonForm = Field(description="What is sent.")


class PlanBody(Body):
    """The body around it."""

    plan: PlanForm = Field(description="What is sent.")


class SubscriptionBody(Body):
    """The body around it."""

    subscription: SubscriptionForm = Field(description="What is sent.")
