"""Every table of the ledger, under one name."""

from ciclo.ledger.tables.adjustments import Adjustment, AdjustmentUse, RuleSetting
from ciclo.ledger.tables.base import Base, Payload, Reasoned, reason_columns
from ciclo.ledger.tables.billing import GeneratedRange, Invoice, Nfse, Period, Receivable
from ciclo.ledger.tables.contracts import (
    Contract,
    ContractState,
    MonthExpansion,
    Organization,
    Reading,
    Rule,
    RuleVersion,
)
from ciclo.ledger.tables.instructions import Instruction
from ciclo.ledger.tables.operations import (
    AuditEntry,
    BillingPlan,
    ClosedInvoice,
    Finding,
    Forecast,
    MonthClosing,
    MonthProgress,
    NotItsOwn,
    PlannedInvoice,
    RequestBudget,
    SeenShape,
    WebhookEvent,
)
from ciclo.ledger.tables.prices import (
    ContractTerm,
    IndexValue,
    Letter,
    Price,
    PriceUpdateExecution,
    ScheduledUpdate,
)

__all__ = [
    "Adjustment",
    "AdjustmentUse",
    "AuditEntry",
    "Base",
    "BillingPlan",
    "ClosedInvoice",
    "Contract",
    "ContractState",
    "ContractTerm",
    "Finding",
    "Forecast",
    "GeneratedRange",
    "IndexValue",
    "Instruction",
    "Invoice",
    "Letter",
    "MonthClosing",
    "MonthExpansion",
    "MonthProgress",
    "Nfse",
    "NotItsOwn",
    "Organization",
    "Payload",
    "Period",
    "PlannedInvoice",
    "Price",
    "PriceUpdateExecution",
    "Reading",
    "Reasoned",
    "Receivable",
    "RequestBudget",
    "Rule",
    "RuleSetting",
    "RuleVersion",
    "ScheduledUpdate",
    "SeenShape",
    "WebhookEvent",
    "reason_columns",
]
