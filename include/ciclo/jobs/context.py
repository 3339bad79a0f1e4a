"""What every job is given: the API, a ledger session, who acts, what time it is. Nothing here reads a clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.ledger.repositories import (
    Actor,
    AuditRepository,
    CatalogueRepository,
    ClosingRepository,
    ExecutionRepository,
    FindingRepository,
    IndexValueRepository,
    InvoiceRepository,
    PeriodRepository,
    PlanRepository,
    PriceRepository,
    ReconciliationRepository,
    ScheduledUpdateRepository,
    WebhookRepository,
)


@dataclass(frozen=True)
class JobContext:
    """One run's means; the repositories share its session, and whoever commits says so in the job."""

    api: BillimaticClient
    session: Session
    actor: Actor
    clock: Callable[[], datetime]
    """Returns the current instant, aware."""

    @property
    def organization_id(self) -> int:
        """The organization that bills."""
        return self.api.organization_id

    @cached_property
    def catalogue(self) -> CatalogueRepository:
        """Contracts and rules."""
        return CatalogueRepository(self.session, self.organization_id)

    @cached_property
    def periods(self) -> PeriodRepository:
        """Periods."""
        return PeriodRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def invoices(self) -> InvoiceRepository:
        """Invoices and receivables."""
        return InvoiceRepository(self.session, self.organization_id)

    @cached_property
    def prices(self) -> PriceRepository:
        """Effective-dated prices."""
        return PriceRepository(self.session, self.organization_id)

    @cached_property
    def scheduled_updates(self) -> ScheduledUpdateRepository:
        """Scheduled price updates."""
        return ScheduledUpdateRepository(self.session, self.organization_id)

    @cached_property
    def executions(self) -> ExecutionRepository:
        """Executions of price updates."""
        return ExecutionRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def index_values(self) -> IndexValueRepository:
        """Values of the price indices."""
        return IndexValueRepository(self.session)

    @cached_property
    def audit(self) -> AuditRepository:
        """The audit trail."""
        return AuditRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def reconciliation(self) -> ReconciliationRepository:
        """What the ledger knows of the vendor's invoices."""
        return ReconciliationRepository(self.session, self.organization_id)

    @cached_property
    def findings(self) -> FindingRepository:
        """Disagreements between ledger and vendor."""
        return FindingRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def closings(self) -> ClosingRepository:
        """Closed months."""
        return ClosingRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def webhooks(self) -> WebhookRepository:
        """Events that the vendor told."""
        return WebhookRepository(self.session)

    @cached_property
    def plans(self) -> PlanRepository:
        """Plans of backfills."""
        return PlanRepository(self.session, self.organization_id, self.actor)
