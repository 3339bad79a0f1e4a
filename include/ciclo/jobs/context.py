"""What every job is given (the API, a ledger session, who acts, what time it is), its options, and what came of it.

Nothing here reads a clock or an environment. A fresh organization bills nothing until a person approves its first plan;
that arms it, and fixes the month from which Ciclo answers for what is billed: nothing before it is asked about.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.calendar import NO_HOLIDAYS, SAO_PAULO, first_of_month
from ciclo.ledger.repositories import (
    Actor,
    AdjustmentRepository,
    AuditRepository,
    ClosingRepository,
    ContractRepository,
    ExecutionRepository,
    FindingRepository,
    IndexValueRepository,
    InstructionRepository,
    InvoiceRepository,
    LetterRepository,
    NfseRepository,
    OrganizationRepository,
    PeriodRepository,
    PlanRepository,
    PriceRepository,
    ReadingRepository,
    ReconciliationRepository,
    ScheduledUpdateRepository,
    WebhookRepository,
)
from ciclo.locale import _


@dataclass(frozen=True)
class JobContext:
    """One run's means; the repositories share its session, and whoever commits says so in the job."""

    api: BillimaticClient
    session: Session
    actor: Actor
    clock: Callable[[], datetime]
    """Returns the current instant, aware."""
    own_holidays: frozenset[date] = NO_HOLIDAYS
    """The company's own, beside the banks'."""
    began: datetime | None = None
    """When the run began: what was read of the vendor before is not this run's. None outside of a run."""

    @property
    def organization_id(self) -> int:
        """The organization that bills."""
        return self.api.organization_id

    @property
    def today(self) -> date:
        """The current day in São Paulo."""
        return self.clock().astimezone(SAO_PAULO).date()

    @cached_property
    def contracts(self) -> ContractRepository:
        """Contracts and rules."""
        return ContractRepository(self.session, self.organization_id)

    @cached_property
    def organizations(self) -> OrganizationRepository:
        """The organization that bills."""
        return OrganizationRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def readings(self) -> ReadingRepository:
        """When contracts were read, and their states."""
        return ReadingRepository(self.session, self.organization_id)

    @cached_property
    def periods(self) -> PeriodRepository:
        """Periods: what is to become invoices, state by state."""
        return PeriodRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def invoices(self) -> InvoiceRepository:
        """Invoices and receivables."""
        return InvoiceRepository(self.session, self.organization_id)

    @cached_property
    def adjustments(self) -> AdjustmentRepository:
        """What differs from the rules for single periods."""
        return AdjustmentRepository(self.session, self.organization_id, self.actor)

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
    def letters(self) -> LetterRepository:
        """Letters to customers about readjustments."""
        return LetterRepository(self.session, self.organization_id, self.actor)

    @cached_property
    def instructions(self) -> InstructionRepository:
        """What people let Ciclo tell the vendor about single invoices and receivables."""
        return InstructionRepository(self.session, self.organization_id, self.actor)

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
    def nfses(self) -> NfseRepository:
        """Tax documents of invoices."""
        return NfseRepository(self.session, self.organization_id)

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


class LeaseTooShortError(Exception):
    """A claim would end before a single request could: nothing could ever be sent."""

    def __init__(self, lease: timedelta, longest_request: float) -> None:
        text = _(
            "a claim's lease of {lease} seconds must be longer than the API's longest request of {longest}; "
            "raise CICLO_LEASE_SECONDS or lower the connection's timeout"
        )
        super().__init__(text.format(lease=f"{lease.total_seconds():.0f}", longest=f"{longest_request:.0f}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimOptions:
    """How a run claims what it sends."""

    lease: timedelta = timedelta(minutes=10)
    """How long a claim holds; no request begins that could outlast it."""
    grace: timedelta = timedelta(minutes=5)
    """How long after a lost answer the vendor may still carry the request out: longer than its longest request."""

    def require_lease(self, api: BillimaticClient) -> None:
        """Refuse a lease in which nothing can be sent.

        Raises:
            LeaseTooShortError: naming both durations and the settings behind them.
        """
        if self.lease.total_seconds() <= api.longest_request:
            raise LeaseTooShortError(self.lease, api.longest_request)


class Gaps(StrEnum):
    """What becomes of a period whose invoice somebody removed from among those that the vendor generated."""

    ASK = "ask"
    """It is parked."""
    CREATE = "create"
    """Its invoice is created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOptions(ClaimOptions):
    """How a run issues."""

    concurrency: int = 8
    """POSTs under way at once, at most."""
    batch: int = 200
    """Periods claimed at once."""
    approved: Mapping[int, Decimal | None] | None = None
    """Amounts by period of an approved plan, in BRL: a period at another amount is parked, not billed."""
    gaps: Gaps = Gaps.ASK
    stamp: bool = True
    """Whether an adopted invoice gets Ciclo's reference in its comments."""


@dataclass(slots=True)
class IssueOutcome:
    """What became of the periods of a run, by number."""

    created: int = 0
    adopted: int = 0
    parked: int = 0
    in_doubt: int = 0
    waiting: int = 0
    replanned: int = 0

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {name: getattr(self, name) for name in self.__slots__}

    def add(self, other: "IssueOutcome") -> None:
        """Add another outcome to this one."""
        for name, number in other.counts().items():
            setattr(self, name, getattr(self, name) + number)


def is_armed(ctx: JobContext) -> bool:
    """Whether a person has allowed the organization to bill."""
    organization = ctx.organizations.get()
    return organization is not None and organization.armed_at is not None


def responsible_from(ctx: JobContext) -> date | None:
    """Return the first day of the month from which Ciclo answers for what is billed; None where it is not armed."""
    organization = ctx.organizations.get()
    return organization.responsible_from if organization is not None else None


def arm(ctx: JobContext, day: date, *, person: str) -> bool:
    """Let the organization bill, from the month of `day` on. Commits.

    Returns:
        Whether it was not armed before: the month once fixed stays.
    """
    armed = ctx.organizations.arm(responsible_from=first_of_month(day), person=person, at=ctx.clock())
    ctx.session.commit()
    return armed
