"""A run that finds nothing planned knows whether there was nothing to plan."""

from datetime import date, timedelta

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.periods.expand import (
    NeverExpandedError,
    record_expansion,
    record_sync,
    require_expansion,
    sync_contracts,
)
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from company import company, rule


@pytest.mark.parametrize(
    ("first", "last", "covered"),
    [
        (date(2025, 1, 1), date(2025, 1, 31), [1]),
        (date(2025, 1, 1), date(2025, 1, 30), []),
        (date(2025, 1, 2), date(2025, 3, 31), [2, 3]),
        (date(2025, 1, 15), date(2025, 4, 14), [2, 3]),
        (date(2025, 1, 1), date(2025, 12, 31), list(range(1, 13))),
    ],
)
def test_only_whole_months_count_as_expanded(sandbox, lite_job, first, last, covered):
    ctx = lite_job(sandbox(company()))
    record_expansion(ctx, Scope(DateRange.days(first, last)))
    assert [month for month in range(1, 13) if ctx.contracts.is_expanded(date(2025, month, 1))] == covered


def test_an_expansion_of_some_contracts_covers_no_month(sandbox, lite_job):
    ctx = lite_job(sandbox(company()))
    record_expansion(ctx, Scope(DateRange.month_of(date(2025, 1, 1)), contract_ids=(10,)))
    assert not ctx.contracts.is_expanded(date(2025, 1, 1))


def test_a_day_whose_month_was_never_expanded_is_refused_by_name(sandbox, job):
    ctx = job(sandbox(company()))
    record_expansion(ctx, Scope(DateRange.month_of(date(2025, 1, 1))))
    record_expansion(ctx, Scope(DateRange.month_of(date(2025, 1, 1))))
    require_expansion(ctx, date(2025, 1, 31))
    with pytest.raises(NeverExpandedError) as error:
        require_expansion(ctx, date(2025, 2, 1))
    assert str(error.value) == (
        "2025-02 was never expanded, so its periods are not known: run expand_invoice_rules for it first"
    )


@pytest.mark.parametrize(
    ("today", "lead_days", "planned"),
    [
        (date(2025, 6, 20), 10, [date(2025, 6, 25)]),
        (date(2025, 6, 21), 10, [date(2025, 6, 25), date(2025, 7, 25)]),
        (date(2025, 6, 21), 0, [date(2025, 6, 25)]),
        (date(2025, 6, 2), 60, [date(2025, 6, 25), date(2025, 7, 25), date(2025, 8, 25)]),
        (date(2025, 6, 1), 30, [date(2025, 6, 25), date(2025, 7, 25)]),
        (date(2025, 6, 1), 10, []),
    ],
)
def test_the_months_that_lead_days_reach_are_planned_before_their_first_invoice_is_made(
    sandbox, lite_job, today, lead_days, planned
):
    ctx = lite_job(sandbox(company(rule(1, init_date="2025-06-25"))))
    read_contract_list(ctx)
    sync_contracts(ctx, today=today, lead_days=lead_days)
    record_sync(ctx, today, lead_days=lead_days)
    assert [period.issue_date for period in ctx.periods.in_state(PeriodState.PLANNED)] == planned
    if planned:
        require_expansion(ctx, today + timedelta(days=lead_days))
