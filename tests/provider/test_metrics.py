"""Requests, and how a window stands, as Airflow metrics."""

import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ciclo.domain.states import PeriodState
from ciclo.jobs.issuing.settle import WindowSummary
from ciclo.ledger.repositories import StateCount
from ciclo.provider.hook import BillimaticHook
from ciclo.tasks.notify import report_window

TOKEN = "canary-8c02b7"


class RecordingLogger:
    """As much of Airflow's `StatsLogger` as it takes to see what is sent."""

    def __init__(self):
        self.sent = []

    def incr(self, stat, *, tags=None, **_):
        self.sent.append((stat, tags))

    def timing(self, stat, dt, *, tags=None, **_):
        assert dt > timedelta(0)
        self.sent.append((stat, tags))

    def gauge(self, stat, value, *, tags=None, **_):
        self.sent.append((stat, tags, value))


@pytest.fixture
def sent():
    """What arrives at the installation's metrics."""
    from airflow.sdk.observability import stats

    logger = RecordingLogger()
    stats.initialize(factory=lambda: logger, export_legacy_names=False)
    yield logger.sent
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger

    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def test_every_request_is_timed_and_failures_are_counted(connection, api_port, sent):
    connection(host=f"http://127.0.0.1:{api_port}", password=TOKEN, extra={"organization_id": 564})
    with BillimaticHook().get_conn() as api:
        api.contracts()
        api.authenticated()
    connection(host=f"http://127.0.0.1:{api_port}", password="wrong", extra={"organization_id": 564})
    with BillimaticHook().get_conn() as api:
        api.authenticated()
    answered, refused = {"method": "GET", "status": "200"}, {"method": "GET", "status": "401"}
    assert sent == [
        ("ciclo.api.request", answered),
        ("ciclo.api.request", answered),
        ("ciclo.api.request", refused),
        ("ciclo.api.error", refused),
    ]


def test_a_request_without_an_answer_is_counted(connection, sent):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    connection(host=f"http://127.0.0.1:{port}", password=TOKEN, extra={"organization_id": 564, "timeout": 1})
    with BillimaticHook().get_conn() as api, pytest.raises(Exception, match="Connect"):
        api.delete_invoice(1, 2)
    assert ("ciclo.api.error", {"method": "DELETE", "status": "none"}) in sent


def test_the_standing_of_a_window_is_told_as_gauges(sent):
    totals = {state: StateCount() for state in PeriodState}
    totals[PeriodState.ISSUED] = StateCount(3, Decimal("450.10"))
    now = datetime(2026, 1, 10, 12, tzinfo=UTC)
    report_window(WindowSummary(totals, [], now - timedelta(minutes=2)), now)
    assert ("ciclo.periods", {"state": "issued"}, 3) in sent
    assert ("ciclo.billed_brl", None, 450.1) in sent
    assert ("ciclo.oldest_doubt_seconds", None, 120.0) in sent
