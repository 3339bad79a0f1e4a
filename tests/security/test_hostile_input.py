"""Names and texts that would like to be SQL, HTML or a reference of ours, through the whole run of billing."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.issuing.settle import settle, summarize_window
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import Base, Contract, Period
from company import ORGANIZATION, TODAY, company, contract, rule
from simulated_vendor import SimulatedClock, SimulatedVendor

MARCH = Scope(DateRange.month_of(date(2025, 3, 1)))
OPTIONS = IssueOptions(concurrency=1, batch=10, lease=timedelta(minutes=10), grace=timedelta(minutes=5))

HOSTILE = [
    "Robert'); DROP TABLE periods;--",
    "' OR '1'='1",
    '"; UPDATE periods SET state = \'issued\'; --',
    "<script>alert(document.cookie)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ conn.billimatic_default.password }}",
    "%s %(x)s {} {0.__class__} :name $1",
    "../../etc/passwd",
    "=HYPERLINK(\"http://evil\")",
    "linha 1\r\nSet-Cookie: a=b",
    "ciclo:7:999:2025-03-10",
    "\u202egnp.exe \u0000 \ufeff 🧾 Ação São João ﷽",
    "\u0000",
    "a" * 10_240,
]  # fmt: skip


@pytest.fixture
def bill(ledger_url):
    """Bill March for a state at a simulated vendor; return its invoices and the ledger's session."""
    engine = open_engine(ledger_url)
    vendors = []

    def run(state):
        with engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
        clock = SimulatedClock()
        vendor = SimulatedVendor(clock, state)
        vendors.append(vendor)
        with vendor.client() as api, Session(engine, expire_on_commit=False) as session:
            ctx = JobContext(api, session, Actor(run_id="tests"), clock)
            read_contract_list(ctx)
            expand_rules(ctx, MARCH, seen_on=TODAY)
            issue_due_periods(ctx, MARCH, OPTIONS, owner="run 1")
            settle(ctx, MARCH, OPTIONS)
            reasons = summarize_window(ctx, MARCH).parked
            states = session.scalars(select(Period.state)).all()
            names = session.scalars(select(Contract.name)).all()
        return vendor.resources("invoices"), states, names, reasons

    yield run
    for vendor in vendors:
        vendor.shut_down()
    engine.dispose()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_or_description_is_a_text_like_any_other(bill, text):
    state = company(
        rule(1, 10, description=text, comments=text), rule(2, 11), contracts=[contract(10, name=text), contract(11)]
    )
    invoices, states, names, _ = bill(state)
    kept = text.replace("\0", "\ufffd")
    assert states == ["issued", "issued"]
    assert sorted(invoice["description"] for invoice in invoices) == sorted([kept, "Mensalidade 2"])
    assert sorted(names) == sorted([kept, "Contrato 11"])
    assert all(invoice["comments"].startswith(f"ciclo:{ORGANIZATION}:") for invoice in invoices)


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_any_unicode_is_billed_once_and_found_again(bill, text):
    invoices, states, _, reasons = bill(company(rule(1, 10, description=text)))
    assert len(invoices) == states.count("issued")
    assert states == ["issued"] or reasons, "a description of blanks alone is refused by the vendor, and said"
