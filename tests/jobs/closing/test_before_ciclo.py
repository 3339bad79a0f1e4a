"""Months from before Ciclo became responsible: they are not its to prove."""

from datetime import UTC, date, datetime

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import arm
from ciclo.jobs.runs import Run, Trigger
from ciclo.jobs.settings import BillingSettings
from ciclo.jobs.steps.closing import close_months, read_rules
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import MonthClosing, MonthProgress
from company import TODAY, company, rule

MAY, JUNE = DateRange.month_of(date(2025, 5, 1)), DateRange.month_of(date(2025, 6, 1))


def a_run(window, day, trigger=Trigger.HAND):
    told = []
    run = Run(
        day=day,
        today=day,
        window=window,
        settings=BillingSettings(),
        trigger=trigger,
        owner="tests",
        now=lambda: datetime(2026, 1, 10, 12, tzinfo=UTC),
        tell=told.append,
        open_sgs=None,
    )
    return run, told


def test_a_month_before_ciclo_is_not_proved_and_nothing_is_asked_or_kept(company_of):
    place = company_of(company(rule(1)))
    arm(place.ctx, JUNE.start, person="Ana")
    run, told = a_run(MAY, TODAY)

    read_rules(place.ctx, run)

    assert close_months(place.ctx, run) == {"2025-05": "before Ciclo is responsible"}
    assert (told, place.box.requests(), place.ctx.session.query(MonthClosing).count()) == ([], [], 0)


def test_the_months_after_it_are_proved_all_the_same(company_of):
    place = company_of(company(rule(1)))
    arm(place.ctx, JUNE.start, person="Ana")
    place.bill(Scope(JUNE))
    run, _ = a_run(DateRange(MAY.start, JUNE.end), TODAY)

    assert close_months(place.ctx, run) == {"2025-05": "before Ciclo is responsible", "2025-06": "closed"}


def test_a_month_that_a_person_billed_by_ciclo_afterwards_is_proved(company_of):
    place = company_of(company(rule(1)))
    arm(place.ctx, JUNE.start, person="Ana")
    place.bill(Scope(MAY))
    run, _ = a_run(MAY, TODAY)

    assert close_months(place.ctx, run) == {"2025-05": "closed"}


def test_the_day_before_ciclo_began_is_no_running_month(company_of):
    place = company_of(company(rule(1)))
    arm(place.ctx, JUNE.start, person="Ana")
    run, told = a_run(MAY, JUNE.start, Trigger.SCHEDULE)

    assert close_months(place.ctx, run) == {"2025-05": "before Ciclo is responsible"}
    assert (told, place.ctx.session.query(MonthProgress).count()) == ([], 0)
