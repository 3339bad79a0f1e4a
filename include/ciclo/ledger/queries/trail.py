"""The audit trail for reading: of one thing, and of one Dag run with what it touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from ciclo.domain.states import Reason
from ciclo.ledger.queries.paging import Listing, among_few
from ciclo.ledger.tables import AuditEntry, Contract, Period


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One change of state: when, from, to, why, by which task or person."""

    at: datetime
    from_state: str | None
    to_state: str
    reason: Reason | None
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    person: str | None


@dataclass(frozen=True, slots=True)
class Touched:
    """One change that a Dag run made, with the contract where it is about a period."""

    at: datetime
    subject: str
    subject_id: int
    from_state: str | None
    to_state: str
    reason: Reason | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    contract_id: int | None
    contract_name: str | None
    issue_date: date | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which changes: those of a Dag since some instant, of one of its runs, of one task, of one mapped task.

    Of these those of a kind of thing, or into a state.
    """

    dag_id: str
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    since: datetime | None = None
    subject: str | None = None
    to_state: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeCount:
    """How many things of a kind a run brought into a state."""

    subject: str
    to_state: str
    count: int


def trail_of(session: Session, organization_id: int, subject: str, subject_id: int) -> tuple[TrailEntry, ...]:
    """Return what happened to one thing, newest first."""
    query = (
        select(
            AuditEntry.at,
            AuditEntry.from_state,
            AuditEntry.to_state,
            AuditEntry.reason,
            AuditEntry.dag_id,
            AuditEntry.run_id,
            AuditEntry.task_id,
            AuditEntry.map_index,
            AuditEntry.person,
        )
        .where(
            AuditEntry.organization_id == organization_id,
            AuditEntry.subject == subject,
            AuditEntry.subject_id == subject_id,
        )
        .order_by(AuditEntry.id.desc())
    )
    return tuple(TrailEntry(*row) for row in session.execute(query))


def run_listing(organization_id: int, wanted: RunFilter) -> Listing[Touched]:
    """Return what a Dag or one of its runs changed, newest first."""
    conditions = _conditions(organization_id, wanted)
    rows = (
        select(
            AuditEntry.at,
            AuditEntry.subject,
            AuditEntry.subject_id,
            AuditEntry.from_state,
            AuditEntry.to_state,
            AuditEntry.reason,
            AuditEntry.run_id,
            AuditEntry.task_id,
            AuditEntry.map_index,
            Period.contract_id,
            Contract.name,
            Period.issue_date,
        )
        .select_from(AuditEntry)
        .outerjoin(
            Period,
            and_(
                AuditEntry.subject == "period",
                Period.id == AuditEntry.subject_id,
                Period.organization_id == AuditEntry.organization_id,
            ),
        )
        .outerjoin(
            Contract,
            and_(Contract.organization_id == Period.organization_id, Contract.contract_id == Period.contract_id),
        )
    )

    def narrow(order: Sequence[ColumnElement[Any]], limit: int, offset: int) -> ColumnElement[bool]:
        wanted_ids = select(AuditEntry.id).where(*conditions).order_by(*order).limit(limit).offset(offset)
        return AuditEntry.id.in_(wanted_ids.correlate(None))

    sorts: dict[str, Any] = {
        "at": AuditEntry.at,
        "subject": AuditEntry.subject,
        "to": AuditEntry.to_state,
        "contract": Contract.name,
        "issue_date": Period.issue_date,
    }
    return Listing(
        select(AuditEntry.id).where(*conditions),
        rows,
        Touched,
        sorts,
        key=(AuditEntry.id,),
        conditions=conditions,
        descending=True,
        narrow=narrow,
    )


def run_counts(session: Session, organization_id: int, wanted: RunFilter) -> tuple[ChangeCount, ...]:
    """Return how many things a Dag or a run brought into which state."""
    query = (
        select(AuditEntry.subject, AuditEntry.to_state, func.count())
        .where(*_conditions(organization_id, wanted))
        .group_by(AuditEntry.subject, AuditEntry.to_state)
        .order_by(AuditEntry.subject, AuditEntry.to_state)
    )
    return tuple(ChangeCount(*row) for row in session.execute(query))


def _conditions(organization_id: int, wanted: RunFilter) -> list[ColumnElement[bool]]:
    conditions = [AuditEntry.dag_id == wanted.dag_id]
    if wanted.run_id is not None:
        conditions += [among_few(AuditEntry.organization_id, organization_id), AuditEntry.run_id == wanted.run_id]
    else:
        conditions.append(AuditEntry.organization_id == organization_id)
    if wanted.task_id is not None:
        conditions.append(AuditEntry.task_id == wanted.task_id)
    if wanted.map_index is not None:
        conditions.append(AuditEntry.map_index == wanted.map_index)
    if wanted.since is not None:
        conditions.append(AuditEntry.at >= wanted.since)
    if wanted.subject is not None:
        conditions.append(AuditEntry.subject == wanted.subject)
    if wanted.to_state is not None:
        conditions.append(AuditEntry.to_state == wanted.to_state)
    return conditions
