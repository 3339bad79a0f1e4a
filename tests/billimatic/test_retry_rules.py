"""What is sent again and what is not: a table of fault → exception → requests the server saw."""

from datetime import UTC, datetime

import pytest

from ciclo.billimatic import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RejectedError,
    RetryRules,
    TransientApiError,
    UnreadableAnswerError,
)

GARBLED = b'{"invoice": {"id": 1,'
HTML = b"<html><body>Bad gateway</body></html>"
HUGE_PATIENCE = RetryRules().attempts

READS = [
    ({"status": 500}, TransientApiError, HUGE_PATIENCE),
    ({"status": 502, "body": HTML}, TransientApiError, HUGE_PATIENCE),
    ({"status": 503}, TransientApiError, HUGE_PATIENCE),
    ({"status": 408}, TransientApiError, HUGE_PATIENCE),
    ({"status": 429}, TransientApiError, HUGE_PATIENCE),
    ({"fault": "reset"}, TransientApiError, HUGE_PATIENCE),
    ({"fault": "disconnect"}, TransientApiError, HUGE_PATIENCE),
    ({"fault": "truncate"}, TransientApiError, HUGE_PATIENCE),
    ({"status": 200, "body": GARBLED}, UnreadableAnswerError, HUGE_PATIENCE),
    ({"status": 200, "body": HTML}, UnreadableAnswerError, HUGE_PATIENCE),
    ({"status": 200, "body": None}, UnreadableAnswerError, HUGE_PATIENCE),
    ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, UnreadableAnswerError, HUGE_PATIENCE),
    ({"status": 200, "body": {"contract": {}}}, UnreadableAnswerError, 1),
    ({"status": 400, "body": {"errors": "Parâmetro(s) inválido(s)"}}, BadRequestError, 1),
    ({"status": 401}, AuthenticationError, 1),
    ({"status": 403}, AuthenticationError, 2),  # of which the second asks for what any token may see
    ({"status": 404}, NotFoundError, 1),
    ({"status": 410}, NotFoundError, 1),
    ({"status": 405}, RejectedError, 1),
]

WRITES = [
    ({"status": 500}, OutcomeUnknownError, 1),
    ({"status": 502, "body": HTML}, OutcomeUnknownError, 1),
    ({"status": 503, "headers": {"Retry-After": "1"}}, OutcomeUnknownError, 1),
    ({"status": 504}, OutcomeUnknownError, 1),
    ({"status": 408}, OutcomeUnknownError, 1),
    ({"fault": "reset"}, OutcomeUnknownError, 1),
    ({"fault": "disconnect"}, OutcomeUnknownError, 1),
    ({"fault": "truncate"}, OutcomeUnknownError, 1),
    ({"status": 201, "body": GARBLED}, OutcomeUnknownError, 1),
    ({"status": 201, "body": HTML}, OutcomeUnknownError, 1),
    ({"status": 201, "body": None}, OutcomeUnknownError, 1),
    ({"status": 201, "body": {"contract": {}}}, OutcomeUnknownError, 1),
    ({"status": 201, "body": {"invoice": {"id": 7}}}, OutcomeUnknownError, 1),
    ({"status": 202, "body": {}}, OutcomeUnknownError, 1),
    ({"status": 303, "headers": {"Location": "/elsewhere"}}, OutcomeUnknownError, 1),
    ({"status": 429}, TransientApiError, HUGE_PATIENCE),
    ({"status": 400}, BadRequestError, 1),
    ({"status": 401}, AuthenticationError, 1),
    ({"status": 404}, NotFoundError, 1),
    ({"status": 413}, RejectedError, 1),
    ({"status": 422, "body": {"errors": {"description": "não pode ficar em branco"}}}, RejectedError, 1),
]


@pytest.mark.parametrize(("fault", "error", "requests"), READS)
def test_a_read_is_tried_again_while_that_may_help(server, client, act, fault, error, requests):
    server.play(act(**fault))
    with pytest.raises(error) as caught:
        client.invoice(6666, 7)
    assert type(caught.value) is error
    assert len(server.seen) == requests


@pytest.mark.parametrize(("fault", "error", "requests"), WRITES)
def test_a_write_is_never_sent_again_once_it_may_have_happened(server, client, act, fault, error, requests):
    server.play(act(**fault))
    with pytest.raises(error) as caught:
        client.create_invoice(6666, {"description": "x"})
    assert type(caught.value) is error
    assert len(server.seen) == requests


@pytest.mark.parametrize(
    "write",
    [
        lambda api: api.update_invoice(6666, 7, {"description": "x"}),
        lambda api: api.update_invoice_rule(6666, 7, {"description": "x"}),
        lambda api: api.create_invoice_rule(6666, {"invoice_template_id": 6}),
        lambda api: api.approve_invoice(6666, 7),
        lambda api: api.block_invoice(6666, 7),
        lambda api: api.delete_invoice(6666, 7),
        lambda api: api.delete_invoice_rule(6666, 7),
    ],
    ids=["PATCH invoice", "PUT rule", "POST rule", "approve", "block", "DELETE invoice", "DELETE rule"],
)
def test_every_kind_of_write_is_sent_once_when_the_answer_is_lost(server, client, act, write):
    server.play(act(fault="disconnect"))
    with pytest.raises(OutcomeUnknownError):
        write(client)
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_read_that_hangs_is_given_up_and_tried_again(server, connect, act, invoice, fault):
    client = connect(server, timeout=0.2)
    server.play(act(fault=fault), act(body={"invoice": invoice(7)}))
    assert client.invoice(6666, 7).id == 7
    assert len(server.seen) == 2


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_write_that_hangs_is_given_up_and_its_outcome_is_unknown(server, connect, act, fault):
    client = connect(server, timeout=0.2)
    server.play(act(fault=fault))
    with pytest.raises(
        OutcomeUnknownError, match=r"^contract 6666: no answer, it may have been carried out; ReadTimeout"
    ):
        client.create_invoice(6666, {"description": "x"})
    assert len(server.seen) == 1


def test_a_write_is_sent_again_after_a_refused_connection(stopped_server, connect, act, invoice, pauses):
    stopped_server.play(act(status=201, body={"invoice": invoice(7)}))

    def start_late(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            stopped_server.start()

    client = connect(stopped_server, retries=RetryRules(sleep=start_late, jitter=lambda: 1.0))
    assert client.create_invoice(6666, {"description": "x"}).id == 7
    assert len(stopped_server.seen) == 1
    assert pauses == [0.5, 1.0]


def test_a_connection_that_stays_refused_is_transient_for_reads_and_writes(stopped_server, connect, pauses):
    client = connect(stopped_server)
    with pytest.raises(TransientApiError):
        client.create_invoice(6666, {"description": "x"})
    with pytest.raises(TransientApiError):
        client.contracts()
    assert len(pauses) == 2 * (HUGE_PATIENCE - 1)


def test_a_pooled_connection_that_the_server_drops_on_a_post_leaves_the_outcome_unknown(server, client, act, invoice):
    server.play(act(body={"invoice": invoice(7)}), act(fault="disconnect"))
    client.invoice(6666, 7)
    with pytest.raises(OutcomeUnknownError):
        client.create_invoice(6666, {"description": "x"})
    assert [seen.method for seen in server.seen] == ["GET", "POST"]


def test_a_throttled_write_waits_as_long_as_the_server_asks(server, client, act, invoice, pauses):
    server.play(act(status=429, headers={"Retry-After": "7"}), act(status=201, body={"invoice": invoice(7)}))
    assert client.create_invoice(6666, {"description": "x"}).id == 7
    assert max(pauses) >= 7.0
    assert len(server.seen) == 2


def test_a_retry_after_beyond_patience_is_raised_with_its_seconds(server, client, act, pauses):
    server.play(act(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(TransientApiError) as caught:
        client.contracts()
    assert caught.value.retry_after == 3600.0
    assert pauses == []
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0", 0.0),
        ("Wed, 01 Jan 2025 12:00:30 GMT", 30.0),
        ("Wed, 01 Jan 2025 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Wed, 01 Jan 99999999999999999999 12:00:30 GMT", None),
        ("01 Jan 2025 12:00:30 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(server, connect, act, header, seconds):
    rules = RetryRules(attempts=1, now=lambda: datetime(2025, 1, 1, 12, tzinfo=UTC))
    client = connect(server, retries=rules)
    server.play(act(status=503, headers={"Retry-After": header}))
    with pytest.raises(TransientApiError) as caught:
        client.contracts()
    assert caught.value.retry_after == seconds


def test_pauses_double_and_are_bounded():
    rules = RetryRules(first_wait=0.5, longest_wait=3.0, jitter=lambda: 1.0)
    assert [rules.pause(attempt, None) for attempt in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_pauses_are_spread_by_jitter():
    rules = RetryRules(first_wait=8.0, jitter=lambda: 0.25)
    assert rules.pause(1, None) == 2.0


def test_the_longest_request_covers_waiting_for_a_connection_connecting_sending_and_reading(server, connect):
    client = connect(server, timeout=30.0)
    assert client.longest_request == 10.0 + 3 * 30.0
    assert client.longest_call > RetryRules().attempts * client.longest_request


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def timed(server, connect, time):
    rules = RetryRules(sleep=time.sleep, clock=lambda: time.now, jitter=lambda: 1.0)
    return connect(server, retries=rules, requests_per_second=1)


@pytest.mark.parametrize(
    "write",
    [
        lambda api: api.create_invoice(6666, {"a": 1}, within=5.0),
        lambda api: api.update_invoice(6666, 7, {"a": 1}, within=5.0),
        lambda api: api.create_invoice_rule(6666, {"a": 1}, within=5.0),
        lambda api: api.update_invoice_rule(6666, 7, {"a": 1}, within=5.0),
    ],
    ids=["POST invoice", "PATCH invoice", "POST rule", "PUT rule"],
)
def test_a_write_that_waited_past_its_time_is_not_sent(server, timed, act, write):
    server.play(act(status=429, headers={"Retry-After": "6"}), act(status=500))
    with pytest.raises(NotSentError, match=r"^contract 6666: not sent, its time was over \("):
        write(timed)
    assert len(server.seen) == 1


def test_a_write_that_waited_for_the_budget_past_its_time_is_not_sent(server, timed, act, invoice, time):
    server.play(act(status=201, body={"invoice": invoice(7)}))
    timed.create_invoice(6666, {"a": 1}, within=0.5)
    with pytest.raises(NotSentError):
        timed.create_invoice(6666, {"a": 1}, within=0.5)
    assert len(server.seen) == 1
    assert time.now == 1.0


def test_a_write_is_sent_again_while_its_time_lasts(server, timed, act, invoice):
    server.play(act(status=429, headers={"Retry-After": "2"}), act(status=201, body={"invoice": invoice(7)}))
    assert timed.create_invoice(6666, {"a": 1}, within=5.0).id == 7


def test_not_sent_is_transient_because_nothing_happened():
    assert issubclass(NotSentError, TransientApiError)
