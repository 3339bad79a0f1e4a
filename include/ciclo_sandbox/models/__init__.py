"""The vendor's resources in the shape of 2026, a sentence for each field.

These shapes are answers and state file alike, and OpenAPI is made from them. What is left out of a state gets the
default, an explicit null stays null, a field that is not known is passed over. `shapes.py` answers the shape of 2018.
"""

from ciclo_sandbox.models.catalogue import (
    ChargeTemplate,
    Company,
    EmailTemplate,
    FinancialAccount,
    NfseTemplate,
    Organization,
    Person,
    ServiceItem,
)
from ciclo_sandbox.models.contracts import Contract, Plan, PlanFeature, PlanProduct
from ciclo_sandbox.models.invoices import (
    AdditionalInformation,
    Attachment,
    Billable,
    Invoice,
    InvoiceRule,
    InvoiceTemplate,
    PaymentInformation,
    Receivable,
    ReceivablesAdditionalInformation,
    ScheduledUpdate,
    Service,
    TemplateDueDates,
)
from ciclo_sandbox.models.nfses import Nfse, NfseServiceItem

__all__ = [
    "AdditionalInformation",
    "Attachment",
    "Billable",
    "ChargeTemplate",
    "Company",
    "Contract",
    "EmailTemplate",
    "FinancialAccount",
    "Invoice",
    "InvoiceRule",
    "InvoiceTemplate",
    "Nfse",
    "NfseServiceItem",
    "NfseTemplate",
    "Organization",
    "PaymentInformation",
    "Person",
    "Plan",
    "PlanFeature",
    "PlanProduct",
    "Receivable",
    "ReceivablesAdditionalInformation",
    "ScheduledUpdate",
    "Service",
    "ServiceItem",
    "TemplateDueDates",
]
