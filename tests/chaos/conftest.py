"""The workers of all of this folder's tests: each imports for more than a second before it forks its first run."""

from collections.abc import Iterator

import pytest

from chaos_campaign import WORKERS, Worker


@pytest.fixture(scope="session")
def workers() -> Iterator[list[Worker]]:
    running = [Worker() for _ in range(WORKERS)]
    yield running
    for worker in running:
        worker.end()


@pytest.fixture
def worker(workers: list[Worker]) -> Worker:
    """One of them."""
    return workers[0]
