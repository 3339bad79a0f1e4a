"""Messages to people: what they say, where they go, and that nothing in them is executed."""

import email
import logging
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest

from ciclo.billimatic import RejectedError
from ciclo.provider.notifier import BillingNotifier, PriceUpdatePreview

MONTHS = [date(2018, 12, 1), *(date(2019, month, 1) for month in range(1, 12))]


@pytest.fixture
def preview():
    def make(**changes):
        fields = {
            "contract_id": 255,
            "contract_name": "Aluguel",
            "rule_id": 6955,
            "service": "Serviço 1",
            "execution_date": date(2019, 12, 20),
            "index": "IGP-DI",
            "months": MONTHS,
            "factor": Decimal("1.0538"),
            "old_price": Decimal("4500.00"),
            "new_price": Decimal("4742.10"),
        }
        return PriceUpdatePreview(**{**fields, **changes})

    return make


@pytest.fixture
def failure():
    instance = SimpleNamespace(
        dag_id="issue_invoices", task_id="issue", run_id="manual__1", try_number=2, log_url="http://localhost/log"
    )
    path = "/api/v1/contracts/6666/invoices"
    error = RejectedError("description: não pode", method="POST", path=path, status=422)
    return {"task_instance": instance, "exception": error}


def _body(message):
    parsed = email.message_from_string(message)
    part = next(found for found in parsed.walk() if found.get_content_type() == "text/html")
    return parsed, part.get_payload(decode=True).decode()


def test_a_preview_shows_old_price_factor_new_price_and_months(preview):
    assert preview().line() == (
        "Contract 255 (Aluguel), rule 6955, Serviço 1: on 20/12/2019 by IGP-DI, "
        "R$ 4.500,00 x 1,0538 = R$ 4.742,10, months 12/2018 to 11/2019 (12)"
    )


def test_a_preview_of_an_index_that_is_not_out_says_so(preview):
    line = preview(factor=None, new_price=None, months=[], service=None, warning="Contrary to Law 10.192/2001").line()
    assert line == (
        "Contract 255 (Aluguel), rule 6955: on 20/12/2019 by IGP-DI, R$ 4.500,00, factor not known yet, "
        "months not published yet. Contrary to Law 10.192/2001"
    )


def test_a_message_without_recipients_goes_to_the_log(preview, caplog):
    caplog.set_level(logging.INFO)
    BillingNotifier(subject="Coming price updates", lines=["One rule."], previews=[preview()]).notify({})
    assert "Coming price updates" in caplog.text
    assert "R$ 4.500,00 x 1,0538 = R$ 4.742,10" in caplog.text


def test_a_message_with_recipients_goes_through_airflows_smtp_connection(preview, mails):
    BillingNotifier(subject="Coming price updates", previews=[preview()], to=["finance@example.com"]).notify({})
    message, body = _body(mails[0])
    assert message["Subject"] == "Coming price updates"
    assert message["To"] == "finance@example.com"
    assert message["From"] == "ciclo@example.com"
    assert "R$ 4.742,10" in body


def test_a_failed_task_is_described_by_the_callback(failure, mails):
    BillingNotifier(to="finance@example.com")(failure)
    message, body = _body(mails[0])
    assert message["Subject"] == "Ciclo: issue_invoices.issue failed"
    assert "RejectedError: contract 6666: description: não pode" in body
    assert "Run manual__1, try 2" in body
    assert "http://localhost/log" in body


def test_nothing_in_a_message_is_a_template_or_markup(preview, mails):
    hostile = "{{ conn.billimatic_default.password }} <script>alert(1)</script>"
    BillingNotifier(
        subject=f"{hostile}\r\nBcc: x@example.com", previews=[preview(contract_name=hostile)], to=["a@example.com"]
    )({})
    message, body = _body(mails[0])
    assert "{{ conn.billimatic_default.password }}" in body
    assert "<script>" not in body
    assert message["Bcc"] is None
