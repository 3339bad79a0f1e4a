"""What is parked, for a person who decides at a command line: reason, age, amount at risk; release or cancel.

The one rule: a decision is an action of `ciclo.ledger.actions`, the same as in the console, in the person's name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from ciclo.domain.money import ZERO, brl
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.ledger.actions import ActionOutcome, NoSuchRow
from ciclo.ledger.tables import Contract, Period

Action = Callable[..., ActionOutcome]
"""`release_period` or `cancel_period`."""


@dataclass(frozen=True, slots=True)
class ParkedPeriod:
    """A period that stopped for a person. `amount` is BRL at risk, None where the price is not known."""

    period_id: int
    organization_id: int
    contract_id: int
    contract: str
    rule_id: int
    issue_date: date
    amount: Decimal | None
    parked_at: datetime
    reason: str

    def days(self, now: datetime) -> int:
        """Whole days since it was parked."""
        return (now - self.parked_at).days

    def line(self, now: datetime) -> str:
        """Say it in a line."""
        amount = brl(self.amount) if self.amount is not None else "unknown"
        place = f"{self.contract}, rule {self.rule_id}, {self.issue_date}"
        return f"{self.period_id:>8}  {self.days(now):>4} days  {amount:>16}  {place}: {self.reason}"

    def document(self, now: datetime) -> dict[str, Any]:
        """Return it as JSON values, money as a decimal string."""
        return {
            "period": self.period_id,
            "organization_id": self.organization_id,
            "contract_id": self.contract_id,
            "contract": self.contract,
            "rule_id": self.rule_id,
            "issue_date": self.issue_date.isoformat(),
            "days": self.days(now),
            "amount": str(self.amount) if self.amount is not None else None,
            "reason": self.reason,
        }


def parked_periods(session: Session, organization_id: int | None = None) -> list[ParkedPeriod]:
    """Return the parked periods, of one organization or of all, oldest issue date first."""
    same = and_(Period.organization_id == Contract.organization_id, Period.contract_id == Contract.contract_id)
    query = select(Period, Contract.name).outerjoin(Contract, same).where(Period.state == PeriodState.PARKED.value)
    if organization_id is not None:
        query = query.where(Period.organization_id == organization_id)
    rows = session.execute(query.order_by(Period.issue_date, Period.id))
    return [_parked(row[0], row[1]) for row in rows]


def at_risk(periods: Sequence[ParkedPeriod]) -> Decimal:
    """Return what parked periods amount to, in BRL, as far as it is known."""
    return sum((period.amount for period in periods if period.amount is not None), ZERO)


def decide(session: Session, action: Action, period_id: int, *, person: str, note: str, at: datetime) -> ActionOutcome:
    """Carry out a person's decision about a period, of whatever organization, and commit it.

    Raises:
        NoSuchRow: there is no such period.
        UnusableNote, IllegalTransition: as the action says.
    """
    organization_id = session.scalar(select(Period.organization_id).where(Period.id == period_id))
    if organization_id is None:
        raise NoSuchRow("period", period_id)
    outcome = action(session, organization_id, period_id, person=person, note=note, at=at)
    session.commit()
    return outcome


def _parked(period: Period, contract: str | None) -> ParkedPeriod:
    return ParkedPeriod(
        period_id=period.id,
        organization_id=period.organization_id,
        contract_id=period.contract_id,
        contract=contract or f"contract {period.contract_id}",
        rule_id=period.rule_id,
        issue_date=period.issue_date,
        amount=period.gross_value,
        parked_at=period.changed_at,
        reason=said(period.reason, "no reason given"),
    )
