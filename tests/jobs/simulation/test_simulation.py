"""Whatever is interrupted, lost or repeated: each period is billed once, each price raised once, everything ends."""

import pytest

from simulated_machine import FULL, under_fire

pytestmark = pytest.mark.timeout(3600 if FULL else 300)


def test_whatever_happens_each_period_is_billed_once_on_sqlite(sqlite_engine):
    under_fire(sqlite_engine)


def test_whatever_happens_each_period_is_billed_once_on_postgresql(postgres_engine):
    under_fire(postgres_engine, examples=300 if FULL else 8)
