"""From which day on a price that the vendor shows is in force, and that it follows where a rule's beginning moves."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from ciclo.domain.findings import FindingKind
from ciclo.domain.pricing import WHOLE_RULE
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.rules.read import read_contract_list, read_contracts
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.ledger.repositories.periods import Issued
from ciclo.ledger.tables import Price
from company import company, rule, scheduled_update, service
from factories import period_row

SEEN_ON = date(2025, 6, 1)
LATER = date(2025, 6, 5)


@pytest.fixture
def shown(sandbox, lite_job):
    """Let the vendor show a rule and read it; what was read before stays in the ledger."""
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    read_contract_list(ctx)

    def show(on=SEEN_ON, **given):
        box.put_state(company(rule(**given)))
        assert read_contracts(ctx, [10], seen_on=on).unread == {}
        return ctx

    return show


def prices(ctx, service_id=WHOLE_RULE):
    """Return day and unit value of each price, by day."""
    rows = ctx.prices.histories([1])[1]
    return [(row.effective_from.isoformat(), str(row.unit_value)) for row in rows if row.service_id == service_id]


def executed(day, **given):
    """An update that the vendor has executed up to a year before a day."""
    return [scheduled_update(init_date="2023-06-10", execution_date=day, **given)]


@pytest.mark.parametrize(
    ("given", "since"),
    [
        ({"init_date": "2025-01-10"}, "2025-01-10"),  # from the rule's beginning
        ({"init_date": "2025-06-20"}, "2025-06-01"),  # at the latest from the day on which it is seen
        ({"init_date": "2024-01-10", "scheduled_updates": executed("2025-06-10")}, "2024-06-10"),
        ({"init_date": "2024-01-10", "scheduled_updates": executed("2026-06-10")}, "2025-06-01"),  # ahead of its day
        ({"init_date": "2025-06-20", "scheduled_updates": executed("2025-06-10")}, "2025-06-01"),
        ({"init_date": "2025-06-20", "scheduled_updates": [scheduled_update()]}, "2025-06-01"),
        ({"init_date": "2025-06-20", "scheduled_updates": [scheduled_update(init_date="2025-05-10")]}, "2025-05-10"),
    ],
)
def test_a_price_holds_at_the_latest_from_the_day_on_which_it_is_first_seen(shown, given, since):
    assert prices(shown(**given)) == [(since, "150.0")]


@pytest.mark.parametrize("moved_to", ["2025-06-10", "2025-05-20"])
def test_a_rule_that_is_moved_earlier_bills_the_price_that_was_seen(shown, moved_to):
    shown(init_date="2025-06-20")
    snapshot = RuleSnapshots(shown(LATER, init_date=moved_to), [1])[1]
    periods = snapshot.periods_by_newest_terms(DateRange.days(date(2025, 5, 1), date(2025, 6, 19)))
    assert [(each.issue_date.isoformat(), str(each.gross_value)) for each in periods] == [(moved_to, "150.00")]


def test_the_price_of_a_rule_that_is_moved_earlier_begins_with_it_once(shown):
    shown(init_date="2025-06-20")
    for day in (LATER, LATER, date(2025, 6, 6)):
        ctx = shown(day, init_date="2025-05-20")
    assert prices(ctx) == [("2025-05-20", "150.0"), ("2025-06-01", "150.0")]


def test_a_price_changed_meanwhile_stays_dated_by_its_reading(shown):
    shown(init_date="2025-06-20")
    shown(LATER, init_date="2025-06-20", gross_value="180.0")
    ctx = shown(date(2025, 6, 8), init_date="2025-05-20", gross_value="180.0")
    assert prices(ctx) == [("2025-05-20", "150.0"), ("2025-06-01", "150.0"), ("2025-06-02", "180.0")]


@pytest.mark.parametrize("gross_value", ["150.0", "180.0"])
@pytest.mark.parametrize(("read_again", "since"), [(LATER, "2025-06-05"), (date(2025, 6, 12), "2025-06-10")])
def test_a_ledger_in_which_a_price_was_to_begin_with_its_rule_is_cured_by_the_next_reading(
    shown, read_again, since, gross_value
):
    """So it was written until now: the price of a rule seen on 1 June began on 20 June, its first day."""
    ctx = shown(init_date="2025-06-20")
    ctx.session.execute(update(Price).values(effective_from=date(2025, 6, 20)))
    assert prices(ctx) == [("2025-06-20", "150.0")]
    ctx = shown(read_again, init_date="2025-06-10", gross_value=gross_value)
    assert (prices(ctx)[0], prices(ctx)[-1]) == ((since, gross_value), ("2025-06-20", gross_value))


def test_a_price_that_only_begins_earlier_is_no_change_of_terms(shown):
    """An invoice was made by another reading since the rule was last seen: its price is the same one."""
    ctx = shown(init_date="2025-06-20")
    ctx.session.execute(update(Price).values(effective_from=date(2025, 6, 20)))
    ctx.periods.plan([period_row(issue_date=date(2025, 6, 20))])
    ctx.clock.now += timedelta(hours=5)
    [taken] = ctx.periods.claim_these([1], owner="tests", lease_until=ctx.clock(), at=ctx.clock())
    ctx.periods.issued([Issued(1, 900, Decimal("150.00"), taken.state)], at=ctx.clock())
    ctx.session.commit()
    ctx.clock.now += timedelta(hours=5)
    assert prices(shown(LATER, init_date="2025-06-20"))[0] == ("2025-06-05", "150.0")
    assert ctx.findings.open_of_kind(FindingKind.TERMS_CHANGED) == {}


def test_what_was_in_force_before_a_readjustment_stays_unknown(shown):
    """Its update is taken away: nothing says any more that the price is the one since then."""
    shown(init_date="2023-01-10", scheduled_updates=executed("2025-06-10"))
    ctx = shown(LATER, init_date="2022-01-10", scheduled_updates=[])
    assert prices(ctx) == [("2024-06-10", "150.0")]


def test_a_service_that_joined_later_begins_when_it_joined(shown):
    shown(services=[service(31, "100.0")])
    shown(LATER, services=[service(31, "100.0"), service(32, "50.0")])
    ctx = shown(date(2025, 6, 6), init_date="2024-12-10", services=[service(31, "100.0"), service(32, "50.0")])
    assert prices(ctx, 31) == [("2024-12-10", "100.0"), ("2025-01-10", "100.0")]
    assert prices(ctx, 32) == [("2025-06-02", "50.0")]
