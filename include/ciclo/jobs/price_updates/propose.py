"""What an execution would do: window, values, factor, new prices. The evidence is written before anything is sent.

The same rule, prices and index values always make the same proposal, and its hash says so. An approval holds for that
hash and for nothing else.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.continuity import OFFERED_FIRST, Basis, Break, Continuity, continuation
from ciclo.domain.contract_terms import Readjustment, TermStep, in_force, readjust, term_document
from ciclo.domain.errors import DomainError, NoPriceInForce, ServicePutInAnew
from ciclo.domain.money import brl, cents
from ciclo.domain.price_index import IndexValue as MonthValue
from ciclo.domain.price_index import PriceIndex, WindowPolicy, available_from, law_warning, window
from ciclo.domain.pricing import (
    WHOLE_RULE,
    Execution,
    PriceChange,
    affected_services,
    new_unit_value,
    next_execution,
    price_in_force,
)
from ciclo.domain.states import ExecutionState
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.outcome import UpdateOptions
from ciclo.jobs.price_updates.updated_rule import Due, Prices, UpdatedRule, known_as, price_story, written
from ciclo.jobs.rules.schedules import domain_update
from ciclo.ledger.repositories import KnownPrice, KnownValue, Scope
from ciclo.ledger.tables import Payload, PriceUpdateExecution, ScheduledUpdate
from ciclo.ledger.terms import terms_hash
from ciclo.locale import N_, Text


class IndexBook:
    """The newest index values of the ledger, read once an index."""

    def __init__(self, ctx: JobContext) -> None:
        self._repository = ctx.index_values
        self._rows: dict[PriceIndex, Mapping[date, KnownValue]] = {}

    def rows(self, index: PriceIndex) -> Mapping[date, KnownValue]:
        """Return the newest revision of each month."""
        if index not in self._rows:
            self._rows[index] = self._repository.newest(index)
        return self._rows[index]

    def values(self, index: PriceIndex) -> dict[date, Decimal]:
        """Return the variation in per cent of each month."""
        return {month: row.value for month, row in self.rows(index).items()}

    def evidence(self, index: PriceIndex, months: Sequence[MonthValue], own: PriceIndex) -> list[Payload]:
        """Return what stands in the evidence about months of an index; it is named where it is not the update's own."""
        rows = self.rows(index)
        named = {} if index is own else {"index": index.value}
        return [
            {
                "month": f"{row.month:%Y-%m}",
                "value": f"{row.value:f}",
                "revision": row.revision,
                "source": row.source,
                "fetched_at": row.fetched_at.isoformat(),
                **named,
            }
            for row in (rows[entry.month] for entry in months)
        ]


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """What an execution does to one price, and by which months."""

    change: PriceChange
    readjustment: Readjustment
    breaks: tuple[Break, ...]
    """What does not follow from what was used before; empty for an ordinary readjustment."""
    steps: tuple[Payload, ...]
    """What the contract's terms did to the factor, for the evidence."""

    def evidence(self) -> Payload:
        """Return it as JSON values; decimals are strings."""
        months = [f"{entry.month:%Y-%m}" for entry in self.readjustment.months]
        return {
            "service_id": self.change.service,
            "old": written(self.change.old_unit_value),
            "new": written(self.change.new_unit_value),
            "months": [months[0], months[-1]] if months else [],
            "factor": f"{self.readjustment.factor:f}",
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one execution does to a rule's prices."""

    due: Due
    index: PriceIndex
    policy: WindowPolicy
    basis: Basis
    lines: tuple[ServiceChange, ...]
    months: list[Payload]
    """The values of all months that are used, for the evidence."""
    warnings: tuple[Text, ...]
    hash: str

    @property
    def readjustment(self) -> Readjustment:
        """The months and factor of the first price; every price has the same, where continuity does not part them."""
        return self.lines[0].readjustment

    @property
    def factor(self) -> Decimal:
        """What prices are multiplied by, unrounded."""
        return self.readjustment.factor

    @property
    def changes(self) -> tuple[PriceChange, ...]:
        """Old and new prices."""
        return tuple(line.change for line in self.lines)

    @property
    def breaks(self) -> tuple[Break, ...]:
        """What does not follow from what was used before, of any price, most serious first."""
        found = {each for line in self.lines for each in line.breaks}
        return tuple(each for each in Break if each in found)

    @property
    def agreed(self) -> bool:
        """Whether terms of the contract bear on it."""
        return any(line.steps for line in self.lines)

    @property
    def new_prices(self) -> Prices:
        """New unit values by service id, from the execution date on."""
        return {change.service: change.new_unit_value for change in self.changes}

    def evidence(self) -> Payload:
        """Return the evidence as JSON values; decimals are strings."""
        same = len({line.readjustment for line in self.lines}) == 1
        shown = ("service_id", "old", "new") if same else ("service_id", "old", "new", "months", "factor")
        found: Payload = {
            "months": self.months,
            "accumulated": f"{self.readjustment.compounded:f}",
            "floored": self.readjustment.floored,
            "prices": [
                {name: value for name, value in line.evidence().items() if name in shown}
                | ({} if same or line.readjustment.index is self.index else {"index": line.readjustment.index.value})
                | ({} if same or not line.steps else {"terms": list(line.steps)})
                for line in self.lines
            ],
            "warnings": [warning.fact for warning in self.warnings],
        }
        return found | ({"terms": list(self.lines[0].steps)} if same and self.agreed else {})

    def figure(self) -> Payload:
        """Return it as one of the figures between which a person chooses."""
        return {
            "basis": self.basis.value,
            "index": self.readjustment.index.value,
            "hash": self.hash,
            "prices": [line.evidence() for line in self.lines],
        }


def propose(
    rule: UpdatedRule,
    due: Due,
    book: IndexBook,
    policy: WindowPolicy,
    basis: Basis = Basis.LETTER,
    chosen: Sequence[date] = (),
) -> Proposal:
    """Compute an execution from the prices in force on its day.

    Args:
        rule: the rule.
        due: the execution.
        book: the index values.
        policy: which months the window counts back from.
        basis: the window's months, those that are not in the prices yet, or those that a person chose.
        chosen: the months that a person chose.

    Raises:
        MissingIndexValue: a month that is needed has no value in the ledger.
        NoPriceInForce: there is nothing to readjust yet on that day.
        UnknownServiceItem: no service of the rule is made of the update's service item.
        ServicePutInAnew: one was put in again after the execution date, so that the vendor would keep its old price.
        UnknownPriceIndex, InvalidRule: the update's own terms cannot be used.
    """
    update = domain_update(due.scheduled)
    months = window(update.index, due.execution_date, update.month_quantity, policy)
    agreed = in_force(rule.agreed, rule.rule_id, due.execution_date)
    lines = []
    for service, old in prices_before(rule, Execution(due.execution_date, update)).items():
        story = price_story(rule, due, service, policy)
        onward = continuation(update.index, months, policy, due.execution_date, story)
        index, used = {
            Basis.LETTER: (update.index, months),
            Basis.CONTINUITY: (onward.index, onward.months),
            Basis.WINDOW: (update.index, tuple(chosen)),
        }[basis]
        readjustment = readjust(
            index,
            book.values,
            used,
            agreed,
            execution_date=due.execution_date,
            apply_negative_updates=rule.terms.newest.apply_negative_updates,
        )
        change = PriceChange(service, due.execution_date, old, new_unit_value(old, readjustment.factor))
        steps = tuple(_step(step, book) for step in readjustment.steps)
        lines.append(ServiceChange(change, readjustment, onward.breaks, steps))
    used_values = {  # two services may go by different indices over the same months
        (entry["month"], entry.get("index", "")): entry
        for line in lines
        for part in line.readjustment.parts
        for entry in book.evidence(part.index, part.months, update.index)
    }
    values = [used_values[key] for key in sorted(used_values)]
    return Proposal(
        due=due,
        index=update.index,
        policy=policy,
        basis=basis,
        lines=tuple(lines),
        months=values,
        warnings=tuple(_warnings(due, lines)),
        hash=_hash(rule, due, policy, lines, values),
    )


def offered_first(letter: Proposal, other: Proposal | None) -> Proposal:
    """Return the figure that a plain "apply" means; `other` is the one by continuity, where there is one."""
    by_continuity = bool(letter.breaks) and OFFERED_FIRST[letter.breaks[0]] is Basis.CONTINUITY
    return other if by_continuity and other is not None else letter


def expected(rule: UpdatedRule, due: Due, book: IndexBook, options: UpdateOptions) -> list[Proposal]:
    """Compute an execution to come as the runs to come will, after the rule's others that come before it.

    Returns:
        Those before it and, last, the execution itself, each by the figure that is taken where nobody is asked.

    Raises:
        MissingIndexValue, NoPriceInForce, UnknownServiceItem, UnknownPriceIndex, InvalidRule: see `propose`.
    """
    coming = [Due(each, each.next_execution_date) for each in rule.updates if each.next_execution_date is not None]
    given_up = {
        (each.execution_date, each.scheduled_update_id)
        for each in rule.executions
        if each.state == ExecutionState.CANCELLED
    }
    before = [each for each in coming if each.order < due.order and each.order not in given_up]
    found = []
    for each in (*sorted(before, key=lambda one: one.order), due):
        figure = propose(rule, each, book, options.policy)
        if figure.breaks and options.continuity is Continuity.APPLY:
            with suppress(DomainError):
                figure = offered_first(figure, propose(rule, each, book, options.policy, Basis.CONTINUITY))
        found.append(figure)
        rule = _as_if_applied(rule, figure)
    return found


def _as_if_applied(rule: UpdatedRule, figure: Proposal) -> UpdatedRule:
    """Return a rule as it will be once an execution is applied; nothing is stored."""
    scheduled, day = figure.due.scheduled, figure.due.execution_date
    prices = [
        KnownPrice(rule.rule_id, service, day, 0, new, "price update", scheduled.seen_at)
        for service, new in figure.new_prices.items()
    ]
    done = PriceUpdateExecution(
        scheduled_update_id=scheduled.scheduled_update_id,
        execution_date=day,
        state=ExecutionState.APPLIED.value,
        price_index=figure.index.value,
        policy=figure.policy.value,
        evidence=figure.evidence(),
    )
    terms = replace(rule.terms, prices=(*rule.terms.prices, *prices))
    return replace(rule, terms=terms, executions=[*rule.executions, done])


def _step(step: TermStep, book: IndexBook) -> Payload:
    """Return what a term did to the factor, as JSON values."""
    written_term = term_document(step.term)
    months = book.evidence(step.term.index, step.months, step.term.index) if step.term.index is not None else []
    return {
        **written_term,
        "before": f"{step.before:f}",
        "after": f"{step.after:f}",
        **({"months": months} if step.months else {}),
    }


def prices_before(rule: UpdatedRule, execution: Execution) -> Prices:
    """Return the prices that an execution readjusts; a service that joined the rule later has nothing to readjust.

    Raises:
        UnknownServiceItem, NoPriceInForce, ServicePutInAnew: see `propose`.
    """
    day, history = execution.execution_date, rule.terms.history()
    wanted = affected_services(execution.update, rule.services_from(day))
    without_services = any(not terms.services for terms in rule.terms_from(day))
    if without_services and execution.update.service_item_id is None and WHOLE_RULE not in wanted:
        wanted = (*wanted, WHOLE_RULE)
    found = {}
    for service in wanted:
        with suppress(NoPriceInForce):
            found[service] = price_in_force(history, day, service)
    if not found:
        raise NoPriceInForce(wanted[0], day)
    newest = rule.newest_prices()
    for service in (line.id for line in rule.terms.newest.services if line.id in wanted and line.id not in found):
        price = newest[service].unit_value if service in newest else None
        if any(found.get(former) == price for former in known_as(rule, service)):
            raise ServicePutInAnew(rule.service_name(service) or str(service), day)
    return found


def _warnings(due: Due, lines: Sequence[ServiceChange]) -> Iterator[Text]:
    """Yield what a person should know of a proposal."""
    if (warning := law_warning(due.scheduled.month_quantity)) is not None:
        yield warning
    if (warning := _long_past(due)) is not None:
        yield warning
    finer = N_("a unit value finer than cents, {old}, becomes {new} by rounding to cents: over many units that shows")
    for change in (line.change for line in lines):
        if change.old_unit_value not in (cents(change.old_unit_value), change.new_unit_value):
            yield Text(finer, old=brl(change.old_unit_value), new=brl(change.new_unit_value))


def _long_past(due: Due) -> Text | None:
    """Warn where a rule came to Ciclo with an execution that was more than a period overdue: was it done by hand?"""
    first_seen = due.scheduled.first_seen_at.date()
    overdue = (first_seen.year - due.execution_date.year) * 12 + first_seen.month - due.execution_date.month
    if overdue < due.scheduled.month_quantity:
        return None
    text = N_(
        "the update of {day} was overdue when the rule was first seen on {first_seen}: make sure that nobody has "
        "readjusted the price by hand"
    )
    return Text(text, day=due.execution_date.isoformat(), first_seen=first_seen.isoformat())


def _hash(rule: UpdatedRule, due: Due, policy: WindowPolicy, lines: list[ServiceChange], used: list[Payload]) -> str:
    scheduled = due.scheduled
    changes = [line.change for line in lines]
    document: dict[str, Any] = {
        "rule": rule.rule_id,
        "terms": rule.terms.versions[-1][0].terms_hash,
        "update": scheduled.scheduled_update_id,
        "schedule": [scheduled.init_date.isoformat(), scheduled.month_quantity, scheduled.service_item_id],
        "execution_date": due.execution_date.isoformat(),
        "policy": policy.value,
        "prices": [[c.service, f"{c.old_unit_value:f}", f"{c.new_unit_value:f}"] for c in changes],
        "remote": sorted([key, f"{value.normalize():f}"] for key, value in rule.remote_prices().items()),
        "values": [[entry["month"], entry["value"], entry["revision"]] for entry in used],
    }
    agreed = [step for line in lines for step in line.steps]
    if agreed:
        document["agreed"] = agreed
    return terms_hash(document)


def batch_hash(hashes: list[str]) -> str:
    """Return the hash of several proposals together."""
    return hashlib.sha256(json.dumps(sorted(hashes)).encode()).hexdigest()


def missing_indices(ctx: JobContext, scope: Scope, options: UpdateOptions, *, today: date) -> set[PriceIndex]:
    """Return the indices of the scope's due updates of which the ledger lacks a month that is out by `today`."""
    book, last = IndexBook(ctx), min(scope.window.last_day, today)
    due = ctx.scheduled_updates.due(last, scope)
    return {index for scheduled in due if (index := _lacking(scheduled, book, options, last, today)) is not None}


def _lacking(
    scheduled: ScheduledUpdate, book: IndexBook, options: UpdateOptions, last: date, today: date
) -> PriceIndex | None:
    """Return an update's index if any of its executions that are owed by `last` needs a month that the ledger lacks."""
    try:
        update = domain_update(scheduled)
    except DomainError:
        return None  # its execution is parked, with the reason
    known = book.rows(update.index)
    day = scheduled.next_execution_date or today
    while True:
        months = window(update.index, day, update.month_quantity, options.policy)
        if any(month not in known and available_from(update.index, month) <= today for month in months):
            return update.index
        day = next_execution(update, day)
        if day > last:
            return None
