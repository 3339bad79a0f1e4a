"""Reminders: on `remind_at`, with a preview, once."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import event

from ciclo.domain.continuity import Continuity
from ciclo.domain.money import cents
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.price_updates import UpdateOptions, previews, taken_reminders
from ciclo.ledger.repositories import Scope
from company import company, rule, scheduled_update, service

SCOPE = Scope(DateRange.days(date(2025, 6, 3), date(2025, 6, 3)))
REMIND_AT = date(2025, 6, 3)


def started(billing, **update):
    lines = [service(31, "1000.0", item=1)]
    run = billing(company(rule(services=lines, scheduled_updates=[scheduled_update(**update)])), today=date(2025, 6, 1))
    run.expand()
    return run


def reminders(run, today=REMIND_AT):
    with taken_reminders(run.ctx, SCOPE, UpdateOptions(), today=today) as taken:
        return taken


def test_a_reminder_shows_old_price_factor_new_price_and_months(billing):
    run = started(billing)

    [reminder] = reminders(run)

    assert (reminder.contract_id, reminder.rule_id, reminder.execution_date) == (10, 1, date(2025, 6, 10))
    assert (reminder.months[0], reminder.months[-1], reminder.missing) == (date(2024, 6, 1), date(2025, 5, 1), ())
    [price] = reminder.prices
    assert (price.service, price.old, price.new) == ("Serviço 1", Decimal("1000.0"), Decimal("1070.26"))
    assert run.execution().reminded_at == run.ctx.clock()


def test_a_reminder_of_a_second_update_begins_at_the_price_that_the_first_leaves(billing):
    updates = [scheduled_update(500), scheduled_update(501, service_item_id=1, price_index="ipca")]
    state = company(rule(services=[service(31, "100.0", item=1)], scheduled_updates=updates))
    run = billing(state, today=date(2025, 6, 1))
    run.expand()

    shown = [(price.old, price.new) for reminder in reminders(run) for price in reminder.prices]

    assert shown == [(Decimal(100), Decimal("107.03")), (Decimal("107.03"), Decimal("112.95"))]


def test_each_price_of_a_reminder_has_the_factor_that_leads_to_it(billing):
    """One service has the months in it already; its factor stood beside the prices of both."""
    updates = [scheduled_update(500, service_item_id=1), scheduled_update(501)]
    lines = [service(31, "100.0", item=1), service(32, "200.0", item=2)]
    run = billing(company(rule(services=lines, scheduled_updates=updates)), today=date(2025, 6, 1))
    run.expand()

    with taken_reminders(run.ctx, SCOPE, UpdateOptions(continuity=Continuity.APPLY), today=REMIND_AT) as taken:
        [_first, second] = taken

    assert [(price.old, price.new, len(price.months)) for price in second.prices] == [
        (Decimal("107.03"), Decimal("107.03"), 0),
        (Decimal("200.0"), Decimal("214.05"), 12),
    ]
    assert all(cents(price.old * price.factor) == price.new for price in second.prices)


def test_a_reminder_is_sent_once(billing):
    run = started(billing)
    assert len(reminders(run)) == 1

    assert reminders(run) == ()
    assert reminders(run, date(2025, 6, 9)) == ()


def test_what_was_reminded_of_costs_the_days_after_nothing(billing):
    """A year's updates are in their week of notice all the time: each is worked out on its day, not on all seven."""
    lines = [rule(number, scheduled_updates=[scheduled_update(500 + number)]) for number in range(1, 7)]
    run = billing(company(*lines), today=date(2025, 6, 1))
    run.expand()
    assert len(reminders(run)) == len(lines)
    asked = []
    event.listen(run.ctx.session.get_bind(), "before_cursor_execute", lambda *given: asked.append(given[2]))

    assert reminders(run, date(2025, 6, 4)) == ()

    assert len(asked) < len(lines)


@pytest.mark.parametrize(
    ("today", "count"),
    [(date(2025, 6, 2), 0), (date(2025, 6, 3), 1), (date(2025, 6, 9), 1), (date(2025, 6, 10), 0)],
)
def test_a_reminder_is_sent_from_its_day_until_the_execution(billing, today, count):
    assert len(reminders(started(billing), today)) == count


def test_a_reminder_that_could_not_be_sent_is_sent_later(billing):
    run = started(billing)
    with pytest.raises(ConnectionError), taken_reminders(run.ctx, SCOPE, UpdateOptions(), today=REMIND_AT):
        raise ConnectionError

    assert len(reminders(run)) == 1


def test_values_that_are_not_out_yet_are_said_to_be_missing(billing):
    update = scheduled_update(init_date="2026-11-10")
    run = billing(company(rule(gross_value="1000.0", scheduled_updates=[update])), today=date(2026, 10, 1))
    run.expand()

    [reminder] = reminders(run, date(2026, 11, 3))

    assert reminder.missing == (date(2026, 10, 1),)
    assert reminder.note == "10/2026 is not published yet"
    assert [(price.new, price.factor) for price in reminder.prices] == [(None, None)]


def test_an_update_without_notice_has_no_reminder(billing):
    assert reminders(started(billing, days_until_update=None)) == ()


def test_a_preview_changes_nothing(billing):
    run = started(billing)

    [shown] = previews(run.ctx, SCOPE, UpdateOptions(), on=date(2025, 6, 30))

    assert shown.prices[0].new == Decimal("1070.26")
    assert run.executions() == []
