"""Whose invoice is it, in an audit: every invoice of a contract to at most one period of its rules, by planned date.

Unlike before a creation, where doubt stops and asks, an audit has to say which of two is one too many: the period gets
the invoice that is most like it, the other is the surplus. What speaks for an invoice, the strongest first: Ciclo's
reference, description, services by name, customer, the planned day, made in the same second as the rule, the month that
it says it is for, value. Without one of the first, or of the last two with the day itself, it is not the period's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

from ciclo.billimatic.models import Contract, Invoice, InvoiceRule, InvoiceState
from ciclo.domain.calendar import next_business_day
from ciclo.domain.coverage import ContractRule, Coverage, coverage
from ciclo.domain.recurrence import DateRange, PeriodUnit, accrual_month, issue_dates
from ciclo.domain.texts import begins_alike, plain
from ciclo.jobs.issuing.match import references_in
from ciclo.ledger.terms import RuleTerms

MOVED_AT_MOST = {PeriodUnit.MONTHLY: timedelta(days=10), PeriodUnit.WEEKLY: timedelta(days=3)}
"""How far out of its period's coverage an invoice may have been moved, where its own period has no other."""

REFERENCE, TEXT, TEXT_BEGINS, SERVICES, SOME_SERVICES = 1000, 60, 50, 40, 25
CUSTOMER, SAME_DAY, SAME_SECOND, SAME_MONTH, SAME_VALUE, ISSUED = 30, 40, 20, 15, 10, 3

Customer = tuple[str | None, int | None]


@dataclass(frozen=True)
class AuditedRule:
    """A rule with its terms, and what tells its invoices from others."""

    rule: InvoiceRule
    terms: RuleTerms
    contract: Contract

    @cached_property
    def text(self) -> str:
        """The description, without what nobody sees."""
        return plain(self.rule.description)

    @cached_property
    def services(self) -> frozenset[str]:
        """Names of the services."""
        return frozenset(plain(line.name) for line in self.terms.services if line.name)

    @cached_property
    def customer(self) -> Customer:
        """Whom it bills: a customer of its own, or the contract's."""
        source = self.rule if self.rule.customer_id is not None else self.contract
        return source.customer_type, source.customer_id

    @cached_property
    def contract_rule(self) -> ContractRule:
        """What tells whether it goes on where another rule ended."""
        return self.terms.of_rule(self.rule.id, title=self.title, customer=self.customer)

    @property
    def title(self) -> str | None:
        """What the vendor's screens call it."""
        timing = self.rule.additional_information
        return timing.title if timing is not None else None

    def period(self, issue_date: date) -> "AuditedPeriod":
        """Return the period with that issue date."""
        covered = coverage(self.terms.recurrence, self.terms.accrual, issue_date)
        return AuditedPeriod(self, issue_date, covered, accrual_month(issue_date, self.terms.accrual))

    def periods(self, window: DateRange) -> list["AuditedPeriod"]:
        """Return the periods of a window, in order."""
        return [self.period(day) for day in issue_dates(self.terms.recurrence, window)]


PeriodKey = tuple[int, date]


@dataclass(frozen=True, slots=True)
class AuditedPeriod:
    """One issue of a rule."""

    of: AuditedRule
    issue_date: date
    coverage: Coverage
    accrual_month: date

    @property
    def key(self) -> PeriodKey:
        """What it is known by."""
        return self.of.rule.id, self.issue_date

    def covers(self, day: date) -> bool:
        """Whether an invoice planned for a day may be its own: in the coverage, or on the next business day."""
        return day in self.coverage.issued or day == next_business_day(self.issue_date)


@dataclass(slots=True)
class Matches:
    """Which invoice is which period's."""

    own: dict[PeriodKey, Invoice] = field(default_factory=dict)
    """Living ones."""
    cancelled: dict[PeriodKey, list[Invoice]] = field(default_factory=dict)
    """Cancelled ones that were a period's."""
    surplus: list[tuple[AuditedPeriod, Invoice]] = field(default_factory=list)
    """What is one too many beside a period's own."""
    unexplained: list[Invoice] = field(default_factory=list)
    """What no period explains."""


def match(periods: Iterable[AuditedPeriod], invoices: Iterable[Invoice]) -> Matches:
    """Assign the invoices of one contract to the periods of its rules.

    Args:
        periods: of every rule, of the range and one coverage either side.
        invoices: of the contract, of the same time.
    """
    known = {period.key: period for period in periods}
    living = {each.id: each for each in invoices if each.state != InvoiceState.CANCELLED}
    dead = [each for each in invoices if each.state == InvoiceState.CANCELLED]
    result = Matches()
    by_month = _by_month(known.values())
    pairs = [
        (score, -abs((invoice.planned_date - period.issue_date).days), -number, period.key)
        for number, invoice in living.items()
        for period in _near(by_month, invoice.planned_date)
        if (score := likeness(period, invoice))
    ]
    free = dict(living)
    for _, _, negative, key in sorted(pairs, reverse=True):
        if key not in result.own and -negative in free:
            result.own[key] = free.pop(-negative)
    _take_back_what_was_moved(known, free, result)
    for invoice in sorted(free.values(), key=lambda each: (each.planned_date, each.id)):
        period = _occupied(by_month, result.own, invoice)
        if period is None:
            result.unexplained.append(invoice)
        else:
            result.surplus.append((period, invoice))
    _keep_the_one_at_the_price(known, result)
    for invoice in dead:
        fitting = [(likeness(each, invoice), each.key) for each in _near(by_month, invoice.planned_date)]
        best = max(fitting, default=(0, None))
        if best[1] is not None and best[0]:
            result.cancelled.setdefault(best[1], []).append(invoice)
    return result


def likeness(period: AuditedPeriod, invoice: Invoice) -> int:
    """Return how much speaks for an invoice being a period's; 0: it is not."""
    day, rule = invoice.planned_date, period.of
    if not period.covers(day):
        return 0
    references = references_in(invoice.comments)
    bound = any((each.rule_id, each.issue_date) == period.key for each in references)
    text = _text_likeness(rule.text, plain(invoice.description))
    services = _service_likeness(rule.services, services_of(invoice))
    same_day = day == period.issue_date
    same_value = invoice.gross_value == rule.rule.gross_value
    born, made = rule.rule.created_at, invoice.created_at
    same_second = born is not None and made is not None and born.replace(microsecond=0) == made.replace(microsecond=0)
    if not (bound or text or services or (same_day and (same_value or same_second))):
        return 0
    apart = abs(invoice.gross_value - rule.rule.gross_value)
    closeness = 5 - min(Decimal(5), apart * 5 / rule.rule.gross_value) if rule.rule.gross_value > 0 else Decimal(0)
    return (
        REFERENCE * bound
        + text
        + services
        + CUSTOMER * (same_customer(rule, invoice))
        + SAME_DAY * same_day
        + SAME_SECOND * same_second
        + SAME_MONTH * (invoice.accrual_date == period.accrual_month)
        + SAME_VALUE * same_value
        + ISSUED * (invoice.state != InvoiceState.TO_EMIT)
        + int(closeness)
    )


def same_customer(rule: AuditedRule, invoice: Invoice) -> bool:
    """Whether an invoice is for its rule's customer; answers of the first years name none."""
    kind, number = rule.customer
    if number is None or invoice.customer_id is None:
        return True
    return number == invoice.customer_id and (not kind or not invoice.customer_type or kind == invoice.customer_type)


def services_of(invoice: Invoice) -> frozenset[str]:
    """Return the names of an invoice's services."""
    return frozenset(plain(line.name) for line in invoice.services if line.name)


def _text_likeness(ours: str, theirs: str) -> int:
    if ours and ours == theirs:
        return TEXT
    return TEXT_BEGINS if begins_alike(ours, theirs) else 0


def _service_likeness(ours: frozenset[str], theirs: frozenset[str]) -> int:
    if not ours or not theirs:
        return 0
    if ours == theirs:
        return SERVICES
    return SOME_SERVICES if ours <= theirs or theirs <= ours else 0


def _by_month(periods: Iterable[AuditedPeriod]) -> dict[tuple[int, int], list[AuditedPeriod]]:
    """Index periods by the months in which their invoices may lie."""
    found: dict[tuple[int, int], list[AuditedPeriod]] = {}
    for period in periods:
        issued = period.coverage.issued
        days = [issued.start + timedelta(days=back) for back in range(0, (issued.end - issued.start).days, 28)]
        days += [issued.last_day, next_business_day(period.issue_date)]
        for month in {(day.year, day.month) for day in days}:
            found.setdefault(month, []).append(period)
    return found


def _near(by_month: Mapping[tuple[int, int], Sequence[AuditedPeriod]], day: date) -> Sequence[AuditedPeriod]:
    return by_month.get((day.year, day.month), ())


def _take_back_what_was_moved(
    known: Mapping[PeriodKey, AuditedPeriod], free: dict[int, Invoice], result: Matches
) -> None:
    """Give periods without an invoice one that was moved a few days out of their coverage."""
    pairs = []
    for period in known.values():
        if period.key in result.own:
            continue
        for invoice in free.values():
            apart = abs(invoice.planned_date - period.issue_date)
            alike = _text_likeness(period.of.text, plain(invoice.description))
            if alike and apart <= MOVED_AT_MOST[period.of.terms.recurrence.period_unit]:
                same_month = invoice.accrual_date == period.accrual_month
                pairs.append((-apart.days, same_month, -invoice.id, period.key))
    for _, _, negative, key in sorted(pairs, reverse=True):
        if key not in result.own and -negative in free:
            result.own[key] = free.pop(-negative)


def _occupied(
    by_month: Mapping[tuple[int, int], Sequence[AuditedPeriod]], own: Mapping[PeriodKey, Invoice], invoice: Invoice
) -> AuditedPeriod | None:
    """Return the period that an invoice bills a second time; None if it is something else."""
    best: tuple[int, PeriodKey, AuditedPeriod] | None = None
    for period in _near(by_month, invoice.planned_date):
        mine, score = own.get(period.key), likeness(period, invoice)
        if mine is None or not score:
            continue
        text = _text_likeness(period.of.text, plain(invoice.description))
        bound = score >= REFERENCE
        same_services = bool(services_of(invoice)) and services_of(invoice) == services_of(mine)
        same_value = invoice.gross_value == mine.gross_value
        same_day = invoice.planned_date in (mine.planned_date, period.issue_date)
        if bound or text or (same_value and (same_services or same_day)):
            best = max(best or (0, period.key, period), (score, period.key, period), key=lambda each: each[:2])
    return best[2] if best else None


def _keep_the_one_at_the_price(known: Mapping[PeriodKey, AuditedPeriod], result: Matches) -> None:
    """Where a surplus is at the price of its neighbours and the period's own is not, they change places."""
    days: dict[int, list[date]] = {}
    for rule_id, day in sorted(result.own):
        days.setdefault(rule_id, []).append(day)
    for place, (period, invoice) in enumerate(result.surplus):
        rule_id, day = period.key
        mine = result.own[period.key]
        at = days[rule_id].index(day)
        around = [each for each in days[rule_id][max(at - 1, 0) : at + 2] if each != day]
        values = {result.own[rule_id, each].gross_value for each in around} or {known[period.key].of.rule.gross_value}
        if mine.gross_value not in values and invoice.gross_value in values and same_customer(period.of, invoice):
            result.own[period.key], result.surplus[place] = invoice, (period, mine)
