"""Every table of the ledger, under one name."""

from ciclo.ledger.tables.base import Base, Payload
from ciclo.ledger.tables.billing import Invoice, Period, Receivable
from ciclo.ledger.tables.catalogue import Contract, Organization, Rule, RuleVersion
from ciclo.ledger.tables.operations import AuditEntry, BillingPlan, Finding, MonthClosing, WebhookEvent
from ciclo.ledger.tables.pricing import IndexValue, Price, PriceUpdateExecution, ScheduledUpdate

__all__ = [
    "AuditEntry",
    "Base",
    "BillingPlan",
    "Contract",
    "Finding",
    "IndexValue",
    "Invoice",
    "MonthClosing",
    "Organization",
    "Payload",
    "Period",
    "Price",
    "PriceUpdateExecution",
    "Receivable",
    "Rule",
    "RuleVersion",
    "ScheduledUpdate",
    "WebhookEvent",
]
