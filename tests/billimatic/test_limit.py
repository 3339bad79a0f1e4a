"""How many requests may be under way at once, at servers of a time of our own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.billimatic import BillimaticClient, RetryRules
from ciclo.billimatic.transport.limit import ConcurrencyLimit

MOST = 16


def answered(limit, take, rounds, *, trouble=False):
    """Fill every slot and end the requests, as often as said; `take` says what they take with so many under way."""
    for _ in range(rounds):
        with ExitStack() as under_way:
            slots = [under_way.enter_context(limit.slot()) for _ in range(limit.limit)]
            for slot in slots:
                limit.learn(slot, "POST", take(len(slots)), trouble=trouble)


def like_one_clerk(under_way):
    return 0.01 * under_way


def like_many_clerks(under_way):
    return 0.2


def test_a_server_that_answers_alike_fast_gets_as_many_as_allowed():
    limit = ConcurrencyLimit(MOST)
    answered(limit, like_many_clerks, 50)
    assert limit.limit == MOST


def test_a_server_at_which_requests_queue_gets_few():
    limit = ConcurrencyLimit(MOST)
    answered(limit, lambda _: 0.01, 1)  # what an answer takes when nothing queues
    answered(limit, like_one_clerk, 50)
    assert 2 <= limit.limit <= 6


def test_a_server_that_became_slower_for_all_gets_as_many_as_allowed_again():
    limit = ConcurrencyLimit(MOST)
    answered(limit, lambda _: 0.01, 1)
    answered(limit, lambda _: 1.0, 30)
    assert limit.limit < MOST
    answered(limit, lambda _: 1.0, 400)
    assert limit.limit == MOST


def test_trouble_halves_once_for_all_that_was_under_way():
    limit = ConcurrencyLimit(MOST)
    answered(limit, like_many_clerks, 1, trouble=True)
    assert limit.limit == MOST // 2


def test_trouble_that_goes_on_leaves_one():
    limit = ConcurrencyLimit(MOST)
    answered(limit, like_many_clerks, 20, trouble=True)
    assert limit.limit == 1


def test_trouble_that_is_over_is_forgotten_step_by_step():
    limit = ConcurrencyLimit(MOST)
    answered(limit, like_many_clerks, 20, trouble=True)
    answered(limit, like_many_clerks, 3)
    assert 2 <= limit.limit <= 4
    answered(limit, like_many_clerks, 200)
    assert limit.limit == MOST


def test_requests_of_one_kind_are_not_measured_by_those_of_another():
    limit = ConcurrencyLimit(MOST)
    answered(limit, lambda _: 0.001, 5)
    for _ in range(100):
        with limit.slot() as slot:
            limit.learn(slot, "GET", 0.5, trouble=False)
    answered(limit, lambda _: 0.001, 5)
    assert limit.limit == MOST


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=60), st.booleans()), max_size=200))
def test_there_is_always_one_and_never_more_than_allowed(endings):
    limit = ConcurrencyLimit(4)
    for seconds, trouble in endings:
        with limit.slot() as slot:
            limit.learn(slot, "POST", seconds, trouble=trouble)
        assert 1 <= limit.limit <= 4


def test_whoever_finds_no_slot_waits_for_the_next():
    limit, through = ConcurrencyLimit(1), threading.Event()

    def pass_through():
        with limit.slot():
            through.set()

    with limit.slot():
        waiting = threading.Thread(target=pass_through)
        waiting.start()
        assert not through.wait(0.05)
    assert through.wait(5)
    waiting.join()


def test_a_slot_is_given_back_by_a_request_that_was_never_sent():
    limit = ConcurrencyLimit(1)
    with pytest.raises(KeyError), limit.slot():
        raise KeyError
    with limit.slot() as slot:
        assert slot.number == 1


def test_a_client_sends_less_at_once_to_a_server_that_has_trouble():
    sent, under_way, most_after_trouble, lock = 0, 0, 0, threading.Lock()
    all_there = threading.Barrier(8)

    def answer(request):
        nonlocal sent, under_way, most_after_trouble
        with lock:
            sent, under_way = sent + 1, under_way + 1
            troubled = sent <= 8
            if 8 < sent <= 12:  # the next four, before their answers raise it again
                most_after_trouble = max(most_after_trouble, under_way)
        if troubled:
            all_there.wait(10)
        with lock:
            under_way -= 1
        return httpx.Response(503 if troubled else 200, json={"service_items": []})

    retries = RetryRules(sleep=lambda _: None)
    with (
        BillimaticClient(
            base_url="http://127.0.0.1:1",
            token="token",
            organization_id=7,
            requests_per_second=None,
            max_connections=8,
            transport=httpx.MockTransport(answer),
            retries=retries,
        ) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        assert all(pool.map(lambda _: client.authenticated(), range(64)))
    assert sent == 64 + 8
    assert 1 <= most_after_trouble <= 4
