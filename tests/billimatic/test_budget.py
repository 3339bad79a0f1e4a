"""The budget of calls, in a time of our own."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.billimatic import RetryRules
from ciclo.http.retries import CallBudget


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _starts(budget: CallBudget, time: Time, calls: int) -> list[float]:
    starts = []
    for _ in range(calls):
        budget.take()
        starts.append(time.now)
    return starts


@given(
    rate=st.floats(min_value=0.1, max_value=50),
    idle=st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=60),
)
def test_no_second_sees_more_calls_than_its_budget(rate, idle):
    time = Time()
    budget = CallBudget.per_second(rate, clock=time.clock, sleep=time.sleep)
    starts = []
    for seconds in idle:
        time.sleep(seconds)
        budget.take()
        starts.append(time.now)
    allowed = max(1, int(rate))
    stretch = allowed / rate
    assert all(later - earlier >= stretch - 1e-6 for earlier, later in zip(starts, starts[allowed:], strict=False))


def test_a_budget_is_used_in_full():
    time = Time()
    starts = _starts(CallBudget.per_second(10, clock=time.clock, sleep=time.sleep), time, 101)
    assert starts[-1] - starts[0] == pytest.approx(10.0)


@pytest.mark.parametrize("rate", [None, 0])
def test_an_unlimited_budget_never_waits(rate):
    time = Time()
    _starts(CallBudget.per_second(rate, clock=time.clock, sleep=time.sleep), time, 1000)
    assert time.now == 1000.0


def test_a_pause_the_server_asks_for_holds_everybody():
    time = Time()
    budget = CallBudget.per_second(None, clock=time.clock, sleep=time.sleep)
    budget.close_for(7.0)
    assert _starts(budget, time, 2) == [1007.0, 1007.0]


def test_threads_share_one_budget():
    slept: list[float] = []
    budget = CallBudget(5, 60.0, clock=lambda: 0.0, sleep=slept.append)
    threads = [threading.Thread(target=budget.take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slept) == [60.0] * 5 + [120.0] * 5 + [180.0] * 5


def test_the_client_keeps_its_budget(server, connect, act, pauses):
    client = connect(server, requests_per_second=2, retries=RetryRules(sleep=pauses.append, clock=lambda: 0.0))
    server.play(act(body={"service_items": []}))
    for _ in range(5):
        client.service_items()
    assert pauses == [1.0, 1.0, 2.0]


def test_a_throttled_client_holds_its_other_threads_back(server, connect, act, pauses):
    client = connect(server, retries=RetryRules(sleep=pauses.append, clock=lambda: 0.0, jitter=lambda: 0.0))
    server.play(act(status=429, headers={"Retry-After": "3"}), act(body={"service_items": []}))
    client.service_items()
    client.service_items()
    assert pauses == [3.0, 3.0, 3.0]  # the pause itself, then whoever comes while it lasts (this clock stands still)
