"""The central bank's API and its ways: HTML with 200, 404 with JSON, no order, further keys, throttling."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.domain.price_index import PriceIndex
from ciclo.http.errors import UnreadableAnswerError
from ciclo.http.retries import RetryRules
from ciclo.sgs.client import IndexUnavailableError, SgsClient

HTML = b"<!DOCTYPE html><html><body>Requisicao invalida</body></html>"
JANUARY, MARCH = date(2025, 1, 1), date(2025, 3, 1)


@pytest.fixture
def sgs(server, pauses):
    rules = RetryRules(attempts=3, sleep=pauses.append, jitter=lambda: 1.0)
    with SgsClient(base_url=server.url, retries=rules) as client:
        yield client


def test_values_come_in_order_whatever_the_bank_does(server, sgs, act):
    server.play(
        act(
            body=[
                {"data": "01/03/2025", "dataFim": "31/03/2025", "valor": "-0.34"},
                {"data": "01/01/2025", "dataFim": "31/01/2025", "valor": "0.27"},
                {"data": "01/12/2024", "valor": "0.94"},
                {"data": "01/02/2025", "valor": "1.06"},
                {"data": "01/02/2025", "valor": "1.06"},
            ]
        )
    )
    assert sgs.values(PriceIndex.IGPM, date(2025, 1, 15), date(2025, 3, 31)) == [
        (date(2025, 1, 1), Decimal("0.27")),
        (date(2025, 2, 1), Decimal("1.06")),
        (date(2025, 3, 1), Decimal("-0.34")),
    ]


@pytest.mark.parametrize(
    ("index", "code"),
    [(PriceIndex.IGPM, 189), (PriceIndex.IGPDI, 190), (PriceIndex.IPCA, 433), (PriceIndex.INPC, 188), (193, 193)],
)
def test_the_bank_is_asked_for_the_series_and_its_range(server, sgs, act, index, code):
    server.play(act(body=[]))
    sgs.values(index, date(2025, 1, 15), date(2025, 3, 31))
    seen = server.seen[0]
    assert seen.path == f"/dados/serie/bcdata.sgs.{code}/dados"
    assert seen.query == {"formato": ["json"], "dataInicial": ["01/01/2025"], "dataFinal": ["01/03/2025"]}
    assert seen.headers["User-Agent"].startswith("ciclo")


def test_a_range_without_values_is_an_empty_list(server, sgs, act):
    server.play(act(status=404, body={"error": "Value(s) not found"}))
    assert sgs.values(PriceIndex.IGPM, JANUARY, MARCH) == []
    assert len(server.seen) == 1


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_month_without_a_value_is_left_out(server, sgs, act, nothing):
    server.play(act(body=[{"data": "01/01/2025", "valor": "0.27"}, {"data": "01/02/2025", "valor": nothing}]))
    assert [found.month for found in sgs.values(PriceIndex.IGPM, JANUARY, MARCH)] == [JANUARY]


@pytest.mark.parametrize(
    "fault",
    [
        {"body": HTML},
        {"body": {"error": "?"}},
        {"body": None},
        {"status": 404, "body": HTML},
        {"status": 429, "headers": {"Retry-After": "2"}},
        {"status": 500},
        {"status": 302, "headers": {"Location": "/"}},
        {"fault": "disconnect"},
        {"fault": "reset"},
    ],
)
def test_an_index_that_cannot_be_had_is_named_with_its_months(server, sgs, act, fault):
    server.play(act(**fault))
    with pytest.raises(IndexUnavailableError, match=r"^price index ipcfipe, 2025-01 to 2025-03: "):
        sgs.values(PriceIndex.IPCFIPE, JANUARY, MARCH)
    assert len(server.seen) == 3


def test_a_bank_that_was_only_throttling_is_asked_again(server, sgs, act, pauses):
    server.play(act(body=HTML), act(body=[{"data": "01/01/2025", "valor": "0.27"}]))
    assert sgs.values(PriceIndex.IGPM, JANUARY, MARCH) == [(JANUARY, Decimal("0.27"))]
    assert len(pauses) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"data": "2025-01-01", "valor": "0.27"},
        {"data": "01/01/2025", "valor": "0,27"},
        {"data": "01/01/2025", "valor": "NaN"},
        {"data": "01/01/2025", "valor": {"a": 1}},
        {"data": None, "valor": "0.27"},
        {"valor": "0.27"},
        "0.27",
        None,
    ],
)
def test_an_entry_that_cannot_be_read_is_an_error_and_no_value_is_invented(server, sgs, act, entry):
    server.play(act(body=[entry]))
    with pytest.raises(UnreadableAnswerError, match=r"^price index igpm, 2025-01 to 2025-03: "):
        sgs.values(PriceIndex.IGPM, JANUARY, MARCH)


def test_two_values_for_one_month_are_an_error(server, sgs, act):
    server.play(act(body=[{"data": "01/01/2025", "valor": "0.27"}, {"data": "01/01/2025", "valor": "0.28"}]))
    with pytest.raises(UnreadableAnswerError, match="2025-01 has two values"):
        sgs.values(PriceIndex.IGPM, JANUARY, MARCH)


def test_a_value_sent_as_a_number_is_exact(server, sgs, act):
    server.play(act(body=b'[{"data": "01/01/2025", "valor": 0.1}]'))
    assert sgs.values(PriceIndex.IGPM, JANUARY, MARCH) == [(JANUARY, Decimal("0.1"))]


def test_the_bank_is_not_asked_more_than_15_times_a_minute(server, act, pauses):
    server.play(act(body=[]))
    rules = RetryRules(sleep=pauses.append, clock=lambda: 0.0)
    with SgsClient(base_url=server.url, retries=rules) as sgs:
        for _ in range(16):
            sgs.values(PriceIndex.IGPM, JANUARY, MARCH)
    assert pauses == [60.0]
