"""Where the domain's tests find the figures gathered beside the repository, and how hypothesis runs."""

from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).resolve().parents[3] / "shared"

settings.register_profile("domain", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("domain")


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the gathered figures are not there: {SHARED}")
    return SHARED
