"""What a rehearsal's people were shown: read from the ledger after the Dags of each day, with first and last day."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import SAO_PAULO, add_days, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import ExecutionState, PeriodState, period_facts, update_facts
from ciclo.domain.wording import named, plain_words, said
from ciclo.domain.wording.reasons import CURES
from ciclo.ledger.tables import Finding, Invoice, MonthClosing, Period, PriceUpdateExecution, Receivable

_STOPPED_PERIODS = (PeriodState.PARKED.value, PeriodState.IN_DOUBT.value)
_NOT_YET_BILLED = (PeriodState.PLANNED.value, PeriodState.WAITING.value)
_STOPPED_UPDATES = (ExecutionState.PARKED.value, ExecutionState.IN_DOUBT.value, ExecutionState.PROPOSED.value)
_NOT_SHOWN = (FindingKind.PAID_LATE.value,)
"""Findings that only say how old something is."""
_NAMED = re.compile(r"contract (\d+)(?:, rule (\d+))?(?:, period (\d{4}-\d{2}-\d{2}))?")


class Matter(NamedTuple):
    """Something that is shown to a person."""

    kind: str
    contract_id: int | None
    rule_id: int | None
    issue_date: date | None
    """Planned date of the period, or execution date of the price update."""
    message: str


@dataclass(slots=True)
class Shown:
    """A matter with the first day on which it was shown, and the one on which it no longer was."""

    matter: Matter
    shown_on: date
    cleared_on: date | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        matter = self.matter
        return {
            "shown_on": self.shown_on.isoformat(),
            "cleared_on": self.cleared_on.isoformat() if self.cleared_on else None,
            "kind": matter.kind,
            "contract_id": matter.contract_id,
            "rule_id": matter.rule_id,
            "issue_date": matter.issue_date.isoformat() if matter.issue_date else None,
            "message": matter.message,
        }


@dataclass(slots=True)
class Attention:
    """Everything that was shown since a day; of earlier months nothing is."""

    since: date
    catch_up_days: int
    rows: list[Shown] = field(default_factory=list)
    _open: dict[Matter, Shown] = field(default_factory=dict)

    def watch(self, session: Session, organization_id: int, today: date, failed: Iterable[Matter]) -> None:
        """Take in how things stand on a day, among them the runs that have failed and not been made good."""
        found = dict.fromkeys(
            matter
            for matters in (
                _periods(session, organization_id, today, add_days(today, -self.catch_up_days)),
                _updates(session, organization_id),
                _findings(session, organization_id, first_of_month(self.since)),
                _obstacles(session, organization_id, first_of_month(self.since)),
                failed,
            )
            for matter in matters
            if matter.issue_date is None or matter.issue_date >= first_of_month(self.since)
        )
        for matter in [each for each in self._open if each not in found]:
            self._open.pop(matter).cleared_on = today
        for matter in found:
            if matter not in self._open:
                self._open[matter] = Shown(matter, today)
                self.rows.append(self._open[matter])


def _periods(session: Session, organization_id: int, today: date, overdue_before: date) -> Iterator[Matter]:
    """Yield the periods that stopped, that wait when they are due, and that are too old for `issue_invoices`."""
    query = select(Period).where(Period.organization_id == organization_id, Period.state != PeriodState.ISSUED.value)
    for period in session.scalars(query.order_by(Period.issue_date, Period.id)):
        place = named(period_facts(*period.identity))
        if period.state in _STOPPED_PERIODS:
            message = said(period.reason, f"{place}: {period.state}")
            yield Matter(period.state, period.contract_id, period.rule_id, period.issue_date, message)
        elif period.state in _NOT_YET_BILLED and period.issue_date < overdue_before:
            message = f"{place}: overdue, {period.state} and not billed; {CURES[period.state]}"
            yield Matter("overdue", period.contract_id, period.rule_id, period.issue_date, message)
        elif period.state == PeriodState.WAITING and period.issue_date <= today:
            message = said(period.reason, f"{place}: {period.state}")
            yield Matter(period.state, period.contract_id, period.rule_id, period.issue_date, message)


def _updates(session: Session, organization_id: int) -> Iterator[Matter]:
    query = select(PriceUpdateExecution).where(
        PriceUpdateExecution.organization_id == organization_id,
        PriceUpdateExecution.state.in_(_STOPPED_UPDATES),
        PriceUpdateExecution.approved_at.is_(None),
    )
    for update in session.scalars(query.order_by(PriceUpdateExecution.execution_date, PriceUpdateExecution.id)):
        place = named(update_facts(update.contract_id, update.rule_id, update.execution_date))
        message = said(update.reason, f"{place}: {update.state}")
        yield Matter(f"update_{update.state}", update.contract_id, update.rule_id, update.execution_date, message)


def _findings(session: Session, organization_id: int, since: date) -> Iterator[Matter]:
    query = select(Finding).where(
        Finding.organization_id == organization_id,
        Finding.closed_at.is_(None),
        Finding.acknowledged_at.is_(None),
        Finding.kind.not_in(_NOT_SHOWN),
    )
    for finding in session.scalars(query.order_by(Finding.id)):
        if finding.billing_month is not None and finding.billing_month < since:
            continue
        rule_id, planned = about(session, finding)
        yield Matter(finding.kind, finding.contract_id, rule_id, planned, finding.message)


def about(session: Session, finding: Finding) -> tuple[int | None, date | None]:
    """Return the rule that a finding is about and the planned date, as far as it is about one."""
    facts = finding.facts
    if "rule_id" in facts:
        day = facts.get("issue_date") or facts.get("execution_date")
        return int(facts["rule_id"]), date.fromisoformat(day) if day else None
    subject, number = finding.subject, finding.subject_id
    if subject == "rule":
        return number, None
    if subject == "receivable":
        receivable = session.get(Receivable, (finding.organization_id, number))
        subject, number = "invoice", receivable.invoice_id if receivable else 0
    invoice = session.get(Invoice, (finding.organization_id, number)) if subject == "invoice" else None
    period_id = number if subject == "period" else invoice.period_id if invoice else None
    period = session.get(Period, period_id) if period_id is not None else None
    if period is not None:
        return period.rule_id, period.issue_date
    return None, invoice.issue_date if invoice else None


def _obstacles(session: Session, organization_id: int, since: date) -> Iterator[Matter]:
    """Yield what keeps the months open that somebody tried to close."""
    for attempt in newest_attempts(session, organization_id, since):
        for line in obstacles_of(attempt):
            named = _NAMED.search(line)
            contract, rule, day = named.groups() if named else (None, None, None)
            yield Matter(
                "obstacle",
                int(contract) if contract else None,
                int(rule) if rule else None,
                date.fromisoformat(day) if day else None,
                line,
            )


def newest_attempts(session: Session, organization_id: int, since: date) -> list[MonthClosing]:
    """Return the newest attempt to close each month since one, of those that never closed."""
    query = select(MonthClosing).where(
        MonthClosing.organization_id == organization_id, MonthClosing.billing_month >= since
    )
    attempts = list(session.scalars(query.order_by(MonthClosing.id)))
    closed = {attempt.billing_month for attempt in attempts if attempt.closed}
    newest = {attempt.billing_month: attempt for attempt in attempts if attempt.billing_month not in closed}
    return [newest[month] for month in sorted(newest)]


def closed_on(session: Session, organization_id: int) -> dict[date, date]:
    """Return the months that were closed, with the day of the first attempt that closed each."""
    query = select(MonthClosing).where(MonthClosing.organization_id == organization_id, MonthClosing.closed.is_(True))
    attempts = session.scalars(query.order_by(MonthClosing.id.desc()))
    return {attempt.billing_month: attempt.created_at.astimezone(SAO_PAULO).date() for attempt in attempts}


def obstacles_of(attempt: MonthClosing) -> list[str]:
    """Return what kept a month open, a line a thing."""
    found = [*attempt.report.get("missing", ()), *(each["stated"] for each in attempt.report.get("obstacles", ()))]
    return [plain_words(each) for each in found]
