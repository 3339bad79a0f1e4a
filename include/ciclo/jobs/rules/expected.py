"""What the rules say should be at the vendor: the periods of a window, and what each period's invoice is worth.

The one rule: everything here comes from the rules' terms and prices through the domain. What a period's row or the
vendor's answer says is not asked: it is what this is compared with.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from ciclo.domain import pricing
from ciclo.domain.due_dates import due_dates, percentages
from ciclo.domain.errors import DomainError
from ciclo.domain.money import split_money
from ciclo.domain.pricing import gross_value
from ciclo.domain.recurrence import DateRange, PeriodUnit, expand
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.prices import history
from ciclo.ledger.repositories import KnownPrice, Version, version_on
from ciclo.ledger.tables import Period, Rule
from ciclo.ledger.terms import RuleTerms

CHANGED_BY_A_PERSON = "rule changed"
"""`prices.source` of a price that somebody changed at the vendor."""

RULES_KEPT = 2000
"""Rules whose terms and prices are kept for the next load: bounds the memory of a large company's month."""

Versions = Sequence[tuple[Version, RuleTerms]]


@dataclass(frozen=True, slots=True)
class ExpectedInvoice:
    """What a period's invoice should be. BRL; `gross_value` is None where the price of that day is not known."""

    gross_value: Decimal | None
    due_dates: tuple[date, ...]
    parts: tuple[Decimal, ...]
    """Money of each due date; empty where the price is not known."""
    description: str


@dataclass(frozen=True, slots=True)
class ExpectedPeriod:
    """A period that a rule's terms call for."""

    contract_id: int
    rule_id: int
    issue_date: date
    gross_value: Decimal | None

    @property
    def key(self) -> tuple[int, date]:
        """What a period is known by."""
        return self.rule_id, self.issue_date


class RuleBook:
    """The terms and prices of rules, as they were last loaded."""

    def __init__(self, ctx: JobContext, *, kept: int = RULES_KEPT) -> None:
        self._ctx = ctx
        self._kept = kept
        self._versions: dict[int, list[tuple[Version, RuleTerms]]] = {}
        self._prices: dict[int, list[KnownPrice]] = {}

    def load(self, rule_ids: Iterable[int]) -> None:
        """Read what is not known yet of some rules; where they become too many, what was loaded before is forgotten."""
        wanted = set(rule_ids)
        if len(wanted | self._versions.keys()) > self._kept:
            self._versions.clear()
            self._prices.clear()
        new = wanted - self._versions.keys()
        if not new:
            return
        versions = self._ctx.catalogue.versions(new)
        prices = self._ctx.prices.histories(new)
        for rule_id in new:
            self._versions[rule_id] = [(row, RuleTerms.read(row.terms)) for row in versions.get(rule_id, [])]
            self._prices[rule_id] = prices.get(rule_id, [])

    def invoice(self, period: Period, *, created: datetime | None = None) -> ExpectedInvoice:
        """Return what a period's invoice should be.

        Args:
            period: of a rule that was loaded.
            created: when its invoice was first seen: a price that a person changed later does not count for it.
        """
        terms = self._terms_of(period)
        gross = _gross(terms, self._history(period.rule_id, created), period.issue_date)
        days = due_dates(terms.charge, period.issue_date, self._ctx.own_holidays)
        parts = split_money(gross, percentages(len(days))) if gross is not None else ()
        return ExpectedInvoice(gross, days, parts, terms.invoice.get("description") or "")

    def periods(self, rule: Rule, window: DateRange) -> Iterator[ExpectedPeriod]:
        """Yield the periods that the versions of a rule call for in the window."""
        prices = self._history(rule.rule_id, None)
        for _, terms, part in segments(self._versions[rule.rule_id], window):
            for issue_date, _, _ in expand(terms.recurrence, terms.charge, terms.accrual, part):
                gross = _gross(terms, prices, issue_date)
                yield ExpectedPeriod(rule.contract_id, rule.rule_id, issue_date, gross)

    def keeps_its_months(self, period: Period) -> bool:
        """Whether a rule's newest terms bill as often as those a period was planned under, and beyond its day."""
        before, now = self._terms_of(period).recurrence, self._versions[period.rule_id][-1][1].recurrence
        same = (before.period_unit, before.month_quantity) == (now.period_unit, now.month_quantity)
        return (
            same
            and now.period_unit is PeriodUnit.MONTHLY
            and now.init_date <= period.issue_date
            and (now.end_date is None or now.end_date >= period.issue_date)
        )

    def _terms_of(self, period: Period) -> RuleTerms:
        versions = self._versions[period.rule_id]
        planned = [terms for row, terms in versions if row.version == period.rule_version]
        if planned:
            return planned[0]
        in_force = version_on([row for row, _ in versions], period.issue_date)
        return next(terms for row, terms in versions if row is in_force)

    def _history(self, rule_id: int, created: datetime | None) -> list[pricing.Price]:
        rows = self._prices[rule_id]
        if created is not None:
            rows = [row for row in rows if row.source != CHANGED_BY_A_PERSON or row.created_at <= created]
        return history(rows)


def segments(versions: Versions, window: DateRange) -> Iterator[tuple[Version, RuleTerms, DateRange]]:
    """Split a window by the versions of a rule: each issue date follows the terms known on that day."""
    for index, (version, terms) in enumerate(versions):
        start = version.effective_from if index else date.min
        end = versions[index + 1][0].effective_from if index + 1 < len(versions) else date.max
        part = window.intersection(DateRange(start, max(start, end)))
        if part:
            yield version, terms, part


def _gross(terms: RuleTerms, prices: list[pricing.Price], on: date) -> Decimal | None:
    try:
        return gross_value(terms.priced_services, prices, on)
    except DomainError:
        return None
