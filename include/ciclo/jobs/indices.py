"""Price-index values into the ledger: the shipped series as a starting point, newer values and revisions from SGS.

A value is added, never changed. A month whose value differs from the one known is a further revision;
what was applied with the former one keeps its evidence and is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy.orm import Session

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.wording import month_words, plain_words
from ciclo.ledger.repositories import IndexValueRepository, KnownValue
from ciclo.ledger.repositories.price_updates import executions_in_prices, used_values
from ciclo.locale import _
from ciclo.sgs.client import MonthlyValue, SgsClient
from ciclo.sgs.series import months_between, shipped_series, shipped_values

SHIPPED = "shipped"
"""Source of a value that came with the package."""
MONTHS_BACK = 119
"""How far back SGS is asked, so that a revision is seen: ten years, the longest range it answers for some series."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A month whose value is another one now."""

    index: PriceIndex
    month: date
    known: Decimal
    revised: Decimal

    def line(self) -> str:
        """Say it in one line of text."""
        text = _("{index} {month} was revised from {was} % to {now} %")
        month, was, now = month_words(self.month), f"{self.known:f}", f"{self.revised:f}"
        return text.format(index=self.index.label, month=month, was=was, now=now)


@dataclass(frozen=True, slots=True)
class RevisedUse:
    """An update in the prices whose evidence holds a value that has been revised since."""

    organization_id: int
    contract_id: int
    rule_id: int
    execution_id: int
    execution_date: date
    index: PriceIndex
    month: date
    used: Decimal
    newest: Decimal

    def line(self) -> str:
        """Say it in one line of text, for a person who decides what to do."""
        return _(
            "Contract {contract_id}, rule {rule_id}: the update of {day} was computed with {index} {month} = {used} %; "
            "it has been revised to {newest} %. The price stays as it is."
        ).format(
            contract_id=self.contract_id,
            rule_id=self.rule_id,
            day=plain_words(self.execution_date),
            index=self.index.label,
            month=month_words(self.month),
            used=f"{self.used:f}",
            newest=f"{self.newest:f}",
        )


@dataclass(slots=True)
class IndexSync:
    """What a synchronisation of one index brought."""

    index: PriceIndex
    added: list[date] = field(default_factory=list)
    revised: list[Revision] = field(default_factory=list)
    gaps: list[date] = field(default_factory=list)
    """Months inside the answered range that SGS has no value for."""
    newest: date | None = None

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {"added": len(self.added), "revised": len(self.revised), "gaps": len(self.gaps)}


def load_shipped(session: Session, *, at: datetime) -> int:
    """Bring into the ledger the shipped values of months it has none for; return how many. Commits.

    Needs no network: with nothing but these, updates whose months are shipped apply.
    """
    repository = IndexValueRepository(session)
    if repository.count_months(_shipped_spans()) == _shipped_months():
        session.commit()
        return 0  # as on every day but the first
    known = repository.months()
    rows = [
        _row(entry.index, entry.month, 1, entry.value, SHIPPED, at)
        for entry in shipped_values()
        if (entry.index, entry.month) not in known
    ]
    added = repository.add(rows)
    session.commit()
    return added


@cache
def _shipped_spans() -> Mapping[str, tuple[date, date]]:
    return {index: (min(series), max(series)) for index, series in shipped_series().items()}


@cache
def _shipped_months() -> Mapping[str, int]:
    return {index: len(months_between(*span)) for index, span in _shipped_spans().items()}


def sync_index(session: Session, sgs: SgsClient, index: PriceIndex, *, through: date, at: datetime) -> IndexSync:
    """Bring an index's newer values and revisions from SGS into the ledger. Commits.

    Args:
        session: the ledger.
        sgs: the central bank's API.
        index: the price index.
        through: the day up to whose month values are asked for.
        at: the instant to record as fetch time.

    Raises:
        IndexUnavailableError: SGS cannot be had now; the ledger stays as it is.
        UnreadableAnswerError: an entry of the series cannot be read; the ledger stays as it is.
    """
    last = first_of_month(through)
    first = add_months(last, -MONTHS_BACK)
    session.commit()  # no transaction stays open while a request is under way
    answered = sgs.values(index, first, last)
    repository = IndexValueRepository(session)
    known = repository.newest(index, since=first)
    outcome = _compared(index, answered, known)
    repository.add(_new_rows(index, answered, known, at))
    outcome.newest = max([*known, *(value.month for value in answered)], default=None)
    session.commit()
    return outcome


def _compared(index: PriceIndex, answered: Sequence[MonthlyValue], known: Mapping[date, KnownValue]) -> IndexSync:
    there = {value.month for value in answered}
    span = months_between(min(there), max(there)) if there else ()
    outcome = IndexSync(index, gaps=[month for month in span if month not in there])
    for month, value in answered:
        if month not in known:
            outcome.added.append(month)
        elif known[month].value != value:
            outcome.revised.append(Revision(index, month, known[month].value, value))
    return outcome


def _new_rows(
    index: PriceIndex, answered: Iterable[MonthlyValue], known: Mapping[date, KnownValue], at: datetime
) -> list[dict[str, Any]]:
    source = f"BCB SGS {index.sgs_code}"
    return [
        _row(index.value, month, known[month].revision + 1 if month in known else 1, value, source, at)
        for month, value in answered
        if month not in known or known[month].value != value
    ]


def _row(index: str, month: date, revision: int, value: Decimal, source: str, at: datetime) -> dict[str, Any]:
    return {
        "price_index": index,
        "month": month,
        "revision": revision,
        "value": value,
        "source": source,
        "fetched_at": at,
    }


def revised_uses(session: Session, index: PriceIndex) -> list[RevisedUse]:
    """Return the updates in the prices that rest on a value which has been revised since, of every organization.

    Nothing is done about them: what was billed stays, a person decides.
    """
    newest = {entry.month: entry.newest for entry in IndexValueRepository(session).revised(index)}
    if not newest:
        return []
    return [
        RevisedUse(
            organization_id=execution.organization_id,
            contract_id=execution.contract_id,
            rule_id=execution.rule_id,
            execution_id=execution.id,
            execution_date=execution.execution_date,
            index=index,
            month=used.month,
            used=used.value,
            newest=newest[used.month],
        )
        for execution in executions_in_prices(session, after=min(newest))
        for used in sorted(used_values(execution))
        if used.price_index == index and newest.get(used.month, used.value) != used.value
    ]
