"""Reminders: on `remind_at`, what an update will do, sent once an execution; and previews for a dry run.

An execution is marked as reminded before the message goes out, and unmarked if it could not be sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ciclo.domain.errors import DomainError, MissingIndexValue
from ciclo.domain.price_index import WindowPolicy, window
from ciclo.domain.pricing import remind_at
from ciclo.domain.wording import BREAKS, month_words
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.outcome import UpdateOptions
from ciclo.jobs.price_updates.propose import IndexBook, Proposal, expected
from ciclo.jobs.price_updates.updated_rule import Due, UpdatedRule, updated_rule
from ciclo.jobs.rules.prices import readjusted_services
from ciclo.jobs.rules.schedules import domain_update
from ciclo.ledger.repositories import Scope
from ciclo.locale import _

LONGEST_NOTICE = 400
"""Days ahead for which updates are looked at: nobody reminds earlier than a year before."""


@dataclass(frozen=True, slots=True)
class PricePreview:
    """One price before and after an update.

    Attributes:
        service: its name; None for a rule without services.
        old: unit value before, BRL.
        new: unit value afterwards; None while index values are not out.
        factor: what it is multiplied by, unrounded; None while a month is missing.
        months: those that are compounded, in order; other prices of the update may have others.
    """

    service: str | None
    old: Decimal
    new: Decimal | None
    factor: Decimal | None = None
    months: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Reminder:
    """An update that is to come, for people.

    Attributes:
        index: the price index by its API name, which may be one that nobody knows.
        months: months of the window whose values are out, in order.
        missing: months of the window whose values are not out yet.
        note: why there is no factor, or a warning.
    """

    execution_id: int
    contract_id: int
    contract_name: str
    rule_id: int
    execution_date: date
    index: str
    months: tuple[date, ...]
    missing: tuple[date, ...]
    prices: tuple[PricePreview, ...]
    note: str | None


def previews(ctx: JobContext, scope: Scope, options: UpdateOptions, *, on: date) -> tuple[Reminder, ...]:
    """Return what each rule's next execution up to a day will do, without changing anything; nothing is asked."""
    book = IndexBook(ctx)
    found = []
    for rule_id in dict.fromkeys(update.rule_id for update in ctx.scheduled_updates.due(on, scope)):
        rule = updated_rule(ctx, rule_id)
        due = rule.head() if rule else None
        if rule is not None and due is not None and rule.ending(due.execution_date) is None:
            found.append(preview(rule, due, book, options))
    return tuple(found)


@contextmanager
def taken_reminders(
    ctx: JobContext, scope: Scope, options: UpdateOptions, *, today: date
) -> Iterator[tuple[Reminder, ...]]:
    """Yield the reminders that are to be sent now, marked as sent; an exception unmarks them. Commits.

    Args:
        ctx: the run.
        scope: contracts and shard; its window does not matter.
        options: the policy of the window.
        today: the day in São Paulo: updates with `remind_at` up to it, and an execution date after it.
    """
    book, told = IndexBook(ctx), ctx.executions.told(after=today)
    coming = [due for due in coming_reminders(ctx, scope, today) if due.order not in told]
    found = [reminder for due in coming if (reminder := _reminder(ctx, due, book, options))]
    executions = {row.id: row for row in ctx.executions.some(r.execution_id for r in found)}
    taken = [r for r in found if ctx.executions.take_reminder(executions[r.execution_id], ctx.clock())]
    ctx.session.commit()
    try:
        yield tuple(taken)
    except BaseException:
        ctx.executions.give_reminder_back(reminder.execution_id for reminder in taken)
        ctx.session.commit()
        raise


def coming_reminders(ctx: JobContext, scope: Scope, today: date) -> list[Due]:
    """Return the executions to come whose day of reminding has come."""
    horizon = date.fromordinal(today.toordinal() + LONGEST_NOTICE)
    coming = []
    for scheduled in ctx.scheduled_updates.due(horizon, scope):
        day = scheduled.next_execution_date
        if day is None or day <= today or scheduled.days_until_update is None:
            continue
        try:
            if remind_at(domain_update(scheduled), day) <= today:
                coming.append(Due(scheduled, day))
        except DomainError:
            continue  # the execution itself is parked when it is due, with the reason
    return coming


def _reminder(ctx: JobContext, due: Due, book: IndexBook, options: UpdateOptions) -> Reminder | None:
    """Return the reminder of an execution, or None if nothing will happen."""
    rule = updated_rule(ctx, due.scheduled.rule_id)
    if rule is None or rule.ending(due.execution_date) is not None:
        return None
    execution = ctx.executions.ensure(due.scheduled, due.execution_date, policy=options.policy.value, at=ctx.clock())
    return preview(rule, due, book, options, execution.id)


def preview(rule: UpdatedRule, due: Due, book: IndexBook, options: UpdateOptions, execution_id: int = 0) -> Reminder:
    """Return what an execution will do as far as index values are out, after the rule's others that come before it."""
    proposal, note = _attempt(rule, due, book, options)
    months, values = _window(due, book, options.policy)
    if proposal is not None and proposal.months:
        months = tuple(used.month for used in proposal.readjustment.months)
    return Reminder(
        execution_id=execution_id,
        contract_id=rule.contract_id,
        contract_name=rule.contract.name if rule.contract else "",
        rule_id=rule.rule_id,
        execution_date=due.execution_date,
        index=due.scheduled.price_index,
        months=tuple(month for month in months if month in values),
        missing=tuple(month for month in months if month not in values),
        prices=previewed_prices(rule, due, proposal),
        note=note,
    )


def _window(due: Due, book: IndexBook, policy: WindowPolicy) -> tuple[tuple[date, ...], Mapping[date, Decimal]]:
    """Return an execution's months, and what its index has values for; neither of one that nobody can compute."""
    try:
        update = domain_update(due.scheduled)
    except DomainError:
        return (), {}
    return window(update.index, due.execution_date, update.month_quantity, policy), book.values(update.index)


def _attempt(
    rule: UpdatedRule, due: Due, book: IndexBook, options: UpdateOptions
) -> tuple[Proposal | None, str | None]:
    try:
        proposal = expected(rule, due, book, options)[-1]
    except MissingIndexValue as error:
        return None, _("{month} is not published yet").format(month=month_words(error.month))
    except DomainError as error:
        return None, str(error)
    notes = [*(_(BREAKS[each]) for each in proposal.breaks), *map(str, proposal.warnings)]
    return proposal, "; ".join(notes) or None


def previewed_prices(rule: UpdatedRule, due: Due, proposal: Proposal | None) -> tuple[PricePreview, ...]:
    """Return the prices of an execution as far as they are known; without a proposal the present ones."""
    if proposal is not None:
        return tuple(
            PricePreview(
                service=rule.service_name(line.change.service),
                old=line.change.old_unit_value,
                new=line.change.new_unit_value,
                factor=line.readjustment.factor,
                months=tuple(entry.month for entry in line.readjustment.months),
            )
            for line in proposal.lines
        )
    newest = rule.newest_prices()
    keys = sorted(readjusted_services(rule.terms.newest, due.scheduled) & set(newest))
    return tuple(PricePreview(rule.service_name(key), newest[key].unit_value, None) for key in keys)
