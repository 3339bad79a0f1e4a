"""`ciclo rehearse --account`: what comes of an account, held against what billing it then comes to.

A month of a dozen contracts of the demo's company; with `CICLO_CHAOS=full` (`make chaos`) the whole company's year.
"""

import json
import os
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy.orm import Session

from ciclo.domain.calendar import add_months, month_end
from ciclo.domain.price_index import PriceIndex, available_from
from ciclo.jobs.rehearsal.export import anonymized
from ciclo.jobs.rehearsal.forecast import Assumptions, forecast_account
from ciclo.jobs.rehearsal.outcome import outcome_of
from ciclo.jobs.rehearsal.play import rehearsing
from ciclo.jobs.rehearsal.scenario import ONE_AT_A_TIME, Scenario
from ciclo.jobs.settings import BillingSettings
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories.plans import ForecastRepository
from ciclo.sgs.series import shipped_series
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, contract, rule
from demo.company import company

FULL = os.environ.get("CICLO_CHAOS") == "full"
FIRST, MONTHS = (date(2025, 1, 1), 11) if FULL else (date(2025, 5, 1), 0)
LAST = month_end(add_months(FIRST, MONTHS))
pytestmark = pytest.mark.timeout(3600 if FULL else 300)
SETTINGS = BillingSettings(**ONE_AT_A_TIME)


@pytest.fixture(scope="module")
def demo_s_company():
    """A dozen contracts of the demo's company: readjusted, weekly, quarterly, by parcels, ending."""
    state = company(date(2025, 12, 31))
    state["behaviour"]["readjust"] = False  # as in what is exported: Ciclo makes the readjustments
    if FULL:
        return state
    wanted = [each["contract_id"] for each in state["invoice_rules"] if each["scheduled_updates"]][:6]
    weekly = [each["contract_id"] for each in state["invoice_rules"]
              if each["additional_information"]["period_unit"] == "weekly"][:1]  # fmt: skip
    others = [each["id"] for each in state["contracts"] if each["id"] not in wanted and each["state"] == "active"][:5]
    ids = {*wanted, *weekly, *others}
    state["contracts"] = [each for each in state["contracts"] if each["id"] in ids]
    state["invoice_rules"] = [each for each in state["invoice_rules"] if each["contract_id"] in ids]
    state["invoices"] = [each for each in state["invoices"] if each["contract_id"] in ids]
    return state


@pytest.fixture(scope="module")
def forecast(demo_s_company):
    assumed = Assumptions(FIRST, MONTHS, {}, {}, SETTINGS)
    return forecast_account(demo_s_company, assumed, tell=lambda _progress: None)


def test_what_is_rehearsed_of_the_demo_s_company_is_what_billing_it_then_comes_to(demo_s_company, forecast):
    """Rehearsed it is billed day by day; here all of it is billed in one run on the last day, as the demo does."""
    scenario = Scenario(
        state=demo_s_company,
        today=FIRST,
        until=LAST,
        settings=SETTINGS,
        down=[(FIRST, LAST - timedelta(days=1))],
        events=[{"on": LAST, "run": {"dag_id": "bill_range", "approve": True,
                                     "params": {"from_date": str(FIRST), "to_date": str(LAST)}}}],
    )  # fmt: skip
    with rehearsing(scenario) as billing:
        billing.play()
        invoices = outcome_of(billing)["invoices"]
    billed = Counter()
    for each in invoices:
        if each["state"] != "cancelled" and str(FIRST) <= each["planned_date"] <= str(LAST):
            billed[each["planned_date"][:7], each["contract_id"]] += Decimal(each["gross_value"])
    assert len(billed) > 6
    assert {
        (f"{each.month:%Y-%m}", each.contract_id): each.billed for each in forecast.revenue if each.billed
    } == billed
    assert any(each["state"] == "applied" and each["prices"] for each in forecast.readjustments)


def test_an_anonymized_account_is_rehearsed_to_the_same_dates_and_amounts(demo_s_company, forecast):
    assumed = Assumptions(FIRST, MONTHS, {}, {}, SETTINGS)
    other = forecast_account(anonymized(demo_s_company), assumed, tell=lambda _progress: None)
    assert [each._replace(contract="") for each in other.revenue] == [
        each._replace(contract="") for each in forecast.revenue
    ]
    assert other.readjustments == forecast.readjustments
    assert [(each["shown_on"], each["kind"], each["rule_id"]) for each in other.stops] == [
        (each["shown_on"], each["kind"], each["rule_id"]) for each in forecast.stops
    ]
    assert {each.contract for each in other.revenue}.isdisjoint({each.contract for each in forecast.revenue})


READJUSTED = {"id": 1, "price_index": "igpm", "init_date": "2026-12-05", "execution_date": "2026-12-05",
              "month_quantity": 12, "days_until_update": 0}  # fmt: skip


@pytest.fixture
def account():
    """An account on 2026-11-28: a price to be readjusted, a rule that ends, two alike, one that is refused."""
    state = {
        "organizations": [{"id": ORGANIZATION, "name": "Luz do Sul"}],
        "contracts": [contract(number) for number in (10, 11, 12, 13)],
        "invoice_rules": [
            rule(1, 10, init_date="2025-12-10", scheduled_updates=[READJUSTED]),
            rule(2, 11, init_date="2026-01-05", timing={"end_date": "2026-12-06"}),
            rule(3, 12, init_date="2026-01-11", description="Suporte"),
            rule(4, 12, init_date="2026-01-20", description="Licença"),
            rule(5, 13, init_date="2026-12-15", description=""),
        ],
        "behaviour": {"generate_invoices": False},
    }
    with running_sandbox(state, today=date(2026, 11, 28)) as box:
        yield box


@pytest.fixture
def rehearse(account, ciclo, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", account.token)

    def run(*options):
        whom = ("--url", account.url, "--organization", ORGANIZATION, "--today", "2026-11-28")
        return ciclo("rehearse", "--account", "--months", 1, *whom, *options)

    return run


def test_the_coming_months_of_an_account_are_told_without_a_write(account, rehearse, tmp_path):
    code, out, err = rehearse("--json", "--index", "igpm=1.0/month", "--report", tmp_path)
    assert (code, err) == (0, "")
    assert {each["method"] for each in account.requests()} == {"GET"}
    found = json.loads(out)

    (readjusted,) = found["readjustments"]
    assert (readjusted["state"], readjusted["contract_id"]) == ("applied", 10)
    expected, what_if = (Decimal(readjusted[name][0]["new"]) for name in ("prices", "what_if_prices"))
    assert expected == readjusted_price(lambda series, month: series[add_months(month, -12)])
    assert what_if == readjusted_price(lambda _series, _month: Decimal("1.0"))

    december = {each["contract_id"]: each for each in found["revenue"] if each["month"] == "2026-12"}
    assert {number: (each["billed"], each["what_if"]) for number, each in december.items()} == {
        10: (f"{expected:.2f}", f"{what_if:.2f}"),
        11: ("150.00", "150.00"),
        12: ("300.00", "300.00"),
        13: ("0.00", "0.00"),
    }
    assert december[13]["stopped"] == "150.00"
    assert [(each["kind"], each["rule_id"], each["shown_on"]) for each in found["stops"] if each["rule_id"] == 5] == [
        ("parked", 5, "2026-12-15")
    ]
    (alike,) = found["confusable"]
    assert (alike["contract_id"], alike["rule_ids"], alike["alike"]) == (12, [3, 4], "value")
    assert [(each["rule_id"], each["last_planned_date"], each["per_month"]) for each in found["ending"]] == [
        (2, "2026-12-05", "150.00")
    ]
    names = sorted(path.suffix for path in tmp_path.iterdir())
    assert names == [".csv", ".html", ".json"]
    page = (tmp_path / "ciclo-forecast-7-2026-11.html").read_text(encoding="utf-8")
    assert "Contrato 12" in page
    assert "http" not in page


def test_a_forecast_is_told_in_portuguese(rehearse):
    code, out, err = rehearse("--months", 0, "--lang", "pt_BR")
    assert (code, err) == (0, "")
    assert "faturado" in out.splitlines()[0]
    assert "11/2026" in out


@pytest.mark.parametrize("written", ["igpm", "igpm=a/month", "selic=0.4/month", "igpm=0.4/year"])
def test_a_what_if_that_cannot_be_read_is_refused(rehearse, written):
    code, _, err = rehearse("--index", written)
    assert code == 2
    assert "igpm=0.4/month" in err


def test_a_scenario_or_an_account_is_needed(ciclo):
    assert ciclo("rehearse")[0] == 2


@pytest.mark.parametrize("written", ["lead=3", "lead_days:3"])
def test_a_setting_that_is_unknown_or_cannot_be_read_is_refused(rehearse, written):
    code, _, err = rehearse("--setting", written)
    assert (code, "lead" in err) == (2, True)


def readjusted_price(later):
    """R$ 150,00 times the twelve months of IGP-M that are out on 2026-12-05; what does not ship is given by a rule."""
    series, index = dict(shipped_series()["igpm"]), PriceIndex.IGPM
    month = date(2026, 12, 1)
    while available_from(index, month) > date(2026, 12, 5):
        month = add_months(month, -1)
    while max(series) < month:
        newest = add_months(max(series), 1)
        series[newest] = later(series, newest)
    factor = Decimal(1)
    for one, _ in pairwise(add_months(month, -back) for back in range(13)):
        factor *= 1 + series[one] / 100
    return (Decimal("150.0") * factor).quantize(Decimal("0.01"), "ROUND_HALF_UP")


def test_a_forecast_is_kept_for_the_console(rehearse, sqlite_url, monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL", sqlite_url)
    code, out, err = rehearse("--months", 0, "--json", "--keep")
    assert (code, err) == (0, "")
    engine = open_engine(sqlite_url)
    with Session(engine) as session:
        assert ForecastRepository(session, ORGANIZATION).newest().document == json.loads(out)
    engine.dispose()
