"""Adjustments: what differs from a rule for a period, and what of it is in which invoice.

An adjustment is in an invoice by a row of `adjustment_uses`, one a period and reference: that is what makes it used
once. The row is committed before anything is sent, and says until when its absence from the invoice proves nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from ciclo.domain import adjustments as domain
from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.repositories.scope import Scope
from ciclo.ledger.rows import among, in_parts, insert_new, insert_new_rows, upsert
from ciclo.ledger.tables import Adjustment, AdjustmentUse, Period, Rule, RuleSetting


class AdjustmentState(StrEnum):
    """Where an adjustment is."""

    OPEN = "open"
    USED = "used"
    """In the invoice of the one period that it is for."""
    WITHDRAWN = "withdrawn"
    """A person took it back before it was used."""


COMPLEMENT = "complement"
"""Where a difference comes from that is billed by an invoice of its own. Its key is `period:number`, and
`period:number:rule` once the rule that bills it is at the vendor: its mark in the rule's title may be edited there.
Where a person said the amount, the number begins with `STATED`."""

STATED = "stated"

PRORATED = "prorata"
"""Where a part month comes from that the organization's policy or a person's word prorates as Ciclo proposes it; its
key is the rule and the planned date, so that it comes once."""


class UseState(StrEnum):
    """Whether an adjustment is in a period's invoice."""

    SENDING = "sending"
    USED = "used"
    UNSENT = "unsent"
    """It certainly did not arrive."""


def complement_rule(key: str) -> int | None:
    """Return the rule that bills a difference by itself, by the difference's key; None while there is none."""
    parts = key.split(":")
    return int(parts[2]) if len(parts) == 3 else None


PeriodUse = tuple[int, int]
"""A period's id and its reference's sequence."""


@dataclass(frozen=True, slots=True)
class KnownAdjustment:
    """An adjustment that is not withdrawn, and what it is in."""

    adjustment: domain.Adjustment
    rule_id: int | None
    from_date: date
    to_date: date
    once: bool
    uses: Mapping[PeriodUse, UseState] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """Its number."""
        return self.adjustment.id

    def is_for(self, issue_date: date, period_id: int | None = None) -> bool:
        """Whether it is for the period of a planned date; one for a single period is not for a second one.

        Args:
            issue_date: the planned date.
            period_id: the period in the ledger, if it is there.
        """
        if not self.from_date <= issue_date <= self.to_date:
            return False
        used_in = {number for (number, _), state in self.uses.items() if state is UseState.USED}
        return not self.once or period_id is None or used_in <= {period_id}


class AdjustmentRepository:
    """The adjustments of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    # -- finding ---------------------------------------------------------------------------------------------------

    def get(self, adjustment_id: int) -> Adjustment | None:
        """Return one adjustment for nobody else to change or claim, or None if the organization has no such one."""
        query = select(Adjustment).where(self._belongs(), Adjustment.id == adjustment_id).with_for_update()
        return self._session.scalar(query.execution_options(populate_existing=True))

    def newest(self, contract_id: int) -> int:
        """Return the newest adjustment of a contract, withdrawn ones, too; 0 where there is none."""
        query = select(func.max(Adjustment.id)).where(self._belongs(), Adjustment.contract_id == contract_id)
        return self._session.scalar(query) or 0

    def of_rules(self, rule_ids: Iterable[int]) -> dict[int, list[KnownAdjustment]]:
        """Return the adjustments of some rules that are not withdrawn, the older ones first."""
        found: dict[int, list[KnownAdjustment]] = {}
        columns = Adjustment.__table__.columns
        for part in in_parts(sorted(set(rule_ids))):
            some = self._belongs(), among(Adjustment.rule_id, part), Adjustment.state != AdjustmentState.WITHDRAWN
            rows = self._session.execute(select(*columns).where(*some).order_by(Adjustment.id)).all()
            uses = self._uses([row.id for row in rows])
            for row in rows:
                found.setdefault(row.rule_id, []).append(_known(row, uses.get(row.id, {})))
        return found

    def skips(self, contract_ids: Iterable[int]) -> dict[int, list[KnownAdjustment]]:
        """Return what is not billed of some contracts, by contract: of all their rules, or of one."""
        found: dict[int, list[KnownAdjustment]] = {each: [] for each in contract_ids}
        skip = self._belongs(), Adjustment.kind == AdjustmentKind.SKIP, Adjustment.state == AdjustmentState.OPEN
        for part in in_parts(sorted(found)):
            query = select(*Adjustment.__table__.columns).where(*skip, Adjustment.contract_id.in_(part))
            for row in self._session.execute(query.order_by(Adjustment.id)):
                found[row.contract_id].append(_known(row, {}))
        return found

    def _uses(self, adjustment_ids: Sequence[int]) -> dict[int, dict[PeriodUse, UseState]]:
        found: dict[int, dict[PeriodUse, UseState]] = {}
        columns = AdjustmentUse.adjustment_id, AdjustmentUse.period_id, AdjustmentUse.sequence, AdjustmentUse.state
        for part in in_parts(adjustment_ids):
            query = select(*columns).where(AdjustmentUse.adjustment_id.in_(part))
            for adjustment_id, period_id, sequence, state in self._session.execute(query):
                found.setdefault(adjustment_id, {})[period_id, sequence] = UseState(state)
        return found

    def skipped(self, scope: Scope) -> list[tuple[Period, Adjustment]]:
        """Return the periods of a scope that were never sent and are not to be billed, each with what says so."""
        skip = and_(
            Adjustment.organization_id == Period.organization_id,
            Adjustment.contract_id == Period.contract_id,
            or_(Adjustment.rule_id.is_(None), Adjustment.rule_id == Period.rule_id),
            Adjustment.from_date <= Period.issue_date,
            or_(Adjustment.to_date.is_(None), Adjustment.to_date >= Period.issue_date),
        )
        unsent = (PeriodState.PLANNED.value, PeriodState.WAITING.value, PeriodState.PARKED.value)
        query = select(Period, Adjustment).join(Adjustment, skip)
        query = query.where(
            self._belongs(),
            Adjustment.state == AdjustmentState.OPEN,
            Adjustment.kind == AdjustmentKind.SKIP,
            Period.state.in_(unsent),
            Period.issue_date >= scope.window.start,
            Period.issue_date < scope.window.end,
            *self._of_shard(Period.contract_id, scope),
        )
        found = self._session.execute(query.order_by(Period.id, Adjustment.id))
        return [(period, adjustment) for period, adjustment in {row[0].id: row for row in found}.values()]

    def lacking(self, scope: Scope) -> list[int]:
        """Return the issued periods of a shard, of whatever day, that are not known to have all their adjustments."""
        query = select(Period.id, Period.issue_date).distinct().join(Adjustment, _for_period())
        query = query.where(
            self._belongs(),
            Adjustment.state == AdjustmentState.OPEN,
            Adjustment.kind != AdjustmentKind.SKIP,
            Period.state == PeriodState.ISSUED,
            ~_used_in_period(),
            *self._of_shard(Period.contract_id, scope),
        )
        return [row.id for row in self._session.execute(query.order_by(Period.issue_date, Period.id))]

    def unbilled(self, scope: Scope, *, today: date) -> list[Adjustment]:
        """Return what of a shard is in no invoice, and will be in none: its days are over, or its rule is.

        A line is owed whether its period is billed or not. What else there is goes with a period that a person gave up,
        or that fell into a stretch in which the contract was inactive; what Ciclo prorated by itself goes with any.
        """
        could_have_it = exists().where(_for_period(), Period.state != PeriodState.CANCELLED)
        known = exists().where(
            AdjustmentUse.adjustment_id == Adjustment.id,
            AdjustmentUse.state.in_((UseState.USED, UseState.SENDING)),
        )
        inactive = ReasonKind.CONTRACT_INACTIVE, ReasonKind.CONTRACT_GONE
        goes_with_it = exists().where(
            _for_period(), or_(Period.cancelled_by.is_not(None), Period.reason_kind.in_(inactive))
        )
        query = self._open_of_rules(scope).where(
            or_(
                Adjustment.to_date < today,
                and_(Adjustment.once.is_(True), or_(Rule.gone_at.is_not(None), Rule.end_date < Adjustment.from_date)),
            ),
            or_(Adjustment.kind == AdjustmentKind.LINE, ~goes_with_it),
            ~could_have_it,
            ~known,
        )
        return list(self._session.scalars(query))

    def outlasting(self, scope: Scope, *, today: date) -> list[Adjustment]:
        """Return what of a shard is for days to come of a rule that is over, beyond a single period."""
        query = self._open_of_rules(scope).where(
            Adjustment.once.is_(False),
            or_(Adjustment.to_date.is_(None), Adjustment.to_date >= today),
            or_(
                Rule.gone_at.is_not(None),
                and_(
                    Rule.end_date < today,
                    or_(Adjustment.to_date.is_(None), Adjustment.to_date > Rule.end_date),
                ),
            ),
        )
        return list(self._session.scalars(query))

    def _open_of_rules(self, scope: Scope) -> Select[Adjustment]:
        same = and_(Rule.organization_id == Adjustment.organization_id, Rule.rule_id == Adjustment.rule_id)
        query = select(Adjustment).join(Rule, same).order_by(Adjustment.id)
        return query.where(
            self._belongs(),
            Adjustment.state == AdjustmentState.OPEN,
            Adjustment.kind != AdjustmentKind.SKIP,
            Adjustment.origin != PRORATED,
            *self._of_shard(Adjustment.contract_id, scope),
        )

    def to_come(self, days: DateRange, scope: Scope) -> list[int]:
        """Return the contracts of a shard that have an open adjustment for some of these days."""
        query = select(Adjustment.contract_id).distinct()
        query = query.where(
            self._belongs(),
            Adjustment.state == AdjustmentState.OPEN,
            Adjustment.kind != AdjustmentKind.SKIP,
            Adjustment.from_date < days.end,
            or_(Adjustment.to_date.is_(None), Adjustment.to_date >= days.start),
            *self._of_shard(Adjustment.contract_id, scope),
        )
        return sorted(self._session.scalars(query))

    def complements(self, scope: Scope) -> list[tuple[Adjustment, Period]]:
        """Return the open differences of a shard that are billed by an invoice of their own, each with its period."""
        mine = self._belongs(), Adjustment.origin == COMPLEMENT, Adjustment.state == AdjustmentState.OPEN
        query = select(Adjustment).where(*mine, *self._of_shard(Adjustment.contract_id, scope)).order_by(Adjustment.id)
        rows = [(int(row.key.split(":")[0]), row) for row in self._session.scalars(query)]
        some = select(Period).where(Period.id.in_([period_id for period_id, _ in rows]))
        periods = {period.id: period for period in self._session.scalars(some)} if rows else {}
        return [(row, periods[period_id]) for period_id, row in rows]

    def complement_rules(self, contract_ids: Collection[int]) -> set[int]:
        """Return the rules of some contracts that bill a difference by themselves, whatever their titles say by now."""
        mine = self._belongs(), Adjustment.origin == COMPLEMENT, Adjustment.contract_id.in_(contract_ids)
        keys = self._session.scalars(select(Adjustment.key).where(*mine))
        return {rule_id for key in keys if (rule_id := complement_rule(key)) is not None}

    def billed_by(self, complement: Adjustment, rule_id: int) -> None:
        """Remember the rule that bills a difference by itself. Flushes."""
        if complement_rule(complement.key) is None:
            complement.key = f"{complement.key}:{rule_id}"
            self._session.flush()

    def doubtful(self, period_id: int, now: datetime) -> datetime | None:
        """Return until when something that was sent for a period may still arrive; None if nothing may."""
        query = select(AdjustmentUse.doubt_until).where(
            AdjustmentUse.period_id == period_id,
            AdjustmentUse.state == UseState.SENDING,
            AdjustmentUse.doubt_until > now,
        )
        return max((until for until in self._session.scalars(query) if until is not None), default=None)

    def _of_shard(self, contract_id: InstrumentedAttribute[int], scope: Scope) -> list[ColumnElement[bool]]:
        conditions = [contract_id % scope.shards == scope.shard]
        return [*conditions, contract_id.in_(scope.contract_ids)] if scope.contract_ids else conditions

    def _belongs(self) -> ColumnElement[bool]:
        return Adjustment.organization_id == self._organization_id

    # -- using -----------------------------------------------------------------------------------------------------

    def bind(self, bound: Iterable[tuple[PeriodUse, Iterable[int]]], *, at: datetime) -> None:
        """Remember which adjustments are in the invoices that a claim is about to create: it keeps others off."""
        rows = [self._use(each, period, UseState.SENDING, at) for period, ids in bound for each in ids]
        for part in in_parts(rows):
            upsert(self._session, AdjustmentUse, part)

    def claim(
        self,
        period: PeriodUse,
        adjustment_ids: Collection[int],
        *,
        used: Collection[int],
        until: datetime,
        at: datetime,
    ) -> bool:
        """Take adjustments for one correction of a period's invoice; whether nobody else has, or had meanwhile.

        Args:
            period: the period.
            adjustment_ids: those that the correction brings into the invoice.
            used: those that were in it when it was read.
            until: until when its absence proves nothing.
            at: when.
        """
        lock = select(Period.id).where(Period.id == period[0], Period.state == PeriodState.ISSUED).with_for_update()
        if self._session.scalar(lock) is None or self.doubtful(period[0], at) is not None:
            return False
        still_open = select(Adjustment.id).where(
            Adjustment.id.in_(adjustment_ids), Adjustment.state == AdjustmentState.OPEN
        )
        still_open = still_open.order_by(Adjustment.id).with_for_update()  # nobody withdraws one meanwhile
        if self.in_invoice(period) != set(used):
            return False
        if set(self._session.scalars(still_open)) != set(adjustment_ids):
            return False
        rows = [self._use(each, period, UseState.SENDING, at) | {"doubt_until": until} for each in adjustment_ids]
        upsert(self._session, AdjustmentUse, rows)
        return True

    def in_invoice(self, period: PeriodUse) -> set[int]:
        """Return the adjustments that are in a period's invoice; what is billed by itself is in one of its own."""
        mine = AdjustmentUse.period_id == period[0], AdjustmentUse.sequence == period[1]
        query = select(Adjustment.id).join(AdjustmentUse, AdjustmentUse.adjustment_id == Adjustment.id)
        query = query.where(*mine, AdjustmentUse.state == UseState.USED, Adjustment.origin != COMPLEMENT)
        return set(self._session.scalars(query))

    def doubt(self, period: PeriodUse, *, until: datetime, alone: int | None = None) -> None:
        """Put another end to the doubt about what was sent for a period, or about one adjustment alone."""
        self._session.execute(self._sending(period, alone).values(doubt_until=until))

    def not_sent(self, period: PeriodUse, *, at: datetime, alone: int | None = None) -> None:
        """Remember that what was claimed for a period, or one adjustment alone, certainly did not arrive."""
        unsent = {"state": UseState.UNSENT.value, "doubt_until": None, "at": at}
        self._session.execute(self._sending(period, alone).values(**unsent))

    def _sending(self, period: PeriodUse, alone: int | None) -> Update:
        mine = AdjustmentUse.period_id == period[0], AdjustmentUse.sequence == period[1]
        sending = update(AdjustmentUse).where(*mine, AdjustmentUse.state == UseState.SENDING)
        return sending if alone is None else sending.where(AdjustmentUse.adjustment_id == alone)

    def used(
        self, period: PeriodUse, issue_date: date, adjustment_ids: Collection[int], invoice_id: int, *, at: datetime
    ) -> None:
        """Remember that adjustments are in a period's invoice. Flushes; the caller commits with what says so."""
        if not adjustment_ids:
            return
        rows = [self._use(each, period, UseState.USED, at) | {"invoice_id": invoice_id} for each in adjustment_ids]
        upsert(self._session, AdjustmentUse, rows)
        lacking = exists().where(_for_period(), Period.state != PeriodState.CANCELLED, ~_used_in_period())
        ends = exists().where(_for_period(), Period.issue_date == Adjustment.to_date, _used_in_period())
        some = (
            Adjustment.id.in_(list(adjustment_ids)),
            Adjustment.state == AdjustmentState.OPEN,
            or_(Adjustment.once.is_(True), and_(ends, ~lacking)),  # an invoice of other days may still lack it
        )
        settled = set(
            self._session.scalars(
                update(Adjustment)
                .where(*some)
                .values(state=AdjustmentState.USED.value, changed_at=at)
                .returning(Adjustment.id),
                execution_options={"synchronize_session": False},
            )
        )
        facts: dict[str, Fact] = {"invoice_id": invoice_id, "issue_date": issue_date.isoformat()}
        reason, states = Reason(ReasonKind.ADJUSTMENT_USED, facts), AdjustmentState
        changes = [
            Change(each, states.OPEN, states.USED if each in settled else states.OPEN, reason)
            for each in adjustment_ids
        ]
        self._audit.record("adjustment", changes, at)

    def open_again(self, period: PeriodUse, *, reason: Reason, at: datetime) -> None:
        """Let the adjustments of an invoice that is gone be brought into the one that is made instead. Flushes."""
        used = update(Adjustment).where(
            Adjustment.id.in_(self.in_invoice(period)),
            Adjustment.kind != AdjustmentKind.SKIP,
            Adjustment.state == AdjustmentState.USED,
        )
        again = self._session.scalars(
            used.values(state=AdjustmentState.OPEN.value, changed_at=at).returning(Adjustment.id),
            execution_options={"synchronize_session": False},
        )
        changes = [Change(each, AdjustmentState.USED, AdjustmentState.OPEN, reason) for each in again]
        self._audit.record("adjustment", changes, at)

    def _use(self, adjustment_id: int, period: PeriodUse, state: UseState, at: datetime) -> dict[str, Any]:
        return {
            "adjustment_id": adjustment_id,
            "period_id": period[0],
            "sequence": period[1],
            "organization_id": self._organization_id,
            "state": state.value,
            "invoice_id": None,
            "doubt_until": None,
            "at": at,
        }

    # -- adding ----------------------------------------------------------------------------------------------------

    def add(self, rows: Sequence[Mapping[str, Any]], *, at: datetime) -> list[int]:
        """Add adjustments, each with its audit entry, and return their numbers; one whose key is known is left out."""
        if not rows:
            return []
        statement = insert_new(self._session, Adjustment).returning(Adjustment.id)
        new = list(self._session.scalars(statement, list(rows)))
        reason = Reason(ReasonKind.ADJUSTMENT_ADDED, {"origin": rows[0]["origin"]})
        self._audit.record("adjustment", (Change(each, None, AdjustmentState.OPEN, reason) for each in new), at)
        return new

    def known_keys(self, origin: str, keys: Collection[str]) -> set[str]:
        """Return those keys that an origin has given already."""
        query = select(Adjustment.key).where(self._belongs(), Adjustment.origin == origin)
        return {key for part in in_parts(keys) for key in self._session.scalars(query.where(Adjustment.key.in_(part)))}

    def withdraw(self, adjustment: Adjustment, *, reason: Reason, at: datetime) -> None:
        """Take an adjustment back."""
        before, adjustment.state, adjustment.changed_at = adjustment.state, AdjustmentState.WITHDRAWN.value, at
        self._session.flush()
        self._audit.record("adjustment", [Change(adjustment.id, before, AdjustmentState.WITHDRAWN, reason)], at)

    # -- settings of rules -----------------------------------------------------------------------------------------

    def settings(self, rule_ids: Collection[int] = ()) -> dict[int, RuleSetting]:
        """Return how some rules, or all that have a setting, are billed."""
        query = select(RuleSetting).where(RuleSetting.organization_id == self._organization_id)
        if rule_ids:
            query = query.where(RuleSetting.rule_id.in_(rule_ids))
        return {row.rule_id: row for row in self._session.scalars(query)}

    def carry_settings(self, former: Mapping[int, Sequence[int]], *, at: datetime) -> None:
        """Let rules that follow others be billed as those are, where nobody has said anything of them. Flushes.

        Args:
            former: by rule, those that it follows, the last one last.
            at: when.
        """
        if not former:
            return
        known = self.settings({*former, *(each for before in former.values() for each in before)})
        rows = [
            {
                "organization_id": self._organization_id,
                "rule_id": rule_id,
                "waits_for_quantities": said[-1].waits_for_quantities,
                "notice_days": said[-1].notice_days,
                "lead_days": said[-1].lead_days,
                "person": said[-1].person,
                "changed_at": at,
            }
            for rule_id, before in former.items()
            if rule_id not in known and (said := [known[each] for each in before if each in known])
        ]
        insert_new_rows(self._session, RuleSetting, rows)

    def notice(self, rule_id: int, day: date) -> bool:
        """Remember that a rule's quantities up to a planned date were asked for; whether nobody had by then."""
        mine = RuleSetting.organization_id == self._organization_id, RuleSetting.rule_id == rule_id
        unasked = or_(RuleSetting.noticed_until.is_(None), RuleSetting.noticed_until < day)
        asked = update(RuleSetting).where(*mine, unasked).values(noticed_until=day).returning(RuleSetting.rule_id)
        return self._session.scalar(asked, execution_options={"synchronize_session": False}) is not None

    def take_notice_back(self, rule_id: int, day: date | None) -> None:
        """Put back until when a rule's quantities were asked for: the message did not go out."""
        mine = RuleSetting.organization_id == self._organization_id, RuleSetting.rule_id == rule_id
        self._session.execute(
            update(RuleSetting).where(*mine).values(noticed_until=day), execution_options={"synchronize_session": False}
        )


def _for_period() -> ColumnElement[bool]:
    """An adjustment that is for a period by its days."""
    return and_(
        Adjustment.organization_id == Period.organization_id,
        Adjustment.rule_id == Period.rule_id,
        Adjustment.from_date <= Period.issue_date,
        or_(Adjustment.to_date.is_(None), Adjustment.to_date >= Period.issue_date),
    )


def _used_in_period() -> ColumnElement[bool]:
    used = exists().where(
        AdjustmentUse.adjustment_id == Adjustment.id,
        AdjustmentUse.period_id == Period.id,
        AdjustmentUse.sequence == Period.reference_sequence,
        AdjustmentUse.state == UseState.USED,
    )
    return used.correlate(Adjustment, Period)


def _known(row: Any, uses: Mapping[PeriodUse, UseState]) -> KnownAdjustment:
    days = DateRange.days(row.first_day, row.last_day) if row.first_day and row.last_day else None
    return KnownAdjustment(
        domain.Adjustment(
            kind=AdjustmentKind(row.kind),
            id=row.id,
            service=row.service,
            quantity=row.quantity,
            unit_value=row.unit_value,
            amount=row.amount,
            percent=row.percent,
            days=days,
            description=row.description,
        ),
        row.rule_id,
        row.from_date,
        row.to_date or date.max,
        row.once,
        uses,
    )
