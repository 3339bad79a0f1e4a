"""The disk is full at once, not by chance: the run fails as one that is to be tried again, and nothing is billed twice.

A process that may let no file grow is what a full disk is to SQLite. (For PostgreSQL, a server that is killed in the
middle stands for it in the campaign: both roll the transaction back.)
"""

import re
import time
from collections import Counter

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from chaos_campaign import Vendor
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Period
from company import ORGANIZATION, TODAY, TOKEN, company, rule

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

SIZE = 60
REFERENCE = re.compile(r"ciclo:7:\d+:[\d-]+")


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    running = Vendor(tmp_path_factory.mktemp("vendor"), company(), today=TODAY)
    yield running.control
    running.stop()


@pytest.fixture
def bill(tmp_path, sqlite_url, vendor, worker):
    """Run a job in a process whose files may grow to `largest` bytes; return its exit code and what is billed then."""
    vendor.put_state(company(*[rule(number, 10 + number % 20) for number in range(1, SIZE + 1)]))
    command = {
        "ledger": sqlite_url, "vendor": vendor.url, "token": TOKEN, "organization": ORGANIZATION,
        "window": ["2025-01-01", "2025-01-31"], "log": str(tmp_path / "log"),
    }  # fmt: skip

    def run(job, *, largest=None):
        room = largest and largest - max(path.stat().st_size for path in tmp_path.glob("ledger.db*"))
        worker.begin(command | {"job": job, "owner": f"{job} {largest}", "room": room})
        code = worker.outcome()["code"]
        return code, Counter(REFERENCE.findall(str(vendor.state()["invoices"])))

    return run


def states(url):
    engine = open_engine(url, read_only=True)
    with Session(engine) as session:
        found = Counter(session.scalars(select(Period.state)))
    engine.dispose()
    return found


@pytest.mark.parametrize("largest", [1, 20_000, 60_000, 100_000, 140_000])
def test_a_full_disk_ends_a_run_and_the_next_one_bills_what_is_left_once(bill, sqlite_url, largest):
    assert bill("expand")[0] == 0
    code, billed = bill("issue", largest=largest)
    assert code == 1, "to be tried again"
    assert set(billed.values()) <= {1}

    deadline = time.monotonic() + 300
    while states(sqlite_url) != {"issued": SIZE}:
        assert time.monotonic() < deadline, states(sqlite_url)
        time.sleep(0.2)
        _, billed = bill("issue")
    assert len(billed) == SIZE
    assert set(billed.values()) == {1}
