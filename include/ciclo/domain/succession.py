"""Which rule goes on where another one ended: the periods of both tile time, as if they were one rule's.

People end a rule and make another in its place, for a new price or a new day, or delete it and make it anew. The vendor
does not say so. It shows in that both are of the same contract and customer, bill the same, and one is over.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date

from ciclo.domain.recurrence import DateRange, Recurrence, issue_dates


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRule:
    """A rule of a contract, as far as it tells whether another one goes on where it ended.

    Attributes:
        rule_id: the API's id; of two rules, the one made first has the smaller.
        customer: whom it bills.
        recurrence: when it issues.
        services: what it bills: catalogue ids, or names; empty for a rule without services.
        texts: title and description, without what nobody sees and without empty ones.
        is_gone: whether it was deleted at the vendor.
    """

    rule_id: int
    customer: Hashable
    recurrence: Recurrence
    services: frozenset[Hashable]
    texts: frozenset[str]
    is_gone: bool = False

    def follows(self, former: "ContractRule", *, over_by: date) -> bool:
        """Whether it goes on where another rule of its contract ended.

        The other bills the same to the same customer, and has no issue date left when this one begins, though it may
        have some days; or it was made first and is over by a day: gone, or ended.

        Args:
            former: the other rule.
            over_by: the day by which an end is to have come: today, or the day on which this rule begins.
        """
        if self.customer != former.customer or not self.bills_the_same(former):
            return False
        if former.ends_before(self.recurrence.init_date):
            return True
        end = former.recurrence.end_date
        is_over = former.is_gone or (end is not None and end < over_by)
        return is_over and former.rule_id < self.rule_id and not self.ends_before(former.recurrence.init_date)

    def bills_the_same(self, other: "ContractRule") -> bool:
        """Whether both have the same services, or share title or description."""
        return (bool(self.services) and self.services == other.services) or bool(self.texts & other.texts)

    def ends_before(self, day: date) -> bool:
        """Whether it has issue dates, and none from a day on."""
        init_date, end = self.recurrence.init_date, self.recurrence.end_date
        if end is None or not init_date <= end or init_date >= day:
            return False
        return next(issue_dates(self.recurrence, DateRange(day, date.max)), None) is None
