"""A vendor that carries a request out long after it failed: survived by the grace period, caught by the close."""

from datetime import date

import pytest

from ciclo.domain.states import PeriodState
from ciclo.jobs.closing.close import NotClosedError, close_month, require_closed
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import Actor
from company import TODAY
from simulated_billing import Billing


@pytest.fixture
def billing(sqlite_engine):
    company = Billing(sqlite_engine)
    company.update_prices()
    yield company
    company.vendor.shut_down()


def lose_one_post(billing, *, late_seconds):
    """Let the vendor answer the first POST with an error, and carry it out later."""
    kinds = iter(["late_commit"])
    billing.vendor.late_seconds = late_seconds
    billing.vendor.going_wrong = lambda request: next(kinds, None) if request.method == "POST" else None


@pytest.mark.parametrize("late_seconds", [1, 60, 299])
def test_a_commit_within_the_grace_period_is_found_and_never_billed_again(billing, late_seconds):
    lose_one_post(billing, late_seconds=late_seconds)
    billing.issue()
    assert len(billing.live_invoices()) == 15
    for _ in range(7):
        billing.pass_time(1)
        billing.issue()
    billing.check_the_end()


def test_a_commit_after_the_grace_period_is_billed_twice_and_the_close_says_so(billing, tmp_path):
    lose_one_post(billing, late_seconds=1000)
    billing.issue()
    billing.pass_time(6)
    billing.issue()  # not there after the grace period: created once more
    billing.pass_time(20)
    twice = [i["id"] for i in billing.live_invoices() if i["comments"] == "ciclo:7:1:2025-01-10"]
    assert len(twice) == 2

    with billing._session() as session, billing.vendor.client() as api:
        ctx = JobContext(api, session, Actor(), billing.clock)
        assert ctx.periods.in_state(PeriodState.IN_DOUBT) == []
        attempt = close_month(ctx, date(2025, 1, 1), today=TODAY, reports=tmp_path)
        with pytest.raises(NotClosedError) as refused:
            require_closed([attempt])
    assert any(str(number) in str(refused.value) for number in twice)
