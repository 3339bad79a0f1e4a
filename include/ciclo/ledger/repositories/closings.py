"""Closed months: every attempt with its report, what a closed month held, and how far an open one is proved.

A month that was closed once stays the measure of later changes, until it is closed anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, exists, func, or_, select, union
from sqlalchemy.orm import Session

from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.contracts import ACTIVE
from ciclo.ledger.rows import in_parts, insert_rows
from ciclo.ledger.tables import (
    AuditEntry,
    BillingPlan,
    ClosedInvoice,
    Contract,
    ContractState,
    Invoice,
    MonthClosing,
    MonthProgress,
    Period,
    PlannedInvoice,
    PriceUpdateExecution,
    Rule,
    RuleVersion,
)


@dataclass(frozen=True, slots=True)
class AsClosed:
    """An invoice as its month was closed. BRL."""

    invoice_id: int
    contract_id: int
    month: date
    gross_value: Decimal
    cancelled: bool


class ClosingRepository:
    """The closed months of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._actor = actor
        self._audit = AuditRepository(session, organization_id, actor)

    def record(
        self, month: date, *, closed: bool, report: Mapping[str, Any], held: Iterable[Mapping[str, Any]], at: datetime
    ) -> MonthClosing:
        """Add an attempt to close a month; `held` is what a closed month's invoices were.

        Args:
            month: first day of the month.
            closed: whether the proof held.
            report: what the attempt found.
            held: rows of `ClosedInvoice` without `closing_id`; kept only if `closed`.
            at: when.
        """
        before = self.last_attempt(month)
        attempt = MonthClosing(
            organization_id=self._organization_id,
            billing_month=month,
            closed=closed,
            report=dict(report),
            run_id=self._actor.run_id,
            created_at=at,
        )
        self._session.add(attempt)
        self._session.flush()
        if closed:
            for part in in_parts(held):
                insert_rows(self._session, ClosedInvoice, [{"closing_id": attempt.id, **row} for row in part])
        was = None if before is None else _word(closed=before.closed)
        outcome = {
            "month": f"{month:%Y-%m}",
            "verdict": report["verdict"],
            "what_keeps_it_open": report["what_keeps_it_open"],
        }
        change = Change(attempt.id, was, _word(closed=closed), Reason(ReasonKind.CLOSING_TRIED, outcome))
        self._audit.record("month", [change], at)
        return attempt

    def record_progress(
        self, month: date, *, complete_until: date | None, report: Mapping[str, Any], at: datetime
    ) -> None:
        """Keep how far a month is proved; only the newest is kept."""
        progress = self.progress(month)
        if progress is None:
            progress = MonthProgress(organization_id=self._organization_id, billing_month=month)
            self._session.add(progress)
        progress.complete_until, progress.report, progress.proved_at = complete_until, dict(report), at
        self._session.flush()

    def progress(self, month: date) -> MonthProgress | None:
        """Return how far a month is proved; None before its first proof."""
        return self._session.get(MonthProgress, (self._organization_id, month))

    def last_attempt(self, month: date) -> MonthClosing | None:
        """Return the newest attempt to close a month."""
        query = select(MonthClosing).where(
            MonthClosing.organization_id == self._organization_id, MonthClosing.billing_month == month
        )
        return self._session.scalar(query.order_by(MonthClosing.id.desc()).limit(1))

    def tried_by_others(self) -> set[date]:
        """Return the months that any run but the actor's own has tried to close."""
        by_others = or_(MonthClosing.run_id.is_(None), MonthClosing.run_id != self._actor.run_id)
        query = select(MonthClosing.billing_month).where(
            MonthClosing.organization_id == self._organization_id, by_others
        )
        return set(self._session.scalars(query.distinct()))

    def closed_months(self) -> dict[date, int]:
        """Return the months that were closed, with the newest attempt that closed each."""
        query = select(MonthClosing.billing_month, func.max(MonthClosing.id)).where(
            MonthClosing.organization_id == self._organization_id, MonthClosing.closed.is_(True)
        )
        rows = self._session.execute(query.group_by(MonthClosing.billing_month))
        return {row[0]: row[1] for row in rows}

    def as_closed(self, invoice_ids: Iterable[int]) -> dict[int, AsClosed]:
        """Return how some invoices stood when their month was closed; one of an open month is not there."""
        months = {closing_id: month for month, closing_id in self.closed_months().items()}
        if not months:
            return {}
        found: dict[int, AsClosed] = {}
        for ids in in_parts(sorted(set(invoice_ids))):
            query = select(ClosedInvoice).where(ClosedInvoice.closing_id.in_(months), ClosedInvoice.invoice_id.in_(ids))
            for row in self._session.scalars(query):
                found[row.invoice_id] = AsClosed(
                    row.invoice_id, row.contract_id, months[row.closing_id], row.gross_value, row.cancelled
                )
        return found

    def billed_again(self, contract_ids: Iterable[int]) -> dict[int, list[int]]:
        """Return the periods of some contracts that a person had billed again, with the invoices of before."""
        found: dict[int, list[int]] = {}
        for part in in_parts(sorted(set(contract_ids))):
            again = select(Period.id).where(
                Period.organization_id == self._organization_id,
                Period.contract_id.in_(part),
                Period.reference_sequence > 1,
            )
            entries = select(AuditEntry.subject_id, AuditEntry.reason).where(
                AuditEntry.organization_id == self._organization_id,
                AuditEntry.subject == "period",
                AuditEntry.subject_id.in_(again),
                AuditEntry.reason_kind == ReasonKind.BILLED_AGAIN,
            )
            for period_id, reason in self._session.execute(entries.order_by(AuditEntry.id)):
                if reason is not None and isinstance(number := reason.facts.get("invoice_id"), int):
                    found.setdefault(period_id, []).append(number)
        return found

    # -- what a month is proved from -----------------------------------------------------------------------------

    def periods(self, window: DateRange, contract_ids: Sequence[int]) -> list[Period]:
        """Return every period of some contracts in a window, whatever became of it."""
        query = select(Period).where(*self._of_window(window), Period.contract_id.in_(contract_ids))
        return list(self._session.scalars(query.order_by(Period.issue_date, Period.contract_id, Period.rule_id)))

    def has_periods(self, window: DateRange) -> bool:
        """Whether any period was ever planned in a window."""
        return self._session.scalar(select(Period.id).where(*self._of_window(window)).limit(1)) is not None

    def rules_by_contract(
        self, window: DateRange, contract_ids: Sequence[int] = (), *, inactive: bool
    ) -> Iterator[tuple[int, list[int]]]:
        """Yield the contracts of which something may be in a window, by id, each with its rules that may issue in it.

        Of a contract that was inactive throughout that is a period or an invoice of no period: its rules call for
        nothing.

        Args:
            window: of issue dates.
            contract_ids: these alone; none for all.
            inactive: yield those that were inactive throughout all the same, for what they would have called for.
        """
        for some in in_parts(self._session.scalars(self._contracts(window, contract_ids, inactive=inactive)).all()):
            rules: dict[int, list[int]] = {contract_id: [] for contract_id in some}
            query = select(Rule.contract_id, Rule.rule_id).where(*self._may_issue(window), Rule.contract_id.in_(some))
            for contract_id, rule_id in self._session.execute(query.order_by(Rule.rule_id)):
                rules[contract_id].append(rule_id)
            yield from rules.items()

    def _contracts(self, window: DateRange, contract_ids: Sequence[int], *, inactive: bool) -> CompoundSelect[Any]:
        active = select(Contract.contract_id).where(Contract.organization_id == self._organization_id)
        if not inactive:
            throughout = exists().where(
                ContractState.organization_id == Contract.organization_id,
                ContractState.contract_id == Contract.contract_id,
                ContractState.state != ACTIVE,
                ContractState.from_date <= window.start,
                or_(ContractState.to_date.is_(None), ContractState.to_date >= window.end),
            )
            active = active.where(~throughout)
        periods = select(Period.contract_id).where(*self._of_window(window))
        invoices = select(Invoice.contract_id).where(*self._of_no_period(window))
        queries = [active, periods, invoices]
        if contract_ids:
            queries = [each.where(each.selected_columns[0].in_(contract_ids)) for each in queries]
        return union(*queries).order_by(Contract.contract_id.name)

    def _may_issue(self, window: DateRange) -> list[ColumnElement[bool]]:
        """Return what holds for a rule that was there in the window, and by whose terms, new or old, it had not ended.

        The terms as last read are on the rule itself; those before count for the days until the next ones came.
        """
        began = datetime.combine(window.start, time.min, SAO_PAULO)
        older_terms = exists().where(
            RuleVersion.organization_id == Rule.organization_id,
            RuleVersion.rule_id == Rule.rule_id,
            RuleVersion.effective_from > window.start,
        )
        return [
            Rule.organization_id == self._organization_id,
            or_(Rule.gone_at.is_(None), Rule.gone_at >= began),
            or_(Rule.end_date.is_(None), Rule.end_date >= window.start, older_terms),
        ]

    def _of_window(self, window: DateRange) -> list[ColumnElement[bool]]:
        return [
            Period.organization_id == self._organization_id,
            Period.issue_date >= window.start,
            Period.issue_date < window.end,
        ]

    def _of_no_period(self, window: DateRange) -> list[ColumnElement[bool]]:
        return [
            Invoice.organization_id == self._organization_id,
            Invoice.period_id.is_(None),
            Invoice.planned_date >= window.start,
            Invoice.planned_date < window.end,
            Invoice.gone_at.is_(None),
        ]

    def given_up_by(self, period_ids: Iterable[int]) -> dict[int, Reason]:
        """Return the cancelled periods of some that a person gave up: by hand, or by the policy of a backfill."""
        found: dict[int, Reason] = {}
        for ids in in_parts(sorted(set(period_ids))):
            by_hand = select(AuditEntry.subject_id, AuditEntry.reason).where(
                AuditEntry.organization_id == self._organization_id,
                AuditEntry.subject == "period",
                AuditEntry.subject_id.in_(ids),
                AuditEntry.to_state == PeriodState.CANCELLED.value,
                AuditEntry.person.is_not(None),
            )
            by_policy = (
                select(PlannedInvoice.period_id, BillingPlan.run_id, BillingPlan.policy)
                .join(BillingPlan, BillingPlan.id == PlannedInvoice.plan_id)
                .where(
                    BillingPlan.organization_id == self._organization_id,
                    BillingPlan.applied_at.is_not(None),
                    PlannedInvoice.left_out.is_(True),
                    PlannedInvoice.period_id.in_(ids),
                )
            )
            for left_out in self._session.execute(by_policy):
                facts = {"policy": left_out.policy, "run_id": left_out.run_id}
                found[left_out.period_id] = Reason(ReasonKind.LEFT_OUT_BY_POLICY, facts)
            for row in self._session.execute(by_hand):
                found[row.subject_id] = row.reason or Reason(ReasonKind.GIVEN_UP_BY_HAND)
        return found

    def invoices_of_no_period(self, window: DateRange, contract_ids: Sequence[int]) -> list[Invoice]:
        """Return contracts' invoices that are at the vendor, planned for a day of the window, and of no period."""
        query = select(Invoice).where(*self._of_no_period(window), Invoice.contract_id.in_(contract_ids))
        return list(self._session.scalars(query.order_by(Invoice.planned_date, Invoice.invoice_id)))

    def price_updates(self, window: DateRange, contract_ids: Sequence[int] = ()) -> list[PriceUpdateExecution]:
        """Return the price updates whose execution date lies in the window."""
        query = select(PriceUpdateExecution).where(
            PriceUpdateExecution.organization_id == self._organization_id,
            PriceUpdateExecution.execution_date >= window.start,
            PriceUpdateExecution.execution_date < window.end,
        )
        if contract_ids:
            query = query.where(PriceUpdateExecution.contract_id.in_(contract_ids))
        order = PriceUpdateExecution.execution_date, PriceUpdateExecution.rule_id, PriceUpdateExecution.id
        return list(self._session.scalars(query.order_by(*order)))


def _word(*, closed: bool) -> str:
    return "closed" if closed else "not closed"
