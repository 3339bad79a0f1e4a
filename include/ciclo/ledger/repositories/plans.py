"""Billing plans: what a backfill would do, who approved it, when it was applied; forecasts, of which the newest counts.

A plan is known by its hash. Planning the same again in the same run is the same plan, with its approval;
anything else is another plan, which nobody has approved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.states import Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.rows import in_parts, insert_rows
from ciclo.ledger.tables import BillingPlan, Forecast, PlannedInvoice

PROPOSED, APPROVED, APPLIED = "proposed", "approved", "applied"


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A period of a plan: billed at an amount (None where its price is not known), or left out."""

    period_id: int
    gross_value: Decimal | None
    left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """A plan to be kept. BRL."""

    from_date: date
    to_date: date
    policy: str
    plan_hash: str
    invoices: int
    total: Decimal
    needs_approval: bool
    entries: Sequence[PlanEntry]


class PlanRepository:
    """The billing plans of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._actor = actor
        self._audit = AuditRepository(session, organization_id, actor)

    def keep(self, new: NewPlan, *, at: datetime) -> BillingPlan:
        """Keep a plan of this run, or return the same one that the run has kept before."""
        run_id = self._actor.run_id or "no run"
        same = select(BillingPlan).where(
            BillingPlan.organization_id == self._organization_id,
            BillingPlan.run_id == run_id,
            BillingPlan.plan_hash == new.plan_hash,
        )
        known = self._session.scalar(same)
        if known is not None:
            known.needs_approval = new.needs_approval
            self._session.flush()
            return known
        plan = BillingPlan(
            organization_id=self._organization_id,
            run_id=run_id,
            from_date=new.from_date,
            to_date=new.to_date,
            policy=new.policy,
            plan_hash=new.plan_hash,
            invoices=new.invoices,
            total=new.total,
            needs_approval=new.needs_approval,
            created_at=at,
        )
        self._session.add(plan)
        self._session.flush()
        self._keep_entries(plan.id, new.entries)
        proposed = Reason(ReasonKind.PLAN_PROPOSED, {"policy": new.policy, "hash": new.plan_hash})
        self._audit.record("plan", [Change(plan.id, None, PROPOSED, proposed)], at)
        return plan

    def _keep_entries(self, plan_id: int, entries: Sequence[PlanEntry]) -> None:
        for part in in_parts(entries):
            rows = [
                {
                    "plan_id": plan_id,
                    "period_id": entry.period_id,
                    "gross_value": entry.gross_value,
                    "left_out": entry.left_out,
                }
                for entry in part
            ]
            insert_rows(self._session, PlannedInvoice, rows)

    def get(self, plan_id: int) -> BillingPlan | None:
        """Return one plan, or None if the organization has no such one."""
        query = select(BillingPlan).where(
            BillingPlan.organization_id == self._organization_id, BillingPlan.id == plan_id
        )
        return self._session.scalar(query.execution_options(populate_existing=True))

    def entries(self, plan_id: int) -> list[PlanEntry]:
        """Return the periods of a plan, by id."""
        query = select(PlannedInvoice).where(PlannedInvoice.plan_id == plan_id).order_by(PlannedInvoice.period_id)
        return [PlanEntry(row.period_id, row.gross_value, row.left_out) for row in self._session.scalars(query)]

    def approve(self, plan: BillingPlan, *, person: str, at: datetime) -> None:
        """Record who approved a plan; its hash says what was approved."""
        plan.approved_by, plan.approved_at = person, at
        self._session.flush()
        approved = Reason(ReasonKind.APPROVED, {"person": person, "hash": plan.plan_hash})
        change = Change(plan.id, PROPOSED, APPROVED, approved)
        self._audit.record("plan", [change], at)

    def applied(self, plan: BillingPlan, *, at: datetime) -> None:
        """Record that a plan is being carried out."""
        before = APPLIED if plan.applied_at else APPROVED if plan.approved_at else PROPOSED
        plan.applied_at = plan.applied_at or at
        self._session.flush()
        self._audit.record("plan", [Change(plan.id, before, APPLIED, plan.plan_hash)], at)


class ForecastRepository:
    """The forecasts of one organization."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def keep(self, document: Mapping[str, Any], *, at: datetime) -> None:
        """Keep a forecast; the console shows the newest."""
        self._session.add(Forecast(organization_id=self._organization_id, made_at=at, document=dict(document)))
        self._session.flush()

    def newest(self) -> Forecast | None:
        """Return the newest forecast; None before the first."""
        query = select(Forecast).where(Forecast.organization_id == self._organization_id)
        return self._session.scalar(query.order_by(Forecast.id.desc()).limit(1))
