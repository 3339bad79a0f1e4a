"""Which periods a run is about, and what keeps a period back."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, or_, select

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.tables import Adjustment, Period, Reading, RuleSetting, ScheduledUpdate


@dataclass(frozen=True, slots=True)
class Scope:
    """Which periods a run is about: a window of issue dates, perhaps some contracts, perhaps one shard of them.

    With `plan_id` only what that billing plan bills: nothing that was planned after a person approved it.
    """

    window: DateRange
    contract_ids: tuple[int, ...] = ()
    shard: int = 0
    shards: int = 1
    plan_id: int | None = None
    rule_ids: tuple[int, ...] = ()
    """Those rules alone; none means all."""

    def holds(self, contract_id: int) -> bool:
        """Whether a contract is one of them, and of the shard."""
        is_wanted = not self.contract_ids or contract_id in self.contract_ids
        return is_wanted and contract_id % self.shards == self.shard

    def whole(self) -> "Scope":
        """Return the same window, contracts and plan, every shard."""
        return Scope(self.window, self.contract_ids, plan_id=self.plan_id)


def contract_unread() -> ColumnElement[bool]:
    """A period whose contract could not be read when it was last tried."""
    return (
        select(Reading.contract_id)
        .where(
            Reading.organization_id == Period.organization_id,
            Reading.contract_id == Period.contract_id,
            Reading.unread_since.is_not(None),
        )
        .correlate(Period)
        .exists()
    )


def update_unsettled() -> ColumnElement[bool]:
    """A period of a rule with a price update that executes by its planned date and is not settled."""
    return (
        select(ScheduledUpdate.scheduled_update_id)
        .where(
            ScheduledUpdate.organization_id == Period.organization_id,
            ScheduledUpdate.rule_id == Period.rule_id,
            ScheduledUpdate.gone_at.is_(None),
            ScheduledUpdate.next_execution_date <= Period.issue_date,
        )
        .correlate(Period)
        .exists()
    )


def quantities_missing() -> ColumnElement[bool]:
    """A period whose rule waits for quantities that did not come."""
    waits = exists().where(
        RuleSetting.organization_id == Period.organization_id,
        RuleSetting.rule_id == Period.rule_id,
        RuleSetting.waits_for_quantities.is_(True),
    )
    measured = (AdjustmentKind.QUANTITY.value, AdjustmentKind.REPLACE.value)
    came = exists().where(
        Adjustment.organization_id == Period.organization_id,
        Adjustment.rule_id == Period.rule_id,
        Adjustment.kind.in_(measured),
        Adjustment.state != "withdrawn",
        Adjustment.from_date <= Period.issue_date,
        or_(Adjustment.to_date.is_(None), Adjustment.to_date >= Period.issue_date),
    )
    return and_(waits.correlate(Period), ~came.correlate(Period))
