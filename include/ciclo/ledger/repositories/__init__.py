"""One repository a resource, with named queries. Repositories flush, the caller commits."""

from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.catalogue import ACTIVE, CatalogueRepository, version_on
from ciclo.ledger.repositories.invoices import InvoiceRepository
from ciclo.ledger.repositories.periods import Issued, PeriodRepository, Scope, StateCount
from ciclo.ledger.repositories.prices import PriceRepository, ScheduledUpdateRepository

__all__ = [
    "ACTIVE",
    "Actor",
    "AuditRepository",
    "CatalogueRepository",
    "Change",
    "InvoiceRepository",
    "Issued",
    "PeriodRepository",
    "PriceRepository",
    "ScheduledUpdateRepository",
    "Scope",
    "StateCount",
    "version_on",
]
