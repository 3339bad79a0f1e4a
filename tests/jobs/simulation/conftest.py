"""Ledgers for the simulation: emptied before each of its histories."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from ciclo.ledger.database import open_engine


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    yield engine
    engine.dispose()
