"""One rule as the ledger knows it: its row, the versions of its terms, its prices; and what follows from them.

Everything here comes from terms and prices through the domain. What a period's row or the vendor's invoice says is not
asked: it is what this is compared with.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from ciclo.domain import pricing
from ciclo.domain.adjustments import Adjustment, Bill
from ciclo.domain.calendar import NO_HOLIDAYS, SAO_PAULO
from ciclo.domain.coverage import Coverage, coverage
from ciclo.domain.due_dates import due_dates, percentages
from ciclo.domain.errors import DomainError
from ciclo.domain.money import split_money
from ciclo.domain.recurrence import DateRange, accrual_month, issue_dates
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import KnownAdjustment, KnownPrice, UseState, Version
from ciclo.ledger.repositories.prices import history
from ciclo.ledger.tables import Period, Rule
from ciclo.ledger.terms import RuleTerms

CHANGED_BY_A_PERSON = "rule changed"
"""`prices.source` of a price that somebody changed at the vendor."""

RULES_KEPT = 2000
"""Rules whose terms and prices are in memory together, or kept for the next load, however many a contract has."""


@dataclass(frozen=True, slots=True)
class ExpectedInvoice:
    """What a period's invoice should be. BRL; `gross_value` is None where the price of that day is not known."""

    gross_value: Decimal | None
    due_dates: tuple[date, ...]
    parts: tuple[Decimal, ...]
    """Money of each due date; empty where the price is not known."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPeriod:
    """A period that a rule's terms call for. `gross_value` is BRL, None where the price of that day is not known."""

    contract_id: int
    rule_id: int
    version: int
    issue_date: date
    accrual_month: date
    due_dates: tuple[date, ...]
    gross_value: Decimal | None
    coverage: Coverage

    @property
    def key(self) -> tuple[int, date]:
        """What a period is known by."""
        return self.rule_id, self.issue_date


@dataclass(frozen=True, slots=True)
class RuleSnapshot:
    """A rule with its versions, oldest first, and its prices."""

    rule: Rule
    versions: tuple[tuple[Version, RuleTerms], ...]
    prices: tuple[KnownPrice, ...]
    own_holidays: frozenset[date] = NO_HOLIDAYS
    adjustments: tuple[KnownAdjustment, ...] = ()
    """What differs from the rule for some of its periods; what was withdrawn is not among it."""

    @property
    def newest(self) -> RuleTerms:
        """The terms as last read."""
        return self.versions[-1][1]

    def terms_on(self, day: date) -> RuleTerms:
        """Return the terms in force on a day; days before the second version follow the first."""
        return next((t for v, t in reversed(self.versions) if v.effective_from <= day), self.versions[0][1])

    def terms_of(self, period: Period) -> RuleTerms:
        """Return the terms that a period was planned under."""
        found = (terms for version, terms in self.versions if version.version == period.rule_version)
        return next(found, None) or self.terms_on(period.issue_date)

    def history(self, *, known_by: datetime | None = None) -> list[pricing.Price]:
        """Return the prices as the domain reads them; with `known_by` without what a person changed afterwards."""
        rows: Iterable[KnownPrice] = self.prices
        if known_by is not None:
            rows = [row for row in rows if row.source != CHANGED_BY_A_PERSON or row.created_at <= known_by]
        return history(rows)

    def adjustments_of(self, issue_date: date, period: Period | None = None) -> tuple[Adjustment, ...]:
        """Return what differs from the rule for the period of a planned date, whether its invoice has it or not."""
        number = period.id if period is not None else None
        return tuple(each.adjustment for each in self.adjustments if each.is_for(issue_date, number))

    def adjustments_in(self, period: Period, *states: UseState) -> tuple[Adjustment, ...]:
        """Return the adjustments that are in a period's present invoice; with states, those whose use is in them."""
        use, wanted = (period.id, period.reference_sequence), states or (UseState.USED,)
        return tuple(each.adjustment for each in self.adjustments if each.uses.get(use) in wanted)

    def bill(
        self,
        issue_date: date,
        adjustments: Iterable[Adjustment] = (),
        *,
        terms: RuleTerms | None = None,
        prices: Sequence[pricing.Price] | None = None,
    ) -> Bill:
        """Return what the rule bills for the period of a planned date, with adjustments.

        Args:
            issue_date: the planned date.
            adjustments: of that period.
            terms: those of the rule; default: as of the planned date.
            prices: those of the rule; default: its own.

        Raises:
            NoPriceInForce: a price is not known.
            InvalidAdjustment, TotalNotPositive: an adjustment cannot be carried out.
        """
        terms, prices = terms or self.terms_on(issue_date), self.history() if prices is None else prices
        return terms.bill(prices, issue_date, adjustments)

    def alive_in(self, window: DateRange) -> DateRange:
        """Return the part of a window before the day on which the rule was seen to be gone, if it was."""
        gone_at = self.rule.gone_at
        return window.intersection(DateRange(date.min, gone_at.astimezone(SAO_PAULO).date() if gone_at else date.max))

    def parts(self, window: DateRange) -> Iterator[tuple[Version, RuleTerms, DateRange]]:
        """Split a window by the versions: each issue date follows the terms in force on that day."""
        for index, (version, terms) in enumerate(self.versions):
            start = version.effective_from if index else date.min
            end = self.versions[index + 1][0].effective_from if index + 1 < len(self.versions) else date.max
            part = window.intersection(DateRange(start, max(start, end)))
            if part:
                yield version, terms, part

    def periods(self, window: DateRange) -> Iterator[ExpectedPeriod]:
        """Yield the periods of a window that the terms of their own day call for, in order of issue date."""
        prices = self.history()
        for version, terms, part in self.parts(window):
            for issue_date in issue_dates(terms.recurrence, part):
                yield self._period(version, terms, issue_date, prices)

    def called_for(self, window: DateRange, paused: Collection[DateRange]) -> Iterator[ExpectedPeriod]:
        """Yield the periods of a window that are to be billed: not in a pause, nor before the rule was first seen."""
        for period in self.periods(window):
            first_seen = self.rule.new_since
            if (first_seen is None or period.issue_date >= first_seen) and not any(
                period.issue_date in stretch for stretch in paused
            ):
                yield period

    def periods_by_newest_terms(self, window: DateRange) -> Iterator[ExpectedPeriod]:
        """Yield the periods of a window that the terms as last read call for, whenever they were first seen."""
        prices, (version, terms) = self.history(), self.versions[-1]
        for issue_date in issue_dates(terms.recurrence, window):
            yield self._period(version, terms, issue_date, prices)

    def _period(
        self, version: Version, terms: RuleTerms, issue_date: date, prices: list[pricing.Price]
    ) -> ExpectedPeriod:
        return ExpectedPeriod(
            contract_id=self.rule.contract_id,
            rule_id=self.rule.rule_id,
            version=version.version,
            issue_date=issue_date,
            accrual_month=accrual_month(issue_date, terms.accrual),
            due_dates=due_dates(terms.charge, issue_date, self.own_holidays),
            gross_value=self._total(issue_date, self.adjustments_of(issue_date), terms, prices),
            coverage=coverage(terms.recurrence, terms.accrual, issue_date),
        )

    def coverage_of(self, period: Period) -> Coverage:
        """Return what a period of the ledger pays for: its months are those it was planned under."""
        terms = self.terms_of(period)
        planned = coverage(terms.recurrence, terms.accrual, period.issue_date)
        if planned.competence is None:
            return planned
        length = coverage(terms.recurrence, terms.accrual, period.accrual_month).issued
        return Coverage(planned.issued, length)

    def invoice(self, period: Period, *, created: datetime | None = None) -> ExpectedInvoice:
        """Return what a period's invoice should be.

        Args:
            period: of this rule.
            created: when its invoice was first seen: a price that a person changed later does not count for it.
        """
        terms = self.terms_of(period)
        prices = self.history(known_by=created)
        gross = self._total(period.issue_date, self.adjustments_in(period), terms, prices)
        days = due_dates(terms.charge, period.issue_date, self.own_holidays)
        parts = split_money(gross, percentages(len(days))) if gross is not None else ()
        return ExpectedInvoice(gross, days, parts, terms.invoice.get("description") or "")

    def _total(
        self, issue_date: date, adjustments: Iterable[Adjustment], terms: RuleTerms, prices: Sequence[pricing.Price]
    ) -> Decimal | None:
        try:
            return self.bill(issue_date, adjustments, terms=terms, prices=prices).total
        except DomainError:
            return None


class RuleSnapshots:
    """The snapshots of some rules, as they were last loaded."""

    def __init__(self, ctx: JobContext, rule_ids: Iterable[int] = (), *, kept: int = RULES_KEPT) -> None:
        """Load the rules; later loads keep at most `kept` of them in memory."""
        self._ctx = ctx
        self._kept = kept
        self._found: dict[int, RuleSnapshot] = {}
        self.load(rule_ids)

    def load(self, rule_ids: Iterable[int]) -> None:
        """Read what is not known yet of some rules; where they become too many, what was loaded before is forgotten."""
        wanted = set(rule_ids)
        if len(wanted | self._found.keys()) > self._kept:
            self._found.clear()
        new = wanted - self._found.keys()
        if not new:
            return
        rows = self._ctx.contracts.rules(new)
        versions = self._ctx.contracts.versions(new)
        prices = self._ctx.prices.histories(new)
        adjustments = self._ctx.adjustments.of_rules(new)
        for rule_id, rule in rows.items():
            terms = tuple((row, RuleTerms.read(row.terms)) for row in versions.get(rule_id, []))
            if terms:
                snapshot = RuleSnapshot(
                    rule,
                    terms,
                    tuple(prices.get(rule_id, [])),
                    self._ctx.own_holidays,
                    tuple(adjustments.get(rule_id, [])),
                )
                self._found[rule_id] = snapshot

    def __getitem__(self, rule_id: int) -> RuleSnapshot:
        """Return the snapshot of a rule that was loaded.

        Raises:
            KeyError: the ledger has no terms of it.
        """
        return self._found[rule_id]

    def __contains__(self, rule_id: int) -> bool:
        return rule_id in self._found

    def __iter__(self) -> Iterator[RuleSnapshot]:
        return iter(self._found.values())
