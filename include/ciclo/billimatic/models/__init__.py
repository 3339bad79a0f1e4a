"""The vendor's resources as pydantic models, and what Ciclo sends to it.

The one rule: lenient in reading, exact in writing. Money is `Decimal` in BRL in both directions, dates are `date`.
"""

from ciclo.billimatic.models.catalogues import Contract, EmailTemplate, ServiceItem
from ciclo.billimatic.models.invoices import Attachment, Invoice, InvoiceState, PaymentInformation, Receivable, Service
from ciclo.billimatic.models.reading import Answer
from ciclo.billimatic.models.requests import (
    InvoiceChange,
    NewAttachment,
    NewInvoice,
    NewPaymentInformation,
    NewReceivable,
    NewService,
    RuleFromTemplate,
    RuleService,
    RuleTiming,
    RuleUpdate,
)
from ciclo.billimatic.models.rules import (
    AdditionalInformation,
    InvoiceRule,
    InvoiceTemplate,
    ReceivablesAdditionalInformation,
    ScheduledUpdate,
)

__all__ = [
    "AdditionalInformation",
    "Answer",
    "Attachment",
    "Contract",
    "EmailTemplate",
    "Invoice",
    "InvoiceChange",
    "InvoiceRule",
    "InvoiceState",
    "InvoiceTemplate",
    "NewAttachment",
    "NewInvoice",
    "NewPaymentInformation",
    "NewReceivable",
    "NewService",
    "PaymentInformation",
    "Receivable",
    "ReceivablesAdditionalInformation",
    "RuleFromTemplate",
    "RuleService",
    "RuleTiming",
    "RuleUpdate",
    "ScheduledUpdate",
    "Service",
    "ServiceItem",
]
