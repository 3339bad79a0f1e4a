"""A run that finds nothing planned knows whether there was nothing to plan."""

from datetime import date

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.periods.expand import NeverExpandedError, record_expansion, require_expansion
from ciclo.ledger.repositories import Scope
from company import company


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
