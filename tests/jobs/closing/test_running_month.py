"""The running month, proved every day as far as it is over."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import plain_words
from ciclo.jobs.closing.close import NotClosedError, missed_months, prove_running_month
from ciclo.jobs.context import JobContext, arm
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.jobs.runs import Run, Window
from ciclo.jobs.settings import BillingSettings
from ciclo.jobs.steps.closing import close_months
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.months import measures
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import MonthProgress, PeriodMark, PeriodSum
from company import ORGANIZATION, company, rule

JUNE = DateRange.month_of(date(2025, 6, 1))


def progress(place):
    return place.ctx.session.get(MonthProgress, (ORGANIZATION, JUNE.start))


def a_look(ctx, day, told=None):
    return Run(
        day=day,
        today=day,
        window=Window.RUNNING_MONTH.of(day, BillingSettings()),
        settings=BillingSettings(),
        owner="a test",
        now=ctx.clock,
        tell=[].append if told is None else told.append,
        open_sgs=None,
    )


def test_a_running_month_is_complete_until_yesterday(billed):
    place = billed(company(rule(1)))
    asked = len(place.box.requests())
    report = prove_running_month(place.ctx, today=date(2025, 6, 20)).report
    assert (report.lines(), progress(place).complete_until) == ([], date(2025, 6, 19))
    assert len(place.box.requests()) == asked


def test_what_is_missing_says_since_when_and_what_is_yet_to_come_is_not_missing(company_of):
    place = company_of(company(rule(1), rule(2, init_date="2025-01-25")))
    place.expand(scope=Scope(JUNE))
    report = prove_running_month(place.ctx, today=date(2025, 6, 20)).report
    (line,) = report.lines()
    assert line.startswith("missing: contract 10, rule 1, period 2025-06-10, R$ 150,00: planned")
    (kept,) = progress(place).report["lines"]
    assert (progress(place).complete_until, f"missing: {plain_words(kept)}") == (date(2025, 6, 9), line)


def test_the_next_day_takes_the_place_of_the_one_before(company_of):
    place = company_of(company(rule(1)))
    place.expand(scope=Scope(JUNE))
    prove_running_month(place.ctx, today=date(2025, 6, 11))
    place.bill(Scope(JUNE))
    prove_running_month(place.ctx, today=date(2025, 6, 12))
    assert place.ctx.session.query(MonthProgress).one().complete_until == date(2025, 6, 11)


def test_the_days_that_changed_are_added_up_every_day_whether_anybody_asks_for_the_figures_or_not(
    sandbox, client, postgres_url, clock
):
    engine = open_engine(postgres_url)
    with Session(engine, expire_on_commit=False) as session:
        ctx = JobContext(client(sandbox(company(rule(1)))), session, Actor("tests"), clock)
        read_contract_list(ctx)
        expand_rules(ctx, Scope(JUNE), seen_on=JUNE.start)
        marks, sums = select(func.count(PeriodMark.id)), select(func.sum(PeriodSum.periods))
        assert (session.scalar(marks), session.scalar(sums)) == (1, None)
        prove_running_month(ctx, today=date(2025, 6, 20))
        assert (session.scalar(marks), session.scalar(sums)) == (0, 1)
    engine.dispose()


def test_it_is_told_once_that_the_proof_stopped_holding(company_of):
    place = company_of(company(rule(1)))
    place.expand(scope=Scope(JUNE))
    days = [date(2025, 6, day) for day in (10, 11, 12)]
    assert [prove_running_month(place.ctx, today=day).stopped_holding for day in days] == [False, True, False]
    place.bill(Scope(JUNE))
    assert not prove_running_month(place.ctx, today=date(2025, 6, 13)).stopped_holding


def test_the_notice_says_until_when_the_month_is_complete(company_of):
    place, told = company_of(company(rule(1))), []
    place.expand(scope=Scope(JUNE))
    run = a_look(place.ctx, date(2025, 6, 20), told)
    close_months(place.ctx, run)
    close_months(place.ctx, run)
    (notice,) = told
    assert notice.subject == "Ciclo: 06/2025 is complete only until 09/06/2025"
    assert "rule 1, period 2025-06-10" in notice.lines[0]


def test_the_days_that_no_proof_calls_complete_are_measured(company_of):
    place = company_of(company(rule(1)))
    place.expand(scope=Scope(JUNE))

    def incomplete(day):
        return [(each.organization_id, each.days) for each in measures(place.ctx.session, day).incomplete]

    assert incomplete(date(2025, 6, 9)) == []
    prove_running_month(place.ctx, today=date(2025, 6, 10))
    assert incomplete(date(2025, 6, 10)) == [(ORGANIZATION, 0)]
    assert incomplete(date(2025, 6, 14)) == [(ORGANIZATION, 4)]
    prove_running_month(place.ctx, today=date(2025, 6, 14))
    assert incomplete(date(2025, 6, 14)) == [(ORGANIZATION, 4)]


def test_a_month_that_was_missed_is_tried_once_and_again_only_by_the_run_that_did(company_of):
    place = company_of(company(rule(1)))
    armed_on = replace(place.ctx, clock=lambda: datetime(2025, 6, 1, 12, tzinfo=UTC))
    arm(armed_on, JUNE.start, person="Ana")
    place.expand(scope=Scope(JUNE))
    own, later = (replace(place.ctx, actor=Actor(run_id=run_id)) for run_id in ("own", "later"))
    day = date(2025, 7, 3)

    assert missed_months(own, today=date(2025, 7, 2)) == []  # it is closed on that day
    for _task in ("the first try", "the task was tried again"):
        with pytest.raises(NotClosedError, match="rule 1, period 2025-06-10"):
            close_months(own, a_look(own, day))
    assert close_months(later, a_look(later, day)) == {"2025-07": "complete"}


def test_every_month_of_a_long_outage_was_missed_but_none_that_was_due_before_a_person_armed_ciclo(company_of):
    place = company_of(company(rule(1)))
    armed_on = replace(place.ctx, clock=lambda: datetime(2025, 6, 2, 12, tzinfo=UTC))
    arm(armed_on, date(2025, 1, 1), person="Ana")

    assert missed_months(place.ctx, today=date(2025, 8, 3)) == [date(2025, month, 1) for month in (5, 6, 7)]


def test_on_the_first_of_a_month_the_one_before_is_the_running_month():
    settings = BillingSettings()
    assert Window.RUNNING_MONTH.of(date(2025, 7, 1), settings) == JUNE
    assert Window.RUNNING_MONTH.of(date(2025, 7, 2), settings) == DateRange.days(date(2025, 7, 1), date(2025, 7, 1))
