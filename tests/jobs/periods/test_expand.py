"""Expansion: what the rules expect is planned, once; what they no longer expect is given up."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.billimatic import AuthenticationError
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from company import TODAY, YEAR, company, contract, rule, service


def expand(ctx, scope=YEAR, seen_on=TODAY):
    read_contract_list(ctx)
    return expand_rules(ctx, scope, seen_on=seen_on)


def planned(ctx):
    return ctx.periods.in_state(PeriodState.PLANNED)


def test_a_year_of_a_monthly_rule_is_twelve_periods(sandbox, job):
    ctx = job(sandbox(company(rule(init_date="2025-01-31", charge={"day_number": 5}))))
    outcome = expand(ctx)
    assert outcome.counts() == {
        "contracts": 1, "rules": 1, "expected": 12, "planned": 12, "parked": 0, "cancelled": 0, "unread": 0,
        "problems": 0,
    }  # fmt: skip
    february = planned(ctx)[1]
    assert (february.issue_date, february.first_due_date) == (date(2025, 2, 28), date(2025, 3, 5))
    assert (february.accrual_month, february.gross_value) == (date(2025, 2, 1), Decimal("150.00"))


def test_expanding_again_plans_nothing(sandbox, job):
    ctx = job(sandbox(company(rule(1), rule(2, 11))))
    expand(ctx)
    again = expand(ctx)
    assert (again.expected, again.planned, again.cancelled) == (24, 0, 0)


def test_two_windows_that_touch_neither_share_nor_lose_a_period(sandbox, lite_job):
    ctx = lite_job(sandbox(company(rule(timing={"period_unit": "weekly", "month_quantity": None}))))
    halves = [(date(2025, 1, 1), date(2025, 6, 30)), (date(2025, 7, 1), date(2025, 12, 31))]
    parts = [expand(ctx, Scope(YEAR.window.days(*half))).planned for half in halves]
    assert sum(parts) == 51
    assert expand(ctx).planned == 0


def test_shards_together_cover_every_contract_once(sandbox, lite_job):
    ctx = lite_job(sandbox(company(*[rule(number, 10 + number) for number in range(1, 8)])))
    counts = [expand(ctx, Scope(YEAR.window, shard=shard, shards=3)).planned for shard in range(3)]
    assert sum(counts) == 7 * 12
    assert all(counts)


def test_only_the_contracts_asked_for_are_expanded(sandbox, lite_job):
    ctx = lite_job(sandbox(company(rule(1, 10), rule(2, 11))))
    expand(ctx, Scope(YEAR.window, contract_ids=(11,)))
    assert {period.contract_id for period in planned(ctx)} == {11}


def test_an_inactive_contract_is_not_billed_and_its_open_periods_are_cancelled(sandbox, lite_job):
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    expand(ctx)
    box.put_state(company(rule(), contracts=[contract(10, state="inactive")]))
    assert expand(ctx).cancelled == 12
    assert {said(p.reason) for p in ctx.periods.in_state(PeriodState.CANCELLED)} == {"contract 10 is inactive"}


def test_a_rule_deleted_at_the_vendor_gives_up_its_open_periods(sandbox, lite_job):
    box = sandbox(company(rule(1), rule(2)))
    ctx = lite_job(box)
    expand(ctx)
    box.put_state(company(rule(1)))
    assert expand(ctx).cancelled == 12
    assert {p.rule_id for p in ctx.periods.in_state(PeriodState.CANCELLED)} == {2}


def test_a_rule_that_ends_earlier_gives_up_the_periods_after_its_end(sandbox, lite_job):
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    expand(ctx, seen_on=date(2025, 1, 2))
    box.put_state(company(rule(timing={"end_date": "2025-06-30"})))
    expand(ctx, seen_on=date(2025, 5, 2))
    assert [p.issue_date.month for p in planned(ctx)] == [1, 2, 3, 4, 5, 6]


def test_a_changed_day_counts_from_the_day_after_it_was_last_seen_as_it_was(sandbox, lite_job):
    box = sandbox(company(rule(init_date="2025-01-10")))
    ctx = lite_job(box)
    expand(ctx, seen_on=date(2025, 4, 14))
    box.put_state(company(rule(init_date="2025-01-20")))
    expand(ctx, seen_on=date(2025, 4, 20))
    days = [(p.issue_date.month, p.issue_date.day) for p in planned(ctx)]
    assert days == [(1, 10), (2, 10), (3, 10), (4, 10), *[(month, 20) for month in range(5, 13)]]


def test_a_changed_price_counts_from_the_day_after_it_was_last_seen_as_it_was(sandbox, lite_job):
    box = sandbox(company(rule(services=[service(5, "100.0")])))
    ctx = lite_job(box)
    expand(ctx, Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 3, 31))), seen_on=date(2025, 3, 31))
    box.put_state(company(rule(services=[service(5, "120.0")])))
    expand(ctx, seen_on=date(2025, 4, 10))
    prices = [period.gross_value for period in planned(ctx)]
    assert prices == [Decimal("100.00")] * 3 + [Decimal("120.00")] * 9


def test_a_rule_that_cannot_be_billed_is_named_and_the_others_go_on(sandbox, lite_job):
    ctx = lite_job(sandbox(company(rule(1, timing={"month_quantity": 5}), rule(2, 11))))
    outcome = expand(ctx)
    assert outcome.planned == 12
    assert [problem.message for problem in outcome.problems] == [
        (
            "contract 10, rule 1, additional_information.month_quantity: "
            "a monthly rule's period lasts 1, 2, 3, 6, 12 months, not 5"
        )
    ]


def test_a_contract_that_vanished_is_named_and_the_others_go_on(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.put_state(company(rule(2, 11)))
    outcome = expand_rules(ctx, YEAR, seen_on=TODAY)
    assert [problem.message for problem in outcome.problems] == ["contract 10 is no longer at the vendor"]
    assert outcome.planned == 12


def test_a_wrong_token_stops_at_once(sandbox, lite_job):
    ctx = lite_job(sandbox(company(rule())), token="wrong")
    with pytest.raises(AuthenticationError):
        read_contract_list(ctx)
