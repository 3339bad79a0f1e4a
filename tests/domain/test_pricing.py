from datetime import date
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.errors import InvalidRule, NoPriceInForce, UnknownServiceItem
from ciclo.domain.price_index import PriceIndex, accumulate, window
from ciclo.domain.pricing import (
    WHOLE_RULE,
    Execution,
    Price,
    ScheduledUpdate,
    Service,
    affected_services,
    execution_dates,
    executions,
    gross_value,
    new_unit_value,
    next_execution,
    per_month,
    price_changes,
    price_in_force,
    priced_period,
    remind_at,
    waits_for,
)
from ciclo.domain.recurrence import AccrualMonth, DateRange, PeriodUnit, Recurrence, periods
from ciclo.sgs.series import shipped_series

START = date(2018, 12, 20)
YEAR_2025 = DateRange(date(2025, 1, 1), date(2026, 1, 1))
DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def update(number=1, init_date=date(2025, 6, 1), months=12, index=PriceIndex.IGPM, **terms):
    return ScheduledUpdate(number, index, init_date, months, **terms)


def prices(*entries):
    return [Price(service, date.fromisoformat(day), Decimal(value)) for service, day, value in entries]


def test_march_is_billed_at_marchs_price_after_a_june_readjustment():
    history = prices((WHOLE_RULE, "2025-01-01", "100.00"), (WHOLE_RULE, "2025-06-01", "105.00"))
    assert price_in_force(history, date(2025, 3, 10)) == Decimal("100.00")
    assert price_in_force(history, date(2025, 6, 1)) == Decimal("105.00")
    assert price_in_force(history, date(2026, 3, 10)) == Decimal("105.00")


def test_the_order_of_recording_matters_only_on_the_same_day():
    history = prices((1, "2025-06-01", "105.00"), (1, "2025-01-01", "100.00"), (1, "2025-06-01", "110.00"))
    assert price_in_force(history, date(2025, 5, 31), 1) == Decimal("100.00")
    assert price_in_force(history, date(2025, 6, 1), 1) == Decimal("110.00")


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (WHOLE_RULE, "the rule has no price in force on 2024-12-31"),
        (7, "service 7 has no price in force on 2024-12-31"),
    ],
)
def test_a_day_before_the_first_price_is_refused(service, message):
    with pytest.raises(NoPriceInForce) as caught:
        price_in_force(
            prices((WHOLE_RULE, "2025-01-01", "1.00"), (7, "2025-01-01", "1.00")), date(2024, 12, 31), service
        )
    assert str(caught.value) == message


def test_services_make_the_gross_value_each_rounded_to_cents():
    services = [Service(1, Decimal("2.5")), Service(2, Decimal(1))]
    history = prices((1, "2025-01-01", "5.75"), (2, "2025-01-01", "49.90"), (WHOLE_RULE, "2025-01-01", "700.00"))
    assert gross_value(services, history, date(2025, 1, 1)) == Decimal("64.28")
    assert gross_value([], history, date(2025, 1, 1)) == Decimal("700.00")


@pytest.mark.parametrize(
    ("old", "factor", "new"),
    [
        ("1000.00", "0.928065", "928.07"),
        ("0.01", "1.49999999999999999999999999999999999", "0.01"),
        ("99.90", "1", "99.90"),
        ("0.0375", "1.07026", "0.04"),
        ("0.005", "1", "0.005"),
        ("0.3333", "1.000", "0.3333"),
    ],
)
def test_a_new_unit_value_is_rounded_once(old, factor, new):
    assert new_unit_value(Decimal(old), Decimal(factor)) == Decimal(new)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (update(init_date=date(2024, 2, 29)), ["2025-02-28"]),
        (update(init_date=date(2024, 8, 31), months=6), ["2025-02-28", "2025-08-31"]),
        (update(init_date=date(2023, 6, 10), months=20), ["2025-02-10"]),
        (update(init_date=date(2025, 12, 31)), ["2025-12-31"]),
        (update(init_date=date(2026, 1, 1)), []),
    ],
)
def test_executions_count_from_the_first_one_and_never_drift(terms, expected):
    assert [day.isoformat() for day in execution_dates(terms, YEAR_2025)] == expected


def test_the_next_execution_is_strictly_after_a_day():
    terms = update(init_date=date(2024, 2, 29))
    assert next_execution(terms, date(2024, 2, 28)) == date(2024, 2, 29)
    assert next_execution(terms, date(2024, 2, 29)) == date(2025, 2, 28)


@pytest.mark.parametrize(
    ("days", "execution", "expected"),
    [(7, date(2019, 12, 20), date(2019, 12, 13)), (15, date(2019, 2, 10), date(2019, 1, 26)), (0, START, START)],
)
def test_a_reminder_goes_out_the_agreed_days_before(days, execution, expected):
    assert remind_at(update(days_until_update=days), execution) == expected


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"months": 0}, "scheduled_updates.month_quantity: must be 1 or more, not 0"),
        ({"months": 1201}, "scheduled_updates.month_quantity: must be 1200 or less, not 1201"),
        ({"days_until_update": -1}, "scheduled_updates.days_until_update: must be 0 or more, not -1"),
    ],
)
def test_impossible_terms_are_refused(terms, message):
    with pytest.raises(InvalidRule) as caught:
        update(**terms)
    assert str(caught.value) == message


def test_executions_of_a_rule_apply_in_order_of_date_then_id():
    updates = [update(3), update(1), update(2, init_date=date(2025, 3, 1), months=6)]
    found = [(e.execution_date.isoformat(), e.update.id) for e in executions(updates, YEAR_2025)]
    assert found == [("2025-03-01", 2), ("2025-06-01", 1), ("2025-06-01", 3), ("2025-09-01", 2)]


def test_an_update_touches_its_service_item_or_everything():
    services = [Service(10, Decimal(1), 1), Service(11, Decimal(2), 7), Service(12, Decimal(2), 7)]
    assert affected_services(update(service_item_id=7), services) == (11, 12)
    assert affected_services(update(), services) == (10, 11, 12)
    assert affected_services(update(), []) == (WHOLE_RULE,)


def test_an_update_of_a_service_the_rule_lacks_is_refused():
    with pytest.raises(UnknownServiceItem, match="scheduled update 497: no service of the rule has service item 9"):
        affected_services(update(497, service_item_id=9), [Service(10, Decimal(1), 1)])


def test_each_update_of_a_chain_starts_from_the_price_the_one_before_left():
    history = prices((WHOLE_RULE, "2025-01-01", "100.00"))
    for execution in executions([update(1), update(2)], YEAR_2025):
        history += [change.price for change in price_changes(execution, [], history, Decimal("1.10"))]
    assert price_in_force(history, date(2025, 6, 1)) == Decimal("121.00")
    assert price_in_force(history, date(2025, 5, 31)) == Decimal("100.00")


def test_a_period_waits_for_unsettled_updates_up_to_its_issue_date():
    june = Execution(date(2025, 6, 1), update())
    assert waits_for([june], date(2025, 5, 31)) == ()
    assert waits_for([june], date(2025, 6, 1)) == (june,)


def test_the_seeds_rule_with_two_indices_by_its_own_months():
    services = [Service(11563, Decimal("1.0"), 1), Service(11564, Decimal("1.0"), 7)]
    history = prices((11563, "2018-12-20", "45.00"), (11564, "2018-12-20", "50.00"))
    updates = [
        update(497, date(2019, 12, 20), index=PriceIndex.IGPDI, service_item_id=1, days_until_update=7),
        update(498, date(2019, 12, 20), index=PriceIndex.IPCFIPE, service_item_id=7, days_until_update=7),
    ]
    spelled_out = {
        PriceIndex.IGPDI: "-0.45 0.07 1.25 1.07 0.90 0.40 0.63 -0.01 -0.51 0.50 0.55 0.85",
        PriceIndex.IPCFIPE: "0.09 0.58 0.54 0.51 0.29 -0.02 0.15 0.14 0.33 0.00 0.16 0.68",
    }
    changes = []
    for execution in executions(updates, DateRange.month_of(date(2019, 12, 1))):
        index = execution.update.index
        months = window(index, execution.execution_date, 12)
        result = accumulate(index, shipped_series()[index], months)
        assert (months[0], months[-1]) == (date(2018, 12, 1), date(2019, 11, 1))
        assert " ".join(str(entry.value) for entry in result.months) == spelled_out[index]
        changes += price_changes(execution, services, history, result.factor)
    assert [(change.service, str(change.new_unit_value)) for change in changes] == [(11563, "47.41"), (11564, "51.75")]


def test_a_priced_period_carries_its_receivables():
    recurrence = Recurrence(date(2017, 4, 10), PeriodUnit.MONTHLY, 1)
    [period] = periods(recurrence, AccrualMonth.PREVIOUS_MONTH, DateRange.month_of(date(2017, 5, 1)))
    charge = Charge(ChargeType.FIXED_DAY, day_number=1, parcel_number=2)
    priced = priced_period(period, charge, [], prices((WHOLE_RULE, "2017-04-10", "150.01")))
    assert (priced.issue_date, priced.accrual_month) == (date(2017, 5, 10), date(2017, 4, 1))
    assert priced.gross_value == Decimal("150.01")
    assert [part.gross_value for part in priced.receivables] == [Decimal("75.01"), Decimal("75.00")]


@given(terms=st.builds(update, init_date=DAYS, months=st.integers(1, 40)), after=DAYS)
def test_the_next_execution_is_the_first_of_those_to_come(terms, after):
    following = next_execution(terms, after)
    assert following > after
    between = DateRange(min(after, following), following)
    assert [day for day in execution_dates(terms, between) if day > after] == []
    assert following in execution_dates(terms, DateRange.days(following, following))


@given(days=st.lists(DAYS, min_size=1, max_size=4, unique=True), on=DAYS)
def test_the_price_in_force_does_not_depend_on_the_order_of_recording(days, on):
    history = [Price(WHOLE_RULE, day, Decimal(number)) for number, day in enumerate(days)]
    by_day = [price for price in sorted(history, key=lambda price: price.effective_from) if price.effective_from <= on]
    for shuffled in permutations(history):
        if by_day:
            assert price_in_force(shuffled, on) == by_day[-1].unit_value


@pytest.mark.parametrize(
    ("recurrence", "a_month"),
    [
        (Recurrence(date(2026, 1, 5), month_quantity=1), "100.00"),
        (Recurrence(date(2026, 1, 5), month_quantity=3), "33.33"),
        (Recurrence(date(2026, 1, 5), month_quantity=12), "8.33"),
        (Recurrence(date(2026, 1, 5), PeriodUnit.WEEKLY), "433.33"),
    ],
)
def test_what_a_rule_comes_to_in_a_month(recurrence, a_month):
    assert per_month(recurrence, Decimal("100.00")) == Decimal(a_month)
