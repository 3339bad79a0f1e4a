"""Alerts over a real SMTP server on loopback: what failed, what is late, what stopped, with contract and amount."""

from types import SimpleNamespace

import pytest

from company import company, contract, rule
from mail_server import running_mail_server

YEAR = {"from_date": "2025-01-01", "to_date": "2025-12-31"}


@pytest.fixture
def mailbox(monkeypatch):
    with running_mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection)
        monkeypatch.setenv("CICLO_NOTIFY", "finance@example.com, billing@example.com")
        yield server


def test_a_failed_close_is_told_with_what_is_missing(sandbox, ledger, run_dag, mailbox, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_REPORTS_DIR", str(tmp_path / "reports"))
    box = sandbox(company(rule(1)))
    run_dag("bill_range", **YEAR)
    assert mailbox.mails() == []
    invoice = box.state()["invoices"][0]
    box.call("DELETE", f"contracts/10/invoices/{invoice['id']}")
    run_dag("close_billing_month", from_date="2025-01-01", to_date="2025-01-31")
    ((to, subject, text),) = mailbox.mails()
    assert {address.strip() for address in to.split(",")} == {"finance@example.com", "billing@example.com"}
    assert subject == "Ciclo: close_billing_month.close failed"
    assert f"invoice {invoice['id']} is no longer at the vendor" in text
    assert "R$ 150,00" in text


def test_what_a_run_parks_is_told_once_with_contract_and_amount(sandbox, ledger, run_dag, mailbox):
    broken = rule(2, 11, nfe_body="", gross_value="80.0")
    sandbox(company(rule(1), broken, contracts=[contract(10), contract(11)]))
    run_dag("bill_range", from_date="2025-01-01", to_date="2025-01-31")
    ((_, subject, text),) = mailbox.mails()
    assert subject == "Ciclo: 1 stopped for a person"
    assert "Contract 11, R$ 80,00, parked: contract 11, rule 2, period 2025-01-10: the API refused it: nfe_body" in text
    run_dag("bill_range", from_date="2025-01-01", to_date="2025-01-31")
    assert len(mailbox.mails()) == 1


def test_what_a_run_parks_is_told_after_its_last_try(sandbox, ledger, run_dag, mailbox, monkeypatch):
    from ciclo.jobs.issuing.settle import NothingBilledError, StillInDoubtError
    from ciclo.tasks import notify

    def on_try(number):
        context = get_current_context()
        ti = SimpleNamespace(run_id=context["ti"].run_id, try_number=number, max_tries=4)
        return {**context, "ti": ti}

    get_current_context = notify.get_current_context
    monkeypatch.setattr(notify, "get_current_context", lambda: on_try(2))
    sandbox(company(rule(2, 11, nfe_body="", gross_value="80.0"), rule(1)))
    run_dag("bill_range", from_date="2025-01-01", to_date="2025-01-31")
    assert [subject for _, subject, _ in mailbox.mails()] == ["Ciclo: 1 stopped for a person"]

    monkeypatch.setattr(notify, "get_current_context", lambda: {"ti": SimpleNamespace(try_number=1, max_tries=4)})
    assert notify._is_tried_again(StillInDoubtError(1, 0, None))
    assert not notify._is_tried_again(NothingBilledError(1, 0, None))
    monkeypatch.setattr(notify, "get_current_context", lambda: {"ti": SimpleNamespace(try_number=5, max_tries=4)})
    assert not notify._is_tried_again(StillInDoubtError(1, 0, None))


def test_a_mail_server_that_is_away_fails_nothing(monkeypatch, caplog, airflow_database):
    from ciclo.jobs.runs import Notice
    from ciclo.tasks import notify

    monkeypatch.setenv("CICLO_NOTIFY", "finance@example.com")
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:9/?disable_ssl=true&disable_tls=true&retry_limit=1"
    )
    monkeypatch.setattr(notify, "get_current_context", lambda: {"params": {}})
    notify._try_to_send(Notice(subject="Ciclo: 1 stopped for a person", lines=("Contract 10",)))
    assert "the alert could not be sent" in caplog.text


@pytest.mark.parametrize(
    "dag_id", ["apply_price_updates", "close_billing_month", "issue_invoices", "reconcile_receivables"]
)
def test_scheduled_dags_tell_of_failures(dag_bag, dag_id):
    assert all(task.has_on_failure_callback for task in dag_bag.dags[dag_id].tasks)
