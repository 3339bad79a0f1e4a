"""Price indices and price updates, run to their end in this process."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from ciclo.domain.wording import said
from ciclo.ledger.tables import IndexValue, PriceUpdateExecution, ScheduledUpdate
from company import company, rule, scheduled_update

YEAR = {"from_date": "2025-01-01", "to_date": "2025-12-31"}


@pytest.fixture
def readjusted(sandbox, monkeypatch):
    """A company with one rule of R$ 1.000,00 that IGP-M readjusts on 10/06/2025; SGS is the sandbox."""
    box = sandbox(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])))
    monkeypatch.setenv("CICLO_SGS_URL", box.url)
    return box


def billed(box):
    return {invoice["issue_date"]: invoice["gross_value"] for invoice in box.state()["invoices"]}


def test_a_backfilled_year_is_billed_at_each_days_price(readjusted, ledger, run_dag):
    assert run_dag("bill_range", **YEAR).state == "success"

    assert billed(readjusted)["10/05/2025"] == "1000.0"
    assert billed(readjusted)["10/06/2025"] == "1070.26"
    assert len(billed(readjusted)) == 12


def test_the_daily_run_applies_what_is_due_on_its_day(readjusted, ledger, run_dag):
    run_dag("expand_invoice_rules", **YEAR)

    assert run_dag("apply_price_updates", logical_date=datetime(2025, 6, 9, 8, 30, tzinfo=UTC)).state == "success"
    assert ledger.scalars(select(PriceUpdateExecution)).all() == []
    assert run_dag("apply_price_updates", logical_date=datetime(2025, 6, 10, 8, 30, tzinfo=UTC)).state == "success"

    ledger.rollback()
    execution = ledger.scalars(select(PriceUpdateExecution)).one()
    assert execution.state == "applied"
    assert ledger.scalars(select(ScheduledUpdate.next_execution_date)).one() == date(2026, 6, 10)


def test_a_dry_run_shows_the_new_price_and_sends_nothing(readjusted, ledger, run_dag, said):
    run_dag("expand_invoice_rules", **YEAR)
    run_dag("sync_price_indices")

    assert run_dag("apply_price_updates", **YEAR, dry_run=True).state == "success"

    assert "on 10/06/2025 by IGP-M, R$ 1.000,00 x 1,0702618345" in said()
    assert readjusted.requests(method="PUT", path="invoice_rules") == []


def test_indices_are_synchronised_from_sgs(readjusted, ledger, run_dag):
    assert run_dag("sync_price_indices").state == "success"

    values = ledger.scalars(select(IndexValue).where(IndexValue.price_index == "igpm")).all()
    assert min(value.month for value in values) == date(1995, 1, 1)
    assert {value.source for value in values} == {"shipped"}  # SGS says the same: nothing is recorded twice


def test_without_the_internet_the_shipped_values_serve(sandbox, ledger, run_dag, monkeypatch):
    monkeypatch.setenv("CICLO_SGS_URL", "http://127.0.0.1:9")
    box = sandbox(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])))

    assert run_dag("bill_range", **YEAR).state == "success"

    assert billed(box)["10/06/2025"] == "1070.26"


def test_where_approval_is_required_a_backfill_proposes_and_bills_what_does_not_wait(
    readjusted, ledger, run_dag, monkeypatch
):
    monkeypatch.setenv("CICLO_APPROVE_PRICE_UPDATES", "true")

    assert run_dag("bill_range", **YEAR).state == "success"

    ledger.rollback()
    assert ledger.scalars(select(PriceUpdateExecution.state)).one() == "proposed"
    assert len(billed(readjusted)) == 5


# -- approval ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def proposed(readjusted, ledger, dag_bag, run_dag):
    """A proposal of the daily run, shown to a person who has not answered."""
    run_dag("expand_invoice_rules", **YEAR)
    pass_by(dag_bag)
    ledger.rollback()
    return ledger.scalars(select(PriceUpdateExecution)).one()


def pass_by(dag_bag):
    """Run `apply_price_updates` with approval required, as if `approve` had been marked as done by hand."""
    conf = {**YEAR, "require_approval": True}
    dag = dag_bag.dags["apply_price_updates"]
    return dag.test(run_conf=conf, mark_success_pattern="^approve$")


def answer(execution, chosen):
    from ciclo.jobs.price_updates.propose import batch_hash
    from ciclo.tasks.prices import PriceUpdateApproval

    shown = batch_hash([f"{execution.id}:{execution.proposal_hash}"])
    operator = PriceUpdateApproval(task_id="approve", batch={"execution_ids": [execution.id], "hash": shown})
    instance = SimpleNamespace(dag_id="apply_price_updates", run_id="r", task_id="approve", map_index=-1)
    params = {"billimatic_conn_id": "billimatic_default", "require_approval": True}
    event = {"chosen_options": [chosen], "params_input": {}, "responded_at": datetime(2026, 1, 10, tzinfo=UTC)}
    event["responded_by_user"] = {"id": "7", "name": "Ana"}
    return operator.execute_complete({"ti": instance, "params": params}, event)


def test_a_proposal_that_nobody_approved_is_not_applied_whatever_was_skipped(readjusted, proposed):
    assert proposed.state == "proposed"
    assert readjusted.requests(method="PUT", path="invoice_rules") == []


def test_an_approved_proposal_is_applied_by_the_next_run(readjusted, ledger, proposed, dag_bag):
    assert answer(proposed, "Approve") == {"approved": 1, "rejected": 0, "refused": 0}

    pass_by(dag_bag)

    ledger.rollback()
    execution = ledger.scalars(select(PriceUpdateExecution)).one()
    assert (execution.state, execution.approved_by) == ("applied", "Ana")


def test_a_rejected_proposal_waits_for_a_person(readjusted, ledger, proposed, dag_bag):
    assert answer(proposed, "Reject") == {"approved": 0, "rejected": 1, "refused": 0}

    pass_by(dag_bag)

    ledger.rollback()
    assert said(ledger.scalars(select(PriceUpdateExecution.reason)).one()) == "rejected by Ana"
