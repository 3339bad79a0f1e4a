"""The oracle finds issue dates by looking at the calendar; `ciclo.domain` computes them. They have to agree."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.recurrence import DateRange, PeriodUnit, Recurrence, issue_dates
from demo.company import YEAR_END, YEAR_START, company
from demo.proof import expected_periods


def state_with(init_date: str, months: int | None, end_date: str | None = None, contract: str = "active") -> Any:
    recurrence = {
        "init_date": init_date,
        "period_unit": "weekly" if months is None else "monthly",
        "month_quantity": months,
        "end_date": end_date,
    }
    return {
        "contracts": [{"id": 1, "state": contract}],
        "invoice_rules": [{"id": 10, "contract_id": 1, "additional_information": recurrence}],
    }


def days(state: Any, first: str, last: str) -> list[str]:
    found = expected_periods(state, date.fromisoformat(first), date.fromisoformat(last))
    return [period.issue_date.isoformat() for period in found]


@pytest.mark.parametrize(
    ("init_date", "months", "end_date", "first", "last", "expected"),
    [
        ("2025-01-31", 1, None, "2025-01-01", "2025-04-30", ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"]),
        ("2023-12-31", 2, None, "2024-01-01", "2024-06-30", ["2024-02-29", "2024-04-30", "2024-06-30"]),
        ("2024-02-29", 12, None, "2025-01-01", "2028-12-31", ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        ("2024-11-30", 3, None, "2025-01-01", "2025-12-31", ["2025-02-28", "2025-05-30", "2025-08-30", "2025-11-30"]),
        ("2025-01-06", None, "2025-01-26", "2025-01-01", "2025-12-31", ["2025-01-06", "2025-01-13", "2025-01-20"]),
        ("2025-01-10", 1, "2025-03-10", "2025-01-01", "2025-12-31", ["2025-01-10", "2025-02-10", "2025-03-10"]),
        ("2025-01-10", 1, "2025-03-09", "2025-01-01", "2025-12-31", ["2025-01-10", "2025-02-10"]),
        ("2026-01-01", 1, None, "2025-01-01", "2025-12-31", []),
        ("2025-06-15", 6, None, "2025-06-15", "2025-06-15", ["2025-06-15"]),
    ],
)
def test_the_issue_dates_are_those_that_a_calendar_shows(init_date, months, end_date, first, last, expected):
    assert days(state_with(init_date, months, end_date), first, last) == expected


def test_an_inactive_contract_has_no_periods():
    assert days(state_with("2025-01-10", 1, contract="inactive"), "2025-01-01", "2025-12-31") == []


@given(
    init_date=st.dates(date(2019, 1, 1), date(2026, 1, 1)),
    months=st.sampled_from([None, 1, 2, 3, 6, 12]),
    end_after=st.none() | st.integers(0, 1500),
)
def test_the_oracle_and_the_domain_agree_on_every_recurrence(
    init_date: date, months: int | None, end_after: int | None
):
    end_date = None if end_after is None else init_date + timedelta(days=end_after)
    state = state_with(init_date.isoformat(), months, end_date.isoformat() if end_date else None)
    unit = PeriodUnit.WEEKLY if months is None else PeriodUnit.MONTHLY

    expected = [period.issue_date for period in expected_periods(state, YEAR_START, YEAR_END)]

    computed = issue_dates(Recurrence(init_date, unit, months, end_date), DateRange.days(YEAR_START, YEAR_END))
    assert expected == list(computed)


def test_the_demo_year_has_hundreds_of_periods():
    assert len(expected_periods(company(), YEAR_START, YEAR_END)) > 600
