"""`audit_account`: the account judged by a Dag that cannot write and needs no ledger."""

import json

from airflow.utils.state import DagRunState

from company import ORGANIZATION, company, rule


def test_the_account_is_audited_without_a_write_or_a_ledger(sandbox, run_dag, said, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_REPORTS_DIR", str(tmp_path / "reports"))
    monkeypatch.setenv("CICLO_LEDGER_URL", "postgresql://nobody@127.0.0.1:9/none")
    box = sandbox(company(rule(1)))
    run = run_dag("audit_account", from_date="2025-01-01", to_date="2025-03-31")
    assert run.state == DagRunState.SUCCESS
    assert {seen["method"] for seen in box.requests()} == {"GET"}
    (report,) = (tmp_path / "reports" / str(ORGANIZATION)).glob("*.json")
    document = json.loads(report.read_text())
    assert document["totals"] == {"missing": {"count": 3, "amount": "450.00"}}
    assert "missing: 3, R$ 450,00" in said()


def test_a_param_that_it_does_not_know_is_refused(sandbox, run_dag):
    box = sandbox(company(rule(1)))
    assert run_dag("audit_account", contract_ids=[10]).state == DagRunState.FAILED
    assert box.requests() == []
