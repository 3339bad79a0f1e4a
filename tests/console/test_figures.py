"""Numbers, dates and charts as they are shown."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.console import formats
from ciclo.console.charts import HEIGHT, WIDTH, bars_and_line, round_steps, steps_over_time
from ciclo.console.formats import MARKS, mark
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.price_index import index_label

NOW = datetime(2025, 11, 21, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (formats.brl(Decimal("1234567.8")), "R$\N{NO-BREAK SPACE}1.234.567,80"),
        (formats.brl(Decimal("-0.5")), "-R$\N{NO-BREAK SPACE}0,50"),
        (formats.brl(None), "—"),
        (formats.decimal(Decimal("1.0496363012")), "1,0496363012"),
        (formats.decimal(Decimal("1.005"), 2), "1,01"),
        (formats.integer(12345), "12.345"),
        (formats.day(date(2025, 3, 1)), "01/03/2025"),
        (formats.month(date(2025, 3, 1)), "03/2025"),
        (formats.instant(NOW), "21/11/2025 09:30"),
        (formats.iso_instant("2025-11-21T12:30:00+00:00"), "21/11/2025 09:30"),
        (formats.iso_instant("soon"), "soon"),
        (formats.entry("8950.00"), "R$\N{NO-BREAK SPACE}8.950,00"),
        (formats.entry("2025-11"), "11/2025"),
        (formats.iso_month("2025-11"), "11/2025"),
        (formats.iso_month(None), "—"),
        (formats.entry("2025-11-02"), "02/11/2025"),
        (formats.entry("2025-11-21T12:30:00+00:00"), "21/11/2025 09:30"),
        (formats.entry(11986, "contract_id"), "11986"),
        (formats.entry(11986, "expected_periods"), "11.986"),
        (formats.entry(value=True), "yes"),
        (formats.entry(None), "—"),
        (formats.entry("1.0496363012"), "1.0496363012"),
        (formats.age(NOW - timedelta(minutes=5), NOW), "5\N{NO-BREAK SPACE}min"),
        (formats.age(NOW - timedelta(hours=47), NOW), "47\N{NO-BREAK SPACE}h"),
        (formats.age(NOW - timedelta(days=1500), NOW), "1.500\N{NO-BREAK SPACE}d"),
        (formats.percent(1, 3), "33,3\N{NO-BREAK SPACE}%"),
        (formats.percent(99_999, 100_000), "99,9\N{NO-BREAK SPACE}%"),
        (formats.percent(1, 100_000), "0,1\N{NO-BREAK SPACE}%"),
        (formats.percent(5, 0), "—"),
        (formats.counted(1, "period"), "1 period"),
        (formats.counted(1204, "period"), "1.204 periods"),
        (index_label("ipcfipe"), "IPC-Fipe"),
        (index_label("other"), "other"),
    ],
)
def test_a_figure_is_written_the_brazilian_way(shown, text):
    assert shown == text


@pytest.mark.parametrize(
    ("charge", "words"),
    [
        (Charge(ChargeType.FIXED_DAY, day_number=10), "the next day 10 after the issue date"),
        (Charge(ChargeType.LAST_DAY_OF_MONTH, only_business_days=True), "the last business day of the month"),
        (Charge(ChargeType.DAY_QUANTITY, day_quantity=5), "5 days after the issue date"),
        (
            Charge(ChargeType.FIXED_DAY_AND_MONTH_QUANTITY, day_number=5, month_quantity=1, parcel_number=3),
            "day 5, 1 month later, in 3 parts one month apart",
        ),
    ],
)
def test_a_charge_is_said_in_words(charge, words):
    assert formats.due_words(charge) == words


def test_no_two_states_of_a_period_share_a_shape():
    names = ("planned", "waiting", "submitting", "in_doubt", "issued", "parked", "cancelled")

    assert len({MARKS[name].icon for name in names}) == len(names)
    assert mark("something_new").label == "Something new"


amounts = st.decimals(min_value=-1_000_000, max_value=1_000_000, places=2)


@given(amounts, amounts)
def test_an_axis_encloses_its_values_in_a_handful_of_steps(one, other):
    low, high = sorted((one, other))

    steps = round_steps(low, high)

    assert steps[0] <= low
    assert steps[-1] >= high
    assert 2 <= len(steps) <= 8


@given(st.lists(amounts, min_size=1, max_size=40))
def test_a_chart_stays_in_its_frame(values):
    names = [str(number) for number in range(len(values))]

    drawn = bars_and_line(names, values, values, titles=names)

    assert all(0 <= bar.x <= WIDTH and 0 <= bar.y <= HEIGHT and bar.height > 0 for bar in drawn.bars)
    assert all(0 <= point.y <= HEIGHT for point in drawn.points)


@given(st.lists(st.tuples(st.dates(date(2000, 1, 1), date(2030, 1, 1)), amounts.map(abs)), min_size=1, max_size=10))
def test_prices_over_time_are_drawn_from_left_to_right(prices):
    drawn = steps_over_time([(day, value, "") for day, value in sorted(prices)], date(2030, 1, 1))

    assert [point.x for point in drawn.points] == sorted(point.x for point in drawn.points)
