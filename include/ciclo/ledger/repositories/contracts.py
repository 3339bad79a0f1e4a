"""Organizations, contracts and rules as last seen, the versions of a rule's terms, and the readings they come from.

Rows are upserted: what was there keeps its `first_seen_at`, what is no longer at the vendor gets a `gone_at`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, update
from sqlalchemy.orm import Session, defer

from ciclo.domain.calendar import add_days, add_months
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.scope import Scope
from ciclo.ledger.rows import among, in_parts, in_weighed_parts, insert_new, insert_new_rows, upsert
from ciclo.ledger.tables import (
    Contract,
    ContractState,
    MonthClosing,
    MonthExpansion,
    Organization,
    Payload,
    Reading,
    Rule,
    RuleVersion,
    SeenShape,
)
from ciclo.ledger.tables.base import reason_columns

UNARMED, ARMED = "unarmed", "armed"
LONGEST_PATH = 500
"""Characters that are kept of the place of a form: the vendor's names of fields may be of any length."""

_ONE = (
    select(Organization)
    .where(Organization.organization_id == bindparam("organization_id"))
    .execution_options(populate_existing=True)
)
"""Asked more than any other query, by each step of a day several times: it is spelled out once."""


class OrganizationRepository:
    """One organization's own row."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    def get(self) -> Organization | None:
        """Return the row as it is now, or None before the organization was ever seen."""
        return self._session.scalar(_ONE, {"organization_id": self._organization_id})

    def see(self, *, at: datetime, name: str | None = None) -> None:
        """Remember the organization, and its name where that is known."""
        row = {"organization_id": self._organization_id, "name": name, "first_seen_at": at}
        insert_new_rows(self._session, Organization, [row])
        if name is not None:
            mine = update(Organization).where(Organization.organization_id == self._organization_id)
            self._session.execute(mine.values(name=name))

    def list_read(self, *, at: datetime) -> None:
        """Remember that the list of its contracts was read."""
        mine = update(Organization).where(Organization.organization_id == self._organization_id)
        self._session.execute(mine.values(contracts_read_at=at))

    def reconciled(self, day: date) -> None:
        """Remember that a whole reconciliation of a day ended well; a later day stays."""
        earlier = or_(Organization.reconciled_on.is_(None), Organization.reconciled_on < day)
        mine = update(Organization).where(Organization.organization_id == self._organization_id, earlier)
        self._session.execute(mine.values(reconciled_on=day))

    def pause(self, *, until: datetime, at: datetime) -> None:
        """Remember until when the vendor wants to be left alone; a pause that ends later stays."""
        self.see(at=at)
        shorter = or_(Organization.paused_until.is_(None), Organization.paused_until < until)
        mine = update(Organization).where(Organization.organization_id == self._organization_id, shorter)
        self._session.execute(mine.values(paused_until=until))

    def paused_until(self) -> datetime | None:
        """Return until when the vendor wanted to be left alone, if it ever did."""
        query = select(Organization.paused_until).where(Organization.organization_id == self._organization_id)
        return self._session.scalar(query)

    def arm(self, *, responsible_from: date, person: str, at: datetime) -> bool:
        """Let the organization bill from a month on (its first day); False if it was armed already, which stays."""
        self.see(at=at)
        unarmed = update(Organization).where(
            Organization.organization_id == self._organization_id, Organization.armed_at.is_(None)
        )
        values = {"armed_at": at, "armed_by": person, "responsible_from": responsible_from}
        armed = self._session.scalar(unarmed.values(**values).returning(Organization.organization_id)) is not None
        if armed:
            facts = {"person": person, "month": f"{responsible_from:%Y-%m}"}
            change = Change(self._organization_id, UNARMED, ARMED, Reason(ReasonKind.ARMED, facts))
            self._audit.record("organization", [change], at)
        return armed


ACTIVE = "active"
UNSEEN = "unseen"
"""The state of a contract while nobody read it, where it was inactive before and active afterwards."""


class NewestVersion(NamedTuple):
    """What a rule's present terms are compared with."""

    version: int
    terms_hash: str


class Version(NamedTuple):
    """A version of a rule's terms: from which issue date on, and what they say."""

    rule_id: int
    version: int
    effective_from: date
    terms: Payload
    terms_hash: str
    seen_at: datetime
    last_seen_at: datetime | None


class ContractRepository:
    """Contracts, rules and versions of one organization."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    # -- contracts -----------------------------------------------------------------------------------------------

    def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update contracts."""
        upsert(self._session, Contract, rows, keep=["first_seen_at"])

    def mark_gone(self, contract_ids: Sequence[int], at: datetime) -> None:
        """Mark contracts that the vendor no longer has for the organization."""
        for part in in_parts(contract_ids):
            some = Contract.contract_id.in_(part)
            gone = update(Contract).where(Contract.organization_id == self._organization_id, some)
            self._session.execute(gone.values(gone_at=at))

    def names(self) -> dict[int, str]:
        """Return the names of all contracts, by id."""
        query = select(Contract.contract_id, Contract.name).where(Contract.organization_id == self._organization_id)
        return {row[0]: row[1] for row in self._session.execute(query)}

    def some(self, contract_ids: Collection[int]) -> list[Contract]:
        """Return these contracts, by id; of none, none."""
        mine = Contract.organization_id == self._organization_id, Contract.contract_id.in_(contract_ids)
        query = select(Contract).where(*mine).order_by(Contract.contract_id)
        return list(self._session.scalars(query)) if contract_ids else []

    def first_seen(self) -> datetime | None:
        """Return when the first contract was seen; None before any was."""
        query = select(func.min(Contract.first_seen_at)).where(Contract.organization_id == self._organization_id)
        return self._session.scalar(query)

    def billable(self, *, contract_ids: Collection[int] = (), shard: int = 0, shards: int = 1) -> list[int]:
        """Return the ids of the active contracts of a shard that are still at the vendor."""
        return self._ids(Contract.state == ACTIVE, contract_ids, shard, shards)

    def count_billable(self) -> int:
        """Return how many contracts are active and still at the vendor."""
        mine = Contract.organization_id == self._organization_id, Contract.state == ACTIVE, Contract.gone_at.is_(None)
        return self._session.scalar(select(func.count()).select_from(Contract).where(*mine)) or 0

    def _ids(self, state: ColumnElement[bool], contract_ids: Collection[int], shard: int, shards: int) -> list[int]:
        query = select(Contract.contract_id).where(
            Contract.organization_id == self._organization_id,
            state,
            Contract.gone_at.is_(None),
            Contract.contract_id % shards == shard,
        )
        if contract_ids:
            query = query.where(Contract.contract_id.in_(contract_ids))
        return list(self._session.scalars(query.order_by(Contract.contract_id)))

    # -- expansion -----------------------------------------------------------------------------------------------

    def record_expansions(self, months: Iterable[date], *, run_id: str | None, unread: int, at: datetime) -> None:
        """Remember that months (their first days) were expanded for every contract, but for so many `unread` ones."""
        row = {"organization_id": self._organization_id, "run_id": run_id, "unread": unread, "expanded_at": at}
        upsert(self._session, MonthExpansion, [row | {"billing_month": month} for month in months])

    def is_expanded(self, month: date) -> bool:
        """Whether a month (its first day) was ever expanded, whatever could not be read then."""
        return self._session.get(MonthExpansion, (self._organization_id, month)) is not None

    def last_expanded(self) -> date | None:
        """Return the first day of the last month that was expanded."""
        mine = MonthExpansion.organization_id == self._organization_id
        return self._session.scalar(select(func.max(MonthExpansion.billing_month)).where(mine))

    def first_open_month(self, since: date) -> date:
        """Return the first day of the first month from `since` on that was never closed."""
        closed = select(MonthClosing.billing_month).where(
            MonthClosing.organization_id == self._organization_id, MonthClosing.closed.is_(True)
        )
        months = set(self._session.scalars(closed.where(MonthClosing.billing_month >= since)))
        while since in months:
            since = add_months(since, 1)
        return since

    # -- rules ---------------------------------------------------------------------------------------------------

    def store_rules(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or update rules."""
        upsert(self._session, Rule, rows, keep=["first_seen_at"])

    def add_versions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add versions of rules' terms."""
        insert_new_rows(self._session, RuleVersion, rows)

    def see_versions(self, numbers: Mapping[int, int], at: datetime) -> None:
        """Remember when versions of rules' terms, the number by rule, were last seen."""
        rules: dict[int, list[int]] = defaultdict(list)
        for rule_id, version in numbers.items():
            rules[version].append(rule_id)
        for version, rule_ids in sorted(rules.items()):  # PostgreSQL looks rules up by an index, pairs one by one
            for part in in_parts(sorted(rule_ids)):
                mine = update(RuleVersion).where(
                    RuleVersion.organization_id == self._organization_id,
                    RuleVersion.rule_id.in_(part),
                    RuleVersion.version == version,
                )
                self._session.execute(mine.values(last_seen_at=at), execution_options={"synchronize_session": False})

    def mark_rules_gone(self, contract_ids: Iterable[int], present: Collection[int], at: datetime) -> None:
        """Mark the contracts' rules that are not in `present` as gone."""
        there = select(Rule.rule_id).where(
            Rule.organization_id == self._organization_id,
            Rule.contract_id.in_(list(contract_ids)),
            Rule.gone_at.is_(None),
        )
        lost = [rule_id for rule_id in self._session.scalars(there) if rule_id not in present]
        if lost:
            gone = update(Rule).where(Rule.organization_id == self._organization_id, Rule.rule_id.in_(lost))
            self._session.execute(gone.values(gone_at=at))

    def in_batches(self, contract_ids: Iterable[int], *, rules: int) -> Iterator[list[int]]:
        """Yield contracts some at a time, by id: those of a batch have about so many rules together, or are one."""
        for some in in_parts(sorted(set(contract_ids))):
            query = select(Rule.contract_id, func.count()).where(
                Rule.organization_id == self._organization_id, among(Rule.contract_id, some)
            )
            counts = Counter(dict(self._session.execute(query.group_by(Rule.contract_id)).all()))
            yield from in_weighed_parts(some, counts.__getitem__, most=rules)

    def rules_of(self, contract_ids: Iterable[int]) -> list[Rule]:
        """Return the rules of some contracts, by id, each without its payload until somebody asks for it."""
        query = self._rules().where(among(Rule.contract_id, contract_ids)).options(defer(Rule.payload))
        return list(self._session.scalars(query.order_by(Rule.rule_id)))

    def rules(self, rule_ids: Iterable[int]) -> dict[int, Rule]:
        """Return some rules by id, in the order of their ids: so they are planned, and billed within a day."""
        query = self._rules().where(among(Rule.rule_id, rule_ids)).order_by(Rule.rule_id)
        return {rule.rule_id: rule for rule in self._session.scalars(query)}

    def versions(self, rule_ids: Iterable[int]) -> dict[int, list[Version]]:
        """Return the versions of some rules' terms, oldest first."""
        query = select(*(getattr(RuleVersion, name) for name in Version._fields)).where(
            RuleVersion.organization_id == self._organization_id, among(RuleVersion.rule_id, rule_ids)
        )
        found: dict[int, list[Version]] = {}
        for row in self._session.execute(query.order_by(RuleVersion.rule_id, RuleVersion.version)):
            found.setdefault(row.rule_id, []).append(Version(*row))
        return found

    def version_payloads(self, rule_id: int) -> list[Payload]:
        """Return the vendor's answers of a rule's versions, oldest first."""
        query = select(RuleVersion.payload).where(
            RuleVersion.organization_id == self._organization_id, RuleVersion.rule_id == rule_id
        )
        return list(self._session.scalars(query.order_by(RuleVersion.version)))

    def newest_versions(self, rule_ids: Iterable[int]) -> dict[int, NewestVersion]:
        """Return number and hash of the newest version of some rules' terms, by rule."""
        query = select(RuleVersion.rule_id, RuleVersion.version, RuleVersion.terms_hash).where(
            RuleVersion.organization_id == self._organization_id, among(RuleVersion.rule_id, rule_ids)
        )
        rows = self._session.execute(query.order_by(RuleVersion.rule_id, RuleVersion.version))
        return {rule_id: NewestVersion(version, terms_hash) for rule_id, version, terms_hash in rows}

    def _rules(self) -> Select[Rule]:
        return select(Rule).where(Rule.organization_id == self._organization_id)


def version_on(versions: Sequence[Version], day: date) -> Version:
    """Return the version in force on `day`; days before the second version follow the first."""
    return next((v for v in reversed(versions) if v.effective_from <= day), versions[0])


_SAME_CONTRACT = (Reading.organization_id == Contract.organization_id) & (Reading.contract_id == Contract.contract_id)


class ReadingRepository:
    """The readings of one organization's contracts."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    # -- states ------------------------------------------------------------------------------------------------------

    def see_states(self, states: Mapping[int, str], *, on: date, at: datetime, before: date | None = None) -> None:
        """Remember in which state contracts were seen; another state than before begins a new stretch.

        Args:
            states: by contract.
            on: the day in São Paulo.
            at: the instant.
            before: the day on which the list was read the last time: of one that is active again, nobody knows since
                when after that.
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
                    if states[contract_id] == ACTIVE and before is not None:
                        known.to_date = min(on, max(known.from_date, add_days(before, 1)))
                        if known.to_date < on:
                            self._begin(contract_id, UNSEEN, known.to_date, at, until=on)
                self._begin(contract_id, states[contract_id], on, at)
            self._session.flush()
            still = update(ContractState).where(
                ContractState.organization_id == self._organization_id,
                ContractState.contract_id.in_(some),
                ContractState.to_date.is_(None),
            )
            self._session.execute(still.values(last_seen_at=at), execution_options={"synchronize_session": False})

    def _begin(self, contract_id: int, state: str, on: date, at: datetime, *, until: date | None = None) -> None:
        self._session.add(
            ContractState(
                organization_id=self._organization_id,
                contract_id=contract_id,
                state=state,
                from_date=on,
                to_date=until,
                first_seen_at=at,
                last_seen_at=at,
            )
        )

    def pauses(self, contract_ids: Iterable[int], *, seen: bool = False) -> dict[int, tuple[DateRange, ...]]:
        """Return by contract the stretches of days in which it was not seen to be active, in order.

        Args:
            contract_ids: contracts.
            seen: only those in which it was seen to be in another state.
        """
        others = [ACTIVE, UNSEEN] if seen else [ACTIVE]
        found: dict[int, tuple[DateRange, ...]] = {}
        for some in in_parts(sorted(contract_ids)):
            query = select(ContractState.contract_id, ContractState.from_date, ContractState.to_date).where(
                ContractState.organization_id == self._organization_id,
                ContractState.contract_id.in_(some),
                ContractState.state.not_in(others),
            )
            for contract_id, start, end in self._session.execute(query.order_by(ContractState.from_date)):
                found[contract_id] = (*found.get(contract_id, ()), DateRange(start, end or date.max))
        return found

    def paused_within(self, scope: Scope) -> list[int]:
        """Return the contracts of a scope that are not active since one of its days."""
        query = select(ContractState.contract_id).where(
            ContractState.organization_id == self._organization_id,
            ContractState.state != ACTIVE,
            ContractState.to_date.is_(None),
            ContractState.from_date >= scope.window.start,
            ContractState.from_date < scope.window.end,
            ContractState.contract_id % scope.shards == scope.shard,
        )
        if scope.contract_ids:
            query = query.where(ContractState.contract_id.in_(scope.contract_ids))
        return list(self._session.scalars(query.order_by(ContractState.contract_id)))

    # -- readings ----------------------------------------------------------------------------------------------------

    def record(self, read: Collection[int], unread: Mapping[int, Reason], *, on: date, at: datetime) -> None:
        """Remember which contracts were read whole, and which could not be read and why."""
        rows = [
            {"organization_id": self._organization_id, "contract_id": contract_id, "read_at": at, "read_on": on,
             "unread_since": None, **reason_columns(None)}
            for contract_id in sorted(read)
        ]  # fmt: skip
        upsert(self._session, Reading, rows)
        since = {row.contract_id: row.unread_since for row in self.of(unread).values()}
        rows = [
            {"organization_id": self._organization_id, "contract_id": contract_id, "read_at": None, "read_on": None,
             "unread_since": since.get(contract_id) or at, **reason_columns(reason)}
            for contract_id, reason in sorted(unread.items(), key=itemgetter(0))
        ]  # fmt: skip
        upsert(self._session, Reading, rows, keep=["read_at", "read_on"])

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


class ShapeRepository:
    """The forms seen in an organization's answers."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def see(self, kind: str, path: str, word: str, *, at: datetime) -> bool:
        """Remember a form; return whether it was never seen before."""
        row = {
            "organization_id": self._organization_id,
            "kind": kind,
            "path": path[:LONGEST_PATH],
            "word": word,
            "first_seen_at": at,
        }
        statement = insert_new(self._session, SeenShape).values(row).returning(SeenShape.path)
        return self._session.scalar(statement) is not None
