"""Invoices as the API answers them, with their receivables, services and attachments.

The one rule: a field is required here only if Ciclo cannot work without it; everything else may be missing.
Sources: seeds 000, 001, 003, 004 and recordings/invoices.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BeforeValidator, Field

from ciclo.billimatic.models.reading import (
    Answer,
    Day,
    Money,
    OptionalDay,
    OptionalMoney,
    OptionalMonth,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    State,
    read_list,
)


class InvoiceState(StrEnum):
    """The stored states of an invoice and of a receivable (REFERENCE.md, "Invoice")."""

    TO_EMIT = "to_emit"
    TO_RECEIVE = "to_receive"
    RECEIVED = "received"
    CANCELLED = "cancelled"


class PaymentInformation(Answer):
    """How the customer pays; `installments` only for `payment_gateway`."""

    resource: ClassVar[str] = "payment_information"

    id: OptionalNumber = None
    payment_method: OptionalText = None
    installments: OptionalNumber = None
    cobrato_card_id: OptionalText = None
    card_expiration_month: OptionalText = None
    card_expiration_year: OptionalText = None
    financial_charge_template_id: OptionalNumber = None
    financial_account_id: OptionalNumber = None
    created_at: OptionalTimestamp = None


class Service(Answer):
    """One service of an invoice, a rule or a template: value = units times unit value, in BRL."""

    resource: ClassVar[str] = "service"

    id: int
    name: OptionalText = None
    description: OptionalText = None
    service_item_id: OptionalNumber = None
    units: Money
    unit_value: Money
    value: Money


class Attachment(Answer):
    """A file attached to an invoice."""

    resource: ClassVar[str] = "attachment"

    id: int
    filename: OptionalText = None
    url: OptionalText = None


class Receivable(Answer):
    """One due date's share of an invoice: `value` is its percentage, `gross_value` its money in BRL."""

    resource: ClassVar[str] = "receivable"

    id: int
    invoice_id: OptionalNumber = None
    due_date: Day
    value: OptionalMoney = None
    gross_value: OptionalMoney = None
    payment_value: OptionalMoney = None
    received_value: OptionalMoney = None
    received_at: OptionalDay = None
    created_at: OptionalTimestamp = None
    state: State
    payment_gateway_status: OptionalText = None
    cobrato_charge_id: OptionalText = None
    cobrato_errors: OptionalText = None
    finance_receivable_id: OptionalText = None
    finance_entity_id: OptionalText = None
    myfinance_sale_id: OptionalText = None
    myfinance_errors: OptionalText = Field(
        default=None,
        # until 2018 the field was called finance_errors
        validation_alias=AliasChoices("myfinance_errors", "finance_errors"),
    )


Receivables = Annotated[tuple[Receivable, ...], BeforeValidator(read_list)]
Services = Annotated[tuple[Service, ...], BeforeValidator(read_list)]
Attachments = Annotated[tuple[Attachment, ...], BeforeValidator(read_list)]


def _blank_to_empty(value: Any) -> Any:
    return "" if value is None else value


class Invoice(Answer):
    """An invoice; `gross_value` is the sum of its services, where it has any, in BRL."""

    resource: ClassVar[str] = "invoice"

    id: int
    contract_id: int
    issue_date: Day
    estimated_issue_date: OptionalDay = None
    accrual_date: OptionalMonth = None
    gross_value: Money
    payment_value: OptionalMoney = None
    description: Annotated[str, BeforeValidator(_blank_to_empty)] = ""
    state: State
    cancelled_automatically: bool | None = None
    number: OptionalText = None
    nfe_service: OptionalText = None
    nfe_verification: OptionalText = None
    nfe_issue_date: OptionalText = None
    nfe_issued: bool | None = None
    nfe_body: OptionalText = None
    issue_nfse: bool | None = None
    nfse_template_id: OptionalNumber = None
    created_at: OptionalTimestamp = None
    management_type: OptionalText = None
    comments: OptionalText = None
    customer_id: OptionalNumber = None
    customer_type: OptionalText = None
    finance_category: OptionalText = None
    finance_revenue_center: OptionalText = None
    myfinance_sale_account_id: OptionalNumber = None
    myfinance_sale_account_name: OptionalText = None
    cobrato_charge_config_id: OptionalNumber = None
    cobrato_charge_config_name: OptionalText = None
    cobrato_charge_template_id: OptionalNumber = None
    cobrato_charge_template_name: OptionalText = None
    days_until_automatic_nfe_emission: OptionalNumber = None
    automatic_nfe_issue_date: OptionalText = None
    automatic_email_template_id: OptionalNumber = None
    notification_ruler_id: OptionalNumber = None
    approval_status: OptionalText = None
    receivables: Receivables = ()
    services: Services = ()
    attachments: Attachments = ()
    payment_information: PaymentInformation | None = None

    @property
    def planned_date(self) -> date:
        """The day it was planned for; `issue_date` becomes the day on which it was billed, if that is another one."""
        return self.estimated_issue_date or self.issue_date
