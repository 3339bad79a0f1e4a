"""A person who settles what Ciclo shows, every way that its console offers: by turns, so that each way is gone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.findings import FindingKind
from ciclo.domain.states import ExecutionState, PeriodState, ReasonKind
from ciclo.ledger.actions import (
    acknowledge_finding,
    apply_update,
    bill_again,
    cancel_period,
    its_own,
    not_its_own,
    release_period,
)
from ciclo.ledger.tables import Finding, Period, PriceUpdateExecution
from company import ORGANIZATION
from witness import Witness

LEFT_ALONE = (FindingKind.UNREAD, FindingKind.OVERDUE, FindingKind.PAID_LATE)
"""What is cured by reading again, by billing, or by nothing."""
GONE = (FindingKind.DELETED_REMOTELY, FindingKind.CANCELLED_REMOTELY)
_SAID: dict[str, Any] = {"person": "ana", "note": "looked at"}


@dataclass(slots=True)
class Person:
    """Settles by what is shown alone; what he lets Ciclo bill again, the witness is told."""

    witness: Witness
    shown_wrongly: list[str] = field(default_factory=list)
    """What was shown and is not so."""

    def settle(self, session: Session, *, at: datetime) -> list[int]:
        """Settle everything in Ciclo, and commit; return the second invoices that are to be cancelled at the vendor."""
        self.settle_periods(session, at)
        self.settle_updates(session, at)
        seconds = list(self._settle_findings(session, at))
        session.commit()
        return seconds

    def settle_periods(self, session: Session, at: datetime) -> None:
        """Bill what was removed if its number is even, but not what somebody put off into another month; say whose the
        invoices are that may be a period's own; release the rest: by then the look finds what is there.
        """
        there = self.witness.living()
        for period in session.scalars(select(Period).where(Period.state == PeriodState.PARKED.value)).all():
            removed = period.reason is not None and period.reason.kind is ReasonKind.REMOVED_AT_VENDOR
            key = period.rule_id, period.issue_date
            if removed and (period.id % 2 or key in there):
                cancel_period(session, ORGANIZATION, period.id, at=at, **_SAID)
                continue
            named = (period.reason.facts if period.reason else {}).get("invoice_ids") or ()
            mine = [number for number in named if number in there.get(key, ())]
            if mine:
                its_own(session, ORGANIZATION, period.id, at=at, invoice_id=mine[0], **_SAID)
                continue
            if removed or named:
                self.witness.may_come_back.add(key)
            if period.reason is not None and period.reason.kind is ReasonKind.MAY_BE_ITS_OWN:
                not_its_own(session, ORGANIZATION, period.id, at=at, **_SAID)
                continue
            release_period(session, ORGANIZATION, period.id, at=at, **_SAID)

    def settle_updates(self, session: Session, at: datetime) -> None:
        """Let price updates be applied, to the letter of the contract where it matters."""
        waiting = (ExecutionState.PARKED.value, ExecutionState.PROPOSED.value)
        updates = select(PriceUpdateExecution).where(
            PriceUpdateExecution.state.in_(waiting), PriceUpdateExecution.approved_at.is_(None)
        )
        for update in session.scalars(updates).all():
            figures = {figure["basis"] for figure in (update.evidence or {}).get("figures", ())}
            basis = "letter" if "letter" in figures else None
            apply_update(session, ORGANIZATION, update.id, at=at, basis=basis, **_SAID)

    def _settle_findings(self, session: Session, at: datetime) -> Iterator[int]:
        """Let the second of two be cancelled, bill again what was removed if even, acknowledge the rest."""
        query = select(Finding).where(Finding.closed_at.is_(None), Finding.acknowledged_at.is_(None))
        for finding in session.scalars(query.order_by(Finding.id)).all():
            kind = FindingKind(finding.kind)
            if kind is FindingKind.DUPLICATED_REMOTELY and self.is_second(finding.subject_id):
                yield finding.subject_id
            elif kind in GONE and finding.subject_id % 2 == 0:
                self._bill_again(session, finding, at)
            elif kind not in LEFT_ALONE:
                acknowledge_finding(session, ORGANIZATION, finding.id, at=at, **_SAID)

    def is_second(self, number: int) -> bool:
        """Whether an invoice that is shown as one too many is to be cancelled; one that was put off is not."""
        known = self.witness.traced.get(number)
        if known is None or not known.alive:
            return False
        if len(self.witness.living()[known.key]) > 1:
            return True
        if "planned date" not in known.by_hand:  # put off into the next month, it lies beside that one's own
            self.shown_wrongly.append(f"shown as a second: invoice {number} of {known.key}, which has no other")
        return False

    def _bill_again(self, session: Session, finding: Finding, at: datetime) -> None:
        period = session.scalar(select(Period).where(Period.invoice_id == finding.subject_id))
        if period is not None and period.state == PeriodState.ISSUED:
            self.witness.may_come_back.add((period.rule_id, period.issue_date))
            bill_again(session, ORGANIZATION, period.id, at=at, **_SAID)
