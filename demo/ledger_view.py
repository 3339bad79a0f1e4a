"""What Ciclo's ledger says of a window: counts while it works, what was stopped and why, what prices became.

Read only, through the ledger's own queries; the proof does not use a count from here, only the reasons.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.price_index import PriceIndex
from ciclo.domain.receivables import AgeingBucket, ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState, PeriodState, ReasonKind
from ciclo.domain.wording import plain_words, said
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.attention import FindingFilter, FindingRow, finding_listing
from ciclo.ledger.queries.months import ClosingRow, Share, closing_listing
from ciclo.ledger.queries.paging import PageRequest
from ciclo.ledger.queries.receivables import ReceivableFilter, ageing, receivable_listing
from ciclo.ledger.repositories import Actor, ExecutionRepository, PeriodRepository, Scope
from ciclo.ledger.tables import Period, PriceUpdateExecution

STOPPED = (PeriodState.PARKED, PeriodState.WAITING, PeriodState.IN_DOUBT)
ACTOR = Actor(dag_id="demo")


@dataclass(frozen=True, slots=True)
class Counts:
    """Periods of the window that are to be billed, how many are invoices, and their amount in BRL."""

    periods: int = 0
    issued: int = 0
    amount: Decimal = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Stopped:
    """A period that waits for a person or for a price update, and why."""

    period_id: int
    contract_id: int
    rule_id: int
    issue_date: date
    state: str
    kind: ReasonKind | None
    reason: str


@dataclass(frozen=True, slots=True)
class Readjustment:
    """An applied price update; `factor` is unrounded, prices are old and new in BRL a unit."""

    rule_id: int
    execution_date: date
    index: PriceIndex
    factor: Decimal
    held: bool
    """The index fell, and the rule does not let that lower its price."""
    prices: tuple[tuple[Decimal, Decimal], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Money:
    """What became of the receivables, as of a day."""

    received: Share
    not_issued: Share
    owed: dict[AgeingBucket, Share]


class LedgerView:
    """The ledger at `url`, for one organization and the issue dates from `first` to `last`, both included."""

    def __init__(self, url: str, organization_id: int, first: date, last: date) -> None:
        self._engine = open_engine(url, read_only=True)
        self._organization_id = organization_id
        self._scope = Scope(DateRange.days(first, last))

    def counts(self) -> Counts:
        """Return how far the window's billing is."""
        with Session(self._engine) as session:
            totals = self._periods(session).totals(self._scope)
        issued = totals[PeriodState.ISSUED]
        billable = sum(state.periods for state in totals.values()) - totals[PeriodState.CANCELLED].periods
        return Counts(billable, issued.periods, issued.amount)

    def period(self, rule_id: int, month: date) -> Period:
        """Return the one period that a monthly rule issues in a month."""
        days = DateRange.month_of(month)
        mine = select(Period).where(Period.organization_id == self._organization_id, Period.rule_id == rule_id)
        with Session(self._engine) as session:
            return session.scalars(mine.where(Period.issue_date >= days.start, Period.issue_date < days.end)).one()

    def stopped(self) -> list[Stopped]:
        """Return what needs attention, oldest first."""
        with Session(self._engine) as session:
            periods = self._periods(session).in_state(*STOPPED, scope=self._scope)
            return [_stopped(period) for period in periods]

    def findings(self) -> list[FindingRow]:
        """Return what differs in the window's months and no person has acknowledged, oldest first."""
        wanted = finding_listing(self._organization_id, FindingFilter())
        with Session(self._engine) as session:
            rows = list(wanted.every(session, PageRequest()))
        return [row for row in rows if row.billing_month is None or row.billing_month in self._scope.window]

    def reasons(self, state: PeriodState) -> dict[tuple[int, date], str]:
        """Return the reason per rule id and issue date of the periods in one state."""
        return {(p.rule_id, p.issue_date): p.reason for p in self.stopped() if p.state == state}

    def readjustments(self) -> list[Readjustment]:
        """Return the price updates that were applied, oldest execution first."""
        with Session(self._engine) as session:
            applied = ExecutionRepository(session, self._organization_id, ACTOR).in_state(ExecutionState.APPLIED)
            return [_readjustment(execution) for execution in applied]

    def money(self, today: date) -> Money:
        """Return what was received and what is owed, by age as of `today`."""
        with Session(self._engine) as session:
            return Money(
                self._receivables(session, ReceivableState.RECEIVED, today),
                self._receivables(session, ReceivableState.TO_EMIT, today),
                ageing(session, self._organization_id, today),
            )

    def closings(self) -> list[ClosingRow]:
        """Return the newest attempt to close each month of the window, oldest month first."""
        oldest_first = PageRequest(sort="month")
        with Session(self._engine) as session:
            rows = closing_listing(self._organization_id).every(session, oldest_first)
            return [row for row in rows if row.billing_month in self._scope.window]

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def _periods(self, session: Session) -> PeriodRepository:
        return PeriodRepository(session, self._organization_id, ACTOR)

    def _receivables(self, session: Session, state: ReceivableState, today: date) -> Share:
        listing = receivable_listing(self._organization_id, ReceivableFilter(today, state=state.value))
        rows = list(listing.every(session, PageRequest()))
        return Share(len(rows), sum((row.received_value or row.gross_value for row in rows), Decimal(0)))


def _stopped(period: Period) -> Stopped:
    kind = period.reason.kind if period.reason else None
    said_so = said(period.reason)
    return Stopped(period.id, period.contract_id, period.rule_id, period.issue_date, period.state, kind, said_so)


def _readjustment(execution: PriceUpdateExecution) -> Readjustment:
    evidence = execution.evidence or {}
    return Readjustment(
        rule_id=execution.rule_id,
        execution_date=execution.execution_date,
        index=PriceIndex(execution.price_index),
        factor=execution.factor or Decimal(1),
        held=bool(evidence.get("floored")),
        prices=tuple((Decimal(price["old"]), Decimal(price["new"])) for price in evidence.get("prices", ())),
        warnings=tuple(map(plain_words, evidence.get("warnings", ()))),
    )
