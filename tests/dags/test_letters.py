"""Letters to customers from the Dag, over a real SMTP server on loopback."""

from datetime import UTC, datetime
from smtplib import SMTPServerDisconnected

import pytest
from sqlalchemy import select

from ciclo.jobs.price_updates import LetterNotTakenError, Mail, MailServerAwayError
from ciclo.ledger.tables import Letter
from ciclo.tasks.notify import post
from company import company, rule, scheduled_update
from mail_server import running_mail_server

YEAR = {"from_date": "2025-01-01", "to_date": "2025-12-31"}


@pytest.fixture
def mailbox(monkeypatch, airflow_database):
    with running_mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection)
        yield server


def test_an_applied_update_is_written_about_once_and_the_letter_is_kept(sandbox, ledger, run_dag, mailbox, monkeypatch):
    customer = {"id": 1010, "name": "Padaria Aurora", "billing_contacts": "fin@aurora.example, fiscal@aurora.example"}
    box = sandbox(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()]), companies=[customer]))
    monkeypatch.setenv("CICLO_SGS_URL", box.url)
    monkeypatch.setenv("CICLO_LETTERS", "after")
    run_dag("expand_invoice_rules", **YEAR)

    for _ in range(2):
        day = datetime(2025, 6, 10, 8, 30, tzinfo=UTC)
        assert run_dag("apply_price_updates", logical_date=day).state == "success"

    ((to, subject, text),) = mailbox.mails()
    assert {address.strip() for address in to.split(",")} == {"fin@aurora.example", "fiscal@aurora.example"}
    assert subject == "Readjustment of contract Contrato 10 on 10/06/2025"
    assert "R$ 1.070,26" in text
    ledger.rollback()
    letter = ledger.scalars(select(Letter)).one()
    assert (letter.state, letter.kind, "R$ 1.070,26" in letter.body) == ("sent", "after", True)


def test_what_is_left_in_doubt_keeps_no_letter_from_leaving(dag_bag):
    dag = dag_bag.dags["apply_price_updates"]
    assert dag.get_task("write").upstream_task_ids == dag.get_task("finish").upstream_task_ids == {"apply"}
    assert {task.task_id for task in dag.leaves} == {"remind", "write", "finish"}  # whichever fails, so does the run


def test_a_server_that_cannot_be_had_took_it_for_nobody(monkeypatch, airflow_database):
    away = "smtp://127.0.0.1:9/?disable_ssl=true&disable_tls=true&from_email=ciclo%40example.com"
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", away)
    with pytest.raises(MailServerAwayError):
        post(Mail(("a@b.example",), "Reajuste", "<p>1</p>"))


def test_recipients_that_are_refused_are_told_apart_from_a_lost_answer(mailbox):
    mailbox.refuses = True
    with pytest.raises(LetterNotTakenError):
        post(Mail(("a@b.example",), "Reajuste", "<p>1</p>"))
    mailbox.refuses, mailbox.hangs_up = False, True
    with pytest.raises(SMTPServerDisconnected):
        post(Mail(("a@b.example",), "Reajuste", "<p>1</p>"))
    assert len(mailbox.mails()) == 1  # it was taken, and nobody tried a second time
