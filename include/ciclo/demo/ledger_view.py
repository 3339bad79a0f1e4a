"""What Ciclo's ledger says of a window: counts while it works, reasons for whatever it stopped.

The rule here: read only, through the repositories; the proof does not use a count from here, only the parked reasons.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from ciclo.domain.period_states import PeriodState
from ciclo.domain.periods import DateRange
from ciclo.ledger.engine import open_engine
from ciclo.ledger.repositories.audit import Actor
from ciclo.ledger.repositories.periods import PeriodRepository, Scope

STOPPED = (PeriodState.PARKED, PeriodState.WAITING, PeriodState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Counts:
    """Periods of the window, how many are invoices, and their amount in BRL."""

    periods: int = 0
    issued: int = 0
    amount: Decimal = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Stopped:
    """A period that waits for a person or for a price update, and why."""

    contract_id: int
    rule_id: int
    issue_date: date
    state: str
    reason: str


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
        return Counts(sum(state.periods for state in totals.values()), issued.periods, issued.amount)

    def stopped(self) -> list[Stopped]:
        """Return what needs attention, oldest first."""
        with Session(self._engine) as session:
            periods = self._periods(session).in_state(*STOPPED, scope=self._scope)
            return [Stopped(p.contract_id, p.rule_id, p.issue_date, p.state, p.reason or "") for p in periods]

    def reasons(self, state: PeriodState) -> dict[tuple[int, date], str]:
        """Return the reason per rule id and issue date of the periods in one state."""
        return {(p.rule_id, p.issue_date): p.reason for p in self.stopped() if p.state == state}

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def _periods(self, session: Session) -> PeriodRepository:
        return PeriodRepository(session, self._organization_id, Actor(dag_id="demo"))
