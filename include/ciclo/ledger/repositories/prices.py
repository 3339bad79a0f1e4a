"""Effective-dated prices, the index values that move them, and the contract terms that bound the move.

A value is never changed in place: another price begins on a day, another index value is a further revision of its
month, of which the newest counts for what is not applied yet. Index values are shared by all organizations.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain import contract_terms, pricing
from ciclo.domain.contract_terms import TermKind
from ciclo.domain.price_index import PriceIndex
from ciclo.ledger.rows import among, insert_new, insert_new_rows
from ciclo.ledger.tables import ContractTerm, IndexValue, Price


class KnownPrice(NamedTuple):
    """A unit value from a day on, in BRL; see `ciclo.ledger.tables.Price`."""

    rule_id: int
    service_id: int
    effective_from: date
    revision: int
    unit_value: Decimal
    source: str
    created_at: datetime


def history(prices: Iterable[KnownPrice]) -> list[pricing.Price]:
    """Return a rule's prices in the form that the domain reads."""
    return [pricing.Price(price.service_id, price.effective_from, price.unit_value) for price in prices]


class PriceRepository:
    """The prices of one organization's rules."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add prices; one that is there for the same service and day stays."""
        insert_new_rows(self._session, Price, rows)

    def histories(self, rule_ids: Iterable[int]) -> dict[int, list[KnownPrice]]:
        """Return the prices of some rules, by service and day; of two from one day the later recorded comes last."""
        query = select(*(getattr(Price, name) for name in KnownPrice._fields)).where(
            Price.organization_id == self._organization_id, among(Price.rule_id, rule_ids)
        )
        order = Price.rule_id, Price.service_id, Price.effective_from, Price.revision
        found: dict[int, list[KnownPrice]] = {}
        for row in self._session.execute(query.order_by(*order)):
            found.setdefault(row.rule_id, []).append(KnownPrice(*row))
        return found


@dataclass(frozen=True, slots=True)
class Revised:
    """A month of an index whose value was changed by its publisher after it was out."""

    price_index: str
    month: date
    first: Decimal
    newest: Decimal
    revisions: int


class KnownValue(NamedTuple):
    """A month's newest variation in percent; see `ciclo.ledger.tables.IndexValue`."""

    month: date
    revision: int
    value: Decimal
    source: str
    fetched_at: datetime


_OF_INDEX = IndexValue.price_index == bindparam("price_index")
_NEWEST = (
    select(*(getattr(IndexValue, name) for name in KnownValue._fields))
    .where(_OF_INDEX, IndexValue.month >= bindparam("since"))
    .order_by(IndexValue.month, IndexValue.revision)
)
"""Asked of every index every day, as is `_REVISED`: spelled out once, they take half as long."""
_REVISED = (
    select(IndexValue.month, IndexValue.value)
    .where(_OF_INDEX)
    .where(
        IndexValue.month.in_(
            select(IndexValue.month).where(_OF_INDEX).group_by(IndexValue.month).having(func.count() > 1)
        )
    )
    .order_by(IndexValue.month, IndexValue.revision)
)


class IndexValueRepository:
    """The values of the price indices."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add values and return how many are new; a known revision of a month stays as it is."""
        if not rows:
            return 0
        statement = insert_new(self._session, IndexValue).returning(IndexValue.id)
        return len(self._session.connection().execute(statement, rows).all())

    def newest(self, price_index: str, *, since: date = date.min) -> dict[date, KnownValue]:
        """Return the newest revision of each month from `since` on, oldest month first."""
        rows = self._session.execute(_NEWEST, {"price_index": price_index, "since": since})
        return {row.month: KnownValue(*row) for row in rows}

    def months(self) -> set[tuple[str, date]]:
        """Return every index and month that has a value."""
        query = select(IndexValue.price_index, IndexValue.month).distinct()
        return {(price_index, month) for price_index, month in self._session.execute(query)}

    def count_months(self, spans: Mapping[str, tuple[date, date]]) -> dict[str, int]:
        """Return how many months each index has a value for, between its first and its last day here."""
        within = [
            and_(IndexValue.price_index == index, IndexValue.month.between(first, last))
            for index, (first, last) in spans.items()
        ]
        query = select(IndexValue.price_index, func.count()).where(IndexValue.revision == 1, or_(*within))
        return dict(self._session.execute(query.group_by(IndexValue.price_index)).all())

    def revised(self, price_index: str) -> list[Revised]:
        """Return the months of an index that have been revised, oldest first."""
        history: dict[date, list[Decimal]] = {}
        for month, value in self._session.execute(_REVISED, {"price_index": price_index}):
            history.setdefault(month, []).append(value)
        return [Revised(price_index, month, v[0], v[-1], len(v)) for month, v in history.items()]


def terms_of_contracts(
    session: Session, organization_id: int, contract_ids: Iterable[int]
) -> dict[int, list[contract_terms.ContractTerm]]:
    """Return the terms of some contracts in the form that the domain reads, in the order in which they were entered."""
    query = select(ContractTerm).where(
        ContractTerm.organization_id == organization_id, ContractTerm.contract_id.in_(list(contract_ids))
    )
    found: dict[int, list[contract_terms.ContractTerm]] = {}
    for row in session.scalars(query.order_by(ContractTerm.id).execution_options(populate_existing=True)):
        found.setdefault(row.contract_id, []).append(domain_term(row))
    return found


def rows_of_contract(session: Session, organization_id: int, contract_id: int) -> list[ContractTerm]:
    """Return the terms of a contract as they stand in the ledger, in the order in which they were entered."""
    query = select(ContractTerm).where(
        ContractTerm.organization_id == organization_id, ContractTerm.contract_id == contract_id
    )
    return list(session.scalars(query.order_by(ContractTerm.id)))


def domain_term(row: ContractTerm) -> contract_terms.ContractTerm:
    """Return a term of the ledger in the form that the domain reads."""
    return contract_terms.ContractTerm(
        kind=TermKind(row.kind),
        percent=row.percent,
        index=PriceIndex(row.price_index) if row.price_index else None,
        day=row.day,
        rule_id=row.rule_id,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        author=row.person,
        clause=row.clause,
    )
