"""Effective-dated prices and scheduled updates: what a period costs on its issue date, and when that changes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from ciclo.ledger.repositories.catalogue import ACTIVE
from ciclo.ledger.repositories.executions import within_scope
from ciclo.ledger.repositories.periods import Scope
from ciclo.ledger.repositories.statements import insert_new, upsert
from ciclo.ledger.tables import Contract, Price, Rule, ScheduledUpdate


class KnownPrice(NamedTuple):
    """A unit value from a day on, in BRL; see `ciclo.ledger.tables.Price`."""

    rule_id: int
    service_id: int
    effective_from: date
    revision: int
    unit_value: Decimal
    source: str
    created_at: datetime


class PriceRepository:
    """The prices of one organization's rules."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add prices; one that is there for the same service and day stays."""
        if rows:
            self._session.execute(insert_new(self._session, Price), rows)

    def histories(self, rule_ids: Iterable[int]) -> dict[int, list[KnownPrice]]:
        """Return the prices of some rules, by service and day; of two from one day the later recorded comes last."""
        query = select(*(getattr(Price, name) for name in KnownPrice._fields)).where(
            Price.organization_id == self._organization_id, Price.rule_id.in_(list(rule_ids))
        )
        order = Price.rule_id, Price.service_id, Price.effective_from, Price.revision
        found: dict[int, list[KnownPrice]] = {}
        for row in self._session.execute(query.order_by(*order)):
            found.setdefault(row.rule_id, []).append(KnownPrice(*row))
        return found


class Schedule(NamedTuple):
    """When an update executes."""

    init_date: date
    month_quantity: int
    next_execution_date: date | None

    @classmethod
    def of(cls, row: ScheduledUpdate) -> "Schedule":
        """Take it from a row."""
        return cls(row.init_date, row.month_quantity, row.next_execution_date)


class ScheduledUpdateRepository:
    """The scheduled updates of one organization's rules."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update scheduled updates; where the ledger stands (`next_execution_date`) is kept."""
        if rows:
            keep = ["first_seen_at", "next_execution_date"]
            self._session.execute(upsert(self._session, ScheduledUpdate, keep=keep), rows)

    def of_rules(self, rule_ids: Iterable[int]) -> dict[int, list[ScheduledUpdate]]:
        """Return the scheduled updates of some rules that are still at the vendor, by id."""
        query = select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.rule_id.in_(list(rule_ids)),
            ScheduledUpdate.gone_at.is_(None),
        )
        found: dict[int, list[ScheduledUpdate]] = {}
        for scheduled in self._session.scalars(_fresh(query.order_by(ScheduledUpdate.scheduled_update_id))):
            found.setdefault(scheduled.rule_id, []).append(scheduled)
        return found

    def known(self, scheduled_update_ids: Iterable[int]) -> dict[int, Schedule]:
        """Return when some updates execute, by id: a snapshot that a later `store` does not change."""
        query = select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.scheduled_update_id.in_(list(scheduled_update_ids)),
        )
        return {row.scheduled_update_id: Schedule.of(row) for row in self._session.scalars(_fresh(query))}

    def mark_gone(self, rule_ids: Iterable[int], present: Collection[int], at: datetime) -> None:
        """Mark the rules' scheduled updates that are not in `present` as gone."""
        for updates in self.of_rules(rule_ids).values():
            for scheduled in updates:
                if scheduled.scheduled_update_id not in present:
                    scheduled.gone_at = at
        self._session.flush()

    def get(self, scheduled_update_id: int) -> ScheduledUpdate | None:
        """Return one update, also one that is gone, or None if the organization has no such one."""
        query = select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.scheduled_update_id == scheduled_update_id,
        )
        return self._session.scalar(_fresh(query))

    def due(self, on: date, scope: Scope) -> list[ScheduledUpdate]:
        """Return the scope's updates with a next execution up to `on` (its window aside), by execution date."""
        query = self._coming(scope).where(ScheduledUpdate.next_execution_date <= on)
        order = ScheduledUpdate.next_execution_date, ScheduledUpdate.rule_id, ScheduledUpdate.scheduled_update_id
        return list(self._session.scalars(_fresh(query.order_by(*order))))

    def without_rule(self, scope: Scope) -> list[ScheduledUpdate]:
        """Return the scope's updates with a next execution whose rule or contract is gone or no longer billed."""
        rule_is_there = and_(
            Rule.organization_id == ScheduledUpdate.organization_id,
            Rule.rule_id == ScheduledUpdate.rule_id,
            Rule.gone_at.is_(None),
        )
        contract_is_active = and_(
            Contract.organization_id == ScheduledUpdate.organization_id,
            Contract.contract_id == ScheduledUpdate.contract_id,
            Contract.gone_at.is_(None),
            Contract.state == ACTIVE,
        )
        billed = exists().where(rule_is_there).correlate(ScheduledUpdate)
        active = exists().where(contract_is_active).correlate(ScheduledUpdate)
        query = self._coming(scope).where(or_(~billed, ~active))
        return list(self._session.scalars(_fresh(query)))

    def move(self, scheduled_update_id: int, *, expected: date | None, to: date | None) -> bool:
        """Let an update's next execution be another day; False if it is no longer the `expected` one."""
        statement = (
            update(ScheduledUpdate)
            .where(
                ScheduledUpdate.organization_id == self._organization_id,
                ScheduledUpdate.scheduled_update_id == scheduled_update_id,
                ScheduledUpdate.next_execution_date.is_not_distinct_from(expected),
            )
            .values(next_execution_date=to)
            .returning(ScheduledUpdate.scheduled_update_id)
            .execution_options(synchronize_session=False)
        )
        return self._session.scalar(statement) is not None

    def _coming(self, scope: Scope) -> Select[ScheduledUpdate]:
        return select(ScheduledUpdate).where(
            ScheduledUpdate.organization_id == self._organization_id,
            ScheduledUpdate.gone_at.is_(None),
            ScheduledUpdate.next_execution_date.is_not(None),
            *within_scope(ScheduledUpdate, scope),
        )


def _fresh(query: Select[ScheduledUpdate]) -> Select[ScheduledUpdate]:
    """Read rows as they are now: updates are stored and moved by statements that the session's objects do not see."""
    return query.execution_options(populate_existing=True)
