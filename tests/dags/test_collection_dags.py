"""Reconciliation, closing and backfills under control, run to their end in this process."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import ReceivedEvent, WebhookRepository
from ciclo.ledger.tables import BillingPlan, Finding, MonthClosing, Period, Receivable
from company import company, rule

YEAR = {"from_date": "2025-01-01", "to_date": "2025-12-31"}


@pytest.fixture
def billed(sandbox, ledger, run_dag, tmp_path, monkeypatch):
    """Bill a year; reports go to a folder of the test's."""

    def bill(state):
        monkeypatch.setenv("CICLO_REPORTS_DIR", str(tmp_path / "reports"))
        box = sandbox(state)
        assert run_dag("bill_range", **YEAR).state == "success"
        return box

    return bill


def rows(ledger, *columns):
    ledger.rollback()
    return [tuple(row) for row in ledger.execute(select(*columns))]


def test_a_billed_year_is_reconciled_and_its_months_close_with_files(billed, ledger, run_dag, tmp_path):
    box = billed(company(rule(1)))
    first = box.state()["invoices"][0]
    box.emit(first["id"])
    box.receive(first["receivables"][0]["id"])
    assert run_dag("reconcile_receivables").state == "success"
    assert ("received",) in rows(ledger, Receivable.state)
    assert run_dag("close_billing_month", **YEAR).state == "success"
    assert rows(ledger, MonthClosing.closed) == [(True,)] * 12
    files = {path.name for path in (tmp_path / "reports" / "7").iterdir()}
    assert {"ciclo-2025-01.csv", "ciclo-2025-01.html"} <= files
    assert len(files) == 24


@pytest.mark.parametrize("place", ["file://{folder}", "{folder}"])
def test_reports_go_to_whatever_storage_airflow_knows(billed, ledger, run_dag, tmp_path, monkeypatch, place):
    billed(company(rule(1)))
    store = tmp_path / "store"
    monkeypatch.setenv("CICLO_REPORTS_DIR", place.format(folder=store))
    assert run_dag("close_billing_month", from_date="2025-01-01", to_date="2025-01-31").state == "success"
    page, table = sorted((store / "7").iterdir(), reverse=True)
    assert (page.name, table.name) == ("ciclo-2025-01.html", "ciclo-2025-01.csv")
    assert table.read_bytes().startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in table.read_bytes()
    files = ledger.execute(select(MonthClosing.report)).scalars().one()["files"]
    assert [name.rpartition("/")[2] for name in files] == [table.name, page.name]


def test_a_month_that_does_not_close_fails_once_and_says_why(billed, ledger, run_dag, said):
    box = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    box.call("DELETE", f"contracts/10/invoices/{invoice['id']}")
    assert run_dag("close_billing_month", from_date="2025-01-01", to_date="2025-01-31").state == "failed"
    assert f"invoice {invoice['id']} is no longer at the vendor" in said()
    assert rows(ledger, MonthClosing.closed) == [(False,)]


def test_the_month_before_is_closed_by_default(billed, ledger, run_dag):
    billed(company(rule(1)))
    assert run_dag("close_billing_month", logical_date=datetime(2025, 3, 2, 12, tzinfo=UTC)).state == "success"
    assert [month.isoformat() for (month,) in rows(ledger, MonthClosing.billing_month)] == ["2025-02-01"]


def test_a_dry_run_of_closing_and_reconciling_leaves_the_ledger_alone(billed, ledger, run_dag, tmp_path):
    box = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    box.emit(invoice["id"], invoice["issue_date"])
    assert run_dag("reconcile_receivables", dry_run=True).state == "success"
    assert run_dag("close_billing_month", **YEAR, dry_run=True).state == "success"
    assert {state for (state,) in rows(ledger, Receivable.state)} == {"to_emit"}
    assert rows(ledger, MonthClosing.id) == []
    assert not (tmp_path / "reports").exists()


def test_a_finding_is_told_in_the_log_of_the_run(billed, ledger, run_dag, said):
    box = billed(company(rule(1)))
    invoice = box.state()["invoices"][0]
    box.call("PATCH", f"contracts/10/invoices/{invoice['id']}", {"invoice": {"gross_value": "1.00"}})
    assert run_dag("reconcile_receivables").state == "success"
    assert "value edited: contract 10, rule 1, period" in said()
    assert ("value_edited",) in rows(ledger, Finding.kind)  # what the months after the range lack is shown, too


def test_a_dry_run_of_a_backfill_shows_amounts_and_plans_nothing(sandbox, ledger, run_dag, said):
    box = sandbox(company(rule(1)))
    assert run_dag("bill_range", **YEAR, policy="dry_run").state == "success"
    assert "12 invoices, R$ 1.800,00" in said()
    assert (rows(ledger, Period.id), rows(ledger, BillingPlan.id)) == ([], [])
    assert box.state()["invoices"] == []


def test_the_switch_for_a_dry_run_comes_before_the_policy(sandbox, ledger, run_dag):
    box = sandbox(company(rule(1)))
    assert run_dag("bill_range", **YEAR, policy="current_only", dry_run=True).state == "success"
    assert box.state()["invoices"] == []


def test_current_only_bills_one_invoice_a_rule(sandbox, ledger, run_dag):
    box = sandbox(company(rule(1)))
    assert run_dag("bill_range", **YEAR, policy="current_only").state == "success"
    assert [invoice["issue_date"] for invoice in box.state()["invoices"]] == ["10/12/2025"]
    assert rows(ledger, BillingPlan.policy, BillingPlan.invoices) == [("current_only", 1)]


@pytest.fixture
def approval(sandbox, ledger, run_dag):
    """The approval of a plan, outside of a run: `ask` says what the plan's task told."""
    from ciclo.tasks.backfill import PlanApproval

    def make(*, ask):
        plan = {"plan_id": 1, "plan_hash": "x", "invoices": 12, "total": "1800.00", "ask": ask, "body": "…"}
        instance = SimpleNamespace(xcom_pull=lambda **_: plan)
        return PlanApproval(), {"ti": instance, "task_instance": instance}

    return make


def test_nobody_is_asked_about_a_plan_within_the_ceilings(approval):
    operator, context = approval(ask=False)
    assert operator.execute(context) is None


def test_a_plan_that_was_not_approved_is_not_applied_whatever_was_skipped(sandbox, ledger, dag_bag):
    box = sandbox(company(rule(1)))
    run = dag_bag.dags["bill_range"].test(run_conf={**YEAR, "max_invoices": 11}, mark_success_pattern="^approve$")
    assert run.state == "failed"
    assert box.state()["invoices"] == []
    assert rows(ledger, BillingPlan.needs_approval, BillingPlan.applied_at) == [(True, None)]


@pytest.mark.parametrize(("chosen", "name"), [("Approve", "Ana"), ("Reject", None)])
def test_the_approver_is_whoever_answered_approve(approval, chosen, name):
    from ciclo.tasks.backfill import approver

    operator, context = approval(ask=True)
    answered_at = datetime(2026, 1, 10, tzinfo=UTC)
    event = {"chosen_options": [chosen], "params_input": {}, "responded_at": answered_at}
    answer = operator.execute_complete(context, event | {"responded_by_user": {"id": "7", "name": "Ana"}})
    assert approver(answer) == name
    assert approver(None) is None


# -- webhooks ---------------------------------------------------------------------------------------------------------


def record(sqlite_url, number):
    engine = open_engine(sqlite_url)
    with Session(engine) as session:
        event = ReceivedEvent(
            request_id=f"req-{number}", event="emit", object_type="Invoice", object_id=number, invoice_id=number
        )
        WebhookRepository(session).record(event, at=datetime(2026, 1, 10, tzinfo=UTC))
        session.commit()
    engine.dispose()


def first_of(trigger):
    async def wait():
        async for event in trigger.run():
            return event.payload
        return None

    return asyncio.run(asyncio.wait_for(wait(), timeout=10))


def test_a_recorded_webhook_fires_the_watcher(ledger, sqlite_url):
    from ciclo.tasks.assets import WebhookEventsTrigger

    record(sqlite_url, 1)
    assert first_of(WebhookEventsTrigger(poll_seconds=0.05)) == {"newest_event": 1}


def test_the_watcher_can_be_made_again_by_the_triggerer():
    from airflow.sdk.module_loading import import_string

    from ciclo.tasks.assets import WEBHOOKS, WebhookEventsTrigger

    path, given = WEBHOOKS.watchers[0].trigger.serialize()
    assert isinstance(import_string(path)(**given), WebhookEventsTrigger)


@pytest.mark.parametrize(
    ("looks", "announced"),
    [
        ([None, None], [False, False]),
        ([1, 1, 2, 2], [True, False, True, False]),  # once each
        ([2, None, 3], [True, False, True]),
        ([1] * 32, [True, *[False] * 29, True, False]),  # not handled for 300 seconds: again
    ],
)
def test_events_are_announced_once_and_again_if_nobody_handles_them(looks, announced):
    from ciclo.tasks.assets import Announcements

    state = Announcements()
    assert [state.due(waiting, 10.0) for waiting in looks] == announced


def test_a_ledger_that_is_away_does_not_stop_the_watcher(monkeypatch, tmp_path):
    from ciclo.tasks.assets import newest_waiting

    monkeypatch.setenv("CICLO_LEDGER_URL", f"sqlite:///{tmp_path}/none.db")
    assert newest_waiting() is None
