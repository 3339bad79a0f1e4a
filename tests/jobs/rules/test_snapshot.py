"""What the rules say should be at the vendor, with no more rules in memory than are asked about."""

import pytest

from ciclo.domain.states import PeriodState
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.jobs.rules.snapshot import RuleSnapshots
from company import TODAY, YEAR, company, rule


@pytest.fixture
def periods(sandbox, lite_job):
    """Yield the job and its periods by rule."""
    ctx = lite_job(sandbox(company(*[rule(number, 10 + number) for number in (1, 2, 3)])))
    read_contract_list(ctx)
    expand_rules(ctx, YEAR, seen_on=TODAY)
    return ctx, {period.rule_id: period for period in ctx.periods.in_state(PeriodState.PLANNED)}


@pytest.mark.parametrize("kept", [0, 1, 2, 100])
def test_what_is_expected_does_not_depend_on_how_many_rules_are_kept(periods, kept):
    ctx, by_rule = periods
    book, generous = RuleSnapshots(ctx, kept=kept), RuleSnapshots(ctx)
    generous.load(by_rule)
    for rules in ([1], [2], [1, 3], [2, 1]):
        book.load(rules)
        assert [book[each].invoice(by_rule[each]) for each in rules] == [
            generous[each].invoice(by_rule[each]) for each in rules
        ]


def test_what_was_loaded_before_is_forgotten_where_rules_become_too_many(periods):
    ctx, _ = periods
    book = RuleSnapshots(ctx, kept=2)
    book.load([1, 2])
    book.load([3])
    with pytest.raises(KeyError):
        book[1]
