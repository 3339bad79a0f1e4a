"""One budget of requests for every process of an organization: what is given out, to whom first, and when alone."""

from contextlib import contextmanager
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from ciclo.http.retries import CallBudget
from ciclo.ledger.budget import WRITING_SECONDS, FileStore, RowStore, SharedBudget, Turns
from ciclo.ledger.database import open_engine

calls_of_all = st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=80)


@given(arrivals=calls_of_all, calls=st.integers(1, 12))
def test_no_stretch_sees_more_calls_than_the_budget_whoever_makes_them(arrivals, calls):
    turns, now, starts = Turns(), 1000.0, []
    for idle, writes in arrivals:
        now += idle
        wait, has_turn = turns.give(writes=writes, now=now, calls=calls, seconds=1.0)
        if has_turn:
            starts.append(now + wait)
    assert starts == sorted(starts)
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in zip(starts, starts[calls:], strict=False))


def test_the_budget_is_used_in_full_by_many():
    turns = Turns()
    starts = [turns.give(writes=True, now=0.0, calls=10, seconds=1.0)[0] for _ in range(101)]
    assert starts[-1] == pytest.approx(10.0)


def test_reading_has_a_quarter_while_somebody_writes_and_all_of_it_before_and_after():
    def readings(turns, now):
        given, end = 0, now + 1.0
        while now < end:
            wait, has_turn = turns.give(writes=False, now=now, calls=20, seconds=1.0)
            given += has_turn
            now += max(wait, 0.001)
        return given

    assert readings(Turns(), 100.0) >= 20
    busy = Turns(wrote_at=100.0)
    assert readings(busy, 100.0) == pytest.approx(5, abs=1)
    assert readings(Turns(wrote_at=100.0 - WRITING_SECONDS), 100.0) >= 20


def test_a_pause_holds_for_whoever_comes_next():
    turns = Turns(closed_until=7.0)
    assert turns.give(writes=True, now=0.0, calls=10, seconds=1.0) == (7.0, True)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_the_time_that_it_had_shown():
    turns, now = Turns(), 1000.0
    for writes in (True, False):
        turns.give(writes=writes, now=now + 3 * 3600, calls=1, seconds=1.0)
    assert turns.give(writes=False, now=now, calls=1, seconds=1.0) == (0.0, True)
    assert turns.give(writes=True, now=now, calls=1, seconds=1.0) == (1.0, True)


@pytest.fixture(params=["file", "row"])
def stores(request, tmp_path):
    """Yield a maker of stores of one organization, as each process has one."""
    if request.param == "file":
        yield lambda: FileStore(tmp_path / "ledger.db-budget-7")
        return
    engine = open_engine(request.getfixturevalue("postgres_url"))
    yield lambda: RowStore(engine, 7)
    engine.dispose()


def test_two_processes_share_one_budget_and_its_pauses(stores):
    first, second = (SharedBudget(stores(), 5, CallBudget(None), sleep=lambda _: None) for _ in range(2))
    threads = [Thread(target=budget.take, kwargs={"writes": True}) for budget in (first, second) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores().opened() as (turns, now):
        assert len(turns.starts) == 5
        assert turns.starts == sorted(turns.starts)
        last = turns.starts[-1]
        assert last <= now + 4
    first.close_for(3600)
    waits = []
    SharedBudget(stores(), 5, CallBudget(None), sleep=waits.append).take(writes=False)
    assert waits[0] == pytest.approx(3600, abs=60)


def test_a_file_that_nobody_can_read_begins_anew(tmp_path):
    path = tmp_path / "budget"
    path.write_text("{half of")
    with FileStore(path).opened() as (turns, _):
        assert turns == Turns()


class Broken:
    """A ledger that does not answer."""

    @contextmanager
    def opened(self):
        raise OperationalError("select", {}, Exception("gone"))
        yield


def test_without_an_answer_of_the_ledger_a_process_keeps_the_budget_alone(caplog):
    waits = []
    alone = CallBudget(2, 60.0, clock=lambda: 0.0, sleep=waits.append)
    budget = SharedBudget(Broken(), 2, alone, clock=lambda: 0.0)
    for _ in range(4):
        budget.take(writes=True)
    assert waits == [60.0, 60.0]
    budget.close_for(90.0)
    assert "is not shared for the moment" in caplog.text
