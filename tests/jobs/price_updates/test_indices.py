"""Index values: shipped, newer, late, revised, missing in the middle, served as HTML."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete

from ciclo.domain.price_index import PriceIndex, WindowPolicy
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import said
from ciclo.http.retries import RetryRules
from ciclo.jobs.indices import load_shipped, revised_uses, sync_index
from ciclo.jobs.price_updates import UpdateOptions, missing_indices
from ciclo.ledger.repositories import IndexValueRepository, Scope
from ciclo.ledger.tables import IndexValue
from ciclo.sgs.client import IndexUnavailableError, SgsClient
from ciclo.sgs.series import shipped_values
from company import company, rule, scheduled_update

IGPM = PriceIndex.IGPM
QUICK = RetryRules(attempts=2, first_wait=0.0)


@pytest.fixture
def sgs(request):
    def connect(url):
        client = SgsClient(base_url=url, calls_per_minute=None, retries=QUICK, timeout=2.0)
        request.addfinalizer(client.close)
        return client

    return connect


def state(**indices):
    """A rule readjusted on 10/06/2025 by IGP-M; `indices` are values that SGS answers instead of the shipped ones."""
    behaviour = {"price_indices": indices}
    return company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()]), behaviour=behaviour)


def sync(run, client, through=date(2025, 6, 10)):
    return sync_index(run.ctx.session, client, IGPM, through=through, at=run.ctx.clock())


def test_the_shipped_values_are_the_ledgers_first_revision(session, clock):
    session.execute(delete(IndexValue))

    added = load_shipped(session, at=clock())

    rows = IndexValueRepository(session).newest("ipca")
    assert added == sum(1 for _ in shipped_values())
    assert {(row.revision, row.source) for row in rows.values()} == {(1, "shipped")}
    assert load_shipped(session, at=clock()) == 0


def test_a_shipped_value_that_is_not_there_is_brought_whatever_else_is(session, clock):
    older = {"price_index": "ipca", "month": date(1994, 12, 1), "revision": 1, "value": Decimal("1.71")}
    load_shipped(session, at=clock())
    IndexValueRepository(session).add([older | {"source": "by hand", "fetched_at": clock()}])
    session.execute(delete(IndexValue).where(IndexValue.price_index == "ipca", IndexValue.month == date(2020, 5, 1)))

    assert load_shipped(session, at=clock()) == 1
    assert date(2020, 5, 1) in IndexValueRepository(session).newest("ipca")


def test_a_newer_value_is_added_with_its_source_and_time(billing, sgs, clock):
    run = billing(state(igpm={"2026-10": "0.44"}))
    run.sandbox.set_clock(date(2026, 11, 21))
    clock.advance(days=300)

    outcome = sync(run, sgs(run.sandbox.url), through=date(2026, 11, 21))

    newest = IndexValueRepository(run.ctx.session).newest(IGPM)[date(2026, 10, 1)]
    assert outcome.added == [date(2026, 10, 1)]
    assert (newest.value, newest.source, newest.fetched_at) == (Decimal("0.44"), "BCB SGS 189", clock())
    assert sync(run, sgs(run.sandbox.url), through=date(2026, 11, 21)).counts() == {"added": 0, "revised": 0, "gaps": 0}


def test_a_revised_value_is_a_further_revision_and_the_first_stays(billing, sgs):
    run = billing(state(igpm={"2025-05": "-0.40"}))

    outcome = sync(run, sgs(run.sandbox.url))

    assert [revision.line() for revision in outcome.revised] == ["IGP-M 05/2025 was revised from -0.49 % to -0.40 %"]
    [revised] = IndexValueRepository(run.ctx.session).revised(IGPM)
    assert (revised.first, revised.newest, revised.revisions) == (Decimal("-0.49"), Decimal("-0.40"), 2)


def test_what_was_applied_before_a_revision_stays_and_is_shown(billing, sgs):
    run = billing(state(igpm={"2025-05": "-0.40"}))
    run.expand()
    run.apply()
    before = (run.prices(), run.execution().evidence)

    sync(run, sgs(run.sandbox.url))
    run.apply()

    assert (run.prices(), run.execution().evidence) == before
    [use] = revised_uses(run.ctx.session, IGPM)
    assert use.line() == (
        "Contract 10, rule 1: the update of 2025-06-10 was computed with IGP-M 05/2025 = -0.49 %; it has been revised "
        "to -0.40 %. The price stays as it is."
    )


def test_what_is_applied_after_a_revision_uses_it_and_is_not_shown(billing, sgs):
    run = billing(state(igpm={"2025-05": "-0.40"}))
    run.expand()
    sync(run, sgs(run.sandbox.url))

    run.apply()

    assert run.execution().evidence["months"][-1] | {"fetched_at": ""} == {
        "month": "2025-05",
        "value": "-0.40",
        "revision": 2,
        "source": "BCB SGS 189",
        "fetched_at": "",
    }
    assert revised_uses(run.ctx.session, IGPM) == []


@pytest.mark.parametrize("missing", [date(2025, 5, 1), date(2024, 11, 1)])
def test_a_value_that_should_be_out_makes_the_update_wait_then_park(billing, missing):
    """The newest month late, or one missing in the middle: index and month are named, no other month stands in."""
    run = billing(state())
    run.expand()
    run.forget(IGPM, missing, missing)

    run.today = date(2026, 1, 10)
    run.apply()
    waiting = run.execution()
    assert (waiting.state, waiting.waiting_since) == (ExecutionState.WAITING, date(2026, 1, 10))
    month = f"{missing:%m/%Y}"
    assert f"the value of IGP-M for {month} should be out since" in said(waiting.reason)
    run.today = date(2026, 1, 19)
    run.apply()
    assert run.execution().state == ExecutionState.WAITING
    run.today = date(2026, 1, 20)
    outcome = run.apply()

    assert outcome.parked == 1
    assert f"contract 10, rule 1, update of 2025-06-10: the value of IGP-M for {month} should be out since" in (
        said(run.execution().reason)
    )
    assert run.puts() == []


def test_an_update_that_waited_goes_on_by_itself_when_the_value_is_out(billing, sgs):
    run = billing(state())
    run.expand()
    run.forget(IGPM, date(2025, 5, 1), date(2025, 5, 1))
    run.apply()
    run.issue()
    assert len(run.billed()) == 5

    sync(run, sgs(run.sandbox.url))
    run.apply()
    run.issue()

    assert run.execution().state == ExecutionState.APPLIED
    assert len(run.billed()) == 12
    assert run.billed()["10/06/2025"] == "1070.26"
    trail = [entry.to_state for entry in run.ctx.audit.trail("execution", run.execution().id)]
    assert trail == ["waiting", "planned", "submitting", "applied"]


def test_the_wait_for_a_month_that_is_not_out_yet_begins_when_it_should_be(billing):
    """Policy `previous_month`: IPCA of May counts on 10 June though it comes out on the 13th."""
    update = scheduled_update(price_index="ipca")
    run = billing(company(rule(gross_value="1000.0", scheduled_updates=[update])), today=date(2025, 6, 10))
    run.expand()
    run.forget("ipca", date(2025, 5, 1))
    options = UpdateOptions(policy=WindowPolicy.PREVIOUS_MONTH, max_wait_days=3)

    run.apply(options=options)
    assert said(run.execution().reason).endswith("the value of IPCA for 05/2025 is not out before 2025-06-13")
    assert run.execution().waiting_since == date(2025, 6, 13)

    run.today = date(2025, 6, 15)
    run.apply(options=options)
    assert run.execution().state == ExecutionState.WAITING
    run.today = date(2025, 6, 16)
    run.apply(options=options)
    assert run.execution().state == ExecutionState.PARKED


@pytest.mark.parametrize("fault", [{"kind": "malformed"}, {"kind": "error_before", "status": 503}])
def test_an_answer_that_is_not_the_series_changes_nothing_and_names_the_index(billing, sgs, fault):
    run = billing(state(igpm={"2025-05": "-0.40"}))
    run.sandbox.faults([fault | {"path": "bcdata.sgs"}])

    with pytest.raises(IndexUnavailableError, match=r"price index igpm, 2015-07 to 2025-06"):
        sync(run, sgs(run.sandbox.url))

    assert IndexValueRepository(run.ctx.session).revised(IGPM) == []


def test_a_month_missing_in_the_middle_of_the_answer_is_reported(billing, sgs):
    run = billing(state(igpm={"2024-11": None}))

    assert sync(run, sgs(run.sandbox.url)).gaps == [date(2024, 11, 1)]


def test_only_indices_that_lack_what_is_out_are_asked_for(billing):
    run = billing(state())
    run.expand()
    scope = Scope(DateRange.days(date(2025, 1, 1), date(2025, 12, 31)))
    assert missing_indices(run.ctx, scope, UpdateOptions(), today=run.today) == set()
    run.forget(IGPM, date(2025, 5, 1), date(2025, 5, 1))

    assert missing_indices(run.ctx, scope, UpdateOptions(), today=run.today) == {IGPM}
    assert missing_indices(run.ctx, scope, UpdateOptions(), today=date(2025, 6, 9)) == set()


def test_a_month_that_only_a_later_execution_of_an_owed_update_needs_is_asked_for_as_well(billing):
    run = billing(state())
    run.expand()
    run.today = date(2026, 6, 20)
    scope = Scope(DateRange.days(date(2025, 1, 1), date(2026, 12, 31)))
    run.forget(IGPM, date(2026, 5, 1), date(2026, 5, 1))

    assert missing_indices(run.ctx, scope, UpdateOptions(), today=run.today) == {IGPM}
    assert missing_indices(run.ctx, scope, UpdateOptions(), today=date(2026, 6, 9)) == set()


def test_a_released_update_that_still_lacks_its_value_waits_anew(billing):
    run = billing(state())
    run.expand()
    run.forget(IGPM, date(2025, 5, 1), date(2025, 5, 1))
    run.apply()
    run.today += timedelta(days=30)
    run.apply()
    parked = run.execution()
    run.ctx.executions.change(parked, ExecutionState.PLANNED, reason="look again", at=run.ctx.clock())
    run.ctx.session.commit()

    run.apply()

    assert run.execution().state == ExecutionState.WAITING
    assert run.execution().waiting_since == run.today
