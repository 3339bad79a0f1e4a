"""Readings: when a contract was last read, whether it can be read, and in which state it was seen from when to when."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Reason
from ciclo.ledger.database import in_parts, upsert
from ciclo.ledger.repositories.contracts import ACTIVE
from ciclo.ledger.tables import Contract, ContractState, Reading
from ciclo.ledger.tables.base import reason_columns

_SAME_CONTRACT = (Reading.organization_id == Contract.organization_id) & (Reading.contract_id == Contract.contract_id)


class ReadingRepository:
    """The readings of one organization's contracts."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    # -- states ------------------------------------------------------------------------------------------------------

    def see_states(self, states: Mapping[int, str], *, on: date, at: datetime) -> None:
        """Remember in which state contracts were seen; another state than before begins a new stretch.

        Args:
            states: by contract.
            on: the day in São Paulo.
            at: the instant.
        """
        for some in in_parts(sorted(states)):
            query = select(ContractState).where(
                ContractState.organization_id == self._organization_id,
                ContractState.contract_id.in_(some),
                ContractState.to_date.is_(None),
            )
            open_ones = {row.contract_id: row for row in self._session.scalars(query)}
            for contract_id in some:
                known = open_ones.get(contract_id)
                if known is not None and known.state == states[contract_id]:
                    continue
                if known is not None:
                    known.to_date = on
                self._session.add(
                    ContractState(
                        organization_id=self._organization_id,
                        contract_id=contract_id,
                        state=states[contract_id],
                        from_date=on,
                        first_seen_at=at,
                        last_seen_at=at,
                    )
                )
            self._session.flush()
            still = update(ContractState).where(
                ContractState.organization_id == self._organization_id,
                ContractState.contract_id.in_(some),
                ContractState.to_date.is_(None),
            )
            self._session.execute(still.values(last_seen_at=at), execution_options={"synchronize_session": False})

    def pauses(self, contract_ids: Iterable[int]) -> dict[int, tuple[DateRange, ...]]:
        """Return by contract the stretches of days in which it was seen in another state than active, in order."""
        found: dict[int, tuple[DateRange, ...]] = {}
        for some in in_parts(sorted(contract_ids)):
            query = select(ContractState.contract_id, ContractState.from_date, ContractState.to_date).where(
                ContractState.organization_id == self._organization_id,
                ContractState.contract_id.in_(some),
                ContractState.state != ACTIVE,
            )
            for contract_id, start, end in self._session.execute(query.order_by(ContractState.from_date)):
                found[contract_id] = (*found.get(contract_id, ()), DateRange(start, end or date.max))
        return found

    # -- readings ----------------------------------------------------------------------------------------------------

    def record(self, read: Collection[int], unread: Mapping[int, Reason], *, on: date, at: datetime) -> None:
        """Remember which contracts were read whole, and which could not be read and why."""
        rows = [
            {"organization_id": self._organization_id, "contract_id": contract_id, "read_at": at, "read_on": on,
             "unread_since": None, **reason_columns(None)}
            for contract_id in read
        ]  # fmt: skip
        if rows:
            self._session.execute(upsert(self._session, Reading), rows)
        since = {row.contract_id: row.unread_since for row in self.of(unread).values()}
        rows = [
            {"organization_id": self._organization_id, "contract_id": contract_id, "read_at": None, "read_on": None,
             "unread_since": since.get(contract_id) or at, **reason_columns(reason)}
            for contract_id, reason in unread.items()
        ]  # fmt: skip
        if rows:
            self._session.execute(upsert(self._session, Reading, keep=["read_at", "read_on"]), rows)

    def of(self, contract_ids: Iterable[int]) -> dict[int, Reading]:
        """Return the last reading of some contracts, by contract."""
        found: dict[int, Reading] = {}
        for some in in_parts(sorted(contract_ids)):
            query = select(Reading).where(
                Reading.organization_id == self._organization_id, Reading.contract_id.in_(some)
            )
            fresh = query.execution_options(populate_existing=True)
            found |= {row.contract_id: row for row in self._session.scalars(fresh)}
        return found

    def unread(self) -> list[Reading]:
        """Return the readings of active contracts that cannot be read at present, by contract."""
        query = (
            select(Reading)
            .join(Contract, _SAME_CONTRACT)
            .where(Reading.organization_id == self._organization_id, Reading.unread_since.is_not(None))
            .where(Contract.state == ACTIVE, Contract.gone_at.is_(None))
        )
        return list(self._session.scalars(query.order_by(Reading.contract_id)))

    def longest_unread(self, *, contract_ids: Collection[int] = (), shard: int = 0, shards: int = 1) -> list[int]:
        """Return the active contracts of a shard, those that were not read for longest first."""
        query = (
            select(Contract.contract_id)
            .outerjoin(Reading, _SAME_CONTRACT)
            .where(Contract.organization_id == self._organization_id)
            .where(Contract.state == ACTIVE, Contract.gone_at.is_(None), Contract.contract_id % shards == shard)
        )
        if contract_ids:
            query = query.where(Contract.contract_id.in_(contract_ids))
        never_read_first = Reading.read_at.is_not(None), Reading.read_at, Contract.contract_id
        return list(self._session.scalars(query.order_by(*never_read_first)))
