"""The prices of a rule in an audit: reconstructed service by service, and every readjustment judged by the index.

Services are told apart by their names, several of one name by their order. The months of an index are those published
by the execution date. Money is BRL.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from ciclo.billimatic.models import Invoice, Service
from ciclo.billimatic.models import ScheduledUpdate as RemoteUpdate
from ciclo.domain.calendar import add_days
from ciclo.domain.errors import DomainError, MissingIndexValue
from ciclo.domain.findings import AuditKind, Normality, Unjudged
from ciclo.domain.money import ZERO, cents, number, service_value, total
from ciclo.domain.price_index import Accumulation, accumulate, price_index, window
from ciclo.domain.pricing import WHOLE_RULE, ScheduledUpdate, execution_dates, per_month
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact
from ciclo.domain.texts import plain
from ciclo.domain.wording import month_words
from ciclo.jobs.audit.findings import Audit, AuditFinding, AuditRange, NewPrice, Note, money
from ciclo.jobs.audit.history import Due, History, How, InvoicedPrice, Judged, history
from ciclo.jobs.audit.match import AuditedPeriod, AuditedRule
from ciclo.ledger.terms import ServiceLine
from ciclo.sgs.series import Series

KINDS = {
    How.FACTOR: AuditKind.READJUSTMENT_FACTOR,
    How.TWICE: AuditKind.READJUSTMENT_TWICE,
    How.MISSING: AuditKind.READJUSTMENT_MISSING,
    How.LATE: AuditKind.READJUSTMENT_LATE,
}
"""What each fault of a readjustment is called; where services differ, the first of them counts."""

ONE_UNIT = Decimal(1)

Key = tuple[str, int]
"""A service by its name and its place among those of the same name; a rule without services has `WHOLE`."""
WHOLE: Key = ("", 0)


@dataclass(frozen=True, slots=True)
class Checked:
    """What an invoice comes to against the price in force."""

    expected: Decimal
    difference: Decimal
    has_usage: bool = False
    """Whether people added something, or changed a quantity, that totals up."""


@dataclass(slots=True)
class _Fault:
    """A readjustment that went wrong, over all services."""

    due: Due
    hows: set[How] = field(default_factory=set)
    lost: Decimal = ZERO
    per_month: Decimal = ZERO
    expected: Decimal = ZERO
    found: Decimal = ZERO
    invoice_ids: set[int] = field(default_factory=set)
    caught_up: date | None = None


class RulePrices:
    """The prices of one rule.

    Args:
        rule: with its terms.
        own: its periods with their living invoices, in order, up to `until`.
        until: the last day that is looked at.
        series: the months of the indices that are known.
        since: first issue date whose invoices were read.
    """

    def __init__(
        self,
        rule: AuditedRule,
        own: Sequence[tuple[AuditedPeriod, Invoice]],
        until: date,
        series: Mapping[str, Series],
        *,
        since: date,
    ) -> None:
        self.rule = rule
        self.own = own
        self.until = until
        self.series = series
        self.since = since
        self.problems: list[AuditFinding] = []
        self.notes: list[Note] = []

    # -- services ------------------------------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> dict[Key, ServiceLine | None]:
        """The rule's services by key."""
        if not self.rule.terms.services:
            return {WHOLE: None}
        times: Counter[str] = Counter()
        found: dict[Key, ServiceLine | None] = {}
        for line in self.rule.terms.services:
            name = plain(line.name)
            found[name, times[name]] = line
            times[name] += 1
        return found

    @cached_property
    def current(self) -> dict[Key, Decimal]:
        """The unit values that the rule has today."""
        if WHOLE in self.lines:
            return {WHOLE: cents(self.rule.rule.gross_value)}
        by_id = {line.id: line.unit_value for line in self.rule.rule.services}
        return {key: by_id[line.id] for key, line in self.lines.items() if line is not None}

    def units(self, key: Key) -> Decimal:
        """Return how many units of a service the rule bills."""
        line = self.lines[key]
        return line.units if line is not None else ONE_UNIT

    def lines_of(self, invoice: Invoice) -> tuple[dict[Key, Service], list[Service]]:
        """Return an invoice's services by the rule's keys, and those that the rule does not have."""
        times: Counter[str] = Counter()
        ours: dict[Key, Service] = {}
        others = []
        for line in invoice.services:
            name = plain(line.name)
            key = (name, times[name])
            times[name] += 1
            if key in self.lines:
                ours[key] = line
            else:
                others.append(line)
        renamed = [key for key in self.lines if key not in ours]
        if renamed and len(renamed) == len(others):  # a service that had another name by then
            return ours | dict(zip(renamed, others, strict=True)), []
        return ours, others

    # -- history -------------------------------------------------------------------------------------------------------

    @cached_property
    def histories(self) -> dict[Key, History]:
        """The history of each service's price."""
        due = self._due()
        return {key: history(list(self._seen(key, due[key])), due[key], self.current[key]) for key in self.lines}

    def _seen(self, key: Key, due: Sequence[Due]) -> Iterator[InvoicedPrice]:
        for period, invoice in self.own:
            day, planned = period.issue_date, invoice.planned_date
            if any(min(day, planned) < each.day <= max(day, planned) for each in due):
                continue  # moved across an execution date: either price may be meant
            if key == WHOLE:
                yield InvoicedPrice(day, invoice.id, cents(self._base(invoice)), ONE_UNIT)
                continue
            line = self.lines_of(invoice)[0].get(key)
            if line is not None:
                yield InvoicedPrice(day, invoice.id, line.unit_value, line.units)

    def _base(self, invoice: Invoice) -> Decimal:
        """Return what an invoice of a rule without services shows as its price: without what people added to it."""
        price = cents(self.rule.rule.gross_value)
        added = total(line.value for line in invoice.services)
        if invoice.services and added != invoice.gross_value:
            return invoice.gross_value - added
        if any(line.value == price for line in invoice.services):
            return price
        return invoice.gross_value

    def _due(self) -> dict[Key, list[Due]]:
        found: dict[Key, list[Due]] = {key: [] for key in self.lines}
        for remote in self.rule.rule.scheduled_updates:
            if remote.init_date is None:
                continue
            try:
                update = _domain_update(remote, remote.init_date)
            except DomainError as error:
                facts: dict[str, Fact] = {"resource": "scheduled_update", "error": str(error)}
                self.problems.append(self._finding(AuditKind.UNREAD, facts=facts))
                continue
            item = update.service_item_id
            keys = [k for k, line in self.lines.items() if item is None or (line and line.service_item_id == item)]
            if not keys:
                self.notes.append(self._note(Unjudged.SERVICE_UNKNOWN, None, service_item_id=item))
            for day in execution_dates(
                update, DateRange(update.init_date, max(update.init_date, add_days(self.until, 1)))
            ):
                due = Due(day, update, self._accumulated(update, day))
                for key in keys:
                    found[key].append(due)
        return found

    def _accumulated(self, update: ScheduledUpdate, day: date) -> Accumulation | None:
        try:
            return accumulate(
                update.index,
                self.series[update.index],
                window(update.index, day, update.month_quantity),
                apply_negative_updates=self.rule.terms.apply_negative_updates,
            )
        except MissingIndexValue:
            return None

    # -- what it says --------------------------------------------------------------------------------------------------

    def total_in_force(self, day: date) -> Decimal:
        """Return what a period of a day is worth at the prices in force."""
        return total(
            service_value(self._units_around(key, day), found if found is not None else self.current[key])
            for key, each in self.histories.items()
            for found in [each.in_force(day)]
        )

    def _units_around(self, key: Key, day: date) -> Decimal:
        """Return how many units were billed before and after a day, where these agree; else the rule's."""
        seen = self.histories[key].seen
        before = [each.units for each in seen if each.day < day][-1:]
        after = [each.units for each in seen if each.day > day][:1]
        return before[0] if before and before == after else self.units(key)

    def check(self, period: AuditedPeriod, invoice: Invoice) -> Checked:
        """Hold an invoice against the prices in force on its period's day."""
        days = {period.issue_date, invoice.planned_date if invoice.planned_date <= self.until else period.issue_date}
        checks = [self._check(invoice, day) for day in sorted(days, key=lambda day: day != period.issue_date)]
        return next((each for each in checks if not each.difference), checks[0])

    def _check(self, invoice: Invoice, day: date) -> Checked:
        gross = cents(invoice.gross_value)
        if WHOLE in self.lines:
            level = self._level(WHOLE, invoice, day)
            base = cents(self._base(invoice))
            return Checked(gross if base == level else level, base - level, has_usage=base != gross and base == level)
        if not invoice.services:
            expected = self.total_in_force(day)
            return Checked(expected, gross - expected)
        ours, others = self.lines_of(invoice)
        expected = total(line.value for line in others)
        for key in self.lines:
            units = ours[key].units if key in ours else self.units(key)
            expected += service_value(units, self._level(key, invoice, day))
        changed = any(line.units != self.units(key) for key, line in ours.items())
        return Checked(cents(expected), gross - cents(expected), has_usage=bool(others) or changed)

    def _level(self, key: Key, invoice: Invoice, day: date) -> Decimal:
        known = self.histories[key]
        at = next((index for index, each in enumerate(known.seen) if each.invoice_id == invoice.id), None)
        level = known.levels[at] if at is not None else known.in_force(day)
        return level if level is not None else self.current[key]

    def judge(self, audit: Audit, audited: AuditRange) -> None:
        """Judge every readjustment of the range, and say what could not be judged."""
        faults: dict[tuple[date, int], _Fault] = {}
        unknown: dict[tuple[date, int], tuple[Unjudged, Due]] = {}
        for key, known in self.histories.items():
            for judged in known.judged:
                if judged.due.day not in audited.judged:
                    continue
                if judged.how is How.UNKNOWN:
                    unknown[judged.due.order] = Unjudged.INDEX_NOT_OUT, judged.due
                elif judged.how in KINDS:
                    self._add(faults.setdefault(judged.due.order, _Fault(judged.due)), key, judged, audited)
            for due in known.before:
                if due.day in audited.judged and known.seen and due.day > self.rule.terms.recurrence.init_date:
                    unknown[due.order] = Unjudged.NO_HISTORY, due
        audit.findings += [*self.problems, *(self._fault(each) for each in faults.values())]
        audit.unjudged += [
            *self.notes,
            *(
                self._note(kind, due.day, index=due.update.index.label, since=self.since.isoformat())
                for kind, due in unknown.values()
            ),
        ]
        lasting = [each.due.day for each in faults.values() if each.hows - {How.LATE}]
        if lasting:
            audit.prices += self._new_prices(min(lasting))
        for known in self.histories.values():
            audit.normal += self._agreed(known, audited)

    def _add(self, fault: _Fault, key: Key, judged: Judged, audited: AuditRange) -> None:
        units, first, last = self.units(key), True, ZERO
        for seen, should, was in self.histories[key].should_be(judged):
            off = service_value(seen.units, should) - service_value(seen.units, was)
            last = service_value(units, should) - service_value(units, was)
            if should != was and seen.day <= audited.last_full_month:
                fault.lost += off
                fault.invoice_ids.add(seen.invoice_id)
            if should != was and first:
                first = False
                fault.expected += service_value(units, should)
                fault.found += service_value(units, was)
        fault.hows.add(judged.how)
        fault.per_month += last
        fault.caught_up = judged.caught_up or fault.caught_up

    def _fault(self, fault: _Fault) -> AuditFinding:
        due, used = fault.due, fault.due.used
        facts: dict[str, Fact] = {
            "index": due.update.index.label,
            "percent": f"{number(used.percent, 4)}%" if used is not None else None,
            "months": [month_words(each.month) for each in used.months[:1] + used.months[-1:]]
            if used is not None
            else [],
            "caught_up": fault.caught_up.isoformat() if fault.caught_up else None,
        }
        return self._finding(
            next(KINDS[how] for how in KINDS if how in fault.hows),
            invoice_ids=tuple(sorted(fault.invoice_ids)),
            planned_date=due.day,
            expected=money(fault.expected),
            found=money(fault.found),
            amount=abs(fault.lost),
            per_month=abs(per_month(self.rule.terms.recurrence, fault.per_month)),
            lost_so_far=fault.lost,
            facts=facts,
        )

    def _new_prices(self, since: date) -> Iterator[NewPrice]:
        for key, known in self.histories.items():
            would_be, line = known.would_be(), self.lines[key]
            if would_be is not None and would_be != self.current[key]:
                yield NewPrice(
                    contract_id=self.rule.contract.id,
                    rule_id=self.rule.rule.id,
                    service_id=line.id if line is not None else WHOLE_RULE,
                    service=(line.name or "") if line is not None else "",
                    unit_value=self.current[key],
                    new_unit_value=would_be,
                    since=since,
                )

    def _agreed(self, known: History, audited: AuditRange) -> Iterator[Note]:
        for index, before in known.agreed:
            seen = known.seen[index]
            if seen.day in audited.judged:
                facts: dict[str, Fact] = {"old": money(before), "new": money(known.levels[index])}
                yield Note(kind=Normality.PRICE_AGREED, contract_id=self.rule.contract.id, rule_id=self.rule.rule.id,
                           invoice_ids=(seen.invoice_id,), day=seen.day, facts=facts)  # fmt: skip

    def _finding(self, kind: AuditKind, **given: object) -> AuditFinding:
        return AuditFinding(kind=kind, contract_id=self.rule.contract.id, rule_id=self.rule.rule.id, **given)  # type: ignore[arg-type]

    def _note(self, kind: Unjudged, day: date | None, **facts: Fact) -> Note:
        return Note(kind=kind, contract_id=self.rule.contract.id, rule_id=self.rule.rule.id, day=day, facts=facts)


def _domain_update(remote: RemoteUpdate, init_date: date) -> ScheduledUpdate:
    """Return a scheduled update as the domain reads it.

    Raises:
        UnknownPriceIndex: its index is none of the vendor's.
        InvalidRule: its periodicity is below 1.
    """
    return ScheduledUpdate(
        id=remote.id,
        index=price_index(remote.price_index),
        init_date=init_date,
        month_quantity=remote.months,
        service_item_id=remote.service_item_id,
    )
