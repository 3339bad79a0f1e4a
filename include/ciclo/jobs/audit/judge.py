"""One contract judged: its rules against its invoices. Pure: what was read comes in, findings come out.

Each fault is one finding: what is one too many is not unexplained as well, a readjustment that was missed is not a
wrong amount on every invoice after it, and a receivable that the finance system refused is not late.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from ciclo.billimatic.models import Contract, Invoice, InvoiceRule, Nfse
from ciclo.domain.adjustments import marks_in
from ciclo.domain.calendar import add_days, add_months, first_of_month
from ciclo.domain.coverage import gaps, months_of, pays_again
from ciclo.domain.errors import DomainError
from ciclo.domain.findings import AuditKind, Normality, Unjudged
from ciclo.domain.money import HUNDRED, cents, multiply_to_cents, total
from ciclo.domain.price_index import MONTHS_BY_LAW
from ciclo.domain.pricing import per_month
from ciclo.domain.recurrence import DAYS_OF_A_WEEK, DateRange, PeriodUnit, issue_dates
from ciclo.domain.texts import begins_alike, plain
from ciclo.jobs.audit.findings import ENDS_SOON, Audit, AuditFinding, AuditRange, Endless, Note, document_faults, money
from ciclo.jobs.audit.match import AuditedPeriod, AuditedRule, Matches, PeriodKey, match, same_customer
from ciclo.jobs.audit.prices import RulePrices
from ciclo.jobs.rules.terms import read_terms
from ciclo.sgs.series import Series, shipped_series

LONGEST = 13
"""Months before a range in which a period may begin that reaches into it, and one."""
SEVERAL = 2
"""Invoices after today from which they were made ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the contracts of an account share.

    Attributes:
        range: the months, and the day of the audit.
        service_items: ids of the account's service items by name.
        series: the months of the indices that are known.
        nfses: the tax documents that were looked at, by invoice; those of other invoices are as these say themselves.
    """

    range: AuditRange
    series: Mapping[str, Series] = field(default_factory=shipped_series)
    service_items: Mapping[str, int] = field(default_factory=dict)
    nfses: Mapping[int, Sequence[Nfse]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContract:
    """What was read of a contract.

    Attributes:
        since: first issue date whose invoices were read.
        is_active: whether it is in the list of active contracts.
        odd_rules: whether one of its rules cannot be read: what it bills looks as if nobody expected it.
        odd_days: planned dates of its invoices that cannot be read; None for one that does not even tell that.
    """

    contract: Contract
    rules: Sequence[InvoiceRule]
    invoices: Sequence[Invoice]
    since: date
    is_active: bool = True
    odd_rules: bool = False
    odd_days: Sequence[date | None] = ()


@dataclass(slots=True)
class ContractAudit:
    """What was found in a contract."""

    audit: Audit = field(default_factory=Audit)
    endless: list[Endless] = field(default_factory=list)


def judge_contract(read: ReadContract, account: Account) -> ContractAudit:
    """Judge one contract."""
    return _Contract(read, account).judge()


class _Contract:
    """The judging of one contract, under way."""

    def __init__(self, read: ReadContract, account: Account) -> None:
        self.read = read
        self.account = account
        self.range = account.range
        self.result = ContractAudit()
        self.audit = self.result.audit
        self.unread_rules: list[InvoiceRule] = []
        self.rules = list(self._rules())
        self.whole = DateRange(
            add_months(first_of_month(self.range.first), -LONGEST), add_days(self.range.as_of, ENDS_SOON + 400)
        )
        self.periods: dict[PeriodKey, AuditedPeriod] = {
            period.key: period for rule in self.rules for period in rule.periods(self.whole)
        }

    @property
    def id(self) -> int:
        """The contract's id."""
        return self.read.contract.id

    def judge(self) -> ContractAudit:
        """Judge everything, in an order in which each fault is found once."""
        matches = self.matches
        for rule in self.rules:
            self._law(rule)
            self._missing(rule)
            self.prices[rule.rule.id].judge(self.audit, self.range)
            self._ends(rule)
        self._gaps()
        seams = dict(self._seams())
        for period, invoice in matches.surplus:
            if invoice.planned_date in self.range.judged:
                self._duplicate(period, invoice, matches.own[period.key])
        for key, invoice in matches.own.items():
            if key[1] in self.range.judged or invoice.planned_date in self.range.judged:
                self._own(self.periods[key], invoice, seams.get(key))
        self._unexplained()
        return self.result

    @cached_property
    def matches(self) -> Matches:
        """Which invoice is whose."""
        return match(self.periods.values(), self.read.invoices)

    @cached_property
    def prices(self) -> dict[int, RulePrices]:
        """The prices of each rule, as billed."""
        own: dict[int, list[tuple[AuditedPeriod, Invoice]]] = {}
        until = self.range.as_of
        for key, invoice in sorted(self.matches.own.items(), key=lambda each: each[0]):
            if key[1] <= until:
                own.setdefault(key[0], []).append((self.periods[key], invoice))
        series, since = self.account.series, self.read.since
        return {
            rule.rule.id: RulePrices(rule, own.get(rule.rule.id, []), until, series, since=since) for rule in self.rules
        }

    def _rules(self) -> Iterator[AuditedRule]:
        for rule in self.read.rules:
            if rule.says_that_it_never_recurs:
                continue
            try:
                yield AuditedRule(rule, read_terms(rule, self.account.service_items), self.read.contract)
            except DomainError as error:
                self.unread_rules.append(rule)
                facts = {"resource": "invoice_rule", "error": str(error)}
                self._find(AuditKind.UNREAD, rule_id=rule.id, facts=facts)

    def _find(self, kind: AuditKind, **given: object) -> None:
        self.audit.findings.append(AuditFinding(kind=kind, contract_id=self.id, **given))  # type: ignore[arg-type]

    def _normal(self, kind: Normality, period: AuditedPeriod | None, invoice: Invoice, **facts: str | int) -> None:
        rule_id = period.of.rule.id if period is not None else None
        self.audit.normal.append(
            Note(kind=kind, contract_id=self.id, rule_id=rule_id, invoice_ids=(invoice.id,),
                 day=invoice.planned_date, facts=facts)
        )  # fmt: skip

    def _law(self, rule: AuditedRule) -> None:
        ends = rule.terms.recurrence.end_date
        for update in rule.rule.scheduled_updates:
            if 0 < update.months < MONTHS_BY_LAW and (ends is None or ends >= self.range.first):
                facts = {"months": update.months, "index": update.price_index}
                day = update.execution_date or update.init_date
                self._find(AuditKind.LAW_10192, rule_id=rule.rule.id, planned_date=day, facts=facts)

    # -- periods -------------------------------------------------------------------------------------------------------

    @cached_property
    def _billed_until(self) -> date | None:
        """Of an inactive or ended contract the last day that counts; None: it goes on.

        Nothing tells when a contract became inactive, but its `cancel_date` and its invoices.
        """
        last = max((day for _, day in self.matches.own), default=date.min)
        contract = self.read.contract
        if self.read.is_active:
            ended = contract.end_date is not None and contract.end_date < self.range.as_of
            return contract.end_date if ended and contract.end_date is not None and last <= contract.end_date else None
        return contract.cancel_date or last

    def _missing(self, rule: AuditedRule) -> None:
        """Find the periods of a rule without a living invoice; those at the end of a rule without end wait."""
        found: list[AuditedPeriod] = []
        for day in issue_dates(rule.terms.recurrence, self.range.expected):
            period = self.periods[rule.rule.id, day]
            if period.key in self.matches.own:
                self.audit.findings += map(self._missing_at, found)
                found = []
            elif self._billed_until is not None and day > self._billed_until:
                self._unjudged(Unjudged.CONTRACT_INACTIVE, rule, day)
                break
            elif any(day is None or period.covers(day) for day in self.read.odd_days):
                self._unjudged(Unjudged.INVOICE_UNREAD, rule, day)
            elif not self._is_covered(period):
                found.append(period)
        tail = list(map(self._missing_at, found))
        billed = any(number == rule.rule.id for number, _ in self.matches.own)
        if billed and rule.terms.recurrence.end_date is None and self._billed_until is None:
            self._endless(rule, tail)
        else:
            self.audit.findings += tail

    def _missing_at(self, period: AuditedPeriod) -> AuditFinding:
        prices = self.prices[period.of.rule.id]
        price = prices.total_in_force(period.issue_date)
        cancelled = tuple(sorted(each.id for each in self.matches.cancelled.get(period.key, [])))
        return AuditFinding(
            kind=AuditKind.MISSING,
            contract_id=self.id,
            rule_id=period.of.rule.id,
            invoice_ids=cancelled,
            planned_date=period.issue_date,
            expected=money(price),
            amount=price,
            facts={"cancelled": len(cancelled)},
        )

    def _is_covered(self, period: AuditedPeriod) -> bool:
        """Whether a rule that this one follows has billed the period's time already."""
        return any(
            pays_again(period.coverage, self.periods[key].coverage)
            for former in self._followed[period.of.rule.id]
            for key in self.matches.own
            if key[0] == former.rule.id
        )

    def _endless(self, rule: AuditedRule, tail: Sequence[AuditFinding]) -> None:
        last = max(day for number, day in self.matches.own if number == rule.rule.id)
        following = next(issue_dates(rule.terms.recurrence, DateRange(add_days(last, 1), date.max)))
        per_month = self._per_month(rule, following)
        ends = AuditFinding(
            kind=AuditKind.RULE_ENDS,
            contract_id=self.id,
            rule_id=rule.rule.id,
            planned_date=following,
            amount=per_month,
            per_month=per_month,
            facts={"last": last.isoformat(), "unbilled": len(tail), "lost": money(total(e.amount for e in tail))},
        )
        ahead = sum(number == rule.rule.id and day > self.range.as_of for number, day in self.matches.own)
        self.result.endless.append(
            Endless(last=last, following=following, is_ahead=ahead >= SEVERAL, ends=ends, tail=tail)
        )

    def _ends(self, rule: AuditedRule) -> None:
        end, today = rule.terms.recurrence.end_date, self.range.as_of
        if end is None or not today <= end <= add_days(today, ENDS_SOON) or self._billed_until is not None:
            return
        if marks_in(rule.title):  # it bills a difference, once
            return
        if rule.terms.recurrence.init_date > end or any(rule in followed for followed in self._followed.values()):
            return
        per_month = self._per_month(rule, end)
        facts = {"end_date": end.isoformat()}
        self._find(AuditKind.RULE_ENDS, rule_id=rule.rule.id, planned_date=end, amount=per_month,
                   per_month=per_month, facts=facts)  # fmt: skip

    def _per_month(self, rule: AuditedRule, day: date) -> Decimal:
        return per_month(rule.terms.recurrence, self.prices[rule.rule.id].total_in_force(min(day, self.range.as_of)))

    # -- rules that follow one another ---------------------------------------------------------------------------------

    @cached_property
    def _followed(self) -> dict[int, list[AuditedRule]]:
        """By rule, the rules that it follows."""
        return {
            rule.rule.id: [
                other for other in self.rules
                if other is not rule
                and rule.contract_rule.follows(other.contract_rule, over_by=rule.terms.recurrence.init_date)
            ]
            for rule in self.rules
        }  # fmt: skip

    def _gaps(self) -> None:
        """Find what nobody bills between a rule and the one that it follows."""
        for rule in self.rules:
            former = self._followed[rule.rule.id]
            before = DateRange(self.whole.start, max(self.whole.start, rule.terms.recurrence.init_date))
            last = max((each for other in former for each in other.periods(before)),
                       key=lambda each: each.issue_date, default=None)  # fmt: skip
            first = next(iter(rule.periods(self.whole)), None)
            if last is None or first is None:
                continue
            for stretch in gaps([last.coverage, first.coverage]):
                self._gap(rule, last, stretch)

    def _gap(self, rule: AuditedRule, last: AuditedPeriod, stretch: DateRange) -> None:
        if stretch.start > self.range.as_of or stretch.end <= self.range.first:
            return
        price = self.prices[last.of.rule.id].total_in_force(last.issue_date)
        weekly = last.of.terms.recurrence.period_unit is PeriodUnit.WEEKLY
        if weekly and last.coverage.competence is None and rule.terms.recurrence.period_unit is PeriodUnit.WEEKLY:
            weeks = round((stretch.end - stretch.start).days / DAYS_OF_A_WEEK)
            amount = multiply_to_cents(price, Decimal(weeks))
        else:
            amount = multiply_to_cents(
                per_month(last.of.terms.recurrence, price), Decimal(len(list(months_of(stretch))))
            )
        facts = {"from_date": stretch.start.isoformat(), "to_date": stretch.last_day.isoformat(),
                 "former_rule_id": last.of.rule.id}  # fmt: skip
        self._find(AuditKind.GAP, rule_id=rule.rule.id, planned_date=stretch.start, amount=amount,
                   per_month=per_month(last.of.terms.recurrence, price), facts=facts)  # fmt: skip

    def _seams(self) -> Iterator[tuple[PeriodKey, Invoice]]:
        """Yield the periods that bill again what a rule before has billed, with its invoice."""
        for rule in self.rules:
            for former in self._followed[rule.rule.id]:
                billed = [(self.periods[key].coverage, each) for key, each in self.matches.own.items()
                          if key[0] == former.rule.id]  # fmt: skip
                for key in self.matches.own:
                    if key[0] != rule.rule.id:
                        continue
                    for covered, invoice in billed:
                        if pays_again(self.periods[key].coverage, covered):
                            yield key, invoice

    # -- invoices ------------------------------------------------------------------------------------------------------

    def _duplicate(self, period: AuditedPeriod, invoice: Invoice, own: Invoice) -> None:
        facts = {"own_id": own.id, "invoice_id": invoice.id}
        self._find(AuditKind.DUPLICATE, rule_id=period.of.rule.id, invoice_ids=(invoice.id,),
                   planned_date=invoice.planned_date, found=money(invoice.gross_value),
                   amount=cents(invoice.gross_value), facts=facts)  # fmt: skip

    def _own(self, period: AuditedPeriod, invoice: Invoice, seam: Invoice | None) -> None:
        if seam is not None:
            self._duplicate(period, invoice, seam)
            return
        rule = period.of
        if not same_customer(rule, invoice):
            self._find(AuditKind.CUSTOMER, rule_id=rule.rule.id, invoice_ids=(invoice.id,),
                       planned_date=period.issue_date, expected=_named(*rule.customer),
                       found=_named(invoice.customer_type, invoice.customer_id),
                       amount=cents(invoice.gross_value))  # fmt: skip
        elif period.issue_date <= self.range.as_of:
            self._amount(period, invoice)
        self._edits(period, invoice)
        nfses = self.account.nfses.get(invoice.id, ())
        for kind, amount, facts in document_faults(invoice, nfses, self.range.as_of):
            self._find(kind, rule_id=rule.rule.id, invoice_ids=(invoice.id,), planned_date=period.issue_date,
                       amount=amount, facts=facts)  # fmt: skip

    def _amount(self, period: AuditedPeriod, invoice: Invoice) -> None:
        checked = self.prices[period.of.rule.id].check(period, invoice)
        if checked.difference:
            self._find(AuditKind.AMOUNT, rule_id=period.of.rule.id, invoice_ids=(invoice.id,),
                       planned_date=period.issue_date, expected=money(checked.expected),
                       found=money(invoice.gross_value), amount=abs(checked.difference))  # fmt: skip
            return
        if checked.has_usage:
            self._normal(Normality.USAGE, period, invoice)
        shares = [each.value for each in invoice.receivables]
        known = [each for each in shares if each is not None]
        if known and len(known) == len(shares) and abs(sum(known) - HUNDRED) > Decimal("0.01"):
            off = multiply_to_cents(invoice.gross_value, (HUNDRED - sum(known)) / HUNDRED)
            expected, found = money(invoice.gross_value), money(invoice.gross_value - off)
            self._find(AuditKind.AMOUNT, rule_id=period.of.rule.id, invoice_ids=(invoice.id,),
                       planned_date=period.issue_date, expected=expected, found=found, amount=abs(off))  # fmt: skip

    def _edits(self, period: AuditedPeriod, invoice: Invoice) -> None:
        """List what people did to a period's invoice that is in order."""
        if plain(invoice.description) != period.of.text:
            self._normal(Normality.DESCRIPTION_CHANGED, period, invoice)
        if invoice.planned_date != period.issue_date:
            self._normal(Normality.MOVED, period, invoice, was=period.issue_date.isoformat())
        if invoice.issue_date > invoice.planned_date:
            self._normal(Normality.BILLED_LATE, period, invoice, billed_on=invoice.issue_date.isoformat())
        parts = len(invoice.receivables)
        if parts > period.of.terms.charge.parcels:
            self._normal(Normality.SPLIT, period, invoice, parts=parts)
        for other in self.matches.cancelled.get(period.key, ()):
            self._normal(Normality.MADE_ANEW, period, invoice, cancelled_id=other.id)

    def _unexplained(self) -> None:
        one_offs = [plain(each.description) for each in self.read.rules if each.says_that_it_never_recurs]
        unread = [plain(each.description) for each in self.unread_rules]
        for invoice in self.matches.unexplained:
            if invoice.planned_date not in self.range.judged:
                continue
            text = plain(invoice.description)
            if self.read.odd_rules or any(begins_alike(text, each) for each in unread):
                continue
            if any(begins_alike(text, each) for each in one_offs):
                self._normal(Normality.ONE_OFF, None, invoice)
                continue
            if any(_is_of_former_terms(rule, invoice) for rule in self.rules):
                self._normal(Normality.FORMER_TERMS, None, invoice)
                continue
            self._find(AuditKind.UNEXPLAINED, invoice_ids=(invoice.id,), planned_date=invoice.planned_date,
                       found=money(invoice.gross_value), amount=cents(invoice.gross_value),
                       facts={"description": invoice.description})  # fmt: skip

    def _unjudged(self, kind: Unjudged, rule: AuditedRule, day: date) -> None:
        self.audit.unjudged.append(Note(kind=kind, contract_id=self.id, rule_id=rule.rule.id, day=day))


def _is_of_former_terms(rule: AuditedRule, invoice: Invoice) -> bool:
    """Whether an invoice is a rule's of before its present beginning: only the terms of today are known."""
    before = invoice.planned_date < rule.terms.recurrence.init_date
    return before and rule.text == plain(invoice.description) and same_customer(rule, invoice)


def _named(kind: str | None, number: int | None) -> str:
    return " ".join(str(each) for each in (kind, number) if each is not None)
