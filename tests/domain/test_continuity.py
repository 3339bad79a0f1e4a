"""Continuity: which readjustments follow from the one before, and what would follow where one does not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.calendar import add_months
from ciclo.domain.continuity import Break, PriceStory, Use, continuation, months_from
from ciclo.domain.price_index import PriceIndex, WindowPolicy, window

IGPM, IPCA = PriceIndex.IGPM, PriceIndex.IPCA
PUBLISHED, PREVIOUS = WindowPolicy.PUBLISHED, WindowPolicy.PREVIOUS_MONTH
LONG_AGO = date(1990, 1, 10)


def onward(index, day, months=12, policy=PUBLISHED, **story):
    return continuation(
        index, window(index, day, months, policy), policy, day, PriceStory(**({"since": LONG_AGO} | story))
    )


def used(day, last_month, index=IGPM, policy=PUBLISHED):
    return Use(day, last_month, index, policy)


def shown(found):
    months = [f"{month:%Y-%m}" for month in found.months]
    return [each.value for each in found.breaks], [*months[:1], *months[-1:]]


def test_a_first_readjustment_of_an_old_price_is_an_ordinary_one():
    assert shown(onward(IGPM, date(2025, 6, 10))) == ([], ["2024-06", "2025-05"])


def test_a_readjustment_a_year_after_the_last_is_an_ordinary_one():
    found = onward(IGPM, date(2026, 6, 10), last_use=used(date(2025, 6, 10), date(2025, 5, 1)))

    assert shown(found) == ([], ["2025-06", "2026-05"])


def test_a_year_made_two_uses_the_first_of_them_twice():
    found = onward(IGPM, date(2026, 6, 10), 24, last_use=used(date(2025, 6, 10), date(2025, 5, 1)))

    assert shown(found) == (["month_used_twice"], ["2025-06", "2026-05"])


def test_a_day_moved_across_the_publication_skips_a_month():
    found = onward(IPCA, date(2025, 6, 15), last_use=used(date(2024, 6, 10), date(2024, 4, 1), IPCA))

    assert shown(found) == (["month_skipped"], ["2024-05", "2025-05"])
    assert len(found.months) == 13


def test_a_day_moved_back_across_the_publication_uses_a_month_twice():
    found = onward(IPCA, date(2025, 6, 10), last_use=used(date(2024, 6, 15), date(2024, 5, 1), IPCA))

    assert shown(found) == (["month_used_twice"], ["2024-06", "2025-04"])


def test_another_policy_is_named_where_it_moves_the_months_and_nowhere_else():
    moved = onward(IPCA, date(2025, 6, 10), policy=PREVIOUS, last_use=used(date(2024, 6, 10), date(2024, 4, 1), IPCA))
    same = onward(IGPM, date(2025, 6, 10), policy=PREVIOUS, last_use=used(date(2024, 6, 10), date(2024, 5, 1)))

    assert shown(moved) == (["policy_changed"], ["2024-05", "2025-05"])
    assert same.breaks == ()


def test_another_index_is_compared_with_the_former_one_over_the_same_months():
    found = onward(IPCA, date(2025, 6, 15), last_use=used(date(2024, 6, 15), date(2024, 5, 1), IGPM))

    assert shown(found) == (["index_changed"], ["2024-06", "2025-05"])
    assert found.index is IGPM


def test_a_price_that_a_person_raised_three_weeks_before_has_lived_through_those_months_only():
    found = onward(IGPM, date(2025, 6, 10), changed_on=date(2025, 5, 20))

    assert shown(found) == (["price_changed_by_hand"], ["2025-05", "2025-05"])


@pytest.mark.parametrize("changed", [date(2024, 5, 31), date(2024, 6, 9), date(2025, 6, 11)])
def test_a_change_before_the_last_readjustment_or_after_this_one_is_of_no_concern(changed):
    found = onward(IGPM, date(2025, 6, 10), changed_on=changed, last_use=used(date(2024, 6, 10), date(2024, 5, 1)))

    assert found.breaks == ()


def test_a_rule_of_a_month_is_younger_than_a_years_window():
    found = onward(IGPM, date(2025, 6, 10), since=date(2025, 5, 10))

    assert shown(found) == (["younger_than_window"], ["2025-05", "2025-05"])


@pytest.mark.parametrize(
    ("index", "since"),
    [
        (IGPM, date(2024, 6, 30)),  # it has lived through a part of the window's first month
        (IPCA, date(2024, 6, 10)),  # a year old to the day, though its window began with 2024-05
    ],
)
def test_the_publication_lag_makes_nothing_younger(index, since):
    assert onward(index, date(2025, 6, 10), since=since).breaks == ()


def test_nothing_is_left_where_every_month_is_used():
    found = onward(IGPM, date(2025, 6, 10), last_use=used(date(2025, 6, 1), date(2025, 5, 1)))

    assert (found.breaks, found.months) == ((Break.MONTH_USED_TWICE,), ())


@given(
    index=st.sampled_from(list(PriceIndex)),
    start=st.dates(date(2000, 1, 1), date(2010, 12, 31)),
    periodicity=st.sampled_from([1, 3, 6, 12, 24]),
    policy=st.sampled_from(list(WindowPolicy)),
)
def test_a_schedule_that_nobody_touches_never_breaks(index, start, periodicity, policy):
    last_use = None
    for step in range(6):
        day = add_months(start, step * periodicity)
        months = window(index, day, periodicity, policy)
        assert continuation(index, months, policy, day, PriceStory(LONG_AGO, last_use)).breaks == ()
        last_use = Use(day, months[-1], index, policy)


@given(
    index=st.sampled_from(list(PriceIndex)),
    days=st.lists(st.integers(20, 800), min_size=2, max_size=8),
    data=st.data(),
)
def test_by_continuity_no_month_is_used_twice_or_skipped_whatever_is_changed(index, days, data):
    """Periodicities, dates and policies change at every step; each execution takes the months of continuity."""
    day, last_use, used_months = date(2005, 1, 10), None, []
    for gap in days:
        day = date.fromordinal(day.toordinal() + gap)
        policy = data.draw(st.sampled_from(list(WindowPolicy)))
        months = window(index, day, data.draw(st.sampled_from([1, 3, 6, 12, 24])), policy)
        found = continuation(index, months, policy, day, PriceStory(LONG_AGO, last_use))
        used_months += found.months
        last_use = Use(day, max([*found.months, *used_months[-1:], months[-1]]), index, policy)

    assert used_months == list(months_from(used_months[0], used_months[-1]))
