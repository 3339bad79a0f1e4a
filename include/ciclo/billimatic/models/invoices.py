"""Invoices as the API answers them, with their receivables, services and attachments.

A field is required here only if nothing can be done without it; everything else may be missing.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from ciclo.billimatic.models.reading import (
    Answer,
    Day,
    Money,
    Number,
    OptionalDay,
    OptionalMoney,
    OptionalMonth,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    OptionalTruth,
    Record,
    State,
    nothing_to_none,
    read_list,
    read_object,
)
from ciclo.domain.nfse import nfse_due

_TWO_NAMES = (("myfinance_errors", "finance_errors"), ("billet_url", "boleto_url"))
"""Of a receivable's fields: an answer may have both names, and a value under either."""


class InvoiceState(StrEnum):
    """The stored states of an invoice and of a receivable."""

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
    charging_account_id: OptionalText = None
    created_at: OptionalTimestamp = None


class Service(Answer):
    """One service of an invoice, a rule or a template: value = units times unit value, in BRL."""

    resource: ClassVar[str] = "service"

    id: Number
    name: OptionalText = None
    description: OptionalText = None
    service_item_id: OptionalNumber = None
    units: Money
    unit_value: Money
    value: Money


class Attachment(Answer):
    """A file attached to an invoice."""

    resource: ClassVar[str] = "attachment"

    id: OptionalNumber = None
    filename: OptionalText = None
    url: OptionalText = None


def _read_invoice_inside(value: Any) -> Any:
    # {} is a guard of the vendor's; for a day in 2023 there was one envelope more
    return read_object(value["invoice"] if isinstance(value, dict) and set(value) == {"invoice"} else value)


class Receivable(Record):
    """One due date's share of an invoice: `value` is its percentage, `gross_value` its money in BRL.

    Whether it is paid says `state`: `received_value` and `received_at` stay when a payment is taken back.
    """

    resource: ClassVar[str] = "receivable"
    plural: ClassVar[str] = "receivables"

    id: Number
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
    myfinance_receivable_account_id: OptionalText = None
    billet_url: OptionalText = Field(
        default=None,
        # the searches call it boleto_url
        validation_alias=AliasChoices("billet_url", "boleto_url"),
    )
    invoice: Annotated["Invoice | None", BeforeValidator(_read_invoice_inside)] = None
    """The invoice, without its receivables; only the search of receivables tells it."""

    @model_validator(mode="before")
    @classmethod
    def _read_whichever_is_there(cls, answer: Any) -> Any:
        for name, other in _TWO_NAMES:
            if isinstance(answer, dict) and {name, other} <= answer.keys() and nothing_to_none(answer[name]) is None:
                answer = {"payload": answer} | {field: value for field, value in answer.items() if field != name}
        return answer

    @model_validator(mode="before")
    @classmethod
    def _put_addresses_where_they_belong(cls, answer: Any) -> Any:
        # for two days in 2023 the invoice's PDFs stood on the receivable
        if isinstance(answer, dict) and isinstance(answer.get("invoice"), dict):
            misplaced = {name: answer[name] for name in ("invoice_url", "nfse_url") if name in answer}
            if misplaced:
                invoice = answer["invoice"].get("invoice", answer["invoice"])
                return {**answer, "invoice": {**misplaced, **invoice}}
        return answer


Receivables = Annotated[tuple[Receivable, ...], BeforeValidator(read_list)]
Services = Annotated[tuple[Service, ...], BeforeValidator(read_list)]
Attachments = Annotated[tuple[Attachment, ...], BeforeValidator(read_list)]


class InvoiceFields(Record):
    """What an invoice and the rule that makes it have in common."""

    payment_value: OptionalMoney = None
    number: OptionalText = None
    cancelled_automatically: OptionalTruth = None
    nfe_service: OptionalText = None
    nfe_verification: OptionalText = None
    nfe_issue_date: OptionalText = None
    nfe_issued: OptionalTruth = None
    nfe_body: OptionalText = None
    issue_nfse: OptionalTruth = None
    nfse_template_id: OptionalNumber = None
    emites_service_values_id: OptionalNumber = None
    emites_service_value_name: OptionalText = None
    customer_id: OptionalNumber = None
    customer_type: OptionalText = None
    management_type: OptionalText = None
    automatic_management_on_business_days: OptionalTruth = None
    automatic_email_template_id: OptionalNumber = None
    automatic_nfe_issue_date: OptionalText = None
    days_until_automatic_nfe_emission: OptionalNumber = None
    notification_ruler_id: OptionalNumber = None
    approval_status: OptionalText = None
    comments: OptionalText = None
    finance_category: OptionalText = None
    finance_category_id: OptionalNumber = None
    finance_revenue_center: OptionalText = None
    finance_revenue_center_id: OptionalNumber = None
    myfinance_sale_account_id: OptionalNumber = None
    myfinance_sale_account_name: OptionalText = None
    cobrato_charge_config_id: OptionalNumber = None
    cobrato_charge_config_name: OptionalText = None
    cobrato_charge_template_id: OptionalNumber = None
    cobrato_charge_template_name: OptionalText = None
    created_at: OptionalTimestamp = None
    attachments: Attachments = ()
    payment_information: Annotated[PaymentInformation | None, BeforeValidator(read_object)] = None


class Invoice(InvoiceFields):
    """An invoice; `gross_value` is the sum of its services, where it has any, in BRL.

    `fatura_url` and `nfse_url` lead to PDFs and are None until these are made.
    """

    resource: ClassVar[str] = "invoice"
    plural: ClassVar[str] = "invoices"

    id: Number
    contract_id: Number
    issue_date: Day
    estimated_issue_date: OptionalDay = None
    accrual_date: OptionalMonth = None
    gross_value: Money
    description: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = ""
    state: State
    receivables: Receivables = ()
    services: Services = ()
    nfse_url: OptionalText = None
    fatura_url: OptionalText = Field(default=None, validation_alias=AliasChoices("fatura_url", "invoice_url"))

    @property
    def planned_date(self) -> date:
        """The day it was planned for; `issue_date` becomes the day on which it was billed, if that is another one."""
        return self.estimated_issue_date or self.issue_date

    @property
    def nfse_due(self) -> date | None:
        """When its tax document is to be issued; None where none is wanted, or it waits for billing or the money."""
        if not self.issue_nfse or self.state not in (InvoiceState.TO_RECEIVE, InvoiceState.RECEIVED):
            return None
        days = [each.received_at for each in self.receivables if each.state == InvoiceState.RECEIVED]
        paid = self.state == InvoiceState.RECEIVED and days and None not in days
        received_on = max(day for day in days if day is not None) if paid else None
        return nfse_due(self.issue_date, self.days_until_automatic_nfe_emission or 0, received_on)


Receivable.model_rebuild()  # it names Invoice, which holds receivables
