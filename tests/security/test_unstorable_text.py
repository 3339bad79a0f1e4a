"""NUL and half a surrogate pair: JSON can say them, PostgreSQL cannot hold them. They stop nothing, anywhere."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.console import User, create_app
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import Contract, Period, RuleVersion, WebhookEvent
from ciclo.webhooks import WebhookSettings, create_webhook_app
from ciclo.webhooks.app import signature
from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY, TOKEN, company, contract, rule
from simulated_vendor import SimulatedClock, SimulatedVendor

MARCH = Scope(DateRange.month_of(date(2025, 3, 1)))
LEASE = timedelta(minutes=10)
OPTIONS = IssueOptions(concurrency=1, batch=10, lease=LEASE, grace=timedelta(minutes=5))
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def bill_march(api, session, clock):
    """Synchronise, expand, adopt and issue; return the periods' states and invoices, and the contract's name."""
    ctx = JobContext(api, session, Actor(run_id="tests"), clock)
    read_contract_list(ctx)
    expand_rules(ctx, MARCH, seen_on=TODAY)
    adopt_existing(ctx, MARCH, OPTIONS, owner="run 1")
    issue_due_periods(ctx, MARCH, OPTIONS, owner="run 1")
    periods = session.execute(select(Period.state, Period.invoice_id)).all()
    return [tuple(period) for period in periods], session.scalars(select(Contract.name)).one()


def invoice(number, description, **given):
    return {
        "id": number, "contract_id": 10, "issue_date": "10/03/2025", "gross_value": "150.0", "state": "to_emit",
        "description": description, "nfe_body": "x", "receivables": [{"due_date": "01/04/2025", "value": "100.0"}],
        **given,
    }  # fmt: skip


def test_a_nul_in_names_and_descriptions_is_billed_as_the_replacement_character(session, clock):
    state = company(rule(1, description="Mensal\0idade", comments="\0"), contracts=[contract(10, name="Con\0trato")])
    with running_sandbox(state, today=TODAY) as vendor:
        with BillimaticClient(base_url=vendor.url, token=TOKEN, organization_id=ORGANIZATION) as api:
            periods, name = bill_march(api, session, clock)
        [sent] = vendor.state()["invoices"]
    assert periods == [("issued", sent["id"])]
    assert (name, sent["description"]) == ("Con\ufffdtrato", "Mensal\ufffdidade")
    assert sent["comments"].startswith(f"ciclo:{ORGANIZATION}:1:2025-03-10")


@pytest.mark.parametrize(
    "description", ["Mensal\0idade", "Mensal\ufffdidade"], ids=["as the rule has it", "as we read it"]
)
def test_an_invoice_without_a_reference_is_known_by_its_description_all_the_same(session, clock, description):
    state = company(rule(1, description="Mensal\0idade"), invoices=[invoice(900, description)])
    with running_sandbox(state, today=TODAY) as vendor:
        with BillimaticClient(base_url=vendor.url, token=TOKEN, organization_id=ORGANIZATION) as api:
            periods, _ = bill_march(api, session, clock)
        assert [each["id"] for each in vendor.state()["invoices"]] == [900]
    assert periods == [("issued", 900)]


@dataclass
class CarelessVendor(SimulatedVendor):
    """Cuts a text in the middle of a character: answers half a surrogate pair where the state says MARK."""

    MARK = "§"

    def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = super()._answer(request)
        return httpx.Response(answer.status_code, content=answer.content.replace(self.MARK.encode(), rb"\ud83d"))


def test_half_a_surrogate_pair_is_billed_as_the_replacement_character(session):
    clock = SimulatedClock()
    state = company(rule(1, description="Recibo §", comments="§"), contracts=[contract(10, name="Padaria §")])
    vendor = CarelessVendor(clock, state)
    with vendor.client() as api:
        periods, name = bill_march(api, session, clock)
    [sent] = vendor.resources("invoices")
    vendor.shut_down()
    assert periods == [("issued", sent["id"])]
    assert (name, sent["description"]) == ("Padaria \ufffd", "Recibo \ufffd")
    assert session.scalars(select(RuleVersion)).one()


def test_the_vendors_words_on_a_refusal_may_hold_anything(session):
    clock = SimulatedClock()

    class Refusing(CarelessVendor):
        def _answer(self, request: httpx.Request) -> httpx.Response:
            refusal = {"errors": {"description": "não \0 pode §"}}
            body = json.dumps(refusal, ensure_ascii=False).replace("§", r"\udc00").encode()
            return httpx.Response(422, content=body) if request.method == "POST" else super()._answer(request)

    vendor = Refusing(clock, company(rule(1)))
    with vendor.client() as api:
        periods, _ = bill_march(api, session, clock)
    vendor.shut_down()
    assert periods == [("parked", None)]
    assert "não \ufffd pode \ufffd" in said(session.scalars(select(Period.reason)).one())


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"], ids=["NUL", "NUL in a word", "half a pair"])
@pytest.mark.parametrize("field", ["event", "object_type"])
def test_a_webhook_that_cannot_be_recorded_is_no_event_rather_than_asked_for_again(ledger_engine, field, text):
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret=SecretStr("key")),
        open_session=lambda: Session(ledger_engine),
        clock=lambda: NOW,
    )
    body = json.dumps({"event": "emit", "object_type": "Invoice", "object_id": 1} | {field: text}).encode()
    headers = {"X-Billimatic-RequestId": "r1", "X-Billimatic-Signature": signature(b"key", "r1", body)}
    with TestClient(app) as client:
        assert client.post("/billimatic", content=body, headers=headers).status_code == 400
    with Session(ledger_engine) as session:
        assert session.scalars(select(WebhookEvent)).all() == []


def ana(request: Request) -> User:
    return User("ana", "ana")


def may_act(request: Request) -> bool:
    return True


@pytest.fixture
def console(ledger_url, ledger_engine):
    """The console over a ledger with one contract, whose name held a NUL at the vendor."""
    with (
        Session(ledger_engine, expire_on_commit=False) as session,
        running_sandbox(company(rule(1), contracts=[contract(10, name="Con\0trato")]), today=TODAY) as vendor,
        BillimaticClient(base_url=vendor.url, token=TOKEN, organization_id=ORGANIZATION) as api,
    ):
        bill_march(api, session, lambda: NOW)
        session.commit()
    app = create_app(current_user=ana, can_act=may_act, secret="s", ledger_url=ledger_url, clock=lambda: NOW)
    with TestClient(app) as client:
        yield client
    app.state.ledger.dispose()


SEARCHED = [
    "/search?", "/contracts?", "/periods?", "/periods/list?", "/receivables?", "/price-updates?", "/attention?",
    "/attention?show=findings&", "/attention?show=updates&", "/runs?dag_id=%00&", "/runs?dag_id=d&run_id=%00&",
    "/runs?dag_id=d&task_id=a%00&",
]  # fmt: skip


def test_the_console_searches_for_any_text(console):
    asked = [f"{path}q={text}" for path in SEARCHED for text in ("%00", "a%00b", "%ed%a0%80", "%ff")]
    assert {path: console.get(path).status_code for path in asked} == dict.fromkeys(asked, 200)


def test_the_console_finds_a_name_by_the_character_that_the_vendor_holds(console):
    assert "Con\ufffdtrato" in console.get("/contracts?q=n%00t").text


def test_a_parameter_that_is_no_text_is_refused(console):
    asked = ["/?month=%00", "/periods/%00", "/contracts/1%00", "/contracts?state=%00", "/months/%00"]
    assert {console.get(path).status_code for path in asked} <= {404, 422}
