"""The jobs' means: a sandbox over HTTP, a real client, a real ledger, a clock that moves when it is told to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.http.retries import RetryRules
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import Actor
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY

AT_ONCE = RetryRules(sleep=lambda _seconds: None)
"""As often as in earnest, without the pauses."""


@pytest.fixture
def sandbox() -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Start a sandbox with a state; it ends with the test."""
    with ExitStack() as stack:
        yield lambda state: stack.enter_context(running_sandbox(state, today=TODAY))


@pytest.fixture
def client() -> Iterator[Callable[..., BillimaticClient]]:
    """Make a client of a sandbox: no budget, no pauses, a time-out that a loaded machine does not reach."""
    with ExitStack() as stack:

        def connect(sandbox: Any, **given: Any) -> BillimaticClient:
            options = {"timeout": 5.0, "requests_per_second": None, "retries": AT_ONCE} | given
            token = options.pop("token", sandbox.token)
            return stack.enter_context(
                BillimaticClient(base_url=sandbox.url, token=token, organization_id=ORGANIZATION, **options)
            )

        yield connect


@pytest.fixture
def job(client, session, clock) -> Callable[..., JobContext]:
    """Make a job's context on a sandbox and this test's ledger (SQLite and PostgreSQL in turn)."""
    return lambda sandbox, **given: _context(client(sandbox, **given), session, clock)


@pytest.fixture
def lite_job(client, sqlite_session, clock) -> Callable[..., JobContext]:
    """Make a job's context on a sandbox and a SQLite ledger: for what does not depend on the database."""
    return lambda sandbox, **given: _context(client(sandbox, **given), sqlite_session, clock)


def _context(api: BillimaticClient, session: Session, clock: Callable[[], Any]) -> JobContext:
    return JobContext(api, session, Actor(dag_id="bill_range", run_id="test", task_id="job"), clock)
