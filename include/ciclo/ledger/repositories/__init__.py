"""One repository a resource, with named queries. Repositories flush, the caller commits."""

from ciclo.ledger.repositories.adjustments import (
    COMPLEMENT,
    PRORATED,
    STATED,
    AdjustmentRepository,
    AdjustmentState,
    KnownAdjustment,
    UseState,
    complement_rule,
)
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.closings import AsClosed, ClosingRepository
from ciclo.ledger.repositories.contracts import (
    ACTIVE,
    ContractRepository,
    OrganizationRepository,
    ReadingRepository,
    Version,
    version_on,
)
from ciclo.ledger.repositories.findings import Disagreement, FindingRepository, Settled
from ciclo.ledger.repositories.instructions import InstructionRepository
from ciclo.ledger.repositories.invoices import (
    InvoiceRepository,
    MonthOfInvoices,
    NfseRepository,
    ReconciliationRepository,
    TaxedInvoice,
)
from ciclo.ledger.repositories.letters import LetterRepository, Occasion, Written
from ciclo.ledger.repositories.periods import Issued, PeriodRepository, StateCount
from ciclo.ledger.repositories.plans import NewPlan, PlanEntry, PlanRepository
from ciclo.ledger.repositories.price_updates import ExecutionRepository, ScheduledUpdateRepository
from ciclo.ledger.repositories.prices import IndexValueRepository, KnownPrice, KnownValue, PriceRepository
from ciclo.ledger.repositories.scope import Scope
from ciclo.ledger.repositories.webhooks import ReceivedEvent, WebhookRepository

__all__ = [
    "ACTIVE",
    "COMPLEMENT",
    "PRORATED",
    "STATED",
    "Actor",
    "AdjustmentRepository",
    "AdjustmentState",
    "AsClosed",
    "AuditRepository",
    "Change",
    "ClosingRepository",
    "ContractRepository",
    "Disagreement",
    "ExecutionRepository",
    "FindingRepository",
    "IndexValueRepository",
    "InstructionRepository",
    "InvoiceRepository",
    "Issued",
    "KnownAdjustment",
    "KnownPrice",
    "KnownValue",
    "LetterRepository",
    "MonthOfInvoices",
    "NewPlan",
    "NfseRepository",
    "Occasion",
    "OrganizationRepository",
    "PeriodRepository",
    "PlanEntry",
    "PlanRepository",
    "PriceRepository",
    "ReadingRepository",
    "ReceivedEvent",
    "ReconciliationRepository",
    "ScheduledUpdateRepository",
    "Scope",
    "Settled",
    "StateCount",
    "TaxedInvoice",
    "UseState",
    "Version",
    "WebhookRepository",
    "Written",
    "complement_rule",
    "version_on",
]
