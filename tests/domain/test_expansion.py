from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import MONTHS
from ciclo.domain.due_dates import Charge, ChargeType, due_dates
from ciclo.domain.expansion import expand
from ciclo.domain.recurrence import (
    PERIODICITIES,
    AccrualMonth,
    DateRange,
    PeriodUnit,
    Recurrence,
    accrual_month,
    issue_dates,
)

MONTHLY = Recurrence(date(2017, 4, 10), PeriodUnit.MONTHLY, 1)
ON_THE_1ST = Charge(ChargeType.FIXED_DAY, day_number=1)


def test_a_period_comes_with_its_accrual_month_and_due_dates():
    year = DateRange.days(date(2017, 1, 1), date(2017, 12, 31))
    expanded = list(expand(MONTHLY, ON_THE_1ST, AccrualMonth.SAME_MONTH, year))
    assert expanded[0] == (date(2017, 4, 10), date(2017, 4, 1), (date(2017, 5, 1),))
    assert expanded[-1] == (date(2017, 12, 10), date(2017, 12, 1), (date(2018, 1, 1),))
    assert len(expanded) == 9


@pytest.mark.parametrize("year", [2018, 5000, 9990])
def test_a_window_far_from_the_rules_start_touches_only_its_own_months(year):
    MONTHS.clear()
    window = DateRange.days(date(year, 6, 1), date(year, 6, 30))
    assert len(list(expand(MONTHLY, ON_THE_1ST, AccrualMonth.SAME_MONTH, window))) == 1
    assert len(MONTHS) <= 3


@given(
    init_date=st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    unit=st.sampled_from(PeriodUnit),
    months=st.sampled_from(PERIODICITIES),
    accrual=st.sampled_from(AccrualMonth),
    charge_type=st.sampled_from(ChargeType),
)
def test_expanding_agrees_with_asking_for_each_part(init_date, unit, months, accrual, charge_type):
    recurrence = Recurrence(init_date, unit, months)
    charge = Charge(charge_type, day_number=31, day_quantity=45, month_quantity=2, parcel_number=3)
    window = DateRange(date(2019, 12, 31), date(2022, 3, 1))
    expected = [
        (issued, accrual_month(issued, accrual), due_dates(charge, issued))
        for issued in issue_dates(recurrence, window)
    ]
    assert list(expand(recurrence, charge, accrual, window)) == expected
