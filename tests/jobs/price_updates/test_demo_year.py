"""Every readjustment of the demonstration's year has a passport that verifies offline."""

import json
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.passport import check
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import IN_PRICES
from ciclo.jobs.context import JobContext
from ciclo.jobs.indices import load_shipped
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.price_updates import UpdateOptions, apply_price_updates
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.price_updates import passport
from ciclo.ledger.repositories import Actor, Scope
from ciclo.sgs.series import shipped_series
from demo.company import company

pytestmark = pytest.mark.timeout(300)  # every readjustment of a year, on a machine that does other things
YEAR_END = date(2025, 12, 31)
TODAY = date(2026, 1, 2)


@pytest.fixture
def readjusted_year(sandbox, sqlite_url):
    """The company's year with its readjustments applied by Ciclo, and the job that did it."""
    state = company(YEAR_END)
    state["behaviour"]["readjust"] = False
    control = sandbox(state)
    engine = open_engine(sqlite_url)
    [organization] = {each["supplier_id"] for each in state["contracts"]}
    api = BillimaticClient(
        base_url=control.url, token=state["token"], organization_id=organization, requests_per_second=None
    )
    with api, Session(engine, expire_on_commit=False) as session:
        noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
        job = JobContext(api, session, Actor(dag_id="test"), lambda: noon)
        load_shipped(session, at=noon)
        read_contract_list(job)
        year = Scope(DateRange.days(date(2025, 1, 1), YEAR_END))
        expand_rules(job, year, seen_on=TODAY)
        apply_price_updates(job, year, UpdateOptions(), today=TODAY, owner="test")
        yield job
    engine.dispose()


def test_the_passports_of_the_demonstrations_year_verify(readjusted_year):
    job = readjusted_year
    applied = job.executions.in_state(*IN_PRICES)
    assert len(applied) > 30
    for execution in applied:
        document = json.loads(json.dumps(passport(job.session, job.organization_id, execution.id)))
        verdict = check(document, shipped_series())
        assert (verdict.problems, verdict.unknown) == ((), ()), execution.execution_date
