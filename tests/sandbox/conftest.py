from collections.abc import Iterator
from datetime import date

import pytest

from ciclo_sandbox.testing import SandboxControl, running_sandbox

TODAY = date(2018, 12, 10)


@pytest.fixture(scope="session")
def _one_sandbox() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def sandbox(_one_sandbox: SandboxControl) -> SandboxControl:
    """An empty sandbox on 10 December 2018, shared by the session and emptied for each test."""
    _one_sandbox.put_state({"token": "test-token"})
    _one_sandbox.set_clock(TODAY)
    _one_sandbox.clear_faults()
    _one_sandbox.clear_requests()
    return _one_sandbox
