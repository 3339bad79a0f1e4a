"""What the vendor's API takes: bodies and queries, a sentence for each field, for OpenAPI.

The rule: a form describes what makes sense to send. Handlers cast for themselves; what does not fit is cast or refused.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ciclo_sandbox.fields import said

_DAY = "dd-mm-yyyy, dd/mm/yyyy or yyyy-mm-dd"


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow")


class CnpjSearch(BaseModel):
    """Query of the company search."""

    cnpj: str = Field(description="Registration number of the company.")


class ContractSearch(BaseModel):
    """Query of the contract search."""

    name: str | None = said("A part of the name; case matters.")
    customer_id: int | None = said("Id of the customer.")


class ServiceItemSearch(BaseModel):
    """Query of the service item search."""

    name: str = Field(description="The exact name.")


class ContractInvoiceSearch(BaseModel):
    """Query of the invoice search in a contract."""

    issue_date_from: str = Field(description=f"First issue date, {_DAY}.")
    issue_date_to: str = Field(description=f"Last issue date, {_DAY}.")


class ReceivableSearch(BaseModel):
    """Query of the receivable search in a contract."""

    due_date_from: str | None = said(f"First due date, {_DAY}.")
    due_date_to: str | None = said(f"Last due date, {_DAY}.")
    state: str | None = said("to_emit, to_receive, received, cancelled or late.")


class OrganizationSearch(BaseModel):
    """Query of the invoice search across an organization."""

    issue_date_gteq: str | None = Field(None, alias="q[issue_date_gteq]", description=f"First issue date, {_DAY}.")
    issue_date_lteq: str | None = Field(None, alias="q[issue_date_lteq]", description=f"Last issue date, {_DAY}.")
    due_gteq: str | None = Field(None, alias="q[receivables_due_date_gteq]", description=f"First due date, {_DAY}.")
    due_lteq: str | None = Field(None, alias="q[receivables_due_date_lteq]", description=f"Last due date, {_DAY}.")
    state_eq: str | None = Field(
        None, alias="q[state_eq]", description="to_emit, to_receive, received, cancelled or late."
    )
    page: int | None = said("Page, from 1.", default=1)
    per_page: int | None = said("Invoices on a page; 50 unless given, at most 100.", default=50)


class ContractForm(_Form):
    """A contract to create or change."""

    name: str | None = said("Name, unique in the account.")
    title: str | None = said("Title.")
    kind: str | None = said("sale or purchase.")
    customer_id: int | None = said("Id of the customer; an organization of the account for a purchase.")
    customer_type: str | None = said("Company or Person.")
    supplier_id: int | None = said("Id of the supplier; an organization of the account for a sale.")
    supplier_type: str | None = said("Company or Person.")
    description: str | None = said("Description.")
    comments: str | None = said("Free text.")
    init_date: str | None = said(f"First day, {_DAY}.")
    end_date: str | None = said(f"Last day, {_DAY}.")


class ServiceItemForm(_Form):
    """A service item to create or change."""

    name: str | None = said("Name, unique in the account.")
    description: str | None = said("Description.")
    value: float | None = said("Usual unit value.")
    unit: str | None = said("Unit of measure.")


class ServiceForm(_Form):
    """A service to add (no id), change or remove."""

    id: int | None = said("Id of the line to change.")
    service_item_id: int | None = said("Service item.")
    description: str | None = said("Description.")
    units: float | None = said("Quantity.")
    unit_value: float | None = said("Value of a unit.")
    destroy: bool | None = Field(None, alias="_destroy", description="Whether the line goes.")
    invoice_template_service_item_id: int | None = said("The template's line to override (rule from a template).")


class ReceivableForm(_Form):
    """A receivable to add (no id), change or remove."""

    id: int | None = said("Id of the receivable to change.")
    due_date: str | None = said(f"Due date, {_DAY}.")
    value: float | None = said("Percentage of the gross value; a single receivable without one means 100.")
    destroy: bool | None = Field(None, alias="_destroy", description="Whether the receivable goes.")


class AttachmentForm(_Form):
    """A file to add (no id) or remove."""

    id: int | None = said("Id of the file to remove.")
    filename: str | None = said("Original name of the file.")
    content: str | None = said("The file as Base64.")
    content_type: str | None = said("Media type of the file.")
    destroy: bool | None = Field(None, alias="_destroy", description="Whether the file goes.")


class PaymentInformationForm(_Form):
    """How it is paid."""

    id: int | None = said("Id of the payment information to change; without it a new one replaces it.")
    payment_method: str | None = said("billet, payment_gateway or transfer.")
    installments: int | None = said("Installments on the card, from 1; null means 1.")
    financial_charge_template_id: int | None = said("Charge template.")
    financial_account_id: int | None = said("Account that receives.")


class _BillableForm(_Form):
    gross_value: float | None = said("Gross value; with services, their sum counts instead.")
    description: str | None = said("Description; required.")
    nfe_body: str | None = said("Text of the NFS-e; required.")
    number: str | int | None = said("Number of the NFS-e.")
    nfse_service: str | None = said("Service code of the NFS-e.")
    nfse_verification: str | None = said("Verification code of the NFS-e.")
    comments: str | int | None = said("Free text (Observações).")
    management_type: str | None = said("manual or automatic.")
    automatic_email_template_id: int | None = said("E-mail template; required for automatic management.")
    days_until_automatic_nfe_emission: int | None = said("Business days after receipt; 0: on the issue date.")
    notification_ruler_id: int | None = said("Dunning schedule.")
    finance_category: str | None = said("Category in the finance system.")
    finance_revenue_center: str | None = said("Revenue centre in the finance system.")
    myfinance_sale_account_id: int | None = said("Account for receivables.")
    myfinance_sale_account_name: str | None = said("Its name.")
    cobrato_charge_config_id: int | None = said("Charge configuration.")
    cobrato_charge_config_name: str | None = said("Its name.")
    cobrato_charge_template_id: int | None = said("Charge template.")
    cobrato_charge_template_name: str | None = said("Its name.")
    services: list[ServiceForm] | None = said("Services.")
    payment_information: PaymentInformationForm | None = said("How it is paid.")


class InvoiceForm(_BillableForm):
    """An invoice to create or change."""

    issue_date: str | None = said(f"Issue date, {_DAY}; required.")
    estimated_issue_date: str | None = said("Expected issue date; the issue date unless given.")
    accrual_date: str | None = said("Competence month, mm/yyyy.")
    approval_status: str | None = said("approved or blocked; only when created.")
    payment_value: Any = said("What the customer is to pay; the gross value unless given.")
    nfse_template_id: int | None = said("NFS-e template.")
    issue_nfse: bool | None = said("Whether an NFS-e is to be issued.")
    receivables: list[ReceivableForm] | None = said("Due dates; at least one, totalling 100 per cent.")
    attachments: list[AttachmentForm] | None = said("Files.")


class AdditionalInformationForm(_Form):
    """When a rule issues."""

    id: int | None = said("Id, to change it; without it a new one replaces it.")
    title: str | None = said("Title; required.")
    init_date: str | None = said(f"Issue date of the first invoice, {_DAY}.")
    end_date: str | None = said("Last day on which an invoice may be issued.")
    period_unit: str | int | None = said("monthly (0) or weekly (1).")
    month_quantity: int | None = said("Periodicity in months: 1, 2, 3, 6 or 12.")
    accrual_month_quantity: str | int | None = said("same_month or previous_month.")


class ScheduledUpdateForm(_Form):
    """A readjustment to add (no id), change or remove."""

    id: int | None = said("Id of the update to change.")
    price_index: str | None = said("igpm, ipca, igpdi, inpc or ipcfipe.")
    init_date: str | None = said(f"First execution, {_DAY}.")
    month_quantity: int | None = said("Periodicity in months.")
    days_until_update: int | None = said("Days between the reminder and the execution.")
    service_item_id: int | None = said("The one service it readjusts; null for the whole rule.")
    destroy: bool | None = Field(None, alias="_destroy", description="Whether the update goes.")
    invoice_template_scheduled_update_id: int | None = said("The template's update to override.")


class DueDatesForm(_Form):
    """How due dates follow from the issue date."""

    id: int | None = said("Id, to change it; without it a new one replaces it.")
    day_number: int | None = said("Day of the month.")
    day_quantity: int | None = said("Days after the issue date.")
    month_quantity: int | None = said("Months after the issue date's.")
    parcel_number: int | None = said("Number of installments.")
    only_business_days: bool | None = said("Whether only business days count.")


class InvoiceRuleForm(_BillableForm):
    """A rule to create or change."""

    invoice_template_id: int | None = said("Template that everything not given comes from.")
    charge_type: str | None = said("fixed_day, last_day_of_month, day_quantity or fixed_day_and_month_quantity.")
    notify_customer: bool | None = said("Whether the customer is told of readjustments.")
    apply_negative_updates: bool | None = said("Whether an index that fell lowers the price.")
    additional_information: AdditionalInformationForm | None = said("When it issues.")
    receivables_additional_information: DueDatesForm | None = said("Its due dates.")
    scheduled_updates: list[ScheduledUpdateForm] | None = said("Readjustments.")
