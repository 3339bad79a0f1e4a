"""Templates: every filter exists (Jinja finds a wrong one only when its branch is shown); rare branches are shown."""

from datetime import date

import pytest
from fastapi.testclient import TestClient
from jinja2 import nodes
from sqlalchemy.orm import Session

from ciclo.console.pages import environment
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import MonthProgress
from console.conftest import console
from console.factories import NOW, ORGANIZATION

ENVIRONMENT = environment()


@pytest.mark.parametrize("name", ENVIRONMENT.list_templates())
def test_every_filter_of_a_template_exists(name):
    source, _, _ = ENVIRONMENT.loader.get_source(ENVIRONMENT, name)
    used = {node.name for node in ENVIRONMENT.parse(source).find_all(nodes.Filter)}
    assert used <= ENVIRONMENT.filters.keys()


def test_the_running_month_says_until_when_it_is_complete_or_what_is_missing(own_year):
    engine = open_engine(own_year)
    report = {"verdict": "not complete", "lines": ["missing: contract 10, rule 1, period 2025-11-20"]}
    month = {"organization_id": ORGANIZATION, "billing_month": NOW.date().replace(day=1), "proved_at": NOW}
    with Session(engine) as session:
        session.add(MonthProgress(**month, complete_until=date(2025, 11, 19), report=report))
        session.commit()
        with TestClient(console(own_year), headers={"x-user": "operator"}) as client:
            complete = client.get("/?month=2025-11").text
            session.get(MonthProgress, (ORGANIZATION, month["billing_month"])).complete_until = None
            session.commit()
            from_the_first_day = client.get("/?month=2025-11").text
    engine.dispose()

    assert "Complete until 19/11/2025" in complete
    assert "missing: contract 10, rule 1, period 2025-11-20" in complete
    assert "Not complete from its first day on" in from_the_first_day
