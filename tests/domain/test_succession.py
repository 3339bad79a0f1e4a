"""Which rule goes on where another one ended."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.coverage import ContractRule
from ciclo.domain.recurrence import PeriodUnit, Recurrence

TODAY = date(2026, 7, 1)


def monthly(first, last=None):
    return Recurrence(date.fromisoformat(first), month_quantity=1, end_date=date.fromisoformat(last) if last else None)


FORMER = ContractRule(
    rule_id=1,
    customer=7,
    recurrence=monthly("2026-01-15", "2026-03-20"),
    services=frozenset({10, "support"}),
    texts=frozenset({"support"}),
)
RULE = replace(FORMER, rule_id=2, recurrence=monthly("2026-04-15"))


def test_a_rule_follows_one_of_the_same_customer_that_billed_the_same_and_has_ended():
    assert RULE.follows(FORMER, over_by=TODAY)
    assert not FORMER.follows(RULE, over_by=TODAY)


@pytest.mark.parametrize(
    ("former", "follows"),
    [
        (replace(FORMER, customer=8), False),
        (replace(FORMER, services=frozenset(), texts=frozenset({"another"})), False),
        (replace(FORMER, services=frozenset()), True),
        (replace(FORMER, texts=frozenset()), True),
        (replace(FORMER, services=frozenset(), texts=frozenset()), False),
        (replace(FORMER, recurrence=monthly("2026-01-15")), False),
        (replace(FORMER, recurrence=monthly("2026-01-15"), is_gone=True), True),
        (replace(FORMER, rule_id=3, recurrence=monthly("2026-01-15"), is_gone=True), False),
        (replace(FORMER, rule_id=3), True),
    ],
    ids=[
        "another customer", "other services and text", "by its text", "by its services", "nothing in common",
        "goes on", "was deleted", "was deleted, but came later", "ended before, whichever was entered first",
    ],
)  # fmt: skip
def test_who_is_followed(former, follows):
    assert RULE.follows(former, over_by=TODAY) is follows


def test_a_rule_that_has_some_days_left_but_no_issue_date_has_ended():
    former = replace(FORMER, recurrence=monthly("2026-01-15", "2026-05-10"))
    begins_after_its_last = replace(RULE, recurrence=monthly("2026-05-05"))
    assert begins_after_its_last.follows(former, over_by=date(2026, 5, 5))
    assert not RULE.follows(former, over_by=date(2026, 4, 15))  # the former still issues on the same day


def test_an_end_counts_from_the_day_that_is_asked_for():
    former = replace(FORMER, recurrence=monthly("2026-01-15", "2026-06-20"))
    assert RULE.follows(former, over_by=TODAY)
    assert not RULE.follows(former, over_by=RULE.recurrence.init_date)


DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))
RULES = st.builds(
    ContractRule,
    rule_id=st.integers(1, 5),
    customer=st.just(7),
    recurrence=st.builds(
        Recurrence,
        init_date=DAYS,
        period_unit=st.sampled_from(PeriodUnit),
        month_quantity=st.sampled_from([1, 3, 12]),
        end_date=st.none() | DAYS,
    ),
    services=st.just(frozenset({10})),
    texts=st.just(frozenset()),
    is_gone=st.booleans(),
)


@given(RULES, RULES, DAYS, DAYS)
def test_no_two_rules_follow_each_other_by_whichever_days_they_are_to_be_over(one, other, day, another):
    assert not (one.follows(other, over_by=day) and other.follows(one, over_by=another))


@pytest.mark.parametrize(
    ("recurrence", "over"),
    [
        (monthly("2026-01-31"), date(2026, 2, 28)),
        (replace(monthly("2026-01-15"), month_quantity=3), date(2026, 4, 15)),
        (Recurrence(date(2026, 1, 15), period_unit=PeriodUnit.WEEKLY), date(2026, 1, 22)),
    ],
)
def test_a_first_period_is_over_when_the_second_issues(recurrence, over):
    assert replace(RULE, recurrence=recurrence).first_period_over == over
