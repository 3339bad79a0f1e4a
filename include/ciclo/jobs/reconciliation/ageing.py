"""Ageing: what is owed and since when, and how many days money takes, by contract and by month of issue.

The buckets are the domain's (not due, 1-30, 31-60, 61-90, over 90 days), as of the day that is asked for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeVar

from ciclo.domain.calendar import first_of_month
from ciclo.domain.money import ZERO, brl
from ciclo.domain.receivables import AgeingBucket, ageing_bucket, days_to_receive
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories.invoices import AgeingRepository, OwedSum, ReceivedSum

TENTH = Decimal("0.1")
Key = TypeVar("Key", int, date)


@dataclass(slots=True)
class Owed:
    """A number of receivables and what they amount to, in BRL."""

    receivables: int = 0
    amount: Decimal = ZERO


@dataclass(slots=True)
class AgeingLine:
    """What a contract, a month or everybody owes by age, and what came in."""

    buckets: dict[AgeingBucket, Owed] = field(default_factory=lambda: {bucket: Owed() for bucket in AgeingBucket})
    received: Owed = field(default_factory=Owed)
    days: int = 0
    """Days from issue to receipt, of all receipts together."""

    @property
    def owed(self) -> Decimal:
        """BRL not received, due or not."""
        return sum((each.amount for each in self.buckets.values()), ZERO)

    @property
    def overdue(self) -> Decimal:
        """BRL past its due date."""
        return self.owed - self.buckets[AgeingBucket.NOT_DUE].amount

    @property
    def days_to_receive(self) -> Decimal | None:
        """Mean days from issue to receipt, to one decimal; None if nothing came in."""
        count = self.received.receivables
        return (Decimal(self.days) / count).quantize(TENTH) if count else None


@dataclass(frozen=True, slots=True)
class Ageing:
    """The ageing of an organization's receivables as of a day."""

    today: date
    total: AgeingLine
    by_contract: dict[int, AgeingLine]
    by_month: dict[date, AgeingLine]
    """By month of issue, its first day."""

    def lines(self) -> list[str]:
        """Return the whole as lines for a log."""
        rows = [
            f"  {bucket.value:<10}{owed.receivables:>8} {brl(owed.amount):>20}"
            for bucket, owed in self.total.buckets.items()
        ]
        days = self.total.days_to_receive
        return [*rows, f"  received in {days} days on average" if days is not None else "  nothing was received yet"]


def ageing(ctx: JobContext, today: date) -> Ageing:
    """Return what is owed as of `today`, by contract and by month of issue, from the ledger."""
    repository = AgeingRepository(ctx.session, ctx.organization_id)
    owed, received = repository.owed(), repository.received()
    total = _lines(owed, received, today, lambda _: 0)
    return Ageing(
        today,
        total.get(0, AgeingLine()),
        _lines(owed, received, today, lambda row: row.contract_id),
        _lines(owed, received, today, lambda row: first_of_month(row.issue_date)),
    )


def _lines(
    owed: Iterable[OwedSum],
    received: Iterable[ReceivedSum],
    today: date,
    key: Callable[[OwedSum | ReceivedSum], Key],
) -> dict[Key, AgeingLine]:
    lines: dict[Key, AgeingLine] = {}
    for due in owed:
        bucket = lines.setdefault(key(due), AgeingLine()).buckets[ageing_bucket(due.due_date, today)]
        bucket.receivables += due.receivables
        bucket.amount += due.amount
    for receipt in received:
        line = lines.setdefault(key(receipt), AgeingLine())
        line.received.receivables += receipt.receivables
        line.received.amount += receipt.amount
        line.days += receipt.receivables * days_to_receive(receipt.issue_date, receipt.received_at)
    return lines
