"""The billing Dags, run to their end in this process."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.ledger.actions import bill_complement
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Adjustment, Invoice, Period
from company import ORGANIZATION, company, rule

YEAR = {"from_date": "2025-01-01", "to_date": "2025-12-31"}


def references(box):
    return sorted(invoice["comments"] for invoice in box.state()["invoices"])


def test_a_year_is_billed_once_however_often_it_is_run(sandbox, ledger, run_dag):
    box = sandbox(company(rule(1), rule(2, 11, timing={"month_quantity": 3})))
    assert run_dag("bill_range", **YEAR).state == "success"
    first = references(box)
    assert len(first) == len(set(first)) == 16
    assert run_dag("bill_range", **YEAR).state == "success"
    assert references(box) == first


def test_what_the_dag_processor_thinks_of_shards_leaves_no_contract_out(sandbox, ledger, airflow_database, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    box = sandbox(company(*(rule(number, number) for number in range(1, 9))))
    monkeypatch.setenv("CICLO_SHARDS", "1")
    dag = DagBag(str(Path(__file__).resolve().parents[2] / "dags")).dags["bill_range"]
    monkeypatch.setenv("CICLO_SHARDS", "4")  # what the workers have
    run = dag.test(run_conf={"from_date": "2025-01-01", "to_date": "2025-01-31"})
    assert run.state == "success"
    assert len(references(box)) == 8
    assert len([task for task in run.get_task_instances() if task.task_id == "issue"]) == 4


def test_a_dry_run_sends_nothing(sandbox, ledger, run_dag):
    box = sandbox(company(rule()))
    assert run_dag("expand_invoice_rules", **YEAR).state == "success"
    assert run_dag("issue_invoices", **YEAR, dry_run=True).state == "success"
    assert references(box) == []


BEGUN = datetime.now(UTC)
"""Asked once: the tests may go on into the next month."""


def next_month(day, hour=9):
    """An instant (UTC) of a day of the coming month: what a rule called for before it was first seen is not planned."""
    return datetime(BEGUN.year + BEGUN.month // 12, BEGUN.month % 12 + 1, day, hour, tzinfo=UTC)


def test_day_by_day_bills_each_day_once(sandbox, ledger, run_dag):
    days = [next_month(day).date().isoformat() for day in (5, 7)]
    box = sandbox(company(rule(1, init_date=days[0]), rule(2, 11, init_date=days[1])))
    run_dag("expand_invoice_rules", logical_date=next_month(1, 8))
    for day in range(4, 9):
        run_dag("issue_invoices", logical_date=next_month(day))
    assert references(box) == [f"ciclo:7:1:{days[0]}", f"ciclo:7:2:{days[1]}"]


def test_a_run_bills_what_the_vendor_says_now_though_another_has_just_read_the_contract(sandbox, ledger, run_dag):
    days = [next_month(day).date().isoformat() for day in (5, 6)]
    box = sandbox(company(rule(1, init_date=days[0]), rule(2, init_date=days[1])))
    run_dag("expand_invoice_rules", logical_date=next_month(1, 8))
    run_dag("issue_invoices", logical_date=next_month(5))
    state = box.state()
    second = next(each for each in state["invoice_rules"] if each["id"] == 2)
    box.put_state({**state, "invoice_rules": [{**second, "gross_value": "175.0", "description": "Mensalidade nova"}]})
    run_dag("issue_invoices", logical_date=next_month(6))
    billed = [(each["description"], each["gross_value"]) for each in box.state()["invoices"]]
    assert billed == [("Mensalidade 1", "150.0"), ("Mensalidade nova", "175.0")]


def test_a_scheduled_run_takes_its_day_in_sao_paulo(sandbox, ledger, run_dag):
    days = [next_month(day).date().isoformat() for day in (5, 6)]
    box = sandbox(company(rule(1, init_date=days[0]), rule(2, 11, init_date=days[1])))
    run_dag("expand_invoice_rules", logical_date=next_month(1, 8))
    run_dag("issue_invoices", logical_date=next_month(6, 2))  # still the 5th in São Paulo
    assert references(box) == [f"ciclo:7:1:{days[0]}"]


@pytest.mark.parametrize(
    ("conf", "why"),
    [
        ({"form_date": "2025-01-01"}, "bill_range does not know form_date"),
        ({"contract_ids": [10.0]}, "bill_range: contract_ids[0] is 10.0, with a decimal point"),
        ({"max_invoices": 5.0}, "bill_range: max_invoices is 5.0"),
        ({"to_date": "9999-12-31"}, "bill_range: to_date is 9999-12-31: years are 1900 to 9000"),
        ({"from_date": "0001-01-01"}, "bill_range: from_date is 0001-01-01: years are 1900 to 9000"),
    ],
)
def test_params_that_cannot_be_meant_are_refused_before_anything_is_read(sandbox, ledger, run_dag, said, conf, why):
    box = sandbox(company(rule()))
    assert run_dag("bill_range", **conf).state == "failed"
    assert why in said()
    assert box.requests() == []


@pytest.mark.parametrize("conf", [{"max_invoices": -1}, {"max_total": -1}, {"max_total": 0.5}, {"contract_ids": [-10]}])
def test_ceilings_and_ids_below_zero_and_broken_ones_start_no_run(ledger, run_dag, conf):
    with pytest.raises(ParamValidationError):
        run_dag("bill_range", **conf)


def test_a_window_upside_down_fails_at_once_with_both_dates(sandbox, ledger, run_dag, said):
    box = sandbox(company(rule()))
    assert run_dag("bill_range", from_date="2025-02-01", to_date="2025-01-01").state == "failed"
    assert "the window is upside down: it starts on 2025-02-01 and ends on 2025-01-01" in said()
    assert references(box) == []


def test_a_connection_without_organization_fails_at_once_and_names_the_field(ledger, run_dag, monkeypatch, said):
    connection = {"conn_type": "billimatic", "host": "http://127.0.0.1:9", "password": "canary-71f0"}
    monkeypatch.setenv("AIRFLOW_CONN_BILLIMATIC_DEFAULT", json.dumps(connection))
    assert run_dag("expand_invoice_rules", **YEAR).state == "failed"
    assert "billimatic_default" in said()
    assert "organization_id" in said()
    assert "canary-71f0" not in said()


def test_a_wrong_token_fails_at_once_and_is_not_shown(sandbox, ledger, run_dag, monkeypatch, said):
    box = sandbox(company(rule()))
    wrong = json.loads(os.environ["AIRFLOW_CONN_BILLIMATIC_DEFAULT"]) | {"password": "canary-5b2e"}
    monkeypatch.setenv("AIRFLOW_CONN_BILLIMATIC_DEFAULT", json.dumps(wrong))
    assert run_dag("expand_invoice_rules", **YEAR).state == "failed"
    assert "AuthenticationError" in said()
    assert "canary-5b2e" not in said()
    assert references(box) == []


def test_a_ledger_that_was_never_migrated_fails_at_once_and_says_what_to_run(
    sandbox, run_dag, tmp_path, monkeypatch, said
):
    sandbox(company(rule()))
    monkeypatch.setenv("CICLO_LEDGER_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert run_dag("expand_invoice_rules", **YEAR).state == "failed"
    assert "The ledger was never migrated. Run `ciclo db upgrade`, then try again." in said()


def test_a_rule_is_created_from_its_template_once(sandbox, ledger, run_dag):
    template = {
        "id": 26,
        "name": "Modelo",
        "description": "Mensalidade",
        "nfe_body": "$DESCRICAO",
        "gross_value": "95.0",
        "receivables_additional_information": {"day_number": 1},
    }
    box = sandbox(company(rule(), invoice_templates=[template]))
    conf = {
        "contract_id": 10,
        "invoice_template_id": 26,
        "title": "Regra nova",
        "init_date": "2025-12-20",
        "month_quantity": 12,
    }
    assert run_dag("create_invoice_rule", **conf).state == "success"
    assert run_dag("create_invoice_rule", **conf).state == "success"
    titles = [each["additional_information"]["title"] for each in box.state()["invoice_rules"]]
    assert titles == ["Regra 1", "Regra nova"]


def test_a_file_of_adjustments_is_added_whole_or_not_at_all_and_billed(sandbox, ledger, run_dag, tmp_path, said):
    box = sandbox(company(rule()))
    assert run_dag("expand_invoice_rules", **YEAR).state == "success"
    table = tmp_path / "june.csv"
    table.write_text("kind,rule_id,period,percent\ndiscount,1,2025-06,10\ndiscount,1,2025-07,101\n")
    assert run_dag("import_adjustments", path=f"file://{table}").state == "failed"
    assert "line 3, percent: must be above 0 and up to 100: 101" in said()
    table.write_text("kind,rule_id,period,percent\ndiscount,1,2025-06,10\n")
    assert run_dag("import_adjustments", path=f"file://{table}").state == "success"
    assert run_dag("issue_invoices", **YEAR).state == "success"
    values = [invoice["gross_value"] for invoice in box.state()["invoices"]]
    assert sorted(values).count("135.0") == 1
    assert sorted(values).count("150.0") == len(values) - 1


def test_a_difference_that_a_person_bills_by_itself_is_one_invoice_however_often_it_is_run(
    sandbox, ledger, run_dag, sqlite_url
):
    box = sandbox(company(rule(timing={"end_date": "2025-01-31"})))
    assert run_dag("bill_range", **YEAR).state == "success"
    engine = open_engine(sqlite_url)
    with Session(engine) as session:
        period = session.scalars(select(Period)).one()
        box.emit(period.invoice_id)
        session.get(Invoice, (ORGANIZATION, period.invoice_id)).state = "to_receive"
        now = datetime.now(UTC)
        note, amount = "12 hours were not counted", Decimal("50.00")
        bill_complement(session, ORGANIZATION, period.id, person="ana", note=note, at=now, amount=amount)
        session.commit()
    engine.dispose()

    for _ in range(3):
        assert run_dag("issue_invoices", **YEAR).state == "success"

    assert sorted(invoice["gross_value"] for invoice in box.state()["invoices"]) == ["150.0", "50.0"]
    assert len(box.state()["invoice_rules"]) == 2
    assert ledger.scalars(select(Adjustment)).one().state == "used"
